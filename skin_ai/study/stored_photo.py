"""A photo as the database holds it: its pixels as a PNG, and what tells it from others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from io import BytesIO
from typing import Self

import numpy as np
from PIL import Image

from skin_ai.study.likeness import difference_hash


@dataclass(frozen=True)
class StoredPhoto:
    """nbytes: of the pixels; difference_hash: as in `likeness`."""

    png: bytes = field(repr=False)
    nbytes: int
    sha256: str
    difference_hash: str

    @classmethod
    def of(cls, pixels: np.ndarray) -> Self:
        """Of the pixels (h, w, 3) uint8."""
        return cls(as_png(pixels), pixels.nbytes, pixels_sha256(pixels), difference_hash(pixels))

    @property
    def pixels(self) -> np.ndarray:
        return np.array(Image.open(BytesIO(self.png)))


def pixels_sha256(pixels: np.ndarray) -> str:
    """A hash that shows whether a photo is the same."""
    return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()


def as_png(pixels: np.ndarray) -> bytes:
    """The pixels (h, w, 3) as a PNG without metadata."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
