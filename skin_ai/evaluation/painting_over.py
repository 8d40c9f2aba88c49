"""Finds the lesion in a photo by colour and replaces it with the surrounding skin."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation, binary_opening, gaussian_filter, label, zoom


def lesion_mask(square: np.ndarray) -> np.ndarray | None:
    """(s, s) bool, the spot near the centre that differs in colour from the border; None where none does.

    Good enough to choose photos to alter; not a segmentation.
    """
    side = square.shape[0]
    distance, border = distance_to_skin(square)
    middle = (slice(side // 3, -side // 3),) * 2
    spread = float(np.quantile(distance[border], 0.9))
    farthest = float(np.quantile(distance[middle], 0.95))
    if farthest < 2 * spread:
        return None
    spots, _ = label(binary_opening(distance > max(0.35 * farthest, spread), iterations=2))
    if not spots[middle].any():
        return None
    spot = spots == np.bincount(spots[middle][spots[middle] > 0]).argmax()
    return spot if 0.01 < spot.mean() < 0.3 and not (spot & border).any() else None


def distance_to_skin(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(s, s) distance in colour to the border's median, and (s, s) bool, where the border is."""
    smooth = gaussian_filter(square.astype(np.float32), (2, 2, 0))
    edge = square.shape[0] // 10
    border = np.ones(square.shape[:2], dtype=bool)
    border[edge:-edge, edge:-edge] = False
    return np.linalg.norm(smooth - np.median(smooth[border], axis=0), axis=2), border


def paint_over(square: np.ndarray, spot: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(s, s, 3) uint8 with the spot filled by the colours around it and the grain of skin beside it."""
    side = square.shape[0]
    hole = binary_dilation(spot, iterations=side // 18)
    known = ~binary_dilation(spot, iterations=side // 12)
    pixels = square.astype(np.float32)
    smooth = _filled_in(pixels, known, side)
    grain = pixels - gaussian_filter(pixels, (6, 6, 0))
    shifts = rng.integers(-side // 2, side // 2, (60, 2)).tolist()
    moved = min(shifts, key=lambda shift: int((np.roll(~known, shift, (0, 1)) & hole).sum()))
    grain = np.roll(grain * known[..., None], moved, (0, 1))
    share = gaussian_filter(hole.astype(np.float32), side / 60)[..., None]
    return np.clip((smooth + grain) * share + pixels * (1 - share), 0, 255).astype(np.uint8)


def _filled_in(pixels: np.ndarray, known: np.ndarray, side: int) -> np.ndarray:
    """(s, s, 3): each pixel's mean of the nearest known ones, computed at a quarter of the size."""
    small, is_known = pixels[::4, ::4], known[::4, ::4].astype(np.float32)
    filled, is_open = np.zeros_like(small), np.ones(is_known.shape, dtype=bool)
    for sigma in (2, 4, 8, 16, 32):
        weight = gaussian_filter(is_known, sigma)
        colours = gaussian_filter(small * is_known[..., None], (sigma, sigma, 0))
        take = is_open & (weight > 0.1)
        filled[take] = (colours / np.maximum(weight, 1e-6)[..., None])[take]
        is_open &= ~take
    filled = gaussian_filter(filled, (3, 3, 0))
    return zoom(filled, (side / filled.shape[0], side / filled.shape[1], 1), order=1)
