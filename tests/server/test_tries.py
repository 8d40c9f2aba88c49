"""Guesses are limited in each session and, whatever sessions make them, on a server."""

import pytest

from skin_ai.server.tries import A_MINUTE, FREE, LONGEST, MINUTE, Tries


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tries(clock: Clock) -> Tries:
    return Tries(clock)


def test_session_has_five_tries_a_minute(tries: Tries, clock: Clock) -> None:
    assert [tries.seconds_to_wait("one") for _ in range(A_MINUTE)] == [0] * A_MINUTE
    assert tries.seconds_to_wait("one") == MINUTE
    clock.now += MINUTE - 1
    assert tries.seconds_to_wait("one") == 1
    clock.now += 1
    assert tries.seconds_to_wait("one") == 0


def test_right_tries_count_in_a_session_too(tries: Tries) -> None:
    for _ in range(A_MINUTE):
        assert tries.seconds_to_wait("one") == 0
        tries.was_right()
    assert tries.seconds_to_wait("one") > 0
    assert tries.seconds_to_wait("two") == 0


def test_pause_of_a_server_grows_although_each_try_has_a_new_session(tries: Tries, clock: Clock) -> None:
    pauses = []
    for number in range(60):
        if pause := tries.seconds_to_wait(f"session {number}"):
            pauses.append(pause)
            clock.now += pause
    assert pauses[0] == 1
    assert pauses == sorted(pauses)
    assert 0.9 * LONGEST < pauses[-1] <= LONGEST


def test_guesser_with_a_code_of_their_own_gains_nothing_by_using_it(tries: Tries, clock: Clock) -> None:
    guesses, began = 0, clock.now
    for number in range(10_000):
        if pause := tries.seconds_to_wait(f"session {number}"):
            clock.now += pause
        elif number % 2:
            tries.was_right()
        else:
            guesses += 1
    assert guesses / ((clock.now - began) / MINUTE) < 2  # in a minute


def test_server_forgets_a_wrong_try_each_minute(tries: Tries, clock: Clock) -> None:
    for number in range(FREE):
        assert tries.seconds_to_wait(f"session {number}") == 0
    clock.now += FREE * MINUTE
    for number in range(FREE):
        assert tries.seconds_to_wait(f"later {number}") == 0


def test_sessions_are_not_kept_for_ever(tries: Tries, clock: Clock) -> None:
    for number in range(100):
        tries.seconds_to_wait(f"session {number}")
        clock.now += MINUTE
    assert len(tries._of_session) == 1
