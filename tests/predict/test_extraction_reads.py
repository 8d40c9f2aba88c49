"""Sentences in no training that the shipped extraction must read correctly."""

import pytest

from skin_ai.predict.bundle import load_extraction
from skin_ai.predict.extraction import Extractor, extract, to_facts
from skin_ai.predict.narrative import Answer

READS = [
    ("I am 62. It itches and it is on my nose.", {"itch": "yes", "site": "NOSE", "age": 62}),
    (
        "The spot on my left cheek has never bled and doesn't hurt.",
        {"bleed": "no", "hurt": "no", "site": "FACE"},
    ),
    ("It used to bleed but it stopped last spring.", {"bleed": "no"}),
    ("It won't quit bleeding.", {"bleed": "yes"}),
    ("My father's mole bled; mine never has.", {"bleed": "no"}),
    ("My aunt's mole was itchy.", {"itch": "unsaid"}),
    ("What should I do if it starts to bleed?", {"bleed": "unsaid"}),
    ("I can't say it doesn't itch.", {"itch": "yes"}),
    ("Denies pain or bleeding, reports itching.", {"hurt": "no", "bleed": "no", "itch": "yes"}),
    ("itch: n, bleed: y, age: 54", {"itch": "no", "bleed": "yes", "age": 54}),
    ("☑ pain ☐ itching", {"hurt": "yes", "itch": "no"}),
    ("Nothing but itching.", {"itch": "yes"}),
    ("It isn't on my neck, it's on my chest.", {"site": "CHEST"}),
    ("My wife is 58 and I am 61.", {"age": 61}),
    ("I'm seventy-four, it has got bigger and darker.", {"age": 74, "grew": "yes", "changed": "yes"}),
    ("I don't know whether it has grown.", {"grew": "unknown"}),
    ("its ichy and its flat, on my bak", {"itch": "yes", "elevation": "no", "site": "BACK"}),
]


@pytest.fixture(scope="module")
def shipped() -> Extractor:
    return load_extraction()


@pytest.mark.parametrize(("text", "expected"), READS)
def test_facts_are_read(shipped: Extractor, text: str, expected: dict[str, str | int]) -> None:
    extraction = extract(text, shipped)
    assert {fact: extraction.facts[fact].answer for fact in expected} == expected


def test_nothing_is_told_by_a_greeting(shipped: Extractor) -> None:
    assert to_facts(extract("Good morning doctor, thank you for seeing me.", shipped)).said == ()


def test_spans_are_where_the_words_stand(shipped: Extractor) -> None:
    text = "Hello. The spot itches at night. It sits on my nose. I am 62 years old."
    facts = extract(text, shipped).facts
    told = {name: text[slice(*facts[name].span)] for name in ("itch", "site", "age") if facts[name].span}
    assert "itches" in told["itch"] and "nose" not in told["itch"]
    assert told["site"].endswith("nose")
    assert told["age"] == "62"


def test_sure_facts_are_not_flagged(shipped: Extractor) -> None:
    extraction = extract("I am 62 years old. It itches. It does not bleed. It is on my nose.", shipped)
    assert not {"itch", "bleed", "site", "age"} & set(extraction.uncertain)
    assert to_facts(extraction).itch is Answer.YES
