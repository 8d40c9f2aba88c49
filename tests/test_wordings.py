import re
import shutil

import pytest
from mentions import MENTIONS, mentioned, words_of

from skin_ai.diseases import DISEASES, LABEL_SETS
from skin_ai.predict.narrative import Answer
from skin_ai.vocabulary import ALL_SYMPTOMS
from skin_ai.wordings import FOLDER, Wordings, WordingsError, load_wordings

WORDINGS = load_wordings()
SAID = (Answer.YES, Answer.NO, Answer.UNKNOWN)
SYMPTOM_WORDINGS = {
    (symptom, answer): answers[answer] for symptom, answers in WORDINGS.symptoms.items() for answer in SAID
}
KIND_WORDINGS = {("kind", kind): choice for kind, choice in WORDINGS.kinds.items()}
SPANS = {**WORDINGS.durations, **WORDINGS.age_ranges}
ALL_SITES = {**WORDINGS.sites, **WORDINGS.regions}
ALL_WORDINGS: dict[object, Wordings] = {
    "age": WORDINGS.age,
    "site": WORDINGS.site,
    "age and site": WORDINGS.age_and_site,
    "contrasts": WORDINGS.contrast,
    "fillers": WORDINGS.fillers,
    **{("list", answer): frames for answer, frames in WORDINGS.lists.items()},
    "duration": WORDINGS.duration,
    "region": WORDINGS.region,
    "age range": WORDINGS.age_range,
    **KIND_WORDINGS,
    **SYMPTOM_WORDINGS,
}
DOUBTS = (
    r"know|sure|can't (say|tell)|remember|check|idea|clear|certain|pass|swear|clue|guess|faintest|"
    r"couldn't tell|search me|escapes|can't reach|no way of telling|blank|more than i can|paid attention|"
    r"haven't (felt|taken|looked)|hard to say|noticed whether|too rarely|opened it"
)


def every_text() -> list[str]:
    frames = [text for choice in ALL_WORDINGS.values() for text in (*choice.training, *choice.held_out)]
    places = [
        text for site in ALL_SITES.values() for text in (*site.nouns, *site.places, *site.held_out_places)
    ]
    spans = [text for span in SPANS.values() for text in (*span.training, *span.held_out)]
    phrases = [
        text
        for form in WORDINGS.forms.values()
        for phrase in form.values()
        for text in (*phrase.training, *phrase.held_out)
    ]
    return frames + places + spans + phrases


@pytest.mark.parametrize("key", SYMPTOM_WORDINGS, ids=str)
def test_each_answer_to_a_symptom_has_many_wordings(key):
    assert len(SYMPTOM_WORDINGS[key].training) >= 10
    assert len(SYMPTOM_WORDINGS[key].held_out) >= 3


@pytest.mark.parametrize("key", KIND_WORDINGS, ids=str)
def test_each_kind_has_many_wordings(key):
    assert len(KIND_WORDINGS[key].training) >= 10
    assert len(KIND_WORDINGS[key].held_out) >= 3


def test_particulars_have_many_wordings():
    frames = (WORDINGS.duration, WORDINGS.region, WORDINGS.age_range)
    for choice in (WORDINGS.age, WORDINGS.site, *frames):
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
    for sites in (WORDINGS.sites, WORDINGS.regions):
        trained_places = {f"on my {noun}" for site in sites.values() for noun in site.nouns}
        trained_places |= {place for site in sites.values() for place in site.places}
        assert not trained_places & {place for site in sites.values() for place in site.held_out_places}
    for phrases in (
        *SPANS.values(),
        *(phrase for form in WORDINGS.forms.values() for phrase in form.values()),
    ):
        assert not set(phrases.training) & set(phrases.held_out)


def test_no_phrase_serves_two_durations_age_ranges_or_regions():
    for table in (WORDINGS.durations, WORDINGS.age_ranges):
        texts = [text for span in table.values() for text in (*span.training, *span.held_out)]
        assert sorted(texts) == sorted(set(texts))
    regions = WORDINGS.regions.values()
    texts = [text for region in regions for text in (*region.nouns, *region.places, *region.held_out_places)]
    assert sorted(texts) == sorted(set(texts))


@pytest.mark.parametrize("form", WORDINGS.forms)
def test_every_symptom_has_every_form(form):
    assert tuple(WORDINGS.forms[form]) == ALL_SYMPTOMS


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
    statement, denial = WORDINGS.forms["statement"][symptom], WORDINGS.forms["denial"][symptom]
    for text in (*statement.training, *statement.held_out):
        assert not re.search(negation, text), text
    for text in (*denial.training, *denial.held_out):
        assert re.search(negation, text) or text == "is flat", text


@pytest.mark.parametrize("key", KIND_WORDINGS, ids=str)
def test_wording_of_a_kind_mentions_no_symptom(key):
    for text in (*KIND_WORDINGS[key].training, *KIND_WORDINGS[key].held_out):
        assert not mentioned(text, allowed=key[1]), text


def test_durations_regions_and_age_ranges_mention_no_symptom():
    frames = (WORDINGS.duration, WORDINGS.region, WORDINGS.age_range)
    regions = WORDINGS.regions.values()
    texts = [text for choice in (*frames, *SPANS.values()) for text in (*choice.training, *choice.held_out)]
    texts += [text for region in regions for text in (*region.nouns, *region.places, *region.held_out_places)]
    assert [text for text in texts if mentioned(text, allowed="")] == []


def test_fillers_mention_no_symptom():
    for text in (*WORDINGS.fillers.training, *WORDINGS.fillers.held_out):
        assert not any(re.search(pattern, text.lower()) for pattern in MENTIONS.values()), text


def test_no_wording_names_a_disease():
    names = {
        name.lower()
        for disease in map(DISEASES.get, LABEL_SETS["skin-26"])
        for name in (disease.name, *disease.synonyms)
    }
    found = [
        (name, text)
        for text in every_text()
        for name in names
        if re.search(rf"\b{re.escape(name)}s?\b", text.lower())
    ]
    assert not found


# Loading


@pytest.mark.parametrize(
    ("file", "before", "after", "found"),
    [
        (
            "symptoms.toml",
            "[itch.yes]",
            "[itch.maybe]",
            "symptoms.toml: itch: missing entries: yes; .*: maybe",
        ),
        (
            "symptoms.toml",
            "[itch.yes]\nplain",
            "[itch.yes]\nsimple",
            "itch.yes: missing entries: plain; .*: simple",
        ),
        ("symptoms.toml", '"It itches."', '"It itches {place}."', "itch.yes: plain: 'It itches {place}.'"),
        ("symptoms.toml", '"It itches."', "3", "itch.yes: plain must be a list"),
        ("symptoms.toml", '"It itches."', '"It {itches."', "itch.yes: plain: 'It {itches.'"),
        ("symptoms.toml", "[itch.yes]", "[itch.yes", "symptoms.toml cannot be read"),
        ("sites.toml", 'nouns = ["scalp"]', "nouns = []", "sites.toml: sites.SCALP: nouns must be a list"),
        (
            "sites.toml",
            "[sites.SCALP]",
            "[sites.KNEE]",
            "sites.toml: sites: missing entries: SCALP; .*: KNEE",
        ),
        ("sites.toml", "It is {place}", "It is", "sites.toml: sentence: plain: 'It is.' needs {place} or"),
        ("lists.toml", "{statement_and}", "{statement_but}", "lists.toml: lists.yes: plain"),
        ("kinds.toml", "[rash]", "[rush]", "kinds.toml: missing entries: rash; .*: rush"),
    ],
)
def test_a_faulty_file_is_named_with_its_entry(tmp_path, file, before, after, found):
    folder = shutil.copytree(FOLDER, tmp_path / "wordings")
    text = (folder / file).read_text(encoding="utf-8")
    assert before in text
    (folder / file).write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(WordingsError, match=found.replace("{", r"\{")):
        load_wordings(folder)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WordingsError, match=r"age.toml cannot be read"):
        load_wordings(tmp_path)
