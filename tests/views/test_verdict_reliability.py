"""How good a verdict is, from a manifest of three types and a made-up confusion matrix."""

import pytest
from made_up_steps import STEPS

from skin_ai.predict.bundle import WEIGHTS, bundle_names, read_manifest
from skin_ai.predict.chain import Probability
from skin_ai.predict.diagnose import FEW_TYPES, Diagnosis
from skin_ai.views.case import reliability

CONFUSION = [[40, 8, 2], [10, 30, 10], [0, 2, 8]]  # true BCC, SCC, MEL by what the answer put first
MANIFEST = {
    "types": ["BCC", "SCC", "MEL", "PSO"],
    "figures": {
        "modes": {"chain": {"confusion": [[*row, 0] for row in CONFUSION] + [[0, 0, 0, 0]]}},
        "words": {"scin": {"modes": {"chain": {"confusion": [[0, 0, 0, 20]] * 3 + [[0, 0, 10, 20]]}}}},
    },
    "not_sure": {
        "chain": {"coverage_by_type": {"BCC": {}, "SCC": {}, "MEL": {}}},
        "undecided": {"true_type_among_them": {"value": 0.79}},
        "photo_only": {"accuracy_of_undecided": {"value": 0.51}},
    },
}


def diagnosis(first: str = "BCC", undecided: tuple[str, ...] = (), **changed) -> Diagnosis:
    answer = (Probability(first, 0.6), Probability("SCC" if first != "SCC" else "BCC", 0.4))
    fields = {
        "bundle": "made-up", "recommendations": (), "steps": STEPS, "answer": answer, "single_pass": (),
        "is_foreign": False, "undecided": undecided, "unstable": {}, "flags": (), "timings_ms": {},
        "narrative": "It itches.", "photo_probabilities": {"BCC": 1.0},
    }  # fmt: skip
    return Diagnosis(**fields | changed)


def test_both_ways_are_counted_from_the_confusion_matrix():
    found = reliability.of_type("SCC", "chain", MANIFEST)
    assert (found.right_when_said.exactly, found.found.exactly) == ("30 of 40 (75%)", "30 of 50 (60%)")


def test_sentence_gives_both_ways_in_tens():
    assert reliability.in_words(diagnosis("SCC"), MANIFEST) == (
        "Measured on photos with history: when it says squamous cell carcinoma, it is right in 8 of 10; "
        "it finds 6 of 10 true cases. Your clinic's mix differs."
    )


def test_type_without_photos_is_measured_on_the_volunteers_words():
    said = reliability.in_words(diagnosis("PSO", photo_probabilities=None), MANIFEST)
    assert "volunteers' words alone: when it says psoriasis, it is right in 2 of 10; it finds 7 of 10" in said


def test_few_cases_give_no_figure():
    assert reliability.in_words(diagnosis("MEL"), MANIFEST).startswith("Too few cases of melanoma")


def test_none_of_ten_is_not_called_never():
    assert reliability.Count(1, 50).of_ten == "fewer than 1 of 10"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "photos with history: when it is not sure, the true type is among those it names in 8 of 10"),
        ({"narrative": ""}, "photos alone: when it is not sure, its most likely type is right in 5 of 10"),
        ({"photo_probabilities": None}, ""),
        ({"matters": ("bleed",)}, ""),
        ({"flags": ("no_words", FEW_TYPES), "narrative": ""}, ""),
        ({"undecided": ("BCC", "PSO")}, ""),
    ],
    ids=["both", "photo", "not measured", "depends on a fact", "few types", "a type without photos"],
)
def test_answer_that_is_not_sure_has_its_own_figure(changed, said):
    text = reliability.in_words(diagnosis(**{"undecided": ("BCC", "SCC")} | changed), MANIFEST)
    assert said in text
    assert bool(text) is bool(said)


@pytest.mark.parametrize("name", bundle_names())
def test_shipped_manifests_say_how_good_each_tumour_is_recognised(name):
    manifest = read_manifest(WEIGHTS / name)
    unknown = [
        (type_, mode)
        for type_ in ("BCC", "SCC", "MEL", "ACK", "NEV", "SEK")
        for mode in reliability.MEASURED_ON
        if reliability.of_type(type_, mode, manifest) is None
    ]
    # From words alone 26 options come to melanoma in 19 of the 1,186 cases.
    assert unknown == ([("MEL", "words_only")] if name == "skin-26" else [])
