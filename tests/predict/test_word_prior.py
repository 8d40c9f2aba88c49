import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from skin_ai.predict.bundle import WORD_PRIOR_FILE, BundleError, load_bundle
from skin_ai.predict.chain import Question
from skin_ai.predict.narrative import Answer, Facts, sentences
from skin_ai.predict.word_prior import facts_of, load_word_prior, save_word_prior, terms_of
from skin_ai.training import word_prior as training
from skin_ai.training.datasets import Case
from skin_ai.training.word_prior import fact_prior_of, fit_word_prior
from skin_ai.vocabulary import SITES, SYMPTOMS

TEXTS = ["itchy ring, clear in the middle", "a mole that bled", "itchy red ring", "my mole bled again"] * 3
LABELS = np.array([0, 1, 0, 1] * 3)


@pytest.fixture(scope="module")
def prior():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "SILENT", 50)
        return fit_word_prior(TEXTS, LABELS, 26, 3.0)


def test_terms_are_words_pairs_and_parts_of_words():
    assert list(terms_of("Red spot")) == [
        "red", "spot", "red spot",
        "#<re", "#red", "#ed>", "#<red", "#red>", "#<red>",
        "#<sp", "#spo", "#pot", "#ot>", "#<spo", "#spot", "#pot>", "#<spot", "#spot>",
    ]  # fmt: skip


def test_bag_of_words_knows_its_types_even_misspelt(prior):
    found = prior.probabilities(["A ring, itchyy", "the moles bled"])
    assert found.argmax(1).tolist() == [0, 1]
    assert found.sum(1).tolist() == pytest.approx([1, 1], abs=1e-5)


def test_bag_of_words_says_nothing_without_words(prior):
    assert prior.logits([""]).tolist() == [[0] * 26]


def test_shipped_bag_of_words_is_silent_where_it_knows_no_term_and_on_ticked_facts():
    shipped = load_bundle("skin-26").language_model.word_prior
    found = shipped.probabilities(["zzz", "It itches. It does not bleed. It is on the arm."])
    assert found.max() < 0.2


def test_saved_bag_of_words_comes_back(prior, tmp_path):
    save_word_prior(prior, tmp_path / "prior")
    loaded = load_word_prior(tmp_path / "prior", 26)
    assert torch.allclose(loaded.logits(TEXTS[:4]), prior.logits(TEXTS[:4]), atol=0.02)
    with pytest.raises(ValueError, match="26"):
        load_word_prior(tmp_path / "prior", 6)


def test_language_model_adds_it_to_words_and_to_nothing_else(bundle_of_26, prior):
    model, everything = bundle_of_26.language_model, tuple(range(26))
    questions = [Question(TEXTS[0], None, everything), Question("", None, everything)]
    before = model(questions)
    model.word_prior = prior
    try:
        after = model(questions)
    finally:
        model.word_prior = None
    assert torch.allclose(after - before, prior.logits([TEXTS[0], ""]), atol=1e-4)


def test_damaged_bag_of_words_is_refused(tmp_path):
    """Terms without coefficients would move every answer by the wrong row."""
    save_file({"rarity": torch.ones(2), "coefficients": torch.ones(3, 26)}, tmp_path / "file")
    tensors = load_file(tmp_path / "file") | {"bias": torch.zeros(26), "weight": torch.tensor(1.0)}
    save_file(tensors, tmp_path / "file", {"terms": "[]"})
    with pytest.raises(ValueError, match="do not fit"):
        load_word_prior(tmp_path / "file", 26)


# ---- of facts ----


@pytest.fixture(scope="module")
def fact_prior():
    """Old patients' flat spots are of type 0, what grew is of type 1; of type 2 there is no case."""
    facts = [Facts(age=70 + n % 20, elevation=Answer.NO) for n in range(40)]
    facts += [Facts(age=20 + n % 40, grew=Answer.YES) for n in range(40)]
    types = ("ACK", "BCC", "MEL")
    cases = [Case(str(n), str(n), types[n // 40], known, None) for n, known in enumerate(facts)]
    return fact_prior_of(cases, types)


def test_facts_are_the_forms_sentences_and_the_decades_of_an_age():
    form = sentences(Facts(age=41, site="NOSE", itch=Answer.NO))
    assert list(facts_of(form)) == [
        "age told", "older than 20", "older than 30", "older than 40",
        "It is on my nose.", "It doesn't itch.",
    ]  # fmt: skip
    assert list(facts_of("")) == []


def test_every_fact_of_the_form_is_a_term_of_its_own():
    """A sentence with a full stop inside would fall apart."""
    for name, answer in [(s, a) for s in SYMPTOMS for a in (Answer.YES, Answer.NO)]:
        assert len(list(facts_of(sentences(Facts(**{name: answer}))))) == 1
    for site in SITES:
        assert len(list(facts_of(sentences(Facts(site=site))))) == 1


def test_regression_on_facts_reads_each_fact_alone(fact_prior):
    told = [Facts(elevation=Answer.NO), Facts(grew=Answer.YES), Facts(age=85), Facts(age=25)]
    found = fact_prior.probabilities([sentences(facts) for facts in told])
    assert found.argmax(1).tolist() == [0, 1, 0, 1]
    assert torch.isfinite(found.log()).all()


def test_regression_on_facts_says_nothing_without_facts_and_little_of_what_it_never_read(fact_prior):
    assert fact_prior.logits([""]).tolist() == [[0] * 3]
    known, strange = fact_prior.logits([sentences(Facts(grew=Answer.YES)), "It hums."])
    assert known[:2].max() - known[:2].min() > strange[:2].max() - strange[:2].min()


def test_saved_regression_on_facts_comes_back(fact_prior, tmp_path):
    save_word_prior(fact_prior, tmp_path / "prior")
    loaded = load_word_prior(tmp_path / "prior", 3)
    form = sentences(Facts(age=64, grew=Answer.YES))
    assert loaded.logits([form]).tolist()[0] == pytest.approx(fact_prior.logits([form]).tolist()[0], abs=0.02)


def test_shipped_bundles_have_one_of_words_and_one_of_facts(bundle):
    assert load_bundle("skin-26").language_model.word_prior.rarity is not None
    assert bundle.language_model.word_prior.rarity is None


def test_missing_bag_of_words_of_the_manifest_is_named(tmp_path, made_up_26):
    folder = tmp_path / "copy"
    shutil.copytree(made_up_26, folder)
    shared = made_up_26.parent / "shared"
    if shared.exists():
        shutil.copytree(shared, tmp_path / "shared")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"][WORD_PRIOR_FILE] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError, match=WORD_PRIOR_FILE):
        load_bundle("copy", tmp_path)
