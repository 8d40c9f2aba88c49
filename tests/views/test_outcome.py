"""Ticks and crosses, by one rule on every page."""

import pytest

from skin_ai.views.case.outcome import mark


@pytest.mark.parametrize(
    ("diagnosis", "reference", "expected"),
    [
        ("MEL", "MEL", "✓ "),
        ("melanoma", "MEL", "✓ "),
        ("NEV", "MEL", "✗ "),
        ("NEV", "", ""),
        ("NEV", "bcell", ""),  # not understood, and loaded as it is
    ],
)
def test_only_a_reference_that_is_understood_judges(diagnosis, reference, expected):
    assert mark(diagnosis, reference) == expected


def test_an_ai_that_is_not_sure_is_neither_right_nor_wrong():
    assert mark("MEL", "MEL", is_undecided=True) == mark("NEV", "MEL", is_undecided=True) == ""
