"""The image model: square of a photo -> logits and feature map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Preprocessing:
    """From the square crop of a photo to the network's input."""

    size: int = 224
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def resize(self, square: np.ndarray) -> np.ndarray:
        """(s, s, 3) uint8 -> (size, size, 3) uint8, antialiased."""
        # Pillow's bicubic filter to 1 of 255, in a tenth of its time (18 times less for 12 megapixels).
        pixels = torch.tensor(square).permute(2, 0, 1)[None]
        size = (self.size, self.size)
        return (
            functional.interpolate(pixels, size, mode="bicubic", antialias=True)[0].permute(1, 2, 0).numpy()
        )

    def normalize(self, pixels: Tensor) -> Tensor:
        """(n, 3, size, size) uint8 -> float32 on the network's scale."""
        mean = torch.tensor(self.mean, device=pixels.device).view(3, 1, 1)
        std = torch.tensor(self.std, device=pixels.device).view(3, 1, 1)
        return (pixels.float() / 255 - mean) / std

    def __call__(self, square: np.ndarray) -> Tensor:
        """(s, s, 3) uint8 -> (1, 3, size, size)."""
        pixels = torch.from_numpy(self.resize(square)).permute(2, 0, 1)[None]
        return self.normalize(pixels)


class ImageModel(nn.Module):
    """timm backbone -> feature map -> mean -> one linear layer.

    Every backbone gets this head, so that the closed form of Grad-CAM (`heatmap.py`) is exact; a
    transformer's patch tokens are its feature map.
    """

    def __init__(self, backbone: str, n_types: int, *, dropout: float = 0.0, drop_path: float = 0.0) -> None:
        super().__init__()
        options = {"drop_path_rate": drop_path} if drop_path else {}
        self.backbone = timm.create_model(backbone, num_classes=0, **options)
        if hasattr(self.backbone, "pre_logits"):
            # VGG's fully connected layers: nine tenths of its weights, not part of a feature map.
            self.backbone.pre_logits = nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.backbone.num_features, n_types)

    def feature_map(self, inputs: Tensor) -> Tensor:
        """(n, 3, size, size) -> (n, C, h, w)."""
        return self._as_map(self.backbone.forward_features(inputs))

    def _as_map(self, features: Tensor) -> Tensor:
        if features.ndim == 3:
            patches = features[:, self.backbone.num_prefix_tokens :]
            side = int(patches.shape[1] ** 0.5)
            features = patches.transpose(1, 2).unflatten(2, (side, side))
        return features

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, 3, size, size) -> (n, K) logits."""
        return self.head(self.dropout(self.feature_map(inputs).mean(dim=(2, 3))))

    def feature_map_of_views(self, inputs: Tensor, views: int) -> Tensor:
        """(n, 3, size, size) -> (n, C, h, w): mean over rotated and mirrored views, each turned back.

        The head is linear, so the logit of the mean map is the mean of the views' logits. The first `views`
        of: original, mirrored, upside down, both, and these four transposed.
        """
        return self._mean_of_views(self.feature_map(inputs), inputs, views)

    def feature_map_and_stage(self, inputs: Tensor, views: int, stage: int) -> tuple[Tensor, Tensor]:
        """`feature_map_of_views`, and what an early stage made of the original, (n, c, h, w).

        stage: of timm's feature stages, counted from 0.
        """
        features, (early,) = self.backbone.forward_intermediates(inputs, indices=[stage])
        return self._mean_of_views(self._as_map(features), inputs, views), early

    def _mean_of_views(self, original: Tensor, inputs: Tensor, views: int) -> Tensor:
        total = original
        for view in range(1, views):
            axes = [axis for axis, bit in ((3, 1), (2, 2)) if view & bit]
            seen = inputs.transpose(2, 3) if view & 4 else inputs
            features = torch.flip(self.feature_map(torch.flip(seen, axes)), axes)
            total = total + (features.transpose(2, 3) if view & 4 else features)
        return total / views

    def logits(self, features: Tensor) -> Tensor:
        """(n, C, h, w) -> (n, K)."""
        return self.head(features.mean(dim=(2, 3)))
