"""Facts found in free words: numbers, spans, what is read and what is not, the file of weights."""

import json
from pathlib import Path

import pytest
import torch

from skin_ai.predict.extraction import (
    AGE,
    CLASSES,
    FACT_NAMES,
    UNSAID,
    Extraction,
    Extractor,
    Found,
    as_json,
    build_extractor,
    extract,
    extract_all,
    load_extractor,
    numbers_in,
    save_extractor,
    to_facts,
    told_in,
)
from skin_ai.predict.narrative import Answer, NarrativeError


@pytest.fixture(scope="module")
def random_model(tiny_language_model: Path) -> Extractor:
    """An extraction that was never trained."""
    torch.manual_seed(1)
    return build_extractor(tiny_language_model).eval()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("I am 62.", [62]),
        ("67M, L ear", [67]),
        ("I'm forty-six, my wife forty five", [46, 45]),
        ("on my eighty-first birthday", [81]),
        ("my ninetieth", [90]),
        ("one hundred and two years old", [102]),
        ("seventeen", [17]),
        ("7 mm", [7]),
        ("in 1998, 4.5 mm, 3/12, 555", [3]),
        ("none, someone, often", []),
    ],
)
def test_numbers_that_could_be_an_age(text: str, values: list[int]) -> None:
    numbers = numbers_in(text)
    assert [number.value for number in numbers] == values
    assert all(text[number.start : number.end].strip() for number in numbers)


def test_every_fact_has_an_answer_of_its_classes(random_model: Extractor) -> None:
    extraction = extract("I am 62, it itches on my nose.", random_model)
    assert set(extraction.facts) == set(FACT_NAMES)
    for name, found in extraction.facts.items():
        assert found.answer in (*CLASSES.get(name, ()), 62, UNSAID)
        assert 0 < found.probability <= 1
        assert (found.span is None) == (found.answer == UNSAID)


def test_one_text_reads_as_among_others(random_model: Extractor) -> None:
    texts = ["It itches.", "It has been growing for years, on my back, and I am 62 years old now.", ""]
    together = extract_all(texts, random_model)
    for text, among in zip(texts, together, strict=True):
        alone = extract(text, random_model)
        for name in FACT_NAMES:
            assert alone.facts[name].answer == among.facts[name].answer
            assert alone.facts[name].probability == pytest.approx(among.facts[name].probability, abs=1e-4)


@pytest.mark.parametrize("text", ["", "  ", "Es juckt und blutet, auf der Nase, ich bin 62."])
def test_what_is_not_read_tells_nothing(random_model: Extractor, text: str) -> None:
    extraction = extract(text, random_model)
    assert {found.answer for found in extraction.facts.values()} == {UNSAID}
    assert extraction.language == ("de" if text.strip() else "en")
    assert to_facts(extraction).said == ()


@pytest.mark.parametrize("text", ["Ｉｔ ｂｌｅｅｄｓ．", "I𝘁 𝗯𝗹𝗲𝗲𝗱𝘀."])  # noqa: RUF001
def test_compatibility_characters_read_as_plain_ones(random_model: Extractor, text: str) -> None:
    assert extract(text, random_model) == extract("It bleeds.", random_model)


def test_too_long_a_text_is_refused(random_model: Extractor) -> None:
    with pytest.raises(NarrativeError, match="shorten"):
        extract("It itches. " * 200, random_model)


def test_number_that_stands_twice_counts_with_both(random_model: Extractor) -> None:
    once, twice = (extract(text, random_model).facts[AGE] for text in ("I'm 62.", "I'm 62. Yes, 62."))
    assert 62 in (once.answer, twice.answer) or UNSAID in (once.answer, twice.answer)
    assert twice.probability <= 1


@pytest.mark.parametrize(
    ("peak", "before", "told"),
    [
        ("itch", 3, "it doesn't itch"),
        ("itch", 1, "doesn't itch"),
        ("bleeds", 1, "it bleeds"),
        ("nose", 0, "nose"),
    ],
)
def test_span_stays_in_the_clause_of_the_peak(peak: str, before: int, told: str) -> None:
    text = "On my nose, it doesn't itch, but it bleeds."
    names = ("nose", "it", "doesn't", "itch", "bleeds")
    offsets = torch.tensor([(0, 0), *((text.index(name), text.index(name) + len(name)) for name in names)])
    attention = torch.full((len(offsets),), 0.01)
    attention[1 + names.index(peak)] = 0.9
    start, end = told_in(text, offsets, attention, before=before)
    assert text[start:end] == told


def test_uncertain_facts_come_least_certain_first() -> None:
    facts = {"itch": Found("yes", 0.6), "bleed": Found("no", 0.5), "hurt": Found("no", 0.99)}
    assert Extraction("", facts, sure_from=0.9).uncertain == ("bleed", "itch")


def test_facts_are_those_of_the_form() -> None:
    unsaid = dict.fromkeys(FACT_NAMES, Found(UNSAID, 1.0))
    found = {
        "itch": Found("yes", 0.9, (0, 4)),
        "site": Found("NOSE", 0.9, (5, 9)),
        AGE: Found(62, 0.9, (10, 12)),
    }
    facts = to_facts(Extraction("", unsaid | found))
    assert (facts.itch, facts.site, facts.age, facts.bleed) == (Answer.YES, "NOSE", 62, Answer.UNSAID)
    assert facts.said == ("age", "site", "itch")


def test_json_holds_language_and_every_fact(random_model: Extractor) -> None:
    written = json.loads(json.dumps(as_json(extract("I am 62, it itches.", random_model))))
    assert written["language"] == "en"
    assert set(written["facts"]) == set(FACT_NAMES)
    assert set(written["facts"]["itch"]) == {"answer", "probability", "span"}


def test_saved_model_reads_the_same(
    random_model: Extractor, tiny_language_model: Path, tmp_path: Path
) -> None:
    random_model.temperatures["itch"] = 2.5
    random_model.sure_from = 0.8
    save_extractor(random_model, tmp_path / "weights")
    loaded = load_extractor(tiny_language_model, tmp_path / "weights")
    assert (loaded.temperatures["itch"], loaded.sure_from) == (2.5, 0.8)
    text = "I am 62 and it itches on my nose."
    for name, found in extract(text, random_model).facts.items():
        assert extract(text, loaded).facts[name].probability == pytest.approx(found.probability, abs=0.03)
