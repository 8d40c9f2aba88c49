"""A photo prepared for the models: cut once, its quality and pen marks measured once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from skin_ai.predict import ink, quality
from skin_ai.predict.photo import LARGEST_SQUARE, Crop, crop_square, read_photo


@dataclass(frozen=True, eq=False)
class PreparedPhoto:
    """What the models see of a photo, and what was measured there.

    square: (s, s, 3) uint8; measures: kind of fault -> measure, as in `quality.measures`; has_ink: whether
    a pen's mark is seen; timings_ms: what each part of the preparation took.
    """

    square: np.ndarray = field(repr=False)
    measures: Mapping[str, float]
    has_ink: bool
    timings_ms: Mapping[str, float]

    def problems(self, limits: Mapping[str, float]) -> tuple[str, ...]:
        """The kinds of fault by a bundle's limits."""
        return quality.problems(self.measures, limits)


def prepare(photo: bytes | np.ndarray, crop: Crop = LARGEST_SQUARE) -> PreparedPhoto:
    """photo: the bytes of a file, or (h, w, 3) pixels from `read_photo`. Raises PhotoError."""
    timings: dict[str, float] = {}
    with timed(timings, "read_photo"):
        square = crop_square(read_photo(photo) if isinstance(photo, bytes) else photo, crop)
    with timed(timings, "photo_quality"):
        small = quality.reduced(square)
        measures, has_ink = quality.measures(small, len(square)), ink.has_ink(small)
    return PreparedPhoto(square, measures, has_ink, timings)


@contextmanager
def timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Notes under `name` how many milliseconds the block took."""
    start = time.perf_counter()
    yield
    timings[name] = 1000 * (time.perf_counter() - start)
