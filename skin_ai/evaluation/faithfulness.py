"""Whether heatmaps show what the image model uses, compared with maps that do not depend on it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from pytorch_grad_cam.metrics.road import NoisyLinearImputer
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from skin_ai.evaluation.figures import mean_figure
from skin_ai.evaluation.protocols import protocol
from skin_ai.intervals import patient_weights
from skin_ai.predict.heatmap import GRAD_CAM, class_activation_maps, computed_by
from skin_ai.predict.heatmap_overlay import enlarged, middle_share
from skin_ai.predict.image_model import ImageModel
from skin_ai.training.image import OutOfFold

MEASURES = ("deletion", "insertion", "road")
BLOB, RANDOM = "centred_blob", "random"
AGAINST_OTHERS = "grad_cam_against_others"
OF_LIBRARY = ("grad_cam_plus_plus", "eigen_cam")  # Layer-CAM is nearly the same as the first
BETTER, NO_BETTER = "better than a centred blob", "no better than a centred blob"
REPLACED = (0.1, 0.2, 0.4, 0.6, 0.8)  # of all pixels, between none and all
PARTS = (0.0, *REPLACED, 1.0)
IMPUTED = (0.2, 0.5, 0.8)  # of all blocks
BLOCK = 8  # pixels: ROAD's equations are solved for blocks, far smaller than the places of a map
Ask = Callable[[Tensor], np.ndarray]  # (n, 3, size, size) photos -> (n,) probabilities of one type
NOISE = 0.01  # of ROAD, as in the library
BLUR = 0.1  # of the side: the standard deviation of "strongly blurred"


class Measured(NamedTuple):
    """The measurements on one photo."""

    measured: dict[str, tuple[float, float, float]]  # by kind of map, in the order of MEASURES
    curves: dict[str, np.ndarray]  # by kind of map, (2, len(PARTS)) probabilities: deletion, insertion
    head: float
    trunk: float
    both: float
    middle: float


def measure(
    squares: Sequence[np.ndarray] | np.ndarray,
    out_of_fold: OutOfFold,
    patients: np.ndarray,
    seed: int,
    n: int = 200,
) -> dict[str, Any]:
    """The figures of the heatmaps on `n` photos; two hundred take about 13 minutes on one thread.

    squares: (s, s, 3) uint8 each; patients: (n,).
    """
    places = np.sort(np.random.default_rng(seed).permutation(len(squares))[:n])
    bar = tqdm(places, desc="heatmaps", unit="photo", leave=False)
    seen = [measure_photo(out_of_fold, int(place), squares[place], seed) for place in bar]
    return summary(seen, patients[places])


def summary(seen: Sequence[Measured], patients: np.ndarray) -> dict[str, Any]:
    """The result of `measure` for photos of these patients."""
    weights = patient_weights(patients)
    kinds = {kind: np.array([photo.measured[kind] for photo in seen]) for kind in seen[0].measured}
    result: dict[str, Any] = {
        "protocol": protocol(
            "heatmaps", n=len(seen), imputed=" and ".join(f"{part:.0%}" for part in IMPUTED), block=BLOCK
        ),
        "n": len(seen),
        "methods": {kind: _figures(values, weights) for kind, values in kinds.items()},
        "curves": {"deletion": {}, "insertion": {}},
    }
    for kind in (GRAD_CAM, BLOB, RANDOM):
        curves = np.array([photo.curves[kind] for photo in seen])
        for row, found in enumerate(result["curves"].values()):
            points = zip(PARTS, curves[:, row].T, strict=True)
            found[kind] = [{"part": part, **mean_figure(values, weights)} for part, values in points]
    better_if = np.array([-1, 1, 1])  # a low area under the deletion curve is good
    for name, rival in (("against_blob", BLOB), ("against_random", RANDOM)):
        result[name] = {
            kind: _figures(better_if * (values - kinds[rival]), weights)
            for kind, values in kinds.items()
            if kind not in (BLOB, RANDOM)
        }
    for part in ("head", "trunk", "both"):
        correlations = np.array([getattr(photo, part) for photo in seen])
        result[f"randomised_{part}"] = mean_figure(correlations, weights)
        result[f"randomised_{part}_absolute"] = mean_figure(np.abs(correlations), weights)
    result["middle_share"] = mean_figure(np.array([photo.middle for photo in seen]), weights)
    result["verdict"] = verdict(result["against_blob"][GRAD_CAM])
    return result


def verdict(against_blob: Mapping[str, Mapping[str, Any]]) -> str:
    """Better only if the intervals of all measures lie above zero."""
    lows = [against_blob[name]["low"] for name in MEASURES]
    return BETTER if all(low is not None and low > 0 for low in lows) else NO_BETTER


def _figures(values: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    return {name: mean_figure(values[:, column], weights) for column, name in enumerate(MEASURES)}


def measure_photo(out_of_fold: OutOfFold, place: int, square: np.ndarray, seed: int) -> Measured:
    """One photo; `seed` and `place` determine the random numbers."""
    random = np.random.default_rng([seed, place])
    model = out_of_fold.model(place)
    temperature = float(out_of_fold.temperatures[out_of_fold.folds[place]])
    inputs, views = out_of_fold.settings.preprocessing(square), out_of_fold.settings.views
    features = out_of_fold.features(place, square)
    evidence = class_activation_maps(features, model.head.weight)
    logits = evidence.sum((1, 2)) + model.head.bias
    type_ = int(logits.argmax())
    maps = {
        GRAD_CAM: evidence[type_].numpy(),
        # The gradient of the log probability instead of the logit's.
        AGAINST_OTHERS: (
            evidence[type_] - torch.einsum("k,khw->hw", (logits / temperature).softmax(0), evidence)
        ).numpy(),
        RANDOM: random.standard_normal(tuple(evidence.shape[1:])).astype(np.float32),
    }
    maps |= {method: computed_by(method, model, features, inputs, type_) for method in OF_LIBRARY}
    side = inputs.shape[-1]
    shown = {kind: torch.from_numpy(enlarged(map_, side)) for kind, map_ in maps.items()} | {BLOB: blob(side)}

    def ask(photos: Tensor) -> np.ndarray:
        with torch.inference_mode():
            found = model(photos.contiguous(memory_format=torch.channels_last))  # a third faster
        return (found / temperature).softmax(1)[:, type_].numpy()

    blurred = torch.from_numpy(gaussian_filter(inputs.numpy(), BLUR * side, axes=(2, 3)))
    whole, none = ask(torch.cat([inputs, blurred]))
    curves = {kind: _curves(ask, inputs, blurred, map_, whole, none) for kind, map_ in shown.items()}
    own_seed = int(random.integers(2**31))
    with torch.inference_mode():
        of_trunk = randomised(model, own_seed, "trunk").feature_map_of_views(inputs, views)[0]
    of_head = randomised(model, own_seed, "head")
    return Measured(
        measured={
            kind: (
                float(np.trapezoid(curves[kind][0], PARTS)),
                float(np.trapezoid(curves[kind][1], PARTS)),
                _road(ask, inputs, map_, own_seed),
            )
            for kind, map_ in shown.items()
        },
        curves=curves,
        head=_correlation(evidence, features, of_head, type_),
        trunk=_correlation(evidence, of_trunk, model, type_),
        both=_correlation(evidence, of_trunk, of_head, type_),
        middle=middle_share(np.maximum(maps[GRAD_CAM], 0)) if maps[GRAD_CAM].max() > 0 else 0.0,
    )


def blob(side: int) -> Tensor:
    """(side, side), falling from the centre; only the order of the places matters."""
    from_centre = torch.linspace(-1, 1, side) ** 2
    return -(from_centre[:, None] + from_centre)


def _curves(ask: Ask, inputs: Tensor, blurred: Tensor, map_: Tensor, whole: float, none: float) -> np.ndarray:
    """(2, len(PARTS)) of deletion and insertion; whole, none: of the photo, of the blurred one."""
    strongest = [_first(map_, part) for part in REPLACED]
    deleted = [torch.where(mask, blurred, inputs) for mask in strongest]
    inserted = [torch.where(mask, inputs, blurred) for mask in strongest]
    between = ask(torch.cat(deleted + inserted)).reshape(2, -1)
    return np.stack([[whole, *between[0], none], [none, *between[1], whole]])


def _road(ask: Ask, inputs: Tensor, map_: Tensor, seed: int) -> float:
    coarse = functional.avg_pool2d(map_[None, None], BLOCK)[0, 0]
    noise = NOISE * torch.randn(inputs.shape, generator=torch.Generator().manual_seed(seed))
    imputed = [_imputed(inputs, _first(sign * coarse, part), noise) for sign in (1, -1) for part in IMPUTED]
    without_strongest, without_weakest = ask(torch.cat(imputed)).reshape(2, -1)
    return float((without_weakest - without_strongest).mean() / 2)


def _first(map_: Tensor, part: float) -> Tensor:
    """(h, w) whether a place is in the strongest `part` of all; ties by rows."""
    order = map_.flatten().argsort(descending=True, stable=True)
    mask = torch.zeros(map_.numel(), dtype=torch.bool)
    mask[order[: round(part * map_.numel())]] = True
    return mask.view(map_.shape)


def _imputed(inputs: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
    """The photo with the blocks of the mask filled in from their neighbours (Rong et al. 2022, eq. 4)."""
    coarse = functional.avg_pool2d(inputs, BLOCK)[0]
    filled = NoisyLinearImputer(noise=0)(coarse, (~mask).float())
    smooth = functional.interpolate(filled[None], inputs.shape[-2:], mode="bilinear")
    wanted = functional.interpolate(mask[None, None].float(), inputs.shape[-2:])[0, 0] > 0
    return torch.where(wanted, smooth + noise, inputs)


def randomised(model: ImageModel, seed: int, part: str) -> ImageModel:
    """A copy with every layer of its "head", or of its "trunk", re-initialised."""
    other = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in other.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset) and (module is other.head) == (part == "head"):
                reset()
    return other


def _correlation(evidence: Tensor, features: Tensor, model: ImageModel, type_: int) -> float:
    """Spearman's, over the places, of this type's maps; 0 where one is flat."""
    with torch.inference_mode():
        other = class_activation_maps(features, model.head.weight)[type_].numpy()
    own = evidence[type_].numpy()
    if np.ptp(own) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(own.ravel(), other.ravel()).statistic)
