"""How much the image model depends on pen marks and on the sharpness of a photo."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from skin_ai.evaluation.degradations import DEGRADATIONS
from skin_ai.evaluation.figures import figure, mean_of_known, recall_samples
from skin_ai.evaluation.pen import PEN_KINDS, draw_pen, paint_over
from skin_ai.evaluation.protocols import protocol
from skin_ai.intervals import SEED, patient_weights
from skin_ai.predict.ink import ink_mask
from skin_ai.predict.quality import measures
from skin_ai.training.image import OutOfFold

HALF = 0.5
DRAWN_ON, DRAWINGS = 300, 2
DEGRADED_OF_EACH_TYPE = 35
THIRDS = ("least_sharp", "middle", "sharpest")
STRENGTHS: Final[Mapping[str, tuple[float, ...]]] = {"blurred": (0.5, 1.0, 2.0), "small": (2.0, 4.0, 8.0)}


@dataclass(frozen=True)
class _Photos:
    """squares: n of (s, s, 3) uint8; malignant: (K,) bool; probabilities: (n, K) without a change."""

    squares: Sequence[np.ndarray]
    labels: np.ndarray
    types: tuple[str, ...]
    malignant: np.ndarray
    probabilities: np.ndarray
    weights: np.ndarray
    predictor: OutOfFold

    def answers(self, chosen: np.ndarray) -> dict[str, Any]:
        """Accuracy and mean probability of malignancy of the chosen, (n,) bool."""
        first, malignancy = self.probabilities.argmax(1), self.probabilities[:, self.malignant].sum(1)
        weights = self.weights[:, chosen]
        recall = recall_samples(self.labels[chosen], first[chosen], len(self.types), weights)
        is_malignant = self.malignant[self.labels]
        return {
            "balanced_accuracy": figure(mean_of_known(recall), int(chosen.sum())),
            "accuracy": _mean(first == self.labels, chosen, self.weights),
            "malignancy_of_malignant": _mean(malignancy, chosen & is_malignant, self.weights),
            "malignancy_of_others": _mean(malignancy, chosen & ~is_malignant, self.weights),
        }

    def share_by_type(self, chosen: np.ndarray) -> dict[str, Any]:
        """Type -> the share of its photos among the chosen, (n,) bool."""
        return {type_: _mean(chosen, self.labels == k, self.weights) for k, type_ in enumerate(self.types)}

    def changes(
        self, places: np.ndarray, count: int, versions: Callable[[int], Sequence[np.ndarray]]
    ) -> _Changes:
        """Changes by each of `count` versions of these photos; `versions` gets a photo's number."""
        after = np.zeros((len(places), count, len(self.types)))
        for row, place in zip(after, tqdm(places, desc="shortcuts", leave=False), strict=True):
            row[:] = [self.predictor.probabilities(int(place), version) for version in versions(int(place))]
        before = self.probabilities[places][:, None]
        malignancy_after, malignancy = (part[..., self.malignant].sum(-1) for part in (after, before))
        return _Changes(
            signed=malignancy_after - malignancy,
            other_type=after.argmax(-1) != before.argmax(-1),
            crosses=(malignancy_after >= HALF) != (malignancy >= HALF),
            is_malignant=self.malignant[self.labels[places]],
            weights=self.weights[:, places],
        )


@dataclass(frozen=True)
class _Changes:
    """(m, versions) each: of the probability of malignancy, of the first type, and across 0.5."""

    signed: np.ndarray
    other_type: np.ndarray
    crosses: np.ndarray
    is_malignant: np.ndarray  # (m,)
    weights: np.ndarray  # (1 + resamples, m)

    def figures(self, chosen: np.ndarray | bool = True) -> dict[str, Any]:
        """chosen: (m, versions) bool, the versions to count."""
        chosen = np.broadcast_to(chosen, self.signed.shape)
        malignant = self.is_malignant[:, None]
        return {
            "malignancy_changes_by": _mean(np.abs(self.signed), chosen, self.weights),
            "malignant_photos_rise_by": _mean(self.signed, chosen & malignant, self.weights),
            "other_photos_rise_by": _mean(self.signed, chosen & ~malignant, self.weights),
            "first_type_changes": _mean(self.other_type, chosen, self.weights),
            "malignancy_crosses_half": _mean(self.crosses, chosen, self.weights),
        }


def _mean(values: np.ndarray, chosen: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """Mean of the chosen of (m, versions) or (m,) values over resampled patients; n counts photos."""
    if values.ndim == 1:
        values, chosen = values[:, None], chosen[:, None]
    with np.errstate(invalid="ignore"):  # a resample may have none of them
        samples = (weights @ (values * chosen).sum(1)) / (weights @ chosen.sum(1))
    return figure(samples, int(chosen.any(1).sum()))


def measure(
    squares: Sequence[np.ndarray],
    labels: np.ndarray,
    types: tuple[str, ...],
    out_of_fold: OutOfFold,
    patients: np.ndarray,
    malignant: Collection[str],
) -> dict[str, Any]:
    """Effect of drawn and real ink, blur and down-scaling on malignancy and on the first type.

    squares: n of (s, s, 3) uint8; labels: (n,) indices into types; patients: (n,); malignant: of the types.
    """
    numbered = tqdm(enumerate(squares), desc="shortcuts", total=len(squares), leave=False)
    probabilities = np.stack([out_of_fold.probabilities(place, square) for place, square in numbered])
    is_malignant = np.isin(types, list(malignant))
    weights = patient_weights(patients)
    photos = _Photos(squares, labels, types, is_malignant, probabilities, weights, out_of_fold)
    masks = [ink_mask(square) for square in squares]
    inked = np.array([bool(mask.any()) for mask in masks])
    free = np.random.default_rng(SEED).permutation(np.flatnonzero(~inked))[:DRAWN_ON]
    return {
        "protocol": protocol(
            "shortcuts",
            malignant=", ".join(np.array(types)[is_malignant]),
            drawn=len(free),
            drawings=DRAWINGS,
            n=len(squares),
            of_each=DEGRADED_OF_EACH_TYPE,
        ),
        "drawn_ink": _drawn_ink(photos, np.sort(free)),
        "real_ink": _real_ink(photos, masks, inked),
        "blurred": _degraded(photos, "blurred") | {"by_own_sharpness": _by_sharpness(photos)},
        "small": _degraded(photos, "small"),
    }


def _drawn_ink(photos: _Photos, places: np.ndarray) -> dict[str, Any]:
    kinds = np.resize(PEN_KINDS, (len(places), DRAWINGS))
    kinds_of = dict(zip(places.tolist(), kinds.tolist(), strict=True))

    def drawn(place: int) -> list[np.ndarray]:
        rng = np.random.default_rng((SEED, place))
        return [draw_pen(photos.squares[place], rng, kind) for kind in kinds_of[place]]

    changes = photos.changes(places, DRAWINGS, drawn)
    by_kind = {kind: changes.figures(kinds == kind)["malignancy_changes_by"] for kind in PEN_KINDS}
    return changes.figures() | {"malignancy_changes_by_kind": by_kind}


def _real_ink(photos: _Photos, masks: Sequence[np.ndarray], inked: np.ndarray) -> dict[str, Any]:
    found, free = np.flatnonzero(inked), np.flatnonzero(~inked)
    others = np.random.default_rng(SEED).permutation(free)[: len(found)]
    # Which photo's ink is painted over: its own, or, on the control photos, another one's.
    shapes = dict(zip([*found.tolist(), *others.tolist()], [*found, *found], strict=False))

    def painted(place: int) -> list[np.ndarray]:
        return [paint_over(photos.squares[place], masks[shapes[place]])]

    return {
        "share_by_type": photos.share_by_type(inked),
        "with_ink": photos.answers(inked),
        "without_ink": photos.answers(~inked),
        "painted_over": photos.changes(found, 1, painted).figures(),
        "painted_over_without_ink": photos.changes(others, 1, painted).figures(),
    }


def _degraded(photos: _Photos, name: str) -> dict[str, Any]:
    strengths = STRENGTHS[name]
    order = np.random.default_rng(SEED).permutation(len(photos.labels))
    of_types = [order[photos.labels[order] == k][:DEGRADED_OF_EACH_TYPE] for k in range(len(photos.types))]
    places = np.sort(np.concatenate(of_types))
    labels = photos.labels[places]
    changes = photos.changes(
        places,
        len(strengths),
        lambda place: [DEGRADATIONS[name](photos.squares[place], strength) for strength in strengths],
    )
    result = {}
    for number, strength in enumerate(strengths):
        chosen = np.arange(len(strengths)) == number
        result[f"{strength:g}"] = changes.figures(chosen) | {
            "rise_by_type": {
                type_: _mean(changes.signed, chosen & (labels == k)[:, None], changes.weights)
                for k, type_ in enumerate(photos.types)
            }
        }
    return {"by_strength": result}


def _by_sharpness(photos: _Photos) -> dict[str, Any]:
    sharpness = np.array([measures(square)["blurred"] for square in photos.squares])
    parts = np.array_split(np.argsort(sharpness, kind="stable"), len(THIRDS))
    result = {}
    for name, part in zip(THIRDS, parts, strict=True):
        chosen = np.isin(np.arange(len(sharpness)), part)
        result[name] = photos.answers(chosen) | {"share_by_type": photos.share_by_type(chosen)}
    return result
