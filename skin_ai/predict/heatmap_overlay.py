"""The heatmap as colours over the photo, and in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from PIL import Image

# Green and purple of ColorBrewer's PRGn: safe for common colour blindness, and neither is a colour of skin.
FOR = (0, 136, 55)
AGAINST = (123, 50, 148)
# Even evidence that sums to this logit gets full colour; weaker maps stay pale instead of showing noise.
LEAST_LOGIT = 2.0
HARDLY = 0.1  # of the scale: too pale to see, so the words say "hardly any" too


def common_scale(heatmaps: Mapping[str, np.ndarray]) -> float:
    """The evidence that gets full colour, the same for all types of a case."""
    strongest = max(float(np.abs(evidence).max()) for evidence in heatmaps.values())
    places = next(iter(heatmaps.values())).size
    return max(strongest, LEAST_LOGIT / places)


def no_map_for(name: str, known: Collection[str]) -> str:
    """Why a type that the photo model does not know has no heatmap."""
    return f"No heatmap for {name}: the photo model knows only {len(known)} types."


def enlarged(evidence: np.ndarray, side: int) -> np.ndarray:
    """(side, side) smooth copy of (h, w) evidence.

    Evidence for and against is enlarged separately: bicubic interpolation overshoots, and would surround
    strong evidence for a type with a ring against it.
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
    """The (s, s, 3) square under (s, s, 4) colours; opacity 0 to 1, where the evidence is strongest."""
    alpha = opacity * colours[..., 3:].astype(float) / 255
    mixed: np.ndarray = np.round((1 - alpha) * square + alpha * colours[..., :3])
    return mixed.astype(np.uint8)


def in_words(evidence: np.ndarray, scale: float, name: str) -> str:
    """Where the evidence for and against a type lies, in one or two sentences."""
    if np.abs(evidence).max() < HARDLY * scale:
        return f"There is hardly any evidence for or against {name} in the photo."
    parts = []
    for word, side in (("for", np.clip(evidence, 0, None)), ("against", np.clip(-evidence, 0, None))):
        if side.max() < HARDLY * scale:
            parts.append(f"There is hardly any evidence {word} {name}.")
        else:
            parts.append(
                f"The strongest evidence {word} {name} is {_place(side)}; {middle_share(side):.0%} of the "
                f"evidence {word} it is in the central quarter of the photo."
            )
    return " ".join(parts)


def relative_in_words(evidence: np.ndarray, name: str) -> str:
    """The same for a map of `heatmap.computed_by`: 1 where it is strongest, no evidence against."""
    if evidence.max() <= 0:
        return f"This method finds no evidence for {name} in the photo."
    return (
        f"The heatmap of {name} is strongest {_place(evidence)}; {middle_share(evidence):.0%} of it is in "
        "the central quarter of the photo."
    )


def _place(evidence: np.ndarray) -> str:
    """Where the strongest evidence is, to a ninth of the photo."""
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
    """Share of the evidence in the central quarter: the middle half of width and of height."""
    rows, columns = (_covered_by_middle_half(places) for places in evidence.shape)
    return float(rows @ evidence @ columns / evidence.sum())


def _covered_by_middle_half(places: int) -> np.ndarray:
    """Share of each of `places` equal parts of a side that lies in the middle half of that side."""
    edges = np.arange(places + 1) / places
    covered: np.ndarray = np.minimum(edges[1:], 0.75) - np.maximum(edges[:-1], 0.25)
    covered = covered.clip(min=0) * places
    return covered
