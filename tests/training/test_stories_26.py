import re
from itertools import combinations, product

import pytest

from skin_ai.diseases import DISEASES, LABEL_SETS, _spelt_plainly
from skin_ai.predict.narrative import clean_narrative
from skin_ai.training.datasets import ALWAYS_TRAINED, NEVER_TRAINED, split_folds
from skin_ai.training.sources import story_cases
from skin_ai.training.stories import HELD_OUT_VOICES, KINDS_OF_STORY, PORTRAIT, load_stories

TYPES = LABEL_SETS["skin-26"]
VOICES = (
    "plain", "elderly", "young", "relative", "worried", "terse", "outdoor", "careful", *HELD_OUT_VOICES,
)  # fmt: skip
LONGEST = 120  # words
MOST_ALIKE = 0.5  # Jaccard index of two stories' words
SHORTEST_WORD = 4  # letters of a word that is compared
ABBREVIATION = 3  # letters at most; in small letters it may be a word, such as "pr" or "bod"
# Codes are ours, and some are words ("bite", "drug", "mel"): what a patient may say of them is in the names.
TERMS = {term for disease in map(DISEASES.get, TYPES) for term in (disease.name, *disease.synonyms)} | {
    code for code in TYPES if len(code) <= ABBREVIATION
}
STORIES = load_stories()
PORTRAITS = [story for story in STORIES if story.kind == PORTRAIT]
FIRST_WRITER = "first"
LATER_WRITERS = ("a", "b")
A_TYPE_AND_WRITER = {"sparse": 15, "note": 8, "one-liner": 8}
OF_TYPE = {type_: [story for story in STORIES if story.type == type_] for type_ in TYPES}


def is_abbreviation(term: str) -> bool:
    return len(term) <= ABBREVIATION and term.rstrip("s").isupper()


def any_of(terms: list[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(terms)))})\b")


ABBREVIATIONS = any_of([term for term in TERMS if is_abbreviation(term)])
NAMES = any_of([_spelt_plainly(term) for term in TERMS if not is_abbreviation(term)])


def named_in(text: str) -> list[str]:
    """Names, synonyms and abbreviations of the 26 types in a text."""
    return NAMES.findall(_spelt_plainly(text)) + ABBREVIATIONS.findall(text)


def words_of(text: str) -> frozenset[str]:
    return frozenset(re.findall(rf"[^\W\d_]{{{SHORTEST_WORD},}}", _spelt_plainly(text)))


def test_types_kinds_and_writers_stand_in_their_order():
    order = [(TYPES.index(story.type), KINDS_OF_STORY.index(story.kind), story.writer) for story in STORIES]
    assert order == sorted(order)
    voices = [(TYPES.index(story.type), VOICES.index(story.voice)) for story in PORTRAITS]
    assert voices == sorted(voices)


@pytest.mark.parametrize("type_", TYPES)
def test_type_has_enough_to_train_and_to_test(type_):
    portraits = [story for story in OF_TYPE[type_] if story.kind == PORTRAIT]
    held_out = [story for story in portraits if story.voice in HELD_OUT_VOICES]
    assert len(portraits) - len(held_out) >= 40
    assert len(held_out) >= 10
    assert {story.voice for story in portraits} == set(VOICES)
    assert {story.writer for story in portraits} == {FIRST_WRITER}
    for (kind, least), writer in product(A_TYPE_AND_WRITER.items(), LATER_WRITERS):
        assert sum((story.kind, story.writer) == (kind, writer) for story in OF_TYPE[type_]) >= least


def test_all_texts_but_the_held_out_voices_of_the_portraits_train():
    """Every model of `skin-26` trains on what no fold tests; the rest is tested by the first fold's."""
    folds = split_folds(story_cases())
    held_out = [story.kind == PORTRAIT and story.voice in HELD_OUT_VOICES for story in STORIES]
    assert sum(held_out) == 260
    assert [fold == NEVER_TRAINED for fold in folds] == held_out
    assert {fold for fold in folds if fold != NEVER_TRAINED} == {ALWAYS_TRAINED}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("My ÉCZÉMA is back", ["eczema"]),
        ("athlete's foot again", ["athletes foot"]),
        ("they say AK or BCC", ["AK", "BCC"]),
        ("a pr and an ad on the telly", []),
        ("a drug, a bite, a molehill", []),
    ],
)
def test_a_named_disease_is_noticed(text, named):
    assert named_in(text) == named


@pytest.mark.parametrize("type_", TYPES)
def test_no_story_names_a_disease(type_):
    named = {story.text: found for story in OF_TYPE[type_] if (found := named_in(story.text))}
    assert not named


def test_no_two_stories_are_nearly_alike():
    """Notes and one-liners have so few words that two of the same sign must share most of them."""
    longer = [story for story in STORIES if story.kind in (PORTRAIT, "sparse")]
    words = [(words_of(story.text), story.text) for story in longer]
    alike = [
        (text, other)
        for (some, text), (others, other) in combinations(words, 2)
        if len(some & others) >= MOST_ALIKE * len(some | others)
    ]
    assert not alike


def test_no_text_stands_there_twice():
    plain = [_spelt_plainly(story.text) for story in STORIES]
    assert len(set(plain)) == len(plain)


@pytest.mark.parametrize("type_", TYPES)
def test_no_two_portraits_of_a_type_begin_alike(type_):
    first: dict[tuple[str, ...], str] = {}
    for story in PORTRAITS:
        if story.type != type_:
            continue
        beginning = tuple(re.findall(r"\w+", _spelt_plainly(story.text))[:3])
        assert beginning not in first, (story.text, first.get(beginning))
        first[beginning] = story.text


@pytest.mark.parametrize("type_", TYPES)
def test_stories_are_clean_and_short(type_):
    for story in OF_TYPE[type_]:
        assert clean_narrative(story.text) == story.text
        assert 0 < len(story.text.split()) <= LONGEST, story.text
