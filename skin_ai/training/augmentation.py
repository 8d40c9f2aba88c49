"""Random views of a training photo: framing, light, sharpness and a surgeon's pen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode, v2

INK_COLOURS = ((58, 44, 120), (40, 60, 150), (88, 40, 130), (30, 36, 84))


@dataclass(frozen=True)
class Augmentation:
    """How strongly photos are varied; probabilities in 0..1.

    `min_area` is the least part of the photo that a view shows. Pen marks go with biopsy, and
    sharpness goes with type in PAD-UFES-20: `ink` and `coarse` are there to break both shortcuts.
    """

    min_area: float = 0.5
    colour: float = 0.25
    ink: float = 0.2
    coarse: float = 0.3
    erase: float = 0.0


def draw_ink(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A circle, an arc, a cross or dashes around the lesion, as surgeons mark what they cut out."""
    width, height = image.size
    colour = INK_COLOURS[rng.integers(len(INK_COLOURS))]
    stroke = max(1, int(min(width, height) * rng.uniform(0.008, 0.025)))
    layer = Image.new("L", image.size, 0)
    pen = ImageDraw.Draw(layer)
    x, y = width * rng.uniform(0.4, 0.6), height * rng.uniform(0.4, 0.6)
    a, b = width * rng.uniform(0.2, 0.48), height * rng.uniform(0.2, 0.48)
    box = (x - a, y - b, x + a, y + b)
    kind = rng.integers(4)
    if kind == 0:
        pen.arc(box, 0, 360, fill=255, width=stroke)
    elif kind == 1:
        start = rng.uniform(0, 360)
        pen.arc(box, start, start + rng.uniform(90, 270), fill=255, width=stroke)
    elif kind == 2:
        angle, length = rng.uniform(0, 2 * np.pi), min(a, b) * 0.5
        cx, cy = x + a * np.cos(angle), y + b * np.sin(angle)
        pen.line((cx - length, cy - length, cx + length, cy + length), fill=255, width=stroke)
        pen.line((cx - length, cy + length, cx + length, cy - length), fill=255, width=stroke)
    else:
        for start in range(0, 360, 40):
            pen.arc(box, start, start + 18, fill=255, width=stroke)
    mask = layer.filter(ImageFilter.GaussianBlur(stroke * 0.35)).point(lambda value: value * 0.75)
    return Image.composite(Image.new("RGB", image.size, colour), image, mask)


class Coarsen(nn.Module):
    """Shrinks the photo by a random factor and enlarges it again: a cheap or distant camera."""

    def forward(self, image: Tensor) -> Tensor:
        size = list(image.shape[-2:])
        factor = float(torch.empty(1).uniform_(0.25, 0.7))
        small = v2.functional.resize(image, [max(1, int(side * factor)) for side in size], antialias=True)
        return v2.functional.resize(small, size, antialias=True)


class DrawInk(nn.Module):
    """`draw_ink` on a (3, h, w) uint8 tensor."""

    def forward(self, image: Tensor) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**31, (1,))))
        drawn = draw_ink(Image.fromarray(image.permute(1, 2, 0).numpy()), rng)
        return torch.from_numpy(np.asarray(drawn).copy()).permute(2, 0, 1)


def augment(settings: Augmentation, size: int) -> v2.Transform:
    """(3, h, w) uint8 -> (3, size, size) uint8, drawn from torch's global random state."""
    return v2.Compose(
        [
            v2.RandomApply([DrawInk()], settings.ink),
            # Mirrored borders: black corners of a turned photo would be a pattern of their own.
            v2.Pad(64, padding_mode="reflect"),
            v2.RandomRotation(180, InterpolationMode.BILINEAR),
            v2.CenterCrop(300),
            v2.RandomResizedCrop(size, scale=(settings.min_area, 1.0), ratio=(0.8, 1.25), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(settings.colour, settings.colour, settings.colour),
            v2.RandomApply([Coarsen()], settings.coarse),
            v2.RandomErasing(settings.erase, scale=(0.02, 0.15), value=128),
        ]
    )
