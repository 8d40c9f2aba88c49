"""Detects photos unlike those that the image model was trained on, by its early features."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load, save_file
from torch import Tensor

from skin_ai.predict.image_model import ImageModel

# Of timm's feature stages, counted from 0. Early features (colour, texture) recognise foreign photos better
# than the last feature map, which keeps only what separates the types: 0.93 recognised against 0.57.
STAGE = 2


def early_features(model: ImageModel, inputs: Tensor) -> Tensor:
    """Mean and standard deviation of every channel of an early stage.

    inputs: (n, 3, size, size), one upright view. Returns (n, 2 c). Takes less than half the time of one view.
    """
    (stage,) = model.backbone.forward_intermediates(
        inputs, indices=[STAGE], stop_early=True, intermediates_only=True
    )
    return of_stage(stage)


def of_stage(stage: Tensor) -> Tensor:
    """`early_features` of a stage's output (n, c, h, w)."""
    return torch.cat([stage.mean((2, 3)), stage.std((2, 3))], dim=1)


@dataclass(frozen=True)
class Gate:
    """A Gaussian fitted to the early features of the training photos; photos far from it are foreign.

    centre: (F,) mean; whitening: (F, F), scales a difference from the centre to standard deviations;
    threshold: the largest distance of a familiar photo. Contains no single photo's features.
    """

    centre: Tensor = field(repr=False)
    whitening: Tensor = field(repr=False)
    threshold: float

    def distance(self, features: Tensor) -> float:
        """Squared Mahalanobis distance of (F,) features, divided by F: about 1 for a training photo.

        Lee et al. 2018, eq. 2, with one mean for all types and the features of one stage.
        """
        return float((self.whitening @ (features - self.centre)).square().mean())

    def is_familiar(self, features: Tensor) -> bool:
        """Whether a photo with these (F,) features resembles the training photos."""
        return self.distance(features) <= self.threshold

    def save(self, path: Path) -> None:
        """Writes one safetensors file of F * (F + 1) numbers; the threshold goes into the manifest."""
        save_file({"centre": self.centre.contiguous(), "whitening": self.whitening.contiguous()}, path)


def load_gate(path: Path, threshold: float) -> Gate:
    """Reads what `Gate.save` wrote. Raises OSError, SafetensorError or ValueError."""
    # Not load_file: it maps the file into memory, so a change of the file would change or crash the server.
    tensors = load(path.read_bytes())
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    n = shapes.get("centre", (0,))[0]
    if shapes != {"centre": (n,), "whitening": (n, n)}:
        raise ValueError(f"a gate has a centre (F,) and a whitening (F, F), not {shapes}")
    return Gate(tensors["centre"].float(), tensors["whitening"].float(), threshold)
