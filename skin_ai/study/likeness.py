"""Whether two photos are the same one, saved again: a difference hash, 16 x 16.

`benchmarks.same_photo` on 1,186 photos of PAD-UFES-20: among 702,705 pairs, different photos differ in at
least 32 of the 256 bits; the two pairs with fewer, 4 and 12, are one photo stored twice. A photo that was
saved again differs in at most 3 bits (JPEG 90), 16 (JPEG 70), 23 (JPEG 50; 99% found) and 19 (JPEG 80, half
the size). With 8 x 8 bits, different photos have the same hash.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image

SIDE: Final = 16
MOST_DIFFERENT: Final = 20  # bits; see above
FLAT: Final = 0.5  # share of neighbours without any difference, from which a picture shows too little


def difference_hash(pixels: np.ndarray) -> str:
    """64 hexadecimal digits; "" where the picture shows too little to compare it. pixels: (h, w, 3)."""
    grey = Image.fromarray(pixels).convert("L").resize((SIDE + 1, SIDE), Image.Resampling.LANCZOS)
    brightness = np.asarray(grey, dtype=np.int16)
    steps = np.diff(brightness, axis=1)
    if (steps == 0).mean() >= FLAT:
        return ""
    return np.packbits(steps > 0).tobytes().hex()


def is_same_photo(one: str, other: str) -> bool:
    """Whether two hashes are of the same photo; of one that is "", nothing is known."""
    if not (one and other):
        return False
    return (int(one, 16) ^ int(other, 16)).bit_count() <= MOST_DIFFERENT
