"""Logits and eliminations of all folds -> calibrated probabilities of every case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from skin_ai.evaluation.figures import Evaluated, as_rows
from skin_ai.evaluation.given_words import BOTH, CONFIRMED, FEW_FACTS, FREE_WORDS, WORDS, GivenWords
from skin_ai.evaluation.simple_models import regression_on_fields, simple_models
from skin_ai.evaluation.temperatures import fit_temperature, step_logits, with_temperatures
from skin_ai.predict.chain import Step, answer, eliminate_photo, single_pass
from skin_ai.training.datasets import ALWAYS_TRAINED, Case, digest
from skin_ai.training.language import mixed_prior
from skin_ai.training.run import ALONE, Run
from skin_ai.training.sources import evaluation_words

Steps = tuple[Step, ...]  # one case's elimination
Chains = Mapping[str, Mapping[int, Steps]]  # mode -> place of the case -> its elimination
# Mode of the manifest -> whose elimination, in which mode, and what of it is the answer.
LANGUAGE_MODES = {
    "words_only": ("chain", "words", answer),
    "single_pass": ("chain", "both", single_pass),
    "chain": ("chain", "both", answer),
    "words_only_single_pass": ("chain", "words", single_pass),
    "chain_in_held_out_wordings": ("chain", "both_in_held_out_wordings", answer),
    "words_only_in_held_out_wordings": ("chain", "words_in_held_out_wordings", answer),
    **{
        f"chain{mode.removeprefix(BOTH)}": ("chain", mode, answer)
        for mode in (*FEW_FACTS, CONFIRMED, FREE_WORDS)
    },
    "control_single_pass": ("control", "both", single_pass),
    "control_chain": ("control", "both", answer),
    "control_words_only": ("control", "words", answer),
}


def evaluated_photos(
    run: Run,
    cases: Sequence[Case],
    folds: np.ndarray,
    with_photo: np.ndarray,
    photos: Sequence[torch.Tensor],
    chains: Mapping[str, Chains],
    given: GivenWords,
) -> tuple[Evaluated, list[Steps], list[tuple[float, ...]]]:
    """Every case with a photo, in all modes.

    Returns also the chain's eliminations with the temperatures of the other folds, and these temperatures.
    with_photo: (n,) places of the cases; photos: (K,) probabilities of each; chains: "chain" and "control".
    """
    types, places, tested = run.types, with_photo.tolist(), folds[with_photo]
    labels = np.array([types.index(case.type) for case in cases])
    truth = labels[with_photo]
    mix = mixed_prior([cases[i] for i in places], types, run.language.uniform_prior)
    # As in the app, temperatures are those of the complete facts, however much was told.
    temperatures = {
        (name, full): fold_temperatures([by_mode[full][i] for i in places], truth, tested, mix, types)
        for name, by_mode in chains.items()
        for full in (BOTH, WORDS)
    }
    without_words = [answer(eliminate_photo(photo, types, run.language.schedule)) for photo in photos]
    modes = {"photo_only": torch.stack(list(photos)).numpy(), "photo_no_words": as_rows(without_words, types)}
    for name, (model, mode, answered) in LANGUAGE_MODES.items():
        if mode not in chains[model]:
            continue
        there = np.array([place in chains[model][mode] for place in places])
        steps = [chains[model][mode][place] for place in with_photo[there].tolist()]
        full = BOTH if mode.startswith(BOTH) else WORDS
        tempered = _tempered(steps, tested[there], temperatures[model, full])
        modes[name] = np.full((len(places), len(types)), np.nan)
        modes[name][there] = as_rows([answered(chain) for chain in tempered], types)
    writers = np.array([given.writer_of(cases[i]) for i in places])
    for writer in np.unique(writers[writers != ""]).tolist():
        of_writer = (writers == writer)[:, None]
        modes[f"chain_free_words_by_{writer}"] = np.where(of_writer, modes["chain_free_words"], np.nan)
    modes["regression_on_fields"] = _regression(cases, labels, folds, with_photo, len(types))
    product = modes["photo_only"] * modes["regression_on_fields"]
    modes["product"] = product / product.sum(1, keepdims=True)
    patients = np.array([digest(cases[i].patient) for i in places])
    found = temperatures["chain", BOTH]
    chain = _tempered([chains["chain"][BOTH][i] for i in places], tested, found)
    return Evaluated(types, truth, patients, mix, modes), chain, found


def evaluated_words(
    run: Run, cases: Sequence[Case], folds: np.ndarray, source: str, chains: Mapping[str, Chains]
) -> Evaluated:
    """Every tested case of a source without photos, from its words, beside two simple models."""
    of_source = np.flatnonzero([case.source == source for case in cases])
    is_tested = folds[of_source] != ALWAYS_TRAINED
    places = of_source[is_tested].tolist()
    labels = np.array([run.types.index(cases[i].type) for i in of_source.tolist()])
    truth, tested = labels[is_tested], np.maximum(folds[places], 0)
    mix = mixed_prior([cases[i] for i in places], run.types, run.language.uniform_prior)
    modes = {}
    for name, found in chains.items():
        steps = [found[ALONE][i] for i in places]
        if tested.any():  # otherwise one model predicted all of them, and no other fold is there to fit on
            steps = _tempered(steps, tested, fold_temperatures(steps, truth, tested, mix, run.types))
        prefix = "" if name == "chain" else f"{name}_"
        modes[f"{prefix}single_pass"] = as_rows(list(map(single_pass, steps)), run.types)
        modes[f"{prefix}chain"] = as_rows(list(map(answer, steps)), run.types)
    facts = [cases[i].facts for i in of_source.tolist()]
    words = [evaluation_words(cases[i]) for i in of_source.tolist()]
    modes |= simple_models(facts, words, labels, folds[of_source], mix)
    return Evaluated(run.types, truth, np.array([digest(cases[i].key) for i in places]), mix, modes)


def fold_temperatures(
    steps: Sequence[Steps], truth: np.ndarray, folds: np.ndarray, prior: np.ndarray, types: tuple[str, ...]
) -> list[tuple[float, ...]]:
    """Of each fold one temperature a step, fitted on the others; prior: (K,)."""
    found = []
    for fold in range(int(folds.max()) + 1):
        others = np.flatnonzero(folds != fold).tolist()
        priors = np.tile(prior, (len(others), 1))
        found.append(_step_temperatures([steps[i] for i in others], truth[others], priors, types))
    return found


def bundle_temperatures(
    run: Run,
    cases: Sequence[Case],
    with_photo: np.ndarray,
    evaluated: Evaluated,
    words: Mapping[str, Evaluated],
    chains: Chains,
) -> list[float]:
    """One a step, fitted on all tested cases together, each with the prior of its mix."""
    steps = [chains["both"][i] for i in with_photo.tolist()]
    truth, priors = [evaluated.truth], [np.tile(evaluated.prior, (len(steps), 1))]
    for source, found in words.items():
        of_source = [chains[ALONE][i] for i in sorted(chains[ALONE]) if cases[i].source == source]
        steps += of_source
        truth.append(found.truth)
        priors.append(np.tile(found.prior, (len(of_source), 1)))
    return list(_step_temperatures(steps, np.concatenate(truth), np.concatenate(priors), run.types))


def _step_temperatures(
    steps: Sequence[Steps], truth: np.ndarray, priors: np.ndarray, types: tuple[str, ...]
) -> tuple[float, ...]:
    """One a step, fitted on the cases whose type is still an option at it; priors: (n, K)."""
    found = []
    for place in range(len(steps[0])):
        logits = step_logits(steps, place, types)
        there = np.isfinite(logits[np.arange(len(truth)), truth])
        found.append(fit_temperature(logits[there], truth[there], priors[there]))
    return tuple(found)


def _tempered(steps: list[Steps], folds: np.ndarray, temperatures: list[tuple[float, ...]]) -> list[Steps]:
    """Each case with the temperatures of its fold."""
    of_cases = [temperatures[fold] for fold in folds]
    return list(map(with_temperatures, steps, of_cases))


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
    words: Mapping[str, Evaluated],
    keys: np.ndarray,
    folds: np.ndarray,
    photo_logits: np.ndarray,
) -> dict[str, torch.Tensor]:
    """What a bundle keeps of its out-of-fold predictions.

    keys: (n,) digest of each photo; folds: (n,); photo_logits: (n, image types).
    """
    arrays = {name: scores.astype(np.float32) for name, scores in evaluated.modes.items()}
    arrays |= {
        "photo_logits": photo_logits,
        "truth": evaluated.truth.astype(np.int8),
        "folds": folds.astype(np.int8),
        "photos": keys,
        "patients": evaluated.patients,
    }
    for source, found in words.items():
        arrays |= {f"{source}/{name}": scores.astype(np.float16) for name, scores in found.modes.items()}
        arrays[f"{source}/truth"] = found.truth.astype(np.int8)
        arrays[f"{source}/cases"] = found.patients
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def prior_by_type(evaluated: Evaluated) -> dict[str, float]:
    """Type -> its frequency where the cases come from."""
    return dict(zip(evaluated.types, evaluated.prior.round(4).tolist(), strict=True))
