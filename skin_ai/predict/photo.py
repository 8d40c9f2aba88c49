"""Bytes of an uploaded file -> RGB pixels, or an error that says in one sentence what is wrong."""

import struct
from dataclasses import dataclass
from io import BytesIO
from threading import Lock
from typing import Final

import numpy as np
from PIL import ExifTags, Image, ImageCms
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pillow_heif import HeifImageFile, get_file_mimetype

from skin_ai.predict.colour import to_srgb
from skin_ai.predict.photo_coding import coding_of, is_uncertain, may_be_unscaled, samples_of

MAX_BYTES: Final = 20 * 1024**2
MAX_PIXELS: Final = 52_000_000  # cameras of "50 megapixels" store up to 8272 x 6200
MIN_SIDE: Final = 64  # pixels of the shorter side

# The clinician may crop to a part, and the networks see 224 to 260 pixels: half of this is 600.
DRAFT_SIDE: Final = 1200  # pixels of the shorter side to which a large JPEG is reduced at least
MAX_SIDE: Final = 3000  # pixels of the longer side at most

_ONE_AT_A_TIME: Final = Lock()  # a photo of MAX_PIXELS takes hundreds of megabytes while it is read

# Raised by Pillow and pillow-heif on damaged files, by their documentation and by tests with flipped bytes.
# MemoryError: Pillow's decoders, where numbers in a header contradict each other.
DAMAGED: Final = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, MemoryError, struct.error)

UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation (Exif 2.32, tag 0x0112)

SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
PROFILED_MODES: Final = ("RGB", "L", "CMYK")  # Pillow's modes that colour profiles are made for


class PhotoError(ValueError):
    """One sentence for the clinician: what is wrong with the photo and what to do."""


@dataclass(frozen=True)
class Crop:
    """A square of a photo: centre in fractions of width and height, size in fractions of the shorter side."""

    x: float = 0.5
    y: float = 0.5
    size: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.x <= 1 and 0 <= self.y <= 1):
            raise PhotoError("The centre of the crop is outside the photo: choose a point inside it.")
        if not 0.1 <= self.size <= 1:
            raise PhotoError(
                "The crop must be between a tenth and all of the photo's shorter side: resize it."
            )


LARGEST_SQUARE: Final = Crop()


def read_photo(data: bytes) -> np.ndarray:
    """The photo as (h, w, 3) uint8 sRGB pixels, upright, without metadata, at most MAX_SIDE pixels long.

    Raises PhotoError if the bytes are not one still photo in a known format and of reasonable size.
    """
    with _ONE_AT_A_TIME:
        return _read(data)


def _read(data: bytes) -> np.ndarray:
    image = _open(data)
    if isinstance(image, JpegImageFile):
        # Decodes at half, a quarter ... of the size, as long as both sides stay at least this long.
        image.draft(None, (DRAFT_SIDE, DRAFT_SIDE))
    try:
        pixels, profile = _decoded(image, data)
    except DAMAGED as error:
        raise _damaged() from error
    orientation = _orientation(image)
    pixels.thumbnail((MAX_SIDE, MAX_SIDE))
    pixels = _to_srgb(_on_white(pixels), profile)
    if orientation in UPRIGHT:
        pixels = pixels.transpose(UPRIGHT[orientation])
    if min(pixels.size) < MIN_SIDE:
        raise PhotoError(
            f"The photo is too small or too narrow (less than {MIN_SIDE} pixels on its shorter side): "
            "choose the original photo."
        )
    return np.array(pixels)


def crop_square(photo: np.ndarray, crop: Crop = LARGEST_SQUARE) -> np.ndarray:
    """The square (s, s, 3) of a photo (h, w, 3), moved inwards where it would cross the edge."""
    height, width = photo.shape[:2]
    side = max(1, round(crop.size * min(height, width)))
    left = min(max(round(crop.x * width - side / 2), 0), width - side)
    top = min(max(round(crop.y * height - side / 2), 0), height - side)
    return photo[top : top + side, left : left + side].copy()


def _open(data: bytes) -> ImageFile:
    """The photo after its header was checked, before any pixel is decoded."""
    if not data:
        raise PhotoError("The file is empty: choose the photo again.")
    if len(data) > MAX_BYTES:
        raise PhotoError(
            f"The file has {len(data) / 1024**2:.1f} MB, more than the {MAX_BYTES // 1024**2} MB allowed: "
            "choose a smaller version of the photo."
        )
    reader = _reader(data)
    if reader is None:
        raise PhotoError("The file is not a JPEG, PNG, WebP or HEIC photo: save it as one of these first.")
    try:
        image = reader(BytesIO(data))
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except DAMAGED as error:
        raise _damaged() from error
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels()
    if _is_animated(image):
        raise PhotoError("The file is an animation or a sequence of pictures: choose a single still photo.")
    if is_uncertain(image):
        raise PhotoError(
            "The photo does not say whether its colours are HDR: export it as a standard JPEG first."
        )
    return image


def _decoded(image: ImageFile, data: bytes) -> tuple[Image.Image, bytes | None]:
    """The photo in 8 bits per channel, and the colour profile that still has to be applied.

    Raises one of DAMAGED.
    """
    coding = coding_of(image, data)
    if coding is None or not isinstance(image, HeifImageFile):
        image.load()
    if image.mode == "P" and image.palette is None:
        raise ValueError("palette is missing")
    profile = image.info.get("icc_profile") if coding is None else None
    if coding is None and not may_be_unscaled(image, data):
        return _resizable(image), profile
    samples = samples_of(image, data)
    array = samples.in_8_bits() if coding is None else to_srgb(samples.values, samples.most, coding, MAX_SIDE)
    pixels = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
    if samples.alpha is not None:
        pixels = pixels.convert("RGB")
        pixels.putalpha(samples.alpha.resize(pixels.size))
    return pixels, profile


def _reader(data: bytes) -> type[ImageFile] | None:
    """The class that reads these bytes, by their first bytes and never by a file name.

    Not Image.open: it logs warnings for large photos, and treats a phone's JPEG with a depth or gain map as a
    file of several frames (MPO).
    """
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImageFile
    if data[4:8] == b"ftyp" and get_file_mimetype(data).startswith(("image/heic", "image/heif")):
        # The general brands mif1 and msf1 are also those of AVIF, which is not read.
        return None if b"avif" in data[8:64] or (b"av1C" in data and b"hvcC" not in data) else HeifImageFile
    return None


def _is_animated(image: ImageFile) -> bool:
    if isinstance(image, HeifImageFile):
        # A still HEIC may hold several pictures; its primary one is what viewers show.
        return str(image.custom_mimetype).endswith("-sequence")
    return bool(getattr(image, "is_animated", False))


def _orientation(image: ImageFile) -> object:
    """EXIF orientation of a loaded photo; 1 if it is unreadable or the decoder has applied it.

    Not ImageOps.exif_transpose: it also rewrites the EXIF data, and fails on odd tags that are not needed.
    """
    if isinstance(image, HeifImageFile):
        return 1
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except SyntaxError:
        return 1


def _resizable(image: Image.Image) -> Image.Image:
    """The same pixels without palette, in 8 bits per channel, with transparency as a channel."""
    if image.mode.startswith("I"):
        # Pillow's convert clips 16-bit gray at 255, so that nearly everything is white.
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    return image if image.mode in PROFILED_MODES else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image in sRGB; a profile that is broken or for another mode is ignored."""
    if not profile:
        return image if image.mode == "RGB" else image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        return ImageCms.buildTransform(source, SRGB, image.mode, "RGB", intent).apply(image)
    except (OSError, ImageCms.PyCMSError):
        return image.convert("RGB")


def _too_many_pixels() -> PhotoError:
    return PhotoError(
        f"The photo has more than {MAX_PIXELS // 1_000_000} million pixels: "
        "choose a smaller version, or take it again with fewer megapixels."
    )


def _damaged() -> PhotoError:
    return PhotoError("The file is damaged or incomplete: copy the photo from the camera or phone again.")
