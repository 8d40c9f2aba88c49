"""Whether a photo looks like those that the image model was trained on, by the model's early features."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load, save_file
from torch import Tensor

from skin_ai.predict.image_model import ImageModel

# Of timm's feature stages, counted from 0. Colours and textures tell a foreign photo better than the last
# feature map, which training makes blind to all that does not part the types: caught 0.93 against 0.57.
STAGE = 2


def early_features(model: ImageModel, inputs: Tensor) -> Tensor:
    """Mean and standard deviation of every channel of an early stage, over the photo.

    inputs: (n, 3, size, size), one upright view. Returns (n, 2 c). Costs less than half of one view's pass.
    """
    (stage,) = model.backbone.forward_intermediates(
        inputs, indices=[STAGE], stop_early=True, intermediates_only=True
    )
    return torch.cat([stage.mean((2, 3)), stage.std((2, 3))], dim=1)


@dataclass(frozen=True)
class Gate:
    """A Gaussian of the training photos' early features; photos far from it are foreign.

    centre: (F,) mean; whitening: (F, F), makes a difference from the centre one in standard deviations;
    threshold: the largest distance that counts as familiar. Holds statistics over all photos, none of one.
    """

    centre: Tensor = field(repr=False)
    whitening: Tensor = field(repr=False)
    threshold: float

    def distance(self, features: Tensor) -> float:
        """Squared Mahalanobis distance of (F,) features, divided by F: about 1 for a training photo.

        Lee et al. 2018, eq. 2, with one mean for all types and features of one stage.
        """
        return float((self.whitening @ (features - self.centre)).square().mean())

    def is_familiar(self, features: Tensor) -> bool:
        """Whether the photo of these (F,) features may be shown to the image model."""
        return self.distance(features) <= self.threshold

    def save(self, path: Path) -> None:
        """One safetensors file of F * (F + 1) numbers; the threshold belongs into the manifest."""
        save_file({"centre": self.centre.contiguous(), "whitening": self.whitening.contiguous()}, path)


def load_gate(path: Path, threshold: float) -> Gate:
    """What `Gate.save` wrote; raises OSError, SafetensorError or ValueError where it did not."""
    # Not load_file: its tensors stay on the file, and change, or end the server, when that does.
    tensors = load(path.read_bytes())
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    n = shapes.get("centre", (0,))[0]
    if shapes != {"centre": (n,), "whitening": (n, n)}:
        raise ValueError(f"a gate has a centre (F,) and a whitening (F, F), not {shapes}")
    return Gate(tensors["centre"].float(), tensors["whitening"].float(), threshold)
