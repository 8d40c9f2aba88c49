"""Heatmaps of all types, compared with the grad-cam library: `python -m benchmarks.heatmaps`."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.machine import machine, medians
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
                partial(_ours, model, inputs, features),
            ),
        }
        for since, (theirs, ours) in works.items():
            difference = np.abs(theirs() - ours()).max()
            slow, fast = medians([theirs, ours], RUNS)
            print(
                f"{n_types} types, {since}: library {slow:.1f} ms, ours {fast:.1f} ms, {slow / fast:.0f} "
                f"times; largest difference {difference:.1e} of an evidence up to {ours().max():.2f}"
            )


def _with_types(model: ImageModel, n_types: int) -> ImageModel:
    """A copy that needs gradients; with another number of types, its head is random."""
    model = copy.deepcopy(model).requires_grad_(True)
    if n_types != model.head.out_features:
        torch.manual_seed(0)
        model.head = nn.Linear(model.head.in_features, n_types)
    return model.eval()


def _ours(model: ImageModel, inputs: Tensor, features: Tensor | None = None) -> np.ndarray:
    """(K, h, w); the photo's pass included where the feature map is not given."""
    with torch.inference_mode():
        features = model.feature_map(inputs) if features is None else features
        return class_activation_maps(features[0], model.head.weight).clamp_min(0).numpy()


def _theirs(model: nn.Module, layer: nn.Module, inputs: Tensor, n_types: int) -> np.ndarray:
    """(K, h, w): the library's maps after their ReLU, before they are scaled and enlarged."""
    maps = [library_map(GRAD_CAM, model, inputs, type_index, layer) for type_index in range(n_types)]
    return np.maximum(maps, 0)


if __name__ == "__main__":
    main()
