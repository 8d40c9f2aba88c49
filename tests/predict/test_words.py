"""What the language model gets of the patient's words, and what the answer depends on."""

import json
from dataclasses import replace

import pytest

from skin_ai.predict.diagnose import FEW_TYPES, NothingToDiagnose, diagnose
from skin_ai.predict.extraction import Extraction, Found, corrected, extract, from_kept, to_keep
from skin_ai.predict.narrative import Answer, Facts, sentences
from skin_ai.predict.prepared_photo import prepare
from skin_ai.predict.words import NO_FACTS, NOT_ENGLISH, in_words, read

WORDS = "I am 62. It is on my nose and bleeds. It does not itch."
FACTS = Facts(age=62, site="NOSE", bleed=Answer.YES, itch=Answer.NO)
OTHER_LANGUAGES = (
    "Es juckt und blutet, auf der Nase, ich bin 62.",
    "Me pica y sangra, en la nariz, tengo 62 años.",
    "Ça me démange et ça saigne, sur le nez, j'ai 62 ans.",
    "Mi prude e sanguina, sul naso, ho 62 anni.",
    "Coça e sangra, no nariz, tenho 62 anos.",
    "Het jeukt en bloedt, op mijn neus, ik ben 62.",
    "Swędzi i krwawi, na nosie, mam 62 lata.",
    "Det klør og blør, på næsen, jeg er 62 år.",
    "Kaşınıyor ve kanıyor, burnumda, 62 yaşındayım.",  # noqa: RUF001
    "Чешется и кровоточит, на носу, мне 62 года.",
    "鼻が痒くて出血します。62歳です。",
)


def test_language_model_reads_the_facts_as_the_sentences_of_the_form(bundle):
    found = read(WORDS, bundle.extractor)
    assert found.facts == FACTS
    assert found.prompt == sentences(FACTS)


def test_facts_that_a_person_confirmed_replace_those_found(bundle):
    confirmed = replace(FACTS, bleed=Answer.NO)
    found = read(WORDS, bundle.extractor, confirmed)
    assert found.prompt == sentences(confirmed)
    assert not found.alternatives


def test_bundle_that_reads_words_gets_them_unchanged():
    assert read(WORDS, None).prompt == WORDS


def test_bundle_that_reads_words_gets_confirmed_facts_beside_them():
    itches = Facts(itch=Answer.YES)
    assert read(WORDS, None, itches).prompt == f"{WORDS} {sentences(itches)}"
    assert read(OTHER_LANGUAGES[0], None, itches).prompt == sentences(itches)


def test_bundle_is_told_no_fact_that_it_was_not_trained_on(bundle):
    confirmed = replace(FACTS, duration="year", burn=Answer.YES)
    assert read(WORDS, bundle.extractor, confirmed).prompt == sentences(FACTS)


@pytest.mark.parametrize(("words", "flag"), [(WORDS, NO_FACTS), (OTHER_LANGUAGES[0], NOT_ENGLISH), ("", "")])
def test_words_from_which_nothing_was_confirmed_are_said_to_be_set_aside(bundle, words, flag):
    found = read(words, bundle.extractor, Facts())
    assert (found.prompt, found.flag) == ("", flag)


@pytest.mark.parametrize("words", [WORDS, "age 54, site: nose - itch: y - bleed: n - pain no"])
def test_extraction_that_was_kept_is_read_as_when_it_was_made(bundle, words):
    made = extract(words, bundle.extractor)
    kept = from_kept(made.text, json.loads(json.dumps(to_keep(made))))
    assert kept.uncertain == made.uncertain
    assert {name: found.span for name, found in kept.facts.items()} == {
        name: found.span for name, found in made.facts.items()
    }
    assert read(words, bundle.extractor, kept) == read(words, bundle.extractor)


def test_what_a_person_said_of_a_kept_extraction_is_certain(bundle):
    made = extract("age 54, site: nose - itch: y - bleed: n - pain no", bundle.extractor)
    doubted = {"bleed": replace(made.facts["bleed"], probability=made.sure_from - 0.1)}
    made = replace(made, facts={**made.facts, **doubted})
    assert "bleed" in made.uncertain
    told = corrected(made, {"bleed": "yes", "kind": "rash"})
    assert "bleed" not in told.uncertain
    assert sentences(Facts(bleed=Answer.YES)) in read(made.text, bundle.extractor, told).prompt


@pytest.mark.parametrize("words", OTHER_LANGUAGES)
def test_words_of_another_language_are_set_aside_and_never_a_sure_answer(bundle, words):
    found = diagnose(None, words, bundle)
    assert NOT_ENGLISH in found.flags
    assert set(found.undecided) == set(bundle.types)


def test_photo_answers_alone_where_the_words_are_set_aside(bundle, drawn_photo):
    photo = prepare(drawn_photo)
    found, alone = diagnose(photo, OTHER_LANGUAGES[0], bundle), diagnose(photo, "", bundle)
    assert found.answer == alone.answer
    assert NOT_ENGLISH in found.flags


def test_words_without_any_fact_are_said_to_be_set_aside(bundle):
    found = diagnose(None, "Good morning, thank you for seeing me today.", bundle)
    assert NO_FACTS in found.flags
    assert set(found.undecided) == set(bundle.types)


def test_photo_without_words_has_the_probabilities_of_the_photo_model(bundle, drawn_photo):
    found = diagnose(prepare(drawn_photo), "", bundle)
    assert [item.type for item in found.answer] == [item.type for item in found.recommendations]
    for answer, recommended in zip(found.answer, found.recommendations, strict=True):
        assert answer.probability == pytest.approx(recommended.probability, abs=1e-6)
    assert [len(step.options) for step in found.steps] == [6, 3, 2]


def test_photo_alone_is_not_sure_where_the_photo_model_knows_only_some_types(bundle_of_26, drawn_photo):
    found = diagnose(prepare(drawn_photo), "", bundle_of_26)
    assert FEW_TYPES in found.flags
    assert found.undecided == tuple(item.type for item in found.recommendations)


def test_confirmed_facts_alone_are_enough(bundle):
    assert diagnose(None, "", bundle, FACTS).narrative == sentences(FACTS)
    with pytest.raises(NothingToDiagnose):
        diagnose(None, "", bundle, Facts())


def test_uncertain_fact_that_would_change_the_first_type_makes_the_answer_not_sure(bundle, monkeypatch):
    """The extraction doubts each symptom in turn; where the first type depends on it, the result says so."""
    facts = {name: Found("unsaid", 1.0) for name in bundle.extractor.temperatures}
    said = {"age": 45, "site": "BACK", "grew": "yes", "changed": "yes", "itch": "yes"}
    facts |= {name: Found(answer, 0.99, (0, 1)) for name, answer in said.items()}
    dependent = set()
    for doubted in ("itch", "grew", "hurt", "changed", "bleed", "elevation"):
        unsure = facts | {doubted: replace(facts[doubted], probability=0.4)}
        extraction = Extraction("x", unsure, sure_from=0.8)
        monkeypatch.setattr("skin_ai.predict.words.extract", lambda *_, found=extraction: found)
        found = diagnose(None, "It is one text of many.", bundle)
        if found.matters:
            dependent.add(doubted)
            assert found.matters == (doubted,)
            assert len(found.undecided) > 1
            assert found.answer[0].type in found.undecided
    assert dependent
    assert dependent != {"itch", "grew", "hurt", "changed", "bleed", "elevation"}


def test_sentence_on_what_matters_names_every_fact():
    assert in_words(["bleed", "hurt"]) == (
        "The answer depends on whether it bleeds and whether it hurts; the words leave this unclear."
    )
