import numpy as np
import pytest

from skin_ai.evaluation.figures import Evaluated
from skin_ai.evaluation.no_harm import failures, measure

TYPES = ("BCC", "MEL")
N = 200


@pytest.fixture
def evaluated():
    """Half of 200 patients have a melanoma; the photo alone is right in nine of ten."""
    truth = np.arange(N) % 2
    photo = np.eye(2)[np.where(np.arange(N) % 20 < 18, truth, 1 - truth)]
    worse = np.eye(2)[np.where(np.arange(N) % 20 < 14, truth, 1 - truth)]
    few_lost = photo.copy()
    few_lost[np.flatnonzero(truth)[:3]] = (1, 0)
    modes = {"photo_only": photo, "same": photo.copy(), "worse": worse, "three_melanomas_lost": few_lost}
    return Evaluated(TYPES, truth, np.arange(N), np.full(2, 0.5), modes)


@pytest.mark.parametrize(
    ("mode", "passes", "lost"), [("same", True, 0), ("worse", False, 20), ("three_melanomas_lost", False, 3)]
)
def test_a_mode_that_loses_accuracy_or_melanomas_fails(evaluated, mode, passes, lost):
    found = measure(evaluated, [(mode, "photo_only")])
    (row,) = found["rows"].values()
    assert (row["passes"], row["melanomas_lost"]) == (passes, lost)
    assert bool(failures(found)) is not passes


def test_a_case_that_was_not_asked_is_left_out(evaluated):
    evaluated.modes["same"][1] = np.nan
    (row,) = measure(evaluated, [("same", "photo_only")])["rows"].values()
    assert row["passes"]
