"""The next best question as a curve, from the manifest: `python -m benchmarks.asking_curve PICTURE`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import matplotlib.pyplot as plt
import numpy as np

from skin_ai.predict.bundle import DEFAULT_BUNDLE, WEIGHTS, read_manifest

ORDERS: Final = {
    "most_informative": ("most informative first", "o-"),
    "fixed_order": ("the form's order", "s--"),
    "random_order": ("random order", "^:"),
}


def main() -> None:
    """Draws balanced accuracy after each number of questions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    draw(parser.parse_args().picture)


def draw(picture: Path) -> None:
    """Balanced accuracy by number of questions, each order."""
    found = read_manifest(WEIGHTS / DEFAULT_BUNDLE)["figures"]["asking"]
    figure, axes = plt.subplots(figsize=(7, 3.4), dpi=120)
    for order, (name, form) in ORDERS.items():
        axes.plot([share["value"] for share in found[order]], form, label=name)
    (everything,) = found["all_six"]
    axes.axhline(everything["value"], color="black", linewidth=1, label="all six answers")
    axes.set_xticks(np.arange(len(found["most_informative"])))
    axes.set_xlabel("questions asked after the photo")
    axes.set_ylabel("balanced accuracy")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(picture)


if __name__ == "__main__":
    main()
