from collections import Counter
from dataclasses import replace

import pytest

from skin_ai.diseases import DISEASES, LABEL_SETS, Nature
from skin_ai.evaluation.warning_signs import (
    DEVELOPMENT,
    LOOK_ALIKE,
    TEST,
    WARNING,
    brings_up,
    is_alarm,
    load_signs,
    measure,
)
from skin_ai.predict.bundle import WITHOUT_PHOTO, load_bundle
from skin_ai.predict.chain import Probability
from skin_ai.predict.diagnose import suspected, verdict
from skin_ai.predict.prepared_photo import prepare

SIGNS = load_signs()
LEAST_NAMED, MOST_ALARMS = 0.95, 0.2
RANKED = (
    Probability("BCC", 0.8),
    Probability("MEL", 0.12),
    Probability("NEV", 0.05),
    Probability("SCC", 0.03),
)


@pytest.fixture(scope="module")
def shipped():
    return load_bundle(WITHOUT_PHOTO)


def test_table_has_as_many_look_alikes_as_warnings_in_both_splits():
    assert Counter((sign.kind, sign.split) for sign in SIGNS) == {
        (kind, split): 28 for kind in (WARNING, LOOK_ALIKE) for split in (DEVELOPMENT, TEST)
    }
    assert len({sign.text for sign in SIGNS}) == len(SIGNS)


def test_warnings_stand_for_malignant_types_and_look_alikes_for_none():
    for sign in SIGNS:
        assert sign.type in ("", *LABEL_SETS["skin-26"])
        is_malignant = bool(sign.type) and DISEASES[sign.type].nature is Nature.MALIGNANT
        assert is_malignant == (sign.kind == WARNING), sign.text


@pytest.mark.parametrize(
    ("least", "expected"), [(None, ()), (0.2, ()), (0.1, ("MEL",)), (0.03, ("MEL", "SCC"))]
)
def test_malignant_types_behind_the_first_are_suspected_from_the_limit_on(least, expected):
    assert suspected(RANKED, least) == expected


def test_a_photo_that_reached_the_answer_leaves_the_limit_aside(shipped, drawn_photo):
    strict = replace(shipped, least_probability=0.0, least_suspicion=0.0)
    found = verdict(prepare(drawn_photo), "My mole bled.", strict)
    assert bool(found.undecided) == found.is_foreign


def test_a_suspected_type_is_named_beside_the_first(shipped):
    text = "My mole changed colour, became asymmetrical and bled."
    certain = verdict(None, text, replace(shipped, least_probability=0.0, least_suspicion=None))
    assert certain.undecided == ()
    others = [item for item in certain.answer[1:] if DISEASES[item.type].nature is Nature.MALIGNANT]
    least = others[0].probability
    careful = verdict(None, text, replace(shipped, least_probability=0.0, least_suspicion=least))
    assert careful.undecided == (certain.answer[0].type, others[0].type)


def test_the_founders_sentence_brings_up_melanoma(shipped):
    found = verdict(None, "My mole changed colour, became asymmetrical and bled.", shipped)
    assert brings_up(found, "MEL")


@pytest.mark.parametrize("split", [DEVELOPMENT, TEST])
def test_shipped_bundle_names_the_type_of_a_warning_and_spares_look_alikes(shipped, split):
    found = measure(shipped, split)["warning_signs"]
    assert found["n"] == 56
    assert found["warnings_named"]["value"] >= LEAST_NAMED
    assert found["false_alarms"]["value"] <= MOST_ALARMS


def test_an_answer_that_is_open_anyway_is_no_alarm(shipped):
    found = verdict(None, "It itches.", shipped)
    assert not is_alarm(found, replace(shipped, least_probability=1.0))
