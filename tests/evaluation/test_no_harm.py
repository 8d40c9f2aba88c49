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
    modes = {
        "photo_only": photo,
        "words_only": worse,
        "chain": photo.copy(),
        "chain_one_fact": worse,
        "chain_free_words_by_a": few_lost,
        "control_chain": worse,
    }
    return Evaluated(TYPES, truth, np.arange(N), np.full(2, 0.5), modes)


@pytest.mark.parametrize(
    ("mode", "passes", "lost"),
    [("chain", True, 0), ("chain_one_fact", False, 20), ("chain_free_words_by_a", False, 3)],
)
def test_a_mode_that_loses_accuracy_or_melanomas_fails(evaluated, mode, passes, lost):
    found = measure(evaluated)
    row = found["rows"][f"{mode}_less_photo_only"]
    assert (row["passes"], row["melanomas_lost"]) == (passes, lost)
    assert any(f"{mode}_less_photo_only" in sentence for sentence in failures(found)) is not passes


def test_only_what_the_app_answers_is_compared(evaluated):
    assert not [name for name in measure(evaluated)["rows"] if name.startswith("control")]


def test_a_case_that_was_not_asked_is_left_out(evaluated):
    evaluated.modes["chain"][1] = np.nan
    assert measure(evaluated)["rows"]["chain_less_photo_only"]["passes"]
