import hashlib
import re
from dataclasses import fields, replace
from random import Random

import pytest

from skin_ai import wordings, wordings_more
from skin_ai.diseases import DISEASES
from skin_ai.predict import narrative
from skin_ai.predict.narrative import (
    AGE_RANGES,
    ALL_SYMPTOMS,
    DURATIONS,
    FORMS,
    KINDS,
    NARRATIVE_LIMIT,
    REGIONS,
    SITES,
    SYMPTOMS,
    Answer,
    Facts,
    NarrativeError,
    clean_narrative,
    sentences,
    silence,
    tell,
)
from skin_ai.wordings import Wordings

SAID = (Answer.YES, Answer.NO, Answer.UNKNOWN)
SYMPTOM_WORDINGS = {
    (symptom, answer): answers[answer]
    for symptom, answers in narrative.SYMPTOM_WORDINGS.items()
    for answer in SAID
}
KIND_WORDINGS = {("kind", kind): choice for kind, choice in wordings_more.KINDS.items()}
SPANS = {**wordings_more.DURATIONS, **wordings_more.AGE_RANGES}
ALL_SITES = {**wordings.SITES, **wordings_more.REGIONS}
ALL_WORDINGS: dict[object, Wordings] = {
    "age": wordings.AGE,
    "site": wordings.SITE,
    "age and site": wordings.AGE_AND_SITE,
    "contrasts": wordings.CONTRASTS,
    "fillers": wordings.FILLERS,
    **{("list", answer): frames for answer, frames in wordings.LISTS.items()},
    "duration": wordings_more.DURATION,
    "region": wordings_more.REGION,
    "age range": wordings_more.AGE_RANGE,
    **KIND_WORDINGS,
    **SYMPTOM_WORDINGS,
}
# Words that only a sentence about this symptom uses.
MENTIONS = {
    "itch": r"itch|scratch|tickl",
    "grew": r"grow|grew|bigger|smaller|\bsize\b|larger|expand|enlarge",
    "hurt": r"hurt|pain|\bsore(?!s)|\bach(e|es)\b|tender|winc",
    "changed": r"chang|colour|shape|appearance|different|tint|shade|outline|alter",
    "bleed": r"bleed|\bbled\b|blood",
    "elevation": r"raised|bump|\bflat\b|lump|protrud|sticks? out|elevated",
    "burn": r"burn|on fire|\bsmarts|candle|stove",
    "darken": r"dark|lighter|\blight\b|\bblack|brown|\bpale",
    "rough": r"\brough|flak|\bscaly|smooth|sandpaper|peel|coarse|silky|bits of",
    "fluid": r"fluid|water|liquid|runny|\bwe(eps|pt)\b|leak",
    "fever": r"fever|chill|temperature|shiver|thermometer",
    "tired": r"tired|fatigue|exhaust|energy|worn out|weari|lively|flagging|batteries|\bdrag",
    "joints": r"joint",
    "mouth": r"mouth|gums|tongue|inside (of )?my cheeks",
    "breath": r"breath|\bair\b|gasp",
}
# Joints and mouths hurt, a lump sticks out, and a colour is told by its name.
SHARES_WORDS_WITH = {
    "joints": {"hurt"},
    "mouth": {"hurt"},
    "growth": {"grew", "elevation"},
    "colour": {"changed"},
}
DOUBTS = (
    r"know|sure|can't (say|tell)|remember|check|idea|clear|certain|pass|swear|clue|guess|faintest|"
    r"couldn't tell|search me|escapes|can't reach|no way of telling|blank|more than i can|paid attention|"
    r"haven't (felt|taken|looked)|hard to say|noticed whether|too rarely|opened it"
)


def mentioned(text: str, allowed: str) -> list[str]:
    """Symptoms that the text speaks of, besides one symptom or kind and those that share its words."""
    fine = {allowed, *SHARES_WORDS_WITH.get(allowed, ())}
    return [s for s, pattern in MENTIONS.items() if s not in fine and re.search(pattern, text.lower())]


def old_facts(rng: Random) -> Facts:
    answers = {symptom: rng.choice(list(Answer)) for symptom in SYMPTOMS}
    return Facts(age=rng.choice((None, rng.randint(0, 100))), site=rng.choice((None, *SITES)), **answers)


def random_facts(rng: Random) -> Facts:
    answers = {symptom: rng.choice(list(Answer)) for symptom in ALL_SYMPTOMS}
    return Facts(
        age=rng.choice((None, rng.randint(0, 100))),
        site=rng.choice((None, *SITES)),
        kind=rng.choice((None, *KINDS)),
        duration=rng.choice((None, *DURATIONS)),
        more_sites=tuple(rng.sample(REGIONS, rng.randint(0, 3))),
        age_range=rng.choice((None, *AGE_RANGES)),
        **answers,
    )


def words_of(text: str) -> str:
    return re.sub(r"[^a-z0-9{}]+", " ", text.lower()).strip()


def every_text() -> list[str]:
    frames = [text for choice in ALL_WORDINGS.values() for text in (*choice.training, *choice.held_out)]
    places = [
        text for site in ALL_SITES.values() for text in (*site.nouns, *site.places, *site.held_out_places)
    ]
    spans = [text for span in SPANS.values() for text in (*span.training, *span.held_out)]
    phrases = [
        text
        for form in FORMS.values()
        for phrase in form.values()
        for text in (*phrase.training, *phrase.held_out)
    ]
    return frames + places + spans + phrases


# Wordings


@pytest.mark.parametrize("key", SYMPTOM_WORDINGS, ids=str)
def test_each_answer_to_a_symptom_has_many_wordings(key):
    assert len(SYMPTOM_WORDINGS[key].training) >= 10
    assert len(SYMPTOM_WORDINGS[key].held_out) >= 3


@pytest.mark.parametrize("key", KIND_WORDINGS, ids=str)
def test_each_kind_has_many_wordings(key):
    assert len(KIND_WORDINGS[key].training) >= 10
    assert len(KIND_WORDINGS[key].held_out) >= 3


def test_particulars_have_many_wordings():
    frames = (wordings_more.DURATION, wordings_more.REGION, wordings_more.AGE_RANGE)
    for choice in (wordings.AGE, wordings.SITE, *frames):
        assert len(choice.training) >= 10
        assert len(choice.held_out) >= 3
    for name, span in SPANS.items():
        assert len(span.training) >= 8, name
        assert len(span.held_out) >= 4, name
    for name, site in ALL_SITES.items():
        assert len(site.nouns) + len(site.places) >= 5, name
        assert len(site.held_out_places) >= 3, name


@pytest.mark.parametrize("key", ALL_WORDINGS, ids=str)
def test_held_out_wordings_are_never_trained_on(key):
    choice = ALL_WORDINGS[key]
    training = {words_of(text) for text in choice.training}
    held_out = {words_of(text) for text in choice.held_out}
    assert not training & held_out


@pytest.mark.parametrize("key", ALL_WORDINGS, ids=str)
def test_no_wording_is_there_twice(key):
    texts = (*ALL_WORDINGS[key].training, *ALL_WORDINGS[key].held_out)
    assert sorted(texts) == sorted(set(texts))


def test_held_out_places_and_phrases_are_never_trained_on():
    for sites in (wordings.SITES, wordings_more.REGIONS):
        trained_places = {f"on my {noun}" for site in sites.values() for noun in site.nouns}
        trained_places |= {place for site in sites.values() for place in site.places}
        assert not trained_places & {place for site in sites.values() for place in site.held_out_places}
    for phrases in (*SPANS.values(), *(phrase for form in FORMS.values() for phrase in form.values())):
        assert not set(phrases.training) & set(phrases.held_out)


def test_no_phrase_serves_two_durations_age_ranges_or_regions():
    for table in (wordings_more.DURATIONS, wordings_more.AGE_RANGES):
        texts = [text for span in table.values() for text in (*span.training, *span.held_out)]
        assert sorted(texts) == sorted(set(texts))
    regions = wordings_more.REGIONS.values()
    texts = [text for region in regions for text in (*region.nouns, *region.places, *region.held_out_places)]
    assert sorted(texts) == sorted(set(texts))


@pytest.mark.parametrize("form", FORMS)
def test_every_symptom_has_every_form(form):
    assert tuple(FORMS[form]) == ALL_SYMPTOMS


def test_no_wording_serves_two_answers():
    seen: dict[str, object] = {}
    for key, choice in (*SYMPTOM_WORDINGS.items(), *KIND_WORDINGS.items()):
        for text in (*choice.training, *choice.held_out):
            assert seen.setdefault(words_of(text), key) == key, text


@pytest.mark.parametrize("key", SYMPTOM_WORDINGS, ids=str)
def test_wording_of_a_symptom_mentions_no_other_symptom(key):
    symptom, _ = key
    for text in (*SYMPTOM_WORDINGS[key].training, *SYMPTOM_WORDINGS[key].held_out):
        assert not mentioned(text, allowed=symptom), text


@pytest.mark.parametrize("symptom", ALL_SYMPTOMS)
def test_only_an_unknown_answer_doubts(symptom):
    for answer in SAID:
        choice = SYMPTOM_WORDINGS[symptom, answer]
        for text in (*choice.training, *choice.held_out):
            doubts = re.search(DOUBTS, text.lower())
            if answer is Answer.UNKNOWN:
                assert doubts, text
            else:
                assert not re.search(r"don't know|not sure|no idea|uncertain|unclear|must pass", text.lower())


@pytest.mark.parametrize("symptom", ALL_SYMPTOMS)
def test_statements_affirm_and_denials_deny(symptom):
    negation = r"\b(no|not|never|none|without)\b|n't\b"
    statement, denial = FORMS["statement"][symptom], FORMS["denial"][symptom]
    for text in (*statement.training, *statement.held_out):
        assert not re.search(negation, text), text
    for text in (*denial.training, *denial.held_out):
        assert re.search(negation, text) or text == "is flat", text


@pytest.mark.parametrize("key", KIND_WORDINGS, ids=str)
def test_wording_of_a_kind_mentions_no_symptom(key):
    for text in (*KIND_WORDINGS[key].training, *KIND_WORDINGS[key].held_out):
        assert not mentioned(text, allowed=key[1]), text


def test_durations_regions_and_age_ranges_mention_no_symptom():
    frames = (wordings_more.DURATION, wordings_more.REGION, wordings_more.AGE_RANGE)
    regions = wordings_more.REGIONS.values()
    texts = [text for choice in (*frames, *SPANS.values()) for text in (*choice.training, *choice.held_out)]
    texts += [text for region in regions for text in (*region.nouns, *region.places, *region.held_out_places)]
    assert [text for text in texts if mentioned(text, allowed="")] == []


def test_fillers_mention_no_symptom():
    for text in (*wordings.FILLERS.training, *wordings.FILLERS.held_out):
        assert not any(re.search(pattern, text.lower()) for pattern in MENTIONS.values()), text


def test_no_wording_names_a_disease():
    names = {name.lower() for disease in DISEASES.values() for name in (disease.name, *disease.synonyms)}
    found = [
        (name, text)
        for text in every_text()
        for name in names
        if re.search(rf"\b{re.escape(name)}s?\b", text.lower())
    ]
    assert not found


# Telling


def test_same_random_state_tells_the_same_story():
    facts = [random_facts(Random(seed)) for seed in range(50)]
    once, again = Random(7), Random(7)
    assert [tell(f, once) for f in facts] == [tell(f, again) for f in facts]


def test_no_facts_give_no_words():
    assert tell(Facts(), Random(0)) == ""
    assert tell(Facts(), Random(0), held_out=True) == ""
    assert sentences(Facts()) == ""


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("symptom", ALL_SYMPTOMS)
@pytest.mark.parametrize("answer", SAID)
def test_unsaid_symptoms_are_never_mentioned(symptom, answer, held_out):
    facts = Facts(age=50, site="HAND", **{symptom: answer})
    rng = Random(1)
    for _ in range(100):
        text = tell(facts, rng, held_out=held_out).lower()
        assert not mentioned(text, allowed=symptom), text


def test_told_age_stands_in_digits_or_words():
    rng = Random(2)
    for _ in range(200):
        text = tell(Facts(age=62, bleed=Answer.NO), rng).lower()
        # Slips never touch digits, but may misspell or join a long word.
        assert "62" in text or re.search(r"s\w+[- ]t\w+o", text), text


def test_unsaid_age_and_site_are_silent():
    rng = Random(3)
    for _ in range(200):
        text = tell(Facts(itch=Answer.YES), rng, held_out=rng.random() < 0.5).lower()
        assert not re.search(r"\b(nose|hand|face|back of|years?|yo|age)\b", text), text


def test_every_placeholder_is_filled():
    rng = Random(4)
    for _ in range(2000):
        text = tell(random_facts(rng), rng, held_out=rng.random() < 0.5)
        assert not re.search(r"[{}]|  |\bNone\b", text), text


def test_stories_fit_the_limit_and_pass_cleaning_unchanged():
    rng = Random(5)
    for _ in range(500):
        text = tell(random_facts(rng), rng, held_out=rng.random() < 0.5)
        assert clean_narrative(text) == text


@pytest.mark.parametrize("held_out", [False, True])
def test_every_said_symptom_is_told(held_out, monkeypatch):
    monkeypatch.setattr(narrative, "IS_SLOPPY", 0.0)
    rng = Random(6)
    for _ in range(500):
        facts = random_facts(rng)
        text = words_of(tell(facts, rng, held_out=held_out))
        for symptom, answer in facts.symptoms.items():
            if answer is not Answer.UNSAID:
                choice = SYMPTOM_WORDINGS[symptom, answer]
                phrases = [FORMS[form][symptom] for form in FORMS]
                ways = [*(choice.held_out if held_out else choice.training)]
                ways += [way for p in phrases for way in (p.held_out if held_out else p.training)]
                assert any(words_of(way) in text for way in ways), (symptom, answer, text)


@pytest.mark.parametrize(
    "age, expected",
    [(8, "an 8-year-old"), (18, "an 18-year-old"), (81, "an 81-year-old"), (62, "a 62-year-old")],
)
def test_article_fits_the_number(age, expected):
    rng = Random(8)
    texts = [tell(Facts(age=age), rng) for _ in range(500)]
    told = [text for text in texts if "-year-old" in text]
    assert told
    assert all(expected in text.lower() for text in told)


@pytest.mark.parametrize(
    "held_out, digest",
    [
        (False, "90d86b4f57e31966ad1784eb69e07bd62e09408ae1333bc3def0f81e66ac4288"),
        (True, "b5ed8c148957f611e47e8dfbc309bf609bf3cf20ac8507c2c562074b640f168e"),
    ],
)
def test_facts_of_pad_ufes_20_are_told_as_ever(held_out, digest):
    """Published models were trained and measured on these very words."""
    facts = [old_facts(Random(f"facts {seed}")) for seed in range(300)]
    text = "\n".join(tell(fact, Random(seed), held_out=held_out) for seed, fact in enumerate(facts))
    assert hashlib.sha256(text.encode()).hexdigest() == digest


@pytest.mark.parametrize("held_out", [False, True])
def test_every_said_particular_is_told(held_out, monkeypatch):
    monkeypatch.setattr(narrative, "IS_SLOPPY", 0.0)
    rng = Random(10)
    for _ in range(500):
        facts = replace(random_facts(rng), age=None)
        text = words_of(tell(facts, rng, held_out=held_out))
        ways: list[tuple[str, ...]] = []
        if facts.kind:
            kind = wordings_more.KINDS[facts.kind]
            ways.append(kind.held_out if held_out else kind.training)
        for name, table in (("duration", wordings_more.DURATIONS), ("age_range", wordings_more.AGE_RANGES)):
            if getattr(facts, name):
                span = table[getattr(facts, name)]
                ways.append(span.held_out if held_out else span.training)
        for name in facts.more_sites:
            region = wordings_more.REGIONS[name]
            ways.append(region.held_out_places if held_out else (*region.nouns, *region.places))
        for fact in ways:
            assert any(words_of(way) in text for way in fact), (fact, text)


def test_regions_stand_in_one_sentence():
    facts = Facts(more_sites=("ARM_ANY", "LEG", "TORSO_BACK"))
    told = {tell(facts, Random(seed)) for seed in range(500)}
    assert any(re.search(r"on my [a-z ]+, [a-z ]+ and [a-z ]+\.", text) for text in told)


def test_age_makes_the_age_range_redundant():
    facts = Facts(age=35, age_range="30 to 39")
    assert sentences(facts) == "I am 35 years old."
    assert {tell(facts, Random(seed)) for seed in range(50)} == {
        tell(Facts(age=35), Random(seed)) for seed in range(50)
    }


def test_what_does_not_fit_is_told_anew(monkeypatch):
    answers = dict.fromkeys(ALL_SYMPTOMS, Answer.UNKNOWN)
    facts = Facts(age=62, site="NOSE", kind="rash", duration="year", more_sites=REGIONS, **answers)
    assert all(len(tell(facts, Random(seed))) <= NARRATIVE_LIMIT for seed in range(300))
    monkeypatch.setattr(narrative, "NARRATIVE_LIMIT", 900)
    assert all(len(tell(facts, Random(seed))) <= 900 for seed in range(300))


# Silence


def test_silence_keeps_at_least_one_fact():
    facts = Facts(age=62, site="NOSE", itch=Answer.YES, grew=Answer.NO)
    kept = [silence(facts, Random(seed), fraction=1.0).said for seed in range(50)]
    assert all(len(said) == 1 for said in kept)
    assert {said[0] for said in kept} == {"age", "site", "itch", "grew"}


def test_silence_changes_no_answer():
    rng = Random(9)
    for _ in range(200):
        facts = random_facts(rng)
        fewer = silence(facts, rng, fraction=0.5)
        for field in fields(facts):
            assert getattr(fewer, field.name) in (getattr(facts, field.name), None, (), Answer.UNSAID)


def test_silence_of_nothing_changes_nothing():
    facts = Facts(age=62, bleed=Answer.UNKNOWN)
    assert silence(facts, Random(0), fraction=0.0) == facts
    assert silence(Facts(), Random(0), fraction=1.0) == Facts()


# The form


def test_form_gives_plain_sentences_in_fixed_order():
    facts = Facts(
        age=62,
        site="NOSE",
        itch=Answer.YES,
        grew=Answer.NO,
        hurt=Answer.UNKNOWN,
        bleed=Answer.YES,
        elevation=Answer.NO,
    )
    assert sentences(facts) == (
        "I am 62 years old. It is on my nose. It itches. It has not got bigger. "
        "I don't know whether it hurts. It bleeds. It is flat."
    )


def test_form_tells_what_scin_asks():
    facts = Facts(
        age_range="30 to 39",
        kind="rash",
        more_sites=("ARM_ANY", "LEG", "TORSO_BACK"),
        duration="month",
        itch=Answer.YES,
        fever=Answer.NO,
    )
    assert facts.said == ("kind", "duration", "more_sites", "age_range", "itch", "fever")
    assert sentences(facts) == (
        "I am between 30 and 39 years old. It is a rash. It is on my arm, on my leg and on my back. "
        "I have had it for one to four weeks. It itches. I have no fever or chills."
    )


@pytest.mark.parametrize(
    "wrong, found",
    [
        ({"site": "KNEE"}, "'KNEE'"),
        ({"age": -1}, "Age -1"),
        ({"age": 121}, "Age 121"),
        ({"kind": "wart"}, "Kind 'wart'"),
        ({"duration": "hour"}, "Duration 'hour'"),
        ({"more_sites": ("LEG", "KNEE")}, "Region 'KNEE'"),
        ({"more_sites": ("LEG", "LEG")}, "twice in LEG, LEG"),
        ({"age_range": "0 to 17"}, "Age range '0 to 17'"),
    ],
)
def test_impossible_facts_are_refused(wrong, found):
    with pytest.raises(NarrativeError, match=found):
        Facts(**wrong)


# Cleaning


@pytest.mark.parametrize(
    "raw, clean",
    [
        ("", ""),
        (" \n\t ", ""),
        ("It itches.", "It itches."),
        ("It  itches.\r\n\n\tIt bleeds. ", "It itches. It bleeds."),
        ("a\x00b\x07c", "a b c"),
        ("a\x85b\u2028c\u00a0d", "a b c d"),
        ("cafe\u0301", "caf\u00e9"),
        ("it \u202egnihcti\u202c stopped", "it gnihcti stopped"),
        ("\u2066left\u2069 \u200fright", "left right"),
        ("no\u200bt it\u00adchy\ufeff", "not itchy"),
        ("half a pair \ud83d here", "half a pair here"),
        ("it hurts \U0001f622", "it hurts \U0001f622"),
        (
            "\U0001f469\u200d\u2695\ufe0f and \U0001f44d\U0001f3fd",
            "\U0001f469\u200d\u2695\ufe0f and \U0001f44d\U0001f3fd",
        ),
        ("\U0001f469\U0001f3fd\u200d\U0001f680", "\U0001f469\U0001f3fd\u200d\U0001f680"),
        ("it\u200dches", "itches"),
        ("flag \U0001f3f4\U000e0067\U000e0062\U000e007f", "flag \U0001f3f4"),
        ("it itches[SEP]melanoma", "it itches SEP melanoma"),
        ("[cls] a [Mask] b [PAD] c [UNK]", "cls a Mask b PAD c UNK"),
        ("<s>a</s> <pad> <UNK>", "s a s pad UNK"),
        ("a <|im_end|> b <|endoftext|>", "a im_end b endoftext"),
        ("[[SEP]]", "[ SEP ]"),
        ("<|im[SEP]|>", "im SEP"),
        ("[SE\u200bP]", "SEP"),
        ("[see photo] and 3 < 5 > 2", "[see photo] and 3 < 5 > 2"),
    ],
)
def test_cleaning(raw, clean):
    assert clean_narrative(raw) == clean
    assert clean_narrative(clean) == clean


def test_limit_is_counted_after_cleaning():
    assert len(clean_narrative("a" * NARRATIVE_LIMIT + "\u200b" * 10)) == NARRATIVE_LIMIT


def test_too_long_a_text_is_refused_with_both_counts():
    with pytest.raises(NarrativeError, match=r"1,512 characters.*1,500"):
        clean_narrative("a" * 1512)
