import struct
import zlib
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageCms

from skin_ai.predict.photo import MAX_BYTES, MIN_SIDE, Crop, PhotoError, crop_square, read_photo

pillow_heif.register_heif_opener()  # only to write HEIC: read_photo does without

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def quarters(height: int = 96, width: int = 128) -> np.ndarray:
    """Red, green over blue, black: every turn and mirror image of it looks different."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2], pixels[: height // 2, width // 2 :] = RED, GREEN
    pixels[height // 2 :, : width // 2], pixels[height // 2 :, width // 2 :] = BLUE, BLACK
    return pixels


def encoded(image: Image.Image | np.ndarray, image_format: str, **options: object) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def corners(photo: np.ndarray) -> list[list[int]]:
    """The colours in the middle of the four quarters, rounded to 0 and 255."""
    height, width = photo.shape[:2]
    middles = photo[[height // 4, height * 3 // 4]][:, [width // 4, width * 3 // 4]].reshape(4, 3)
    return np.where(middles > 127, 255, 0).tolist()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_that_claims(width: int, height: int, bits: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks)


def jpeg_that_claims(width: int, height: int) -> bytes:
    data = bytearray(encoded(quarters(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_that_claims(width: int, height: int) -> bytes:
    data = bytearray(encoded(quarters(), "WEBP", lossless=True))
    assert data[12:16] == b"VP8L"
    data[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return bytes(data)


def heic_that_claims(width: int, height: int) -> bytes:
    data = bytearray(encoded(quarters(), "HEIF"))
    size = data.index(b"ispe") + 8
    data[size : size + 8] = struct.pack(">II", width, height)
    return bytes(data)


def profile_with_red_and_green_swapped() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"swap", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"swap", b"gXYZ", 1)


# --- what is read


@pytest.mark.parametrize("image_format", FORMATS)
def test_each_format_gives_fresh_rgb_pixels(image_format):
    photo = read_photo(encoded(quarters(), image_format))
    assert photo.shape == (96, 128, 3)
    assert photo.dtype == np.uint8
    assert photo.flags.c_contiguous and photo.flags.owndata and photo.flags.writeable
    assert corners(photo) == corners(quarters())


# How a camera stores an upright scene under each EXIF orientation (Exif 2.32, tag 0x0112).
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("image_format", FORMATS)
def test_photo_is_turned_upright_once(image_format, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = np.ascontiguousarray(STORED[orientation](quarters()))
    photo = read_photo(encoded(stored, image_format, exif=exif.tobytes()))
    assert photo.shape == (96, 128, 3)
    assert corners(photo) == corners(quarters())


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3", b"Exif\0\0"])
@pytest.mark.filterwarnings("ignore:.*EXIF|Truncated:UserWarning")
def test_broken_exif_is_ignored(image_format, exif):
    assert corners(read_photo(encoded(quarters(), image_format, exif=exif))) == corners(quarters())


@pytest.mark.parametrize("image_format", FORMATS)
def test_colour_profile_is_applied(image_format):
    data = encoded(quarters(), image_format, icc_profile=profile_with_red_and_green_swapped())
    assert corners(read_photo(data)) == [[0, 255, 0], [255, 0, 0], [0, 0, 255], [0, 0, 0]]


def test_srgb_profile_changes_nothing():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = read_photo(encoded(pixels, "PNG", icc_profile=profile))
    assert np.abs(photo.astype(int) - pixels).max() <= 1


@pytest.mark.parametrize(
    "profile",
    [
        b"not a profile",
        profile_with_red_and_green_swapped()[:200],
        profile_with_red_and_green_swapped().replace(b"RGB ", b"R\xe9B ", 1),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    ],
    ids=["nonsense", "cut off", "unknown colour space", "other colour space"],
)
def test_profile_that_cannot_be_used_is_ignored(profile):
    assert corners(read_photo(encoded(quarters(), "PNG", icc_profile=profile))) == corners(quarters())


def test_colour_profile_on_a_gray_photo_is_ignored():
    gray = np.full((64, 64), 100, np.uint8)
    photo = read_photo(encoded(gray, "JPEG", icc_profile=profile_with_red_and_green_swapped()))
    assert np.all(photo == 100)


def half_transparent(mode: str) -> Image.Image:
    """Left half see-through (over black), right half opaque and dark."""
    alpha = np.zeros((64, 64), np.uint8)
    alpha[:, 32:] = 255
    image = Image.new("L", (64, 64), 50).convert(mode)
    image.putalpha(Image.fromarray(alpha))
    return image


def palette_with_transparency() -> bytes:
    image = Image.new("P", (64, 64), 0)
    image.putpalette([*BLACK, 50, 50, 50])
    image.paste(1, (32, 0, 64, 64))
    return encoded(image, "PNG", transparency=0)


def gray_with_transparent_value() -> bytes:
    pixels = np.full((64, 64), 50, np.uint8)
    pixels[:, :32] = 7
    return encoded(pixels, "PNG", transparency=7)


@pytest.mark.parametrize(
    "data",
    [
        encoded(half_transparent("RGB"), "PNG"),
        encoded(half_transparent("RGB"), "WEBP", lossless=True),
        encoded(half_transparent("RGB"), "HEIF", quality=-1),
        encoded(half_transparent("L"), "PNG"),
        palette_with_transparency(),
        gray_with_transparent_value(),
    ],
    ids=["PNG", "WebP", "HEIC", "gray with alpha", "palette", "gray with one transparent value"],
)
def test_transparency_becomes_white(data):
    photo = read_photo(data)
    assert np.all(photo[:, :30] == 255)
    assert np.abs(photo[:, 34:].astype(int) - 50).max() <= 3


def test_cmyk_jpeg_keeps_its_colours():
    photo = read_photo(encoded(Image.fromarray(quarters()).convert("CMYK"), "JPEG"))
    assert corners(photo) == corners(quarters())


def test_gray_with_16_bits_is_scaled_not_clipped():
    levels = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    photo = read_photo(encoded(levels, "PNG"))
    assert np.array_equal(photo, np.repeat((levels // 257)[..., None], 3, axis=2))


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_gray_two_coloured_and_palette_photos_become_rgb(mode):
    pixels = np.zeros((64, 64), np.uint8)
    pixels[:, 32:] = 255
    photo = read_photo(encoded(Image.fromarray(pixels).convert(mode), "PNG"))
    assert np.array_equal(photo, np.repeat(pixels[..., None], 3, axis=2))


def test_only_the_main_picture_of_a_phone_jpeg_is_read():
    gain_map = Image.new("RGB", (64, 48), WHITE)
    data = encoded(quarters(), "MPO", save_all=True, append_images=[gain_map])
    with Image.open(BytesIO(data)) as image:
        assert image.n_frames == 2
    assert corners(read_photo(data)) == corners(quarters())


def test_only_the_primary_picture_of_a_heic_is_read():
    other = Image.new("RGB", (64, 64), WHITE)
    data = encoded(other, "HEIF", save_all=True, append_images=[Image.fromarray(quarters())], primary_index=1)
    assert corners(read_photo(data)) == corners(quarters())


@pytest.mark.parametrize(
    ("image_format", "stored", "read"),
    [
        ("JPEG", (2250, 3000), (2250, 3000)),
        ("JPEG", (3000, 4000), (1500, 2000)),
        ("JPEG", (4900, 3000), (2450, 1500)),
        ("JPEG", (600, 4000), (450, 3000)),
        ("PNG", (3000, 4000), (2250, 3000)),
        ("PNG", (4000, 1000), (3000, 750)),
        ("WEBP", (1000, 4000), (750, 3000)),
        ("HEIF", (400, 4000), (300, 3000)),
    ],
)
def test_large_photo_is_reduced_but_leaves_room_to_crop(image_format, stored, read):
    quickly = {"PNG": {"compress_level": 1}, "WEBP": {"method": 0}}.get(image_format, {})
    photo = read_photo(encoded(quarters(*stored), image_format, **quickly))
    assert photo.shape == (*read, 3)
    assert corners(photo) == corners(quarters())


# --- what is refused


def refusal(data: bytes) -> str:
    with pytest.raises(PhotoError) as error:
        read_photo(data)
    message = str(error.value)
    assert message.endswith(".") and ". " not in message, "one sentence"
    return message


def test_empty_file_is_refused():
    assert "empty" in refusal(b"")


def test_too_many_bytes_are_refused():
    assert "20.0 MB" in refusal(encoded(quarters(), "JPEG").ljust(MAX_BYTES + 1, b"\0"))


def test_as_many_bytes_as_allowed_are_read():
    assert read_photo(encoded(quarters(), "JPEG").ljust(MAX_BYTES, b"\0")).shape == (96, 128, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"patient: it itches\n" * 50,
        b"%PDF-1.7\n" + bytes(100),
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(100),
        b"\0\0\0\x18ftypmp42" + bytes(100),
        b"\xff",
        encoded(quarters(), "GIF"),
        encoded(quarters(), "BMP"),
        encoded(quarters(), "TIFF"),
        encoded(quarters(), "AVIF"),
    ],
    ids=["text", "PDF", "sound", "video", "one byte", "GIF", "BMP", "TIFF", "AVIF"],
)
def test_other_formats_are_refused_whatever_their_name(data):
    assert "not a JPEG, PNG, WebP or HEIC" in refusal(data)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("image_format", FORMATS)
def test_cut_off_file_is_refused(image_format, share):
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    data = encoded(pixels, image_format)
    assert "damaged" in refusal(data[: int(share * len(data))])


@pytest.mark.parametrize("data", [heic_that_claims(64, 64), b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"])
def test_file_that_contradicts_itself_is_refused(data):
    assert "damaged" in refusal(data)


def test_row_too_long_for_the_decoder_is_refused():
    assert "damaged" in refusal(png_that_claims(50_000_000, 1, bits=16, colour=6))


def test_palette_photo_without_its_palette_is_refused():
    data = encoded(Image.new("P", (128, 96)), "PNG")
    start = data.index(b"PLTE") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4])
    assert "damaged" in refusal(data[:start] + data[end:])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "data",
    [
        png_that_claims(60_000, 60_000),
        png_that_claims(10_000, 10_000),
        png_that_claims(8_193, 6_348),
        jpeg_that_claims(60_000, 60_000),
        webp_that_claims(16_000, 16_000),
        webp_that_claims(10_000, 10_000),
        heic_that_claims(60_000, 60_000),
    ],
    ids=["PNG", "PNG (Pillow warns)", "PNG just above", "JPEG", "WebP", "WebP (Pillow warns)", "HEIC"],
)
def test_too_many_pixels_are_refused_from_the_header(data):
    assert "more than 52 million pixels" in refusal(data)  # decoding any of them would say "damaged"


def test_as_many_pixels_as_allowed_pass_the_header():
    assert "damaged" in refusal(png_that_claims(5_200, 10_000))  # its pixels are missing, its size is fine


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_animation_is_refused(image_format):
    other = Image.new("RGB", (128, 96), WHITE)
    assert "animation" in refusal(encoded(quarters(), image_format, save_all=True, append_images=[other]))


def test_heic_sequence_is_refused():
    still = encoded(quarters(), "HEIF")
    assert still[8:12] == b"heic"
    assert "sequence" in refusal(still[:8] + b"hevc" + still[12:])


@pytest.mark.parametrize("size", [(MIN_SIDE - 1, 500), (500, MIN_SIDE - 1), (1, 1), (MIN_SIDE, 4000)])
def test_too_small_or_narrow_photo_is_refused(size):
    assert "too small or too narrow" in refusal(encoded(quarters(*size), "PNG"))


def test_smallest_photo_is_read():
    assert read_photo(encoded(quarters(MIN_SIDE, MIN_SIDE), "PNG")).shape == (MIN_SIDE, MIN_SIDE, 3)


# --- crop


def coordinates(height: int, width: int) -> np.ndarray:
    """A photo whose red is the row and whose green is the column."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows, columns, np.zeros_like(rows)], axis=2).astype(np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "crop", "top", "left", "side"),
    [
        (100, 200, Crop(), 0, 50, 100),
        (200, 100, Crop(), 50, 0, 100),
        (100, 200, Crop(size=0.5), 25, 75, 50),
        (100, 200, Crop(x=0.25, y=0.5, size=0.5), 25, 25, 50),
        (100, 200, Crop(x=0, y=0, size=0.5), 0, 0, 50),
        (100, 200, Crop(x=1, y=1, size=0.5), 50, 150, 50),
        (100, 200, Crop(x=0.95, y=0.05, size=0.2), 0, 180, 20),
        (100, 200, Crop(x=1, y=0), 0, 100, 100),
        (101, 67, Crop(size=1), 17, 0, 67),
        (101, 67, Crop(x=0.999, y=0.001, size=0.1), 0, 60, 7),
    ],
)
def test_crop_is_a_square_moved_inside_the_photo(height, width, crop, top, left, side):
    square = crop_square(coordinates(height, width), crop)
    assert square.shape == (side, side, 3)
    assert square[0, 0, :2].tolist() == [top, left]
    assert square[-1, -1, :2].tolist() == [top + side - 1, left + side - 1]
    assert square.flags.c_contiguous and square.flags.owndata


def test_crop_without_a_choice_is_the_largest_square_in_the_middle():
    photo = coordinates(100, 200)
    assert np.array_equal(crop_square(photo), crop_square(photo, Crop(0.5, 0.5, 1.0)))


@pytest.mark.parametrize(
    "values",
    [
        {"x": -0.01},
        {"x": 1.01},
        {"y": -1},
        {"y": 2},
        {"size": 0.09},
        {"size": 1.01},
        {"size": 0},
        {"x": float("nan")},
        {"size": float("nan")},
    ],
    ids=str,
)
def test_crop_outside_the_photo_is_refused(values):
    with pytest.raises(PhotoError, match="crop"):
        Crop(**values)
