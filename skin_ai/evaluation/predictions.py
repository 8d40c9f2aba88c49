"""Logits and eliminations of all folds -> calibrated probabilities of every case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from skin_ai.evaluation.figures import Evaluated, as_rows
from skin_ai.evaluation.simple_models import regression_on_fields, simple_models
from skin_ai.evaluation.temperatures import fit_temperature, step_logits, with_temperatures
from skin_ai.predict.chain import Step, answer, eliminate_photo, single_pass
from skin_ai.training.datasets import ALWAYS_TRAINED, Case, digest
from skin_ai.training.language import mixed_prior
from skin_ai.training.run import ALONE, Photos, Run
from skin_ai.training.sources import evaluation_words


def evaluated_photos(
    run: Run,
    cases: Sequence[Case],
    folds: np.ndarray,
    with_photo: np.ndarray,
    photos: Photos,
    steps: Mapping[str, Mapping[str, Mapping[int, tuple[Step, ...]]]],
) -> tuple[Evaluated, list[tuple[Step, ...]]]:
    """Every case with a photo, in all modes; and the chain's eliminations with other folds' temperatures."""
    labels = np.array([run.types.index(case.type) for case in cases])
    truth, tested = labels[with_photo], folds[with_photo]
    mix = mixed_prior([cases[i] for i in with_photo.tolist()], run.types, run.language.uniform_prior)
    asked = {
        (name, mode): np.flatnonzero([i in chains for i in with_photo.tolist()])
        for name, modes in steps.items()
        for mode, chains in modes.items()
        if mode != ALONE
    }
    tempered = {
        (name, mode): _tempered(
            [steps[name][mode][with_photo[row]] for row in rows.tolist()],
            truth[rows],
            tested[rows],
            mix,
            run.types,
        )
        for (name, mode), rows in asked.items()
    }

    def scores(kind: Callable[..., np.ndarray], name: str, mode: str) -> np.ndarray:
        return _in_rows(kind(tempered[name, mode], run.types), asked[name, mode], len(truth))

    seen = [probabilities for probabilities in photos.over_label_set if probabilities is not None]
    modes = {
        "photo_only": torch.stack(seen).numpy(),
        "photo_no_words": _answers(
            [eliminate_photo(p, run.types, run.language.schedule) for p in seen], run.types
        ),
        "words_only": scores(_answers, "chain", "words"),
        "single_pass": scores(_single, "chain", "both"),
        "chain": scores(_answers, "chain", "both"),
        "words_only_single_pass": scores(_single, "chain", "words"),
        "chain_in_held_out_wordings": scores(_answers, "chain", "both_in_held_out_wordings"),
        "words_only_in_held_out_wordings": scores(_answers, "chain", "words_in_held_out_wordings"),
        "control_single_pass": scores(_single, "control", "both"),
        "control_chain": scores(_answers, "control", "both"),
        "control_words_only": scores(_answers, "control", "words"),
        "regression_on_fields": _regression(cases, labels, folds, with_photo, len(run.types)),
    }
    product = modes["photo_only"] * modes["regression_on_fields"]
    modes["product"] = product / product.sum(1, keepdims=True)
    patients = np.array([digest(cases[i].patient) for i in with_photo.tolist()])
    return Evaluated(run.types, truth, patients, mix, modes), tempered["chain", "both"]


def evaluated_words(
    run: Run,
    cases: Sequence[Case],
    folds: np.ndarray,
    source: str,
    steps: Mapping[str, Mapping[str, Mapping[int, tuple[Step, ...]]]],
) -> Evaluated:
    """Every tested case of a source without photos, from its words, beside two simple models."""
    places = [i for i, case in enumerate(cases) if case.source == source and folds[i] != ALWAYS_TRAINED]
    truth = np.array([run.types.index(cases[i].type) for i in places])
    tested = np.maximum(folds[places], 0)
    mix = mixed_prior([cases[i] for i in places], run.types, run.language.uniform_prior)
    modes = {}
    for name, found in steps.items():
        rows = np.flatnonzero([i in found[ALONE] for i in places])
        chains: Sequence[tuple[Step, ...]] = [found[ALONE][places[row]] for row in rows.tolist()]
        if tested[rows].any():  # else all were asked of one model, and there is no other fold to fit on
            chains = _tempered(chains, truth[rows], tested[rows], mix, run.types)
        prefix = "" if name == "chain" else f"{name}_"
        modes[f"{prefix}single_pass"] = _in_rows(_single(chains, run.types), rows, len(truth))
        modes[f"{prefix}chain"] = _in_rows(_answers(chains, run.types), rows, len(truth))
    of_source = [i for i, case in enumerate(cases) if case.source == source]
    facts, words = [cases[i].facts for i in of_source], [evaluation_words(cases[i]) for i in of_source]
    labels = np.array([run.types.index(cases[i].type) for i in of_source])
    modes |= simple_models(facts, words, labels, folds[of_source], mix)
    groups = np.array([digest(cases[i].key) for i in places])
    return Evaluated(run.types, truth, groups, mix, modes)


def _in_rows(scores: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """(n, K) with the scores in their rows, NaN in those that were not asked."""
    if len(rows) == n:
        return scores
    spread = np.full((n, scores.shape[1]), np.nan)
    spread[rows] = scores
    return spread


def cross_fitted_temperatures(
    logits: np.ndarray, truth: np.ndarray, folds: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """(folds,) the temperature for each fold, fitted on the others."""
    return np.array(
        [
            fit_temperature(logits[folds != fold], truth[folds != fold], prior)
            for fold in range(int(folds.max()) + 1)
        ]
    )


def bundle_temperatures(
    run: Run,
    cases: Sequence[Case],
    with_photo: np.ndarray,
    evaluated: Evaluated,
    told: Mapping[str, Evaluated],
    chains: Mapping[str, Mapping[int, tuple[Step, ...]]],
) -> list[float]:
    """One a step, fitted on all tested cases together, each with the prior of its mix."""
    steps = [chains["both"][i] for i in with_photo.tolist()]
    truth, priors = [evaluated.truth], [np.tile(evaluated.prior, (len(steps), 1))]
    for source, words in told.items():
        of_source = [chains[ALONE][i] for i in sorted(chains[ALONE]) if cases[i].source == source]
        steps += of_source
        truth.append(words.truth)
        priors.append(np.tile(words.prior, (len(of_source), 1)))
    return [
        _fit_step_temperature(steps, place, np.concatenate(truth), np.concatenate(priors), run.types)
        for place in range(len(run.language.schedule) - 1)
    ]


def _fit_step_temperature(
    steps: Sequence[tuple[Step, ...]],
    place: int,
    truth: np.ndarray,
    prior: np.ndarray,
    types: tuple[str, ...],
) -> float:
    """On the cases whose type was still an option at this step."""
    logits = step_logits(steps, place, types)
    there = np.isfinite(logits[np.arange(len(truth)), truth])
    return fit_temperature(logits[there], truth[there], prior[there] if prior.ndim == 2 else prior)


def _tempered(
    steps: Sequence[tuple[Step, ...]],
    truth: np.ndarray,
    folds: np.ndarray,
    prior: np.ndarray,
    types: tuple[str, ...],
) -> list[tuple[Step, ...]]:
    """Each case with the temperatures that the other folds gave."""
    temperatures = fold_temperatures(steps, truth, folds, prior, types)
    return [
        with_temperatures(chain, temperatures[fold])
        for chain, fold in zip(steps, folds.tolist(), strict=True)
    ]


def fold_temperatures(
    steps: Sequence[tuple[Step, ...]],
    truth: np.ndarray,
    folds: np.ndarray,
    prior: np.ndarray,
    types: tuple[str, ...],
) -> list[tuple[float, ...]]:
    """Of each fold one temperature a step, fitted on the others."""
    found = []
    for fold in range(int(folds.max()) + 1):
        others = np.flatnonzero(folds != fold).tolist()
        elsewhere = [steps[i] for i in others]
        found.append(
            tuple(
                _fit_step_temperature(elsewhere, place, truth[others], prior, types)
                for place in range(len(steps[0]))
            )
        )
    return found


def _answers(steps: Sequence[tuple[Step, ...]], types: tuple[str, ...]) -> np.ndarray:
    return as_rows([answer(chain) for chain in steps], types)


def _single(steps: Sequence[tuple[Step, ...]], types: tuple[str, ...]) -> np.ndarray:
    return as_rows([single_pass(chain) for chain in steps], types)


def _regression(
    cases: Sequence[Case], labels: np.ndarray, folds: np.ndarray, with_photo: np.ndarray, n_types: int
) -> np.ndarray:
    """(photos, K) out of fold, trained also on the rows without a photo, of the same sources."""
    rows = np.zeros((len(cases), n_types))
    sources = {cases[i].source for i in with_photo.tolist()}
    of_source = np.array([case.source in sources for case in cases])
    for fold in range(int(folds.max()) + 1):
        train_on = np.flatnonzero((folds != fold) & of_source).tolist()
        test = with_photo[folds[with_photo] == fold].tolist()
        rows[test] = regression_on_fields(
            [cases[i].facts for i in train_on], labels[train_on], [cases[i].facts for i in test], n_types
        )
    return np.asarray(rows[with_photo])


def sources_without_photos(cases: Sequence[Case]) -> list[str]:
    """In the order of the data; their cases are tested by their words alone."""
    with_photos = {case.source for case in cases if case.photo is not None}
    return [source for source in dict.fromkeys(case.source for case in cases) if source not in with_photos]


def as_tensors(
    evaluated: Evaluated,
    told: Mapping[str, Evaluated],
    keys: np.ndarray,
    folds: np.ndarray,
    photo_logits: np.ndarray,
) -> dict[str, torch.Tensor]:
    """What a bundle keeps of its out-of-fold predictions.

    keys: (n,) digest of each photo; folds: (n,); photo_logits: (n, image types).
    """
    tensors = {name: torch.from_numpy(scores).float() for name, scores in evaluated.modes.items()}
    tensors["photo_logits"] = torch.from_numpy(photo_logits)
    tensors["truth"] = torch.from_numpy(evaluated.truth).to(torch.int8)
    tensors["folds"] = torch.from_numpy(folds).to(torch.int8)
    tensors["photos"] = torch.from_numpy(keys)
    tensors["patients"] = torch.from_numpy(evaluated.patients)
    for source, words in told.items():
        tensors |= {
            f"{source}/{name}": torch.from_numpy(scores).half() for name, scores in words.modes.items()
        }
        tensors[f"{source}/truth"] = torch.from_numpy(words.truth).to(torch.int8)
        tensors[f"{source}/cases"] = torch.from_numpy(words.patients)
    return tensors


def prior_by_type(evaluated: Evaluated) -> dict[str, float]:
    """Type -> its frequency where the cases come from."""
    return dict(zip(evaluated.types, evaluated.prior.round(4).tolist(), strict=True))
