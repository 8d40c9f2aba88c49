from contextlib import suppress
from threading import Event, Thread
from time import monotonic

import pytest

from skin_ai.server.turns import Turns, in_words

PATIENCE = 20  # seconds, far more than any of this takes


class Gone(Exception):
    pass


class Visitor:
    """Takes a turn in a thread of its own and holds it until told to go."""

    def __init__(
        self, turns: Turns, order: list[str], name: str, *, leaves: bool = False, since: float | None = None
    ) -> None:
        self.order, self.name, self.leaves, self.since = order, name, leaves, since
        self.seen: list[int] = []
        self.waits, self.has, self.may_go = Event(), Event(), Event()
        self.thread = Thread(target=self._visit, args=(turns,))
        self.thread.start()

    def _visit(self, turns: Turns) -> None:
        with suppress(Gone), turns.taken(self._looks, self.since):
            self.order.append(self.name)
            self.has.set()
            assert self.may_go.wait(PATIENCE)

    def _looks(self, before: int) -> None:
        self.seen.append(before)
        self.waits.set()
        if self.leaves:
            raise Gone

    def goes(self) -> None:
        self.may_go.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


def waiting(turns, order, name, **how):
    visitor = Visitor(turns, order, name, **how)
    assert visitor.waits.wait(PATIENCE)
    return visitor


def test_turns_come_in_the_order_of_asking_and_tell_how_many_are_before():
    turns, order = Turns(), []
    first = Visitor(turns, order, "first")
    assert first.has.wait(PATIENCE)
    others = [waiting(turns, order, name) for name in ("second", "third", "fourth")]
    assert [visitor.seen[0] for visitor in others] == [1, 2, 3]
    for visitor, following in zip([first, *others], [*others, None], strict=True):
        visitor.goes()
        if following is not None:
            assert following.has.wait(PATIENCE)
    assert order == ["first", "second", "third", "fourth"]
    assert first.seen == []
    assert sorted(others[-1].seen, reverse=True) == others[-1].seen


def test_who_leaves_the_queue_frees_the_place():
    turns, order = Turns(), []
    first = Visitor(turns, order, "first")
    assert first.has.wait(PATIENCE)
    waiting(turns, order, "second", leaves=True).thread.join(PATIENCE)
    third = waiting(turns, order, "third")
    assert third.seen[0] == 1
    first.goes()
    assert third.has.wait(PATIENCE)
    third.goes()
    assert order == ["first", "third"]


def test_who_asks_again_has_the_same_place():
    turns, order = Turns(), []
    first = Visitor(turns, order, "first")
    assert first.has.wait(PATIENCE)
    asked_at = monotonic()
    waiting(turns, order, "second", leaves=True, since=asked_at).thread.join(PATIENCE)
    third = waiting(turns, order, "third")
    second = waiting(turns, order, "second", since=asked_at)
    assert second.seen[0] == 1
    first.goes()
    assert second.has.wait(PATIENCE)
    second.goes()
    assert third.has.wait(PATIENCE)
    third.goes()
    assert order == ["first", "second", "third"]


def test_who_has_the_turn_keeps_it_before_one_who_asked_earlier():
    turns, order = Turns(), []
    asked_at = monotonic()
    first = Visitor(turns, order, "first")
    assert first.has.wait(PATIENCE)
    earlier = waiting(turns, order, "earlier", since=asked_at)
    assert earlier.seen[0] == 1
    assert not earlier.has.is_set()
    first.goes()
    assert earlier.has.wait(PATIENCE)
    earlier.goes()


def test_what_fails_within_a_turn_ends_it():
    turns = Turns()
    with pytest.raises(Gone), turns.taken(lambda before: None):
        raise Gone
    with turns.taken(lambda before: pytest.fail("nobody is before")):
        pass


@pytest.mark.parametrize(("before", "told"), [(1, "1 case ahead of you"), (3, "3 cases ahead of you")])
def test_place_is_told(before, told):
    assert in_words(before).startswith(told)
