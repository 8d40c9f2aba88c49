"""Training, calibration and figures of the extraction, run through on a tiny encoder."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from skin_ai.evaluation.extraction import load_test_pairs, marked_figures, narrative_figures, pair_figures
from skin_ai.predict.extraction import AGE, CLASSES, FACT_NAMES, UNSAID, extract_all
from skin_ai.training.extraction import (
    NOT_ASKED,
    Stage,
    batch_of,
    loss_of,
    pretrained_extractor,
    train_extraction,
)
from skin_ai.training.extraction_calibration import fitted_temperatures, is_right, threshold
from skin_ai.training.extraction_further import FURTHER, fit_further_heads
from skin_ai.training.extraction_texts import TEXTS, Example, Mixture, load_narratives

TINY = Stage(
    Mixture(templates=8, more_templates=8, frames=8, pairs=0, narratives=0), 1, 1e-3, 1e-2, further=20
)


@pytest.fixture(scope="module")
def few_texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of every fortieth narrative and some pairs."""
    folder = tmp_path_factory.mktemp("texts")
    header, *rows = (TEXTS / "narratives.csv").read_text("utf-8").splitlines()
    (folder / "narratives.csv").write_text("\n".join([header, *rows[::40]]) + "\n", "utf-8")
    pairs = (TEXTS / "contrast_pairs.jsonl").read_text("utf-8").splitlines()[:20]
    (folder / "contrast_pairs.jsonl").write_text("\n".join(pairs) + "\n", "utf-8")
    return folder


def test_killed_training_goes_on_and_makes_the_same(
    tiny_language_model: Path, few_texts: Path, tmp_path: Path
) -> None:
    work, out = tmp_path / "work", tmp_path / "extraction.safetensors"

    def train() -> dict[str, torch.Tensor]:
        train_extraction(
            work, tiny_language_model, out, texts=few_texts, writers=("e", "f"), common=(TINY, TINY), own=TINY
        )
        return load_file(out)

    made = train()
    for one_run in work.glob("all*.safetensors"):
        one_run.unlink()
    again = train()
    assert made.keys() == again.keys()
    assert all(torch.equal(made[name], again[name]) for name in made)


def test_figures_of_narratives_pairs_and_marked_texts(tiny_language_model: Path) -> None:
    model = pretrained_extractor(tiny_language_model).eval()
    texts = load_narratives(TEXTS / "narratives.csv")[:20]
    figures = narrative_figures(texts, extract_all([text.text for text in texts], model))
    assert figures["n"] == 20
    assert 0 <= figures["symptoms"]["low"] <= figures["symptoms"]["value"] <= figures["symptoms"]["high"] <= 1
    assert figures["silent_errors"]["value"] <= 1
    pairs = pair_figures(load_test_pairs(TEXTS / "test_pairs.jsonl")[:10], model)
    assert 0 <= pairs["facts"]["value"] <= 1
    row = {"text": "It itches.", "facts": {"itch": {"answer": "yes", "span": [3, 10]}}}
    assert marked_figures([row] * 3, model)["n"] == 3


def test_further_heads_leave_the_others_as_they_are(tiny_language_model: Path) -> None:
    model = pretrained_extractor(tiny_language_model).eval()
    texts = ["It itches, I am 62 and have a fever.", "On my nose for three weeks."]
    with torch.no_grad():
        before = model(model.encode(texts))
    fit_further_heads(model, [], [], 60)
    with torch.no_grad():
        after = model(model.encode(texts))
    for fact in CLASSES:
        is_same = torch.allclose(before.logits[fact], after.logits[fact], atol=1e-6)
        assert is_same == (fact not in FURTHER), fact
    assert torch.allclose(before.age, after.age, atol=1e-6)


def test_what_is_not_asked_gives_no_loss(tiny_language_model: Path) -> None:
    model = pretrained_extractor(tiny_language_model)
    batch = batch_of([Example("It itches. I am 62.", {}), Example("It bleeds.", {AGE: 40})], model)
    assert all((right == NOT_ASKED).all() for right in batch.classes.values())
    assert not batch.ages.any()
    assert loss_of(model, batch).item() == 0


def test_wrong_answers_cost_more(tiny_language_model: Path) -> None:
    torch.manual_seed(0)
    model = pretrained_extractor(tiny_language_model)
    example = Example("I am 62. It itches.", {"itch": "yes", AGE: 62}, {"itch": (12, 19)})
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss = loss_of(model, batch_of([example], model))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_temperature_of_too_sure_a_model_is_above_one() -> None:
    logits = torch.tensor([[4.0, 0, 0, 0]]).repeat(10, 1)
    right = torch.zeros(10, 4, dtype=torch.bool)
    right[:7, 0], right[7:, 1] = True, True
    parts = dict.fromkeys(FACT_NAMES, (logits, right))
    assert fitted_temperatures(parts, parts)["itch"] > 1.5


@pytest.mark.parametrize(("wrong", "expected"), [(0, 0.0), (3, 0.9001)])
def test_threshold_flags_what_would_be_silently_wrong(
    tiny_language_model: Path, wrong: int, expected: float
) -> None:
    model = pretrained_extractor(tiny_language_model).eval()
    (extraction,) = extract_all(["It itches."], model)
    facts = dict.fromkeys(FACT_NAMES, type(extraction.facts["itch"])(UNSAID, 0.9))
    extractions = [type(extraction)("", facts)] * 10
    answers = dict.fromkeys(FACT_NAMES, UNSAID)
    examples = [Example("", answers | ({"site": "NOSE"} if place < wrong else {})) for place in range(10)]
    assert sum(not is_right(*pair, "site") for pair in zip(examples, extractions, strict=True)) == wrong
    assert threshold(examples, extractions) == pytest.approx(expected)
