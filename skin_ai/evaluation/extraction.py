"""Measures the extraction: left-out writers, contrast pairs, spans, and errors that are not flagged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors.torch import load_file

from skin_ai.evaluation.figures import mean_figure, weighted_mean
from skin_ai.evaluation.given_words import save_found
from skin_ai.intervals import patient_weights, with_interval
from skin_ai.predict.extraction import UNSAID, Extraction, Extractor, extract_all, to_facts
from skin_ai.predict.language_detection import ENGLISH
from skin_ai.training.datasets import digest
from skin_ai.training.extraction import pretrained_extractor
from skin_ai.training.extraction_calibration import (
    ASKED,
    calibrate,
    coarse,
    held_out_wordings,
    is_right,
    logits_of,
)
from skin_ai.training.extraction_texts import TEXTS, WRITERS, Example, cleaned, load_narratives
from skin_ai.vocabulary import SYMPTOMS

RARE: Final = ("bleed", "grew", "changed")  # few are *yes*, so accuracy hides how many of these are found
BINS: Final = 15  # of the calibration error
PROTOCOL: Final = (
    "Each narrative is read by a model that was trained without its writer and without every text of that "
    "writer's patients; temperatures and the limit of uncertainty are of another writer. Unknown and unsaid "
    "count as one answer. Intervals: 95%, bootstrap over patients."
)


def evaluate_extraction(
    work: Path,
    base: Path,
    shipped: Extractor,
    found_file: Path,
    *,
    texts: Path = TEXTS,
    writers: Sequence[str] = WRITERS,
) -> dict[str, Any]:
    """Figures of the models in `work` that each leave out a writer, and of the shipped model.

    found_file: gets the facts that the models found in the narratives of the writers whom they had not read.

    writers: those whose models are there; each is calibrated on the texts of the next one, as the model
    without that one reads them. base: the pretrained encoder, for its layout. The shipped model
    was trained on all writers, so it is measured only on texts that are in no training.
    """
    narratives = load_narratives(texts / "narratives.csv")
    models = {writer: load_left_out(work, base, writer) for writer in writers}
    own = {writer: [text for text in narratives if text.writer == writer] for writer in writers}
    made_up = None
    examples: list[Example] = []
    extractions: list[Extraction] = []
    result: dict[str, Any] = {"protocol": PROTOCOL, "writers": {}}
    for place, writer in enumerate(writers):
        other = writers[(place + 1) % len(writers)]
        made_up = made_up or logits_of(models[writer], held_out_wordings())
        calibrate(models[writer], {other: (models[other], own[other])}, made_up)
        found = extract_all([text.text for text in own[writer]], models[writer])
        result["writers"][writer] = narrative_figures(own[writer], found)
        examples += own[writer]
        extractions += found
    if writers:
        result["left_out"] = narrative_figures(examples, extractions)
        lesions = [(example.patient, example.lesion) for example in examples]
        save_found(dict(zip(lesions, map(to_facts, extractions), strict=True)), found_file)
    marked = [
        json.loads(line) for line in (texts / "marked_texts.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    written = [row for row in marked if row["source"] == "written"]
    result["written"] = marked_figures(written, shipped)
    told = [row for row in marked if row["source"] == "narratives" and row["writer"] in models]
    result["marked"] = {
        writer: marked_figures([row for row in told if row["writer"] == writer], models[writer])
        for writer in writers
        if any(row["writer"] == writer for row in told)
    }
    result["pairs"] = pair_figures(load_test_pairs(texts / "test_pairs.jsonl"), shipped)
    return result


def load_left_out(work: Path, base: Path, writer: str) -> Extractor:
    """The model trained without this writer and without any text of the writer's patients."""
    model = pretrained_extractor(base)
    model.load_state_dict(load_file(work / f"without_{writer}.safetensors"))
    return model.eval()


def narrative_figures(examples: Sequence[Example], extractions: Sequence[Extraction]) -> dict[str, Any]:
    """Accuracy of symptoms, site and age, recall of *yes*, calibration, silent errors and flagged facts.

    silent: share of facts that are wrong and not flagged as uncertain; flagged: uncertain facts per text, of
    the six symptoms, site and age.
    """
    weights = patient_weights(np.array([digest(example.patient) for example in examples]))
    right = {
        fact: np.array(
            [is_right(example, found, fact) for example, found in zip(examples, extractions, strict=True)]
        )
        for fact in ASKED
    }
    sure = {
        fact: np.array([fact not in extraction.uncertain for extraction in extractions]) for fact in ASKED
    }
    symptoms = np.mean([right[symptom] for symptom in SYMPTOMS], axis=0)
    silent = np.mean([sure[fact] & ~right[fact] for fact in ASKED], axis=0)
    flagged = np.sum([~sure[fact] for fact in ASKED], axis=0)
    return {
        "n": len(examples),
        "symptoms": mean_figure(symptoms, weights),
        **{fact: mean_figure(right[fact].astype(float), weights) for fact in ASKED},
        "recall_of_yes": {fact: _recall(fact, examples, right[fact], weights) for fact in RARE},
        "silent_errors": mean_figure(silent, weights),
        "flagged_a_text": mean_figure(flagged.astype(float), weights),
        "calibration_error": round(_calibration_error(right, extractions), 4),
    }


def _recall(fact: str, examples: Sequence[Example], right: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    told = np.array([example.answers[fact] == "yes" for example in examples])
    return with_interval(weighted_mean(right[told].astype(float), weights[:, told])) | {"n": int(told.sum())}


def _calibration_error(right: Mapping[str, np.ndarray], extractions: Sequence[Extraction]) -> float:
    """Expected calibration error over all facts (Guo et al. 2017, eq. 3)."""
    probabilities = np.array(
        [extraction.facts[fact].probability for fact in ASKED for extraction in extractions]
    )
    correct = np.concatenate([right[fact] for fact in ASKED]).astype(float)
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    return float(
        sum(
            abs(correct[bins == place].mean() - probabilities[bins == place].mean()) * (bins == place).mean()
            for place in set(bins.tolist())
        )
    )


@dataclass(frozen=True)
class Pair:
    """A text of a contrast pair; expected: the facts that it tells, and those that it seems to tell."""

    name: str
    kind: str
    text: str
    expected: Mapping[str, str | int]
    is_held_out_kind: bool


def load_test_pairs(path: Path) -> tuple[Pair, ...]:
    """Rows of test_pairs.jsonl."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(
        Pair(row["pair"], row["kind"], row["text"], row["expected"], row.get("held_out_kind", False))
        for row in rows
    )


def pair_figures(pairs: Sequence[Pair], model: Extractor) -> dict[str, Any]:
    """Share of the expected facts that are found, by kind; intervals over pairs.

    Kinds that training holds in no form are apart. foreign: texts that were not taken for English.
    """
    extractions = extract_all([pair.text for pair in pairs], model)
    rows = [
        (pair, coarse(fact, answer) == coarse(fact, extraction.facts[fact].answer))
        for pair, extraction in zip(pairs, extractions, strict=True)
        for fact, answer in pair.expected.items()
    ]
    held_out = [row for row in rows if row[0].is_held_out_kind]
    others = [row for row in rows if not row[0].is_held_out_kind]
    kinds = sorted({pair.kind for pair, _ in rows})
    return {
        "facts": _share(others),
        "held_out_kinds": _share(held_out),
        "kinds": {kind: _share([row for row in rows if row[0].kind == kind]) for kind in kinds},
        "foreign": sum(extraction.language != ENGLISH for extraction in extractions),
    }


def _share(rows: Sequence[tuple[Pair, bool]]) -> dict[str, Any]:
    if not rows:
        return {"value": None, "low": None, "high": None, "n": 0}
    weights = patient_weights(np.array([digest(pair.name[:-1]) for pair, _ in rows]))
    return mean_figure(np.array([float(is_found) for _, is_found in rows]), weights)


def marked_figures(rows: Sequence[Mapping[str, Any]], model: Extractor) -> dict[str, Any]:
    """Figures on texts whose facts and their places are marked by hand.

    found: fact -> share of the stated answers that are found; false: fact -> found where the text has none;
    touches: share of found facts whose span shares a character with the marked one; overlap: mean of what
    both spans share over what either covers.
    """
    extractions = extract_all([row["text"] for row in rows], model)
    found: dict[str, list[bool]] = {}
    false: dict[str, int] = {}
    overlaps = []
    for row, extraction in zip(rows, extractions, strict=True):
        is_same_text = extraction.text == cleaned(row["text"]) == row["text"]
        for fact, got in extraction.facts.items():
            marked = row["facts"].get(fact)
            if marked is None:
                false[fact] = false.get(fact, 0) + (got.answer not in (UNSAID, "unknown"))
                continue
            is_found = coarse(fact, got.answer) == coarse(fact, marked["answer"])
            found.setdefault(fact, []).append(is_found)
            if is_found and got.span is not None and marked.get("span") and is_same_text:
                overlaps.append(_shared(got.span, marked["span"]))
    return {
        "n": len(rows),
        "found": {fact: {"value": round(float(np.mean(r)), 4), "n": len(r)} for fact, r in found.items()},
        "false": false,
        "touches": round(float(np.mean([share > 0 for share in overlaps])), 4),
        "overlap": round(float(np.mean(overlaps)), 4),
        "spans": len(overlaps),
    }


def _shared(one: tuple[int, int], other: Sequence[int]) -> float:
    both = max(0, min(one[1], other[1]) - max(one[0], other[0]))
    return both / (max(one[1], other[1]) - min(one[0], other[0])) if both else 0.0
