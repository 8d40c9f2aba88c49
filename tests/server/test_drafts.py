"""What was typed and not saved: for one browser, for a while, and only after its session has left."""

import threading

from skin_ai.server.drafts import Drafts


def left(_: str) -> bool:
    return False


def test_draft_is_given_once_and_only_for_its_token() -> None:
    drafts = Drafts()
    drafts.keep("a", "session", "it itches")
    drafts.keep("a", "session", "it itches and bleeds")
    assert drafts.take("b", left) is None
    assert drafts.take("a", left) == "it itches and bleeds"
    assert drafts.take("a", left) is None


def test_second_window_gets_nothing_while_the_first_is_open() -> None:
    drafts = Drafts()
    drafts.keep("a", "session", "it itches")
    assert drafts.take("a", lambda session: session == "session") is None
    assert drafts.take("a", left) == "it itches"


def test_draft_that_was_saved_is_forgotten() -> None:
    drafts = Drafts()
    drafts.keep("a", "session", "it itches")
    drafts.forget("a")
    drafts.forget("a")
    assert drafts.take("a", left) is None


def test_draft_is_forgotten_by_itself() -> None:
    drafts = Drafts(seconds=0)
    drafts.keep("a", "session", "it itches")
    for timer in [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]:
        timer.join()
    assert drafts.take("a", left) is None
    assert not drafts._drafts
