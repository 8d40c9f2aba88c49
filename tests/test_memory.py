from weakref import ref

from skin_ai import memory


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
