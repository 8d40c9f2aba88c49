"""The figures of a bundle on cases that it was not trained on, each diagnosed as in the app."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file
from tqdm import tqdm

from skin_ai.evaluation.figures import MODES, Evaluated, as_rows, figures
from skin_ai.evaluation.protocols import protocol
from skin_ai.predict.bundle import PREDICTIONS_FILE, WEIGHTS, file_of, load_bundle
from skin_ai.predict.chain import Probability
from skin_ai.predict.diagnose import NothingToDiagnose, by_photo_alone, verdict
from skin_ai.predict.extraction import extract
from skin_ai.predict.narrative import NarrativeError
from skin_ai.predict.photo import PhotoError
from skin_ai.predict.prepared_photo import PreparedPhoto, prepare
from skin_ai.training.datasets import Case, DatasetError, digest, load_cases
from skin_ai.training.scin import CASES, find_table, load_scin
from skin_ai.training.sources import SCIN, evaluation_words

log = logging.getLogger(__name__)


def evaluate(
    folder: Path,
    bundle_name: str,
    *,
    limit: int | None = None,
    narratives: Path | None = None,
    weights: Path = WEIGHTS,
) -> dict[str, Any]:
    """The figures of a bundle on the cases of `folder`.

    The folder is laid out as PAD-UFES-20, where rows without a photo are skipped, or as SCIN, where a case
    without a photo is diagnosed from its words, and one with neither is skipped; "accuracy" is then "top1".
    narratives: a CSV file (patient_id, lesion_id, text) whose words replace those made from the fields.
    Cases that the bundle was trained on make its figures too good: "trained_on" counts them, and a warning
    is logged. Raises DatasetError for the first row that cannot be read.
    """
    bundle = load_bundle(bundle_name, weights)
    is_scin = find_table(folder, CASES).is_file()
    if is_scin:
        cases = [case for case in load_scin(folder, bundle.types) if case.photo or case.facts.said]
    else:
        cases = [case for case in load_cases(folder, bundle.types) if case.photo is not None]
    if not cases:
        missing = "no case with words or a photo" if is_scin else "none of the photos in metadata.csv"
        raise DatasetError(f"{folder if is_scin else folder / 'images'} has {missing}.")
    words_of = {case.key: evaluation_words(case) for case in cases}
    origin_of_words = "words_from_fields"
    if narratives is not None:
        origin_of_words, words_of = "words_from_file", _words_of_file(narratives, cases)
        cases = [case for case in cases if case.key in words_of]
        log.info("%d cases have a narrative in %s", len(cases), narratives)
    cases = cases[:limit]
    saved = load_file(file_of(weights / bundle_name, PREDICTIONS_FILE))
    name = f"{SCIN}/cases" if is_scin else "photos"
    trained = set(saved[name].tolist()) if name in saved else set()
    if trained_on := sum(digest(case.key) in trained for case in cases):
        warning = "%d of %d cases were in the training of this bundle: the figures are too good"
        log.warning(warning, trained_on, len(cases))
    rows: dict[str, list[Sequence[Probability]]] = {mode: [] for mode in MODES}
    uniform = [Probability(type_, 1 / len(bundle.types)) for type_ in bundle.types]
    for case in tqdm(cases, desc="diagnosing", unit="case", leave=False):
        words = words_of[case.key]
        # Words and photo are read once: what is left then differs between the modes.
        facts = extract(words, bundle.extractor) if words and bundle.extractor else None
        alone = verdict(None, words, bundle, facts) if words else None
        photo = _prepared(case.photo) if case.photo else None
        both = verdict(photo, words, bundle, facts) if photo else alone
        answers = {
            "photo_only": both and both.recommendations,
            "photo_no_words": both and by_photo_alone(both, bundle) if photo else None,
            "words_only": alone and alone.answer,
            "single_pass": both and both.single_pass,
            "chain": both and both.answer,
        }
        for mode, found in answers.items():
            rows[mode].append(found or uniform)
    if not any(case.photo for case in cases):
        del rows["photo_only"], rows["photo_no_words"]
    prior = bundle.manifest["prior"]
    if is_scin:
        prior = bundle.manifest.get("priors", {}).get(SCIN, prior)
    evaluated = Evaluated(
        types=bundle.types,
        truth=np.array([bundle.types.index(case.type) for case in cases]),
        patients=np.array([digest(case.patient) for case in cases]),
        prior=np.array([prior[type_] for type_ in bundle.types]),
        modes={mode: as_rows(found, bundle.types) for mode, found in rows.items()},
    )
    result = figures(evaluated)
    if is_scin:
        result = {mode: {"top1": values.pop("accuracy")} | values for mode, values in result.items()}
    return {
        "bundle": bundle_name,
        "protocol": " ".join(map(protocol, (origin_of_words, "app"))),
        "trained_on": trained_on,
        "types": bundle.types,
        **result,
    }


STORY_COLUMNS = ("type", "story")


def evaluate_stories(
    path: Path, bundle_name: str, *, limit: int | None = None, weights: Path = WEIGHTS
) -> dict[str, Any]:
    """The figures of a bundle on stories without photos: a CSV file with the columns type and story.

    Types count as equally frequent. Raises DatasetError where the file cannot be used.
    """
    bundle = load_bundle(bundle_name, weights)
    truth, answers = [], []
    for number, row in enumerate(_table(path, STORY_COLUMNS)[:limit], start=2):
        if row["type"] not in bundle.types:
            raise DatasetError(f"{path}, row {number}: type {row['type']!r} is none of {bundle_name}'s.")
        try:
            found = verdict(None, row["story"], bundle)
        except (NarrativeError, NothingToDiagnose) as error:
            raise DatasetError(f"{path}, row {number}: {error}") from error
        truth.append(bundle.types.index(row["type"]))
        answers.append(found.answer)
    if not truth:
        raise DatasetError(f"{path} has no stories.")
    n = len(bundle.types)
    evaluated = Evaluated(
        types=bundle.types,
        truth=np.array(truth),
        patients=np.arange(len(truth)),
        prior=np.full(n, 1 / n),
        modes={"stories": as_rows(answers, bundle.types)},
    )
    found_figures = figures(evaluated)["stories"]
    names = {
        "n": "n",
        "accuracy": "top1",
        "top3": "top3",
        "balanced_accuracy": "balanced_accuracy",
        "ece": "ece",
    }
    return {
        "bundle": bundle_name,
        "protocol": protocol("stories"),
        "stories": {name: found_figures[figure] for figure, name in names.items()},
    }


def _table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV file in UTF-8; raises DatasetError where it has other columns."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if missing := [name for name in columns if name not in (rows.fieldnames or ())]:
                raise DatasetError(f"{path} lacks the columns {', '.join(missing)}.")
            return [{name: (row[name] or "").strip() for name in columns} for row in rows]
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not in UTF-8; save it as UTF-8.") from error


NARRATIVE_COLUMNS = ("patient_id", "lesion_id", "text")


def _words_of_file(path: Path, cases: Sequence[Case]) -> dict[str, str]:
    """Key of a case -> the narrative of its lesion; raises DatasetError where the file cannot be used."""
    rows = _table(path, NARRATIVE_COLUMNS)
    texts = {(row["patient_id"], row["lesion_id"]): row["text"] for row in rows}
    lesions = {case.key: (case.patient, case.lesion) for case in cases}
    found = {key: texts[lesion] for key, lesion in lesions.items() if lesion in texts}
    if not found:
        raise DatasetError(
            f"{path} has no narrative of a lesion in the folder; ids must be those of its metadata.csv."
        )
    return found


def _prepared(photo: Path) -> PreparedPhoto:
    try:
        return prepare(photo.read_bytes())
    except PhotoError as error:
        raise DatasetError(f"{photo}: {error}") from error
