"""How the file of a photo codes its colours, and its samples before they are cut to 8 bits."""

import re
from io import BytesIO
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageCms
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from pillow_heif import HeifImageFile, open_heif

from skin_ai.predict.colour import BT709, HLG, PQ, Coding, by_code_points

SRGB_GAMMA: Final = 1 / 2.2
UNSPECIFIED: Final = 2  # H.273's code point
UNSCALED_BITS: Final = (8, 10, 12)  # of samples that some programs write to 16 bits as they are
_ROWS: Final = 256  # handled at once, to keep memory low


def coding_of(image: ImageFile, data: bytes) -> Coding | None:
    """The coding that the file states; None if Pillow's pixels and their colour profile are right without."""
    stated = _of_profile(image.info.get("icc_profile"))
    if isinstance(image, HeifImageFile) and (nclx := image.info.get("nclx_profile")):
        stated = by_code_points(nclx["color_primaries"], nclx["transfer_characteristics"])
    if isinstance(image, PngImageFile):
        stated = _of_png(image, data, stated)
    return None if stated is None or stated.is_srgb else stated


class Samples(NamedTuple):
    """A photo before its numbers are taken for colours."""

    values: np.ndarray  # (h, w, 1) or (h, w, 3), uint8 or uint16
    most: int  # the value of a full signal
    alpha: Image.Image | None  # mode L

    def in_8_bits(self) -> np.ndarray:
        of_each = np.rint(np.minimum(np.arange(65536) / self.most, 1) * 255).astype(np.uint8)
        return of_each[self.values]


def is_uncertain(image: ImageFile) -> bool:
    """Whether a HEIC of more than 8 bits leaves open whether it is HDR: its video stream alone may say so."""
    if not isinstance(image, HeifImageFile) or image.info.get("icc_profile") or image.info["bit_depth"] <= 8:
        return False
    nclx = image.info.get("nclx_profile")
    return not nclx or bool(nclx["transfer_characteristics"] == UNSPECIFIED)


def samples_of(image: ImageFile, data: bytes) -> Samples:
    """The samples in the file's depth. image: loaded, unless it is a HEIC."""
    if isinstance(image, HeifImageFile):
        values, alpha = _without_alpha(np.asarray(open_heif(BytesIO(data), convert_hdr_to_8bit=False)))
        container, depth = 8 * values.itemsize, int(image.info["bit_depth"])
        # libheif moves the 10 or 12 bits of a deep photo to the upper end of 16.
        unused = max(0, container - depth) if depth > 8 else 0
        return Samples(values, 2**container - 2**unused, alpha)
    if not isinstance(image, PngImageFile) or not is_deep(data):
        kind = "RGBA" if image.has_transparency_data else "L" if image.mode == "L" else "RGB"
        values, alpha = _without_alpha(np.asarray(image.convert(kind)))
        return Samples(values, 255, alpha)
    values, alpha = _without_alpha(np.asarray(image) if image.mode == "I;16" else _deep_png(image, data))
    largest = int(values.max())
    # 16 bits would make the whole photo all but black.
    bits = next((bits for bits in UNSCALED_BITS if largest < 2**bits), 16)
    stated = _significant_bits(data)
    # A photo that is only dark has been multiplied: none but its upper `stated` bits hold anything.
    if largest < 2**stated and (values % 2 ** (16 - stated) > 0).mean() > 0.5:
        bits = min(bits, stated)
    return Samples(values, 2**bits - 1, alpha)


def may_be_unscaled(image: ImageFile, data: bytes) -> bool:
    """Whether a loaded photo of 16 bits is so dark that its samples may be of fewer."""
    if not isinstance(image, PngImageFile) or not is_deep(data):
        return False
    bits = max(UNSCALED_BITS[-1], _significant_bits(data) % 16)
    brightest = np.max(np.atleast_2d(image.getextrema())[:3])
    return bool(brightest < (2**bits if image.mode == "I;16" else 2 ** (bits - 8)))


def is_deep(data: bytes) -> bool:
    """Whether a PNG has 16 bits per sample."""
    return data[24:25] == b"\x10"


def _significant_bits(data: bytes) -> int:
    """Of a deep PNG's colours, by its sBIT chunk; 16 where it says nothing."""
    stated = _chunk(data, b"sBIT") or b""
    colours = stated[: 1 if len(stated) < 3 else 3]
    return max(colours) if colours and max(colours) in range(UNSCALED_BITS[0], 16) else 16


def _of_png(image: PngImageFile, data: bytes, of_profile: Coding | None) -> Coding | None:
    """By the precedence of PNG's third edition: cICP, iCCP, sRGB, then gAMA and cHRM."""
    if (cicp := _chunk(data, b"cICP")) and len(cicp) == 4:
        return by_code_points(cicp[0], cicp[1], full_range=cicp[3] != 0)
    if "icc_profile" in image.info or "srgb" in image.info:
        return of_profile
    gamma = image.info.get("gamma", SRGB_GAMMA)
    exponent = 1 / gamma if 0.2 < gamma < 2 and abs(gamma - SRGB_GAMMA) > 0.02 else None
    return Coding(_plausible(image.info.get("chromaticity", BT709)), exponent=exponent)


def _plausible(chromaticities: tuple[float, ...]) -> tuple[float, ...]:
    """The same, or BT.709's where these can be of no camera or screen."""
    pairs = list(zip(chromaticities[::2], chromaticities[1::2], strict=True))
    (red_x, red_y), (green_x, green_y), (blue_x, blue_y) = pairs[1:]
    area = (green_x - red_x) * (blue_y - red_y) - (blue_x - red_x) * (green_y - red_y)
    possible = all(x >= 0 and y > 0 and x + y <= 1.001 for x, y in pairs)
    return chromaticities if possible and abs(area) > 0.05 and min(pairs[0]) > 0.2 else BT709


def _chunk(data: bytes, kind: bytes) -> bytes | None:
    """The content of a PNG's chunk before its pixels."""
    place = 8
    while place + 12 <= len(data) and (name := data[place + 4 : place + 8]) != b"IDAT":
        length = int.from_bytes(data[place : place + 4])
        if name == kind:
            return data[place + 8 : place + 8 + length]
        place += 12 + length
    return None


def _of_profile(profile: bytes | None) -> Coding | None:
    """HDR by the profile's cicp tag or by its name; other profiles are applied as they are."""
    if not profile:
        return None
    if tag := _tag(profile, b"cicp"):
        stated = by_code_points(tag[8], tag[9]) if len(tag) >= 10 else None
        return stated if stated and stated.is_hdr else None
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(profile)))
    except (OSError, ImageCms.PyCMSError):
        return None
    if found := re.search("PQ|2084|HLG", name):
        return by_code_points(12 if "P3" in name else 9, HLG if found[0] == "HLG" else PQ)
    return None


def _tag(profile: bytes, name: bytes) -> bytes:
    """The content of an ICC profile's tag, empty if it is missing (ICC.1:2022, section 7.3)."""
    for place in range(132, min(len(profile), 132 + 12 * int.from_bytes(profile[128:132])), 12):
        if profile[place : place + 4] == name:
            start, size = (int.from_bytes(profile[place + i : place + i + 4]) for i in (4, 8))
            return profile[start : start + size]
    return b""


def _deep_png(image: PngImageFile, data: bytes) -> np.ndarray:
    """(h, w, 3 or 4) uint16, or (h, w, 2) for gray with alpha.

    Pillow keeps the high bytes only. Read as if the lower came first, the same file gives the low bytes.
    """
    other = PngImageFile(BytesIO(data))
    (tile,) = other.tile
    gray = tile.args == "LA;16B"
    other.tile = [tile._replace(args="RGBA" if gray else str(tile.args).replace("16B", "16L"))]
    other.load()
    samples = np.empty((image.height, image.width, 2 if gray else len(image.getbands())), np.uint16)
    for top in range(0, image.height, _ROWS):
        box = (0, top, image.width, min(top + _ROWS, image.height))
        low = np.asarray(other.crop(box)).astype(np.uint16)
        if gray:  # each pixel is four bytes: gray and alpha, the higher first
            samples[top : top + _ROWS] = low[..., ::2] << 8 | low[..., 1::2]
        else:
            samples[top : top + _ROWS] = np.asarray(image.crop(box)).astype(np.uint16) << 8 | low
    return samples


def _without_alpha(samples: np.ndarray) -> tuple[np.ndarray, Image.Image | None]:
    samples = np.atleast_3d(samples)
    if samples.shape[2] in (1, 3):
        return samples, None
    alpha = samples[..., -1] if samples.itemsize == 1 else samples[..., -1] >> 8
    return samples[..., :-1], Image.fromarray(alpha.astype(np.uint8))
