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

    `min_area` is the smallest part of the photo that a view shows. In PAD-UFES-20 pen marks are correlated
    with biopsy, and sharpness with type: `ink` and `coarse` break both shortcuts.
    """

    min_area: float = 0.5
    colour: float = 0.25
    ink: float = 0.5
    coarse: float = 0.5
    erase: float = 0.0


def draw_ink(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """One or two circles, arcs, crosses, arrows or dashes around the lesion, as surgeons mark it."""
    colour = INK_COLOURS[rng.integers(len(INK_COLOURS))]
    stroke = max(1, int(min(image.size) * rng.uniform(0.008, 0.035)))
    layer = Image.new("L", image.size, 0)
    for _ in range(rng.integers(1, 3)):
        _draw_mark(ImageDraw.Draw(layer), image.size, stroke, rng)
    mask = layer.filter(ImageFilter.GaussianBlur(stroke * 0.35)).point(lambda value: value * 0.75)
    return Image.composite(Image.new("RGB", image.size, colour), image, mask)


def _draw_mark(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], stroke: int, rng: np.random.Generator
) -> None:
    width, height = size
    x, y = width * rng.uniform(0.4, 0.6), height * rng.uniform(0.4, 0.6)
    a, b = width * rng.uniform(0.13, 0.48), height * rng.uniform(0.13, 0.48)
    box = (x - a, y - b, x + a, y + b)
    angle, length = rng.uniform(0, 2 * np.pi), min(a, b) * 0.5
    edge = (x + a * np.cos(angle), y + b * np.sin(angle))
    kind = rng.integers(5)
    if kind == 0:
        pen.arc(box, 0, 360, fill=255, width=stroke)
    elif kind == 1:
        first = rng.uniform(0, 360)
        pen.arc(box, first, first + rng.uniform(90, 270), fill=255, width=stroke)
    elif kind == 2:
        for turn in (np.pi / 4, 3 * np.pi / 4):
            start = (edge[0] - length * np.cos(turn), edge[1] - length * np.sin(turn))
            _draw_line(pen, start, turn, 2 * length, stroke)
    elif kind == 3:  # an arrow whose tip points at the lesion
        for turn, part in ((angle, 2.0), (angle + 0.5, 0.6), (angle - 0.5, 0.6)):
            _draw_line(pen, edge, turn, part * length, stroke)
    else:
        for dash in range(0, 360, 40):
            pen.arc(box, dash, dash + 18, fill=255, width=stroke)


def _draw_line(
    pen: ImageDraw.ImageDraw, start: tuple[float, float], angle: float, length: float, stroke: int
) -> None:
    end = (start[0] + length * np.cos(angle), start[1] + length * np.sin(angle))
    pen.line((*start, *end), fill=255, width=stroke)


class Coarsen(nn.Module):
    """Loses detail, by down- and up-scaling or by blur, as with a cheap, distant or unfocused camera."""

    def forward(self, image: Tensor) -> Tensor:
        size = list(image.shape[-2:])
        if torch.rand(1) < 0.5:
            factor = float(torch.empty(1).uniform_(0.2, 0.7))
            small = v2.functional.resize(image, [max(1, int(side * factor)) for side in size], antialias=True)
            return v2.functional.resize(small, size, antialias=True)
        sigma = min(size) * float(torch.empty(1).uniform_(0.003, 0.015))
        return v2.functional.gaussian_blur(image, [2 * int(2.5 * sigma) + 3] * 2, [sigma] * 2)


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
            # Mirrored borders: black corners of a rotated photo would be a pattern to learn.
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
