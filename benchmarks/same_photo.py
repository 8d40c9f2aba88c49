"""Whether the hash of a photo tells it from others: `python -m benchmarks.same_photo FOLDER_OF_PHOTOS`.

Prints how few bits two photos of the folder differ in, and how many a photo that was saved again.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from skin_ai.study.deck import small
from skin_ai.study.likeness import MOST_DIFFERENT, difference_hash

AGAIN = ((90, 1.0), (70, 1.0), (50, 1.0), (80, 0.5))  # quality of the JPEG, share of the size
EACH = 4  # of so many photos, one is saved again
NEAREST = 5  # pairs to print


def main() -> None:
    files = sorted(file for file in Path(sys.argv[1]).iterdir() if file.suffix in (".png", ".jpg"))
    hashes, moved = [], []
    for number, file in enumerate(files):
        photo = small(np.asarray(Image.open(file).convert("RGB")))
        hashes.append(_bits(photo))
        if number % EACH == 0:
            moved.append([int((_bits(_saved(photo, *how)) != hashes[-1]).sum()) for how in AGAIN])
    ones = np.array(hashes, dtype=np.float32)
    one_way = ones @ (1 - ones).T
    first, second = np.triu_indices(len(files), 1)
    bits = (one_way + one_way.T)[first, second].astype(int)
    print(f"{len(bits):,} pairs; {(bits <= MOST_DIFFERENT).sum()} count as the same photo. The nearest:")
    for place in np.argsort(bits)[:NEAREST]:
        print(f"  {bits[place]} bits: {files[first[place]].name}, {files[second[place]].name}")
    for (quality, share), most in zip(AGAIN, np.max(moved, axis=0), strict=True):
        found = np.mean([row[AGAIN.index((quality, share))] <= MOST_DIFFERENT for row in moved])
        print(
            f"JPEG {quality}, {share:.0%} of the size: at most {most} bits; {found:.1%} of {len(moved)} found"
        )


def _bits(photo: np.ndarray) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(difference_hash(photo)), np.uint8))


def _saved(photo: np.ndarray, quality: int, share: float) -> np.ndarray:
    height, width = photo.shape[:2]
    file = io.BytesIO()
    Image.fromarray(photo).resize((round(width * share), round(height * share))).save(
        file, "JPEG", quality=quality
    )
    return np.asarray(Image.open(file))


if __name__ == "__main__":
    main()
