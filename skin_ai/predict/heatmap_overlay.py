"""Evidence of the image model laid over the photo, and the same in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

# Purple and green of ColorBrewer's PRGn, told apart with every common colour blindness; neither is a
# colour of skin. Green speaks for, purple against.
FOR = (0, 136, 55)
AGAINST = (123, 50, 148)
# Evidence at all places that sums to this logit would just fill the scale: below it maps stay pale
# instead of showing noise in full colour.
LEAST_LOGIT = 2.0
HARDLY = 0.1  # of the scale: what a picture shows as nothing is called nothing


def common_scale(heatmaps: Mapping[str, np.ndarray]) -> float:
    """The evidence at one place that gets full colour, the same for all types of a case."""
    strongest = max(float(np.abs(evidence).max()) for evidence in heatmaps.values())
    places = next(iter(heatmaps.values())).size
    return max(strongest, LEAST_LOGIT / places)


def no_map_for(name: str, heatmaps: Mapping[str, np.ndarray]) -> str:
    """Why there is no map of a type that is not among those of the photo model."""
    return f"The photo model knows {len(heatmaps)} types only; it has no map for {name}."


def enlarged(evidence: np.ndarray, side: int) -> np.ndarray:
    """(side, side) smooth copy of (h, w) evidence.

    For and against are enlarged apart: bicubic curves overshoot, and a strong place for the type would get
    a ring that speaks against it.
    """
    parts = [
        np.asarray(Image.fromarray(part).resize((side, side), Image.Resampling.BICUBIC)).clip(0)
        for part in (np.maximum(evidence, 0).astype(np.float32), np.maximum(-evidence, 0).astype(np.float32))
    ]
    smooth: np.ndarray = parts[0] - parts[1]
    return smooth


def overlay(evidence: np.ndarray, scale: float, side: int) -> np.ndarray:
    """(side, side, 4) uint8 colours for (h, w) evidence in logits; transparent where there is none."""
    smooth = enlarged(evidence, side)
    strength = np.clip(np.abs(smooth) / scale, 0, 1)
    colours = np.where((smooth > 0)[..., None], np.array(FOR), np.array(AGAINST))
    return np.dstack([colours, np.round(255 * strength)]).astype(np.uint8)


def on_photo(square: np.ndarray, colours: np.ndarray, opacity: float) -> np.ndarray:
    """The (s, s, 3) square with (s, s, 4) colours over it; opacity from 0 to 1, where strongest."""
    alpha = opacity * colours[..., 3:].astype(float) / 255
    mixed: np.ndarray = np.round((1 - alpha) * square + alpha * colours[..., :3])
    return mixed.astype(np.uint8)


def in_words(evidence: np.ndarray, scale: float, name: str) -> str:
    """Where the evidence for and against a type lies, in one or two sentences."""
    if np.abs(evidence).max() < HARDLY * scale:
        return f"The photo holds hardly any evidence for or against {name}, on the scale of this case."
    said = []
    for word, side in (("for", np.clip(evidence, 0, None)), ("against", np.clip(-evidence, 0, None))):
        if side.max() < HARDLY * scale:
            said.append(f"There is hardly any evidence {word} {name}.")
        else:
            said.append(
                f"The strongest evidence {word} {name} lies {_place(side)}; {middle_share(side):.0%} of all "
                f"evidence {word} it lies within the middle half of width and height."
            )
    return " ".join(said)


def relative_in_words(evidence: np.ndarray, name: str) -> str:
    """The same of a map that knows only its own strongest place, 1, and nothing against."""
    if evidence.max() <= 0:
        return f"This method finds nothing for {name} anywhere in the photo."
    return (
        f"This map of {name} is strongest {_place(evidence)}; {middle_share(evidence):.0%} of it lies within "
        "the middle half of width and height."
    )


def _place(evidence: np.ndarray) -> str:
    """Which ninth of the photo the strongest place falls in."""
    height, width = evidence.shape
    row, column = np.unravel_index(int(evidence.argmax()), evidence.shape)
    vertical = ("upper", "", "lower")[int(3 * (row + 0.5) / height)]
    horizontal = ("left", "", "right")[int(3 * (column + 0.5) / width)]
    if not vertical and not horizontal:
        return "at the centre"
    if vertical and horizontal:
        return f"{vertical} {horizontal} of the centre"
    return {"upper": "above", "lower": "below"}.get(vertical, f"{horizontal} of") + " the centre"


def middle_share(evidence: np.ndarray) -> float:
    """The part of the evidence within the middle half of the width and of the height."""
    rows, columns = (_covered_by_middle_half(places) for places in evidence.shape)
    return float(rows @ evidence @ columns / evidence.sum())


def _covered_by_middle_half(places: int) -> np.ndarray:
    """How much of each of `places` equal parts of a side lies between its quarter and three quarters."""
    edges = np.arange(places + 1) / places
    covered: np.ndarray = np.minimum(edges[1:], 0.75) - np.maximum(edges[:-1], 0.25)
    covered = covered.clip(min=0) * places
    return covered
