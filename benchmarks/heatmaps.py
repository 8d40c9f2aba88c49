"""All types' maps at once against the grad-cam library, type by type: `python -m benchmarks.heatmaps`."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.machine import machine
from skin_ai.predict.bundle import load_bundle
from skin_ai.predict.heatmap import GRAD_CAM, HeadOnly, class_activation_maps, library_map
from skin_ai.predict.image_model import ImageModel
from skin_ai.predict.photo import crop_square
from skin_ai.views.case.samples import SAMPLES

RUNS = 7
TYPES = (6, 26)


def main() -> None:
    """Prints for each number of types both times, their ratio, and the largest difference of a map."""
    print(f"machine: {machine()}, torch {torch.__version__}, grad-cam's GradCAM, one view of the photo")
    bundle = load_bundle()
    inputs = bundle.preprocessing(crop_square(SAMPLES[0].pixels()))
    for n_types in TYPES:
        model = _with_types(bundle.image_model, n_types)
        with torch.no_grad():
            features = model.feature_map(inputs)
        tail = HeadOnly(model.head)
        works = {
            "from the photo": (
                partial(_theirs, model, model.backbone.bn2, inputs, n_types),
                partial(_ours, model, inputs),
            ),
            "from the last feature map": (
                partial(_theirs, tail, tail.seen, features.requires_grad_(), n_types),
                partial(_maps, features, model.head),
            ),
        }
        for since, (theirs, ours) in works.items():
            difference = np.abs(theirs() - ours()).max()
            seconds = _in_turns(theirs, ours)
            print(
                f"{n_types} types, {since}: library {1000 * seconds[0]:.1f} ms, ours {1000 * seconds[1]:.1f} "
                f"ms, {seconds[0] / seconds[1]:.0f} times; largest difference {difference:.1e} of an "
                f"evidence up to {ours().max():.2f}"
            )


def _with_types(model: ImageModel, n_types: int) -> ImageModel:
    """A copy that needs gradients; with another number of types, its head is random."""
    model = copy.deepcopy(model).requires_grad_(True)
    if n_types != model.head.out_features:
        torch.manual_seed(0)
        model.head = nn.Linear(model.head.in_features, n_types)
    return model.eval()


def _ours(model: ImageModel, inputs: Tensor) -> np.ndarray:
    """(K, h, w), the photo's pass included."""
    with torch.inference_mode():
        return _maps(model.feature_map(inputs), model.head)


def _maps(features: Tensor, head: nn.Linear) -> np.ndarray:
    with torch.inference_mode():
        return class_activation_maps(features[0], head.weight).clamp_min(0).numpy()


def _theirs(model: nn.Module, layer: nn.Module, inputs: Tensor, n_types: int) -> np.ndarray:
    """(K, h, w): the library's maps after their ReLU, before they are scaled and enlarged."""
    maps = [library_map(GRAD_CAM, model, inputs, type_index, layer) for type_index in range(n_types)]
    return np.maximum(maps, 0)


def _in_turns(*works: Callable[[], object]) -> list[float]:
    """Medians of seconds."""
    took: list[list[float]] = [[] for _ in works]
    for _ in range(RUNS):
        for seconds, work in zip(took, works, strict=True):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in took]


if __name__ == "__main__":
    main()
