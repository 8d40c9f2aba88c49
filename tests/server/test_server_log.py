import json
import logging
from datetime import datetime
from io import StringIO

import pytest
from app_at_work import WORDS, answer, case, finish, type_words

from skin_ai.server import log as server_log
from skin_ai.study.tables import Stage


@pytest.fixture
def written():
    """What the server has written, each line as the JSON that it is."""
    log = logging.getLogger(server_log.NAME)
    handlers, level = log.handlers[:], log.level
    log.handlers[:] = []
    server_log.begin()
    server_log.begin()
    [handler] = log.handlers
    stream = StringIO()
    handler.setStream(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    log.handlers[:], log.level = handlers, level


def test_a_case_leaves_its_id_and_times_and_nothing_of_its_content(app, store, written):
    type_words(app)
    answer(app, ["melanoma", "a wart of sorts"])
    finish(app)
    own, reader = case(app).id, app.session_state["reader"]
    of_case = [line for line in written() if line.get("case") == own]
    assert [line["event"] for line in of_case] == [
        "case saved", "answer saved", "diagnosed", "stability tested", "answer saved"
    ]  # fmt: skip
    assert [line["stage"] for line in of_case if "stage" in line] == [Stage.BEFORE, Stage.AFTER]
    assert all(datetime.fromisoformat(line["at"]).tzinfo for line in of_case)
    times = of_case[2]["ms"]
    assert {"queue", "language_model", "total"} <= times.keys()
    assert all(milliseconds >= 0 for milliseconds in (*times.values(), of_case[3]["ms"]["stability"]))
    said = json.dumps(of_case).lower()
    for secret in (*WORDS.lower().split("."), "melanoma", "wart", reader.lower()):
        assert not secret.strip() or secret.strip() not in said


def test_an_event_is_written_once_and_what_failed_is_named(written):
    logging.getLogger(f"{server_log.NAME}.study.database").error("not saved: %s", "OperationalError")
    [line] = written()
    assert (line["level"], line["event"]) == ("ERROR", "not saved: OperationalError")
