"""Twenty simultaneous visitors compared with one: `python -m benchmarks.visitors [VISITORS] [CASES]`.

Each visitor speaks Streamlit's own protocol over a websocket, as a browser does: uploads a photo, types
words, commits a diagnosis, sees the AI's, keeps the answer, and starts the next case.
"""

from __future__ import annotations

import io
import re
import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import numpy as np
import requests
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.machine import machine
from benchmarks.server import started
from skin_ai.server.memory import EVERY
from skin_ai.views.case.samples import SAMPLES

VISITORS, CASES = 20, 500
TARGET = 70  # cases a minute
PATIENCE = 300  # seconds
WORDS = "I am 67. The shiny bump beside my nose has grown for a year and bled twice."
SAVE, SAME = "Save my diagnosis and show the AI's", "Keep my answer"
QUEUE = re.compile(r"\d+ cases? ahead of you")
TOKEN = re.compile(rb"token[0-9a-f]{16}")  # in a visitor's words; must not reach another visitor


class Visitor:
    """One browser's session, without the browser."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.token = f"token{secrets.token_hex(8)}"
        self.http = requests.Session()
        self.http.get(f"{address}/_stcore/health", timeout=PATIENCE)  # sets the token against forged requests
        self.socket: ClientConnection = connect(
            f"{address.replace('http', 'ws')}/_stcore/stream",
            subprotocols=[Subprotocol("streamlit")],
            max_size=None,
            open_timeout=PATIENCE,
            legacy=True,  # closed by `leave`, not by a block
        )
        self.session, self.query = "", ""
        self.elements: dict[tuple[int, ...], Any] = {}
        self.states: dict[str, WidgetState] = {}
        self.received: list[bytes] = []
        self.sent: list[bytes] = []
        self.queued: set[str] = set()
        self._run()

    def leave(self) -> None:
        """Closes the tab."""
        self.socket.close()
        self.http.close()

    def one_case(self) -> float:
        """A case from photo to final answer; the seconds from the commit to the result on the page."""
        self.begin()
        took = self.commit()
        self._click(SAME)
        self._click("New case")
        return took

    def commit(self) -> float:
        """An own diagnosis, then the AI's; the seconds from the commit to the result on the page."""
        self._choose("multiselect", "Your diagnosis", "melanoma")
        self._choose("button_group", "How confident", "70%")
        start = time.perf_counter()
        self._click(SAVE)
        took = time.perf_counter() - start
        if not self._find("button", SAME):
            raise RuntimeError("The page shows no result.")
        return took

    def begin(self) -> None:
        """A photo and words, and nothing else."""
        self._upload(_photo())
        self._type(f"{WORDS} {self.token}")

    def repeat(self, messages: list[bytes]) -> None:
        """Sends what another visitor sent, one message after the other."""
        for message in messages:
            self.socket.send(message)
            self._wait()

    def commit_and_leave(self) -> None:
        """Asks for a result and closes the tab before it comes."""
        self._type(WORDS)
        self._send("Show me the AI at once")
        time.sleep(0.3)
        self.leave()

    def _find(self, kind: str, label: str) -> Any:
        found = [
            element
            for element in self.elements.values()
            if element.WhichOneof("type") == kind and getattr(element, kind).label.startswith(label)
        ]
        return getattr(found[-1], kind) if found else None

    def _type(self, words: str) -> None:
        widget = self._find("text_area", "In the patient's own words")
        self.states[widget.id] = WidgetState(id=widget.id, string_value=words)
        self._run()

    def _choose(self, kind: str, label: str, choice: str) -> None:
        widget = self._find(kind, label)
        self.states[widget.id] = WidgetState(id=widget.id)
        self.states[widget.id].string_array_value.data.append(choice)
        self._run()

    def _click(self, label: str) -> None:
        self._send(label)
        self._wait()

    def _run(self) -> None:
        self._send()
        self._wait()

    def _send(self, click: str = "") -> None:
        clicked = [WidgetState(id=self._find("button", click).id, trigger_value=True)] if click else []
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.widget_states.widgets.extend([*self.states.values(), *clicked])
        self.sent.append(message.SerializeToString())
        self.socket.send(self.sent[-1])

    def _wait(self) -> None:
        """Receives until the script of the server has finished."""
        self.elements.clear()
        while True:
            message = self._receive()
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.session = message.new_session.initialize.session_id
            elif kind == "page_info_changed":
                self.query = message.page_info_changed.query_string
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                self.elements[tuple(message.metadata.delta_path)] = message.delta.new_element
            elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return

    def _receive(self) -> ForwardMsg:
        data = self.socket.recv(timeout=PATIENCE)
        assert isinstance(data, bytes)
        self.received.append(data)
        self.queued.update(QUEUE.findall(data.decode("utf-8", "ignore")))
        message = ForwardMsg()
        message.ParseFromString(data)
        return message

    def _upload(self, photo: bytes) -> None:
        uploader = self._find("file_uploader", "")
        request = BackMsg()
        request.file_urls_request.request_id = "1"
        request.file_urls_request.file_names.append("photo.jpg")
        request.file_urls_request.session_id = self.session
        self.socket.send(request.SerializeToString())
        while (message := self._receive()).WhichOneof("type") != "file_urls_response":
            pass
        [urls] = message.file_urls_response.file_urls
        token = self.http.cookies.get("_streamlit_xsrf") or ""
        self.http.put(
            f"{self.address}{urls.upload_url}",
            files={"file": ("photo.jpg", photo, "image/jpeg")},
            headers={"X-Xsrftoken": token},
            timeout=PATIENCE,
        ).raise_for_status()
        state = WidgetState(id=uploader.id)
        files = state.file_uploader_state_value.uploaded_file_info
        info = files.add(name="photo.jpg", size=len(photo), file_id=urls.file_id)
        info.file_urls.CopyFrom(urls)
        self.states[uploader.id] = state
        self._run()


def _photo() -> bytes:
    file = io.BytesIO()
    Image.fromarray(SAMPLES[0].pixels()).resize((1200, 1200)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _in_parallel(address: str, visitors: int, cases: int) -> tuple[list[float], list[Visitor], float]:
    """`cases` cases by as many visitors at once: seconds of each diagnosis, who was there, seconds in all."""
    there = [Visitor(address) for _ in range(visitors)]
    free: SimpleQueue[Visitor] = SimpleQueue()
    for visitor in there:
        free.put(visitor)

    def one_case(_: int) -> float:
        visitor = free.get()
        try:
            return visitor.one_case()
        finally:
            free.put(visitor)

    start = time.perf_counter()
    with ThreadPoolExecutor(visitors) as pool:
        took = list(pool.map(one_case, range(cases)))
    return took, there, time.perf_counter() - start


def wait_until_closed(address: str) -> None:
    """Until the server has let go of every session that was left."""
    time.sleep(150)  # Streamlit keeps a closed session for two minutes, in case the browser comes back
    Visitor(address).leave()  # only then are they closed
    time.sleep(EVERY + 5)
    Visitor(address).leave()
    time.sleep(1)


def _summary(name: str, took: list[float]) -> str:
    median, p95 = np.percentile(took, (50, 95))
    return f"{name}: p50 {median:.2f} s, p95 {p95:.2f} s (n = {len(took)})"


def main(visitors: int = VISITORS, cases: int = CASES) -> None:
    """Prints throughput, times, memory, and whether a visitor received another visitor's words."""
    print(f"machine: {machine()}")
    with started() as (address, process):
        _in_parallel(address, 1, 3)  # models load
        before = process.memory_info().rss
        alone, _, _ = _in_parallel(address, 1, 20)
        print(_summary("one visitor alone, commit to result", alone))
        together, there, seconds = _in_parallel(address, visitors, cases)
        during = process.memory_info().rss
        print(_summary(f"{visitors} visitors at once, commit to result", together))
        print(
            f"throughput, with everything: {60 * len(together) / seconds:.0f} cases a minute "
            f"(target {TARGET})"
        )
        received = [(visitor.token, message) for visitor in there for message in visitor.received]
        strange = sum(bool(set(TOKEN.findall(message)) - {own.encode()}) for own, message in received)
        print(f"messages with another visitor's words: {strange} of {len(received)}")
        print(f"visitors who were shown their place in the queue: {sum(bool(v.queued) for v in there)}")
        for visitor in there:
            visitor.leave()
        for _ in range(5):
            Visitor(address).commit_and_leave()
        took, (last,), _ = _in_parallel(address, 1, 3)
        print(_summary("after five who closed the tab while they waited", took))
        last.leave()
        wait_until_closed(address)
        after = process.memory_info().rss
        sizes = [f"{size / 1e6:.0f} MB" for size in (before, during, after)]
        print(f"memory of the server: {sizes[0]} before, {sizes[1]} during, {sizes[2]} after")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
