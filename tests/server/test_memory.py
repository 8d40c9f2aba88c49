import subprocess
import sys
from pathlib import Path
from weakref import ref

import pytest

from skin_ai.server import memory

# Eight threads hold memory at once; then the C library lists the places that it was taken from.
THREADS = """
import ctypes, sys, threading
from skin_ai.server import memory
if sys.argv[2]:
    memory.share_arenas()
together, libc = threading.Barrier(8), ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p

def hold():
    libc.malloc(ctypes.c_size_t(1000))
    together.wait()

threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
told = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, told)
libc.fclose(told)
"""


class Session:
    def __init__(self) -> None:
        self.itself = self


def test_closed_session_is_given_back_now_and_then(monkeypatch):
    kept = ref(Session())
    monkeypatch.setattr(memory, "_collected_at", memory.time.monotonic())
    memory.collect_now_and_then()
    assert kept() is not None
    monkeypatch.setattr(memory, "_collected_at", memory.time.monotonic() - 2 * memory.EVERY)
    memory.collect_now_and_then()
    assert kept() is None


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's arenas")
def test_threads_allocate_from_the_same_places(tmp_path: Path) -> None:
    def places(is_shared: str) -> int:
        told = tmp_path / "malloc.xml"
        subprocess.run([sys.executable, "-c", THREADS, str(told), is_shared], check=True)
        return told.read_text().count("<heap nr")

    assert places("") > memory.ARENAS
    assert places("yes") == memory.ARENAS
