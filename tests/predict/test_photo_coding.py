"""Photos as devices and raw developers write them: HDR, linear light, wide gamut, 12 bits in 16."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from skin_ai.predict.photo import read_photo
from tests.predict.test_photo import corners, encoded, png_chunk, quarters, refusal

SKIN, PALE, BROWN, GRAY = (196, 142, 122), (236, 200, 180), (74, 46, 38), (119, 119, 119)
BT709, BT2020, P3 = 1, 9, 12
TO_BT2020 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)  # BT.2087
SRGB, LINEAR, PQ, HLG = 13, 8, 16, 18
LOUPE = 96  # pixels of a side of each patch


def patches() -> np.ndarray:
    colours = np.array([[SKIN, PALE], [BROWN, GRAY]], np.uint8)
    return colours.repeat(LOUPE, axis=0).repeat(LOUPE, axis=1)


def linear_light(srgb: np.ndarray) -> np.ndarray:
    signal = srgb / 255
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def signal_of(light: np.ndarray, transfer: int) -> np.ndarray:
    """Signal of linear light, 1 being diffuse white, as an encoder makes it (BT.2100, white at 203 cd/m²)."""
    if transfer == PQ:
        power = (light * 203 / 10_000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    if transfer == HLG:
        scene = light * 0.26496256  # 75% of the signal
        return np.where(
            scene <= 1 / 12,
            np.sqrt(3 * scene),
            0.17883277 * np.log(np.maximum(12 * scene, 1) - 0.28466892) + 0.55991073,
        )
    if transfer == LINEAR:
        return light
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def coded(srgb: np.ndarray, transfer: int, primaries: int = BT2020, glints: float = 0) -> np.ndarray:
    """The picture as 16-bit samples; the top rows may shine at so many times diffuse white."""
    light = linear_light(srgb)
    if glints:
        light[: len(light) // 8] = glints
    if primaries == BT2020:
        light = light @ TO_BT2020.T
    return np.rint(np.clip(signal_of(light, transfer), 0, 1) * 65535).astype(np.uint16)


def heic(samples: np.ndarray, transfer: int, primaries: int = BT2020) -> bytes:
    """A HEIC of 10 bits with this nclx profile: gray, RGB or RGBA."""
    mode = {1: "I;16", 3: "RGB;16", 4: "RGBA;16"}[np.atleast_3d(samples).shape[2]]
    image = pillow_heif.from_bytes(mode, samples.shape[1::-1], samples.tobytes())
    file = BytesIO()
    image.save(
        file,
        quality=-1,
        chroma=444,
        color_primaries=primaries,
        transfer_characteristics=transfer,
        matrix_coefficients=9,
        full_range_flag=1,
    )
    return file.getvalue()


def png(samples: np.ndarray, **chunks: bytes) -> bytes:
    """A PNG of 8 or 16 bits: gray, gray with alpha, RGB or RGBA."""
    samples = np.atleast_3d(samples)
    height, width, channels = samples.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8 * samples.itemsize, colour, 0, 0, 0)
    big_endian = samples.astype(samples.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big_endian)
    pieces = [(b"IHDR", header), *((kind.encode(), data) for kind, data in chunks.items())]
    pieces += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in pieces)


def gama(value: float) -> bytes:
    return struct.pack(">I", round(value * 100_000))


def profile_with_cicp(primaries: int, transfer: int) -> bytes:
    """An sRGB profile whose least needed tag is a cicp tag instead."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tag = profile.index(b"cprt")
    start = int.from_bytes(profile[tag + 4 : tag + 8])
    profile[tag : tag + 12] = b"cicp" + struct.pack(">II", start, 12)
    profile[start : start + 12] = b"cicp\0\0\0\0" + bytes((primaries, transfer, 0, 1))
    return bytes(profile)


def profile_named(name: str) -> bytes:
    """An sRGB profile under another name of the same length."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert len(name) == len("sRGB built-in")
    return profile.replace("sRGB built-in".encode("utf-16-be"), name.encode("utf-16-be"))


def differences(data: bytes, meant: np.ndarray) -> np.ndarray:
    """Levels by which each patch differs at its middle, the four of `patches` in reading order."""
    photo = read_photo(data)
    assert photo.shape == meant.shape
    middles = (slice(LOUPE // 2, None, LOUPE),) * 2
    return np.abs(photo[middles].astype(int) - meant[middles]).max(axis=2).ravel()


# --- HDR


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("primaries", [BT709, BT2020])
def test_hdr_heic_comes_back_as_the_srgb_that_was_meant(transfer, primaries):
    data = heic(coded(patches(), transfer, primaries), transfer, primaries)
    assert differences(data, patches()).max() <= 4


def test_hdr_heic_in_gray():
    meant = patches()[..., :1].repeat(3, axis=2)
    assert differences(heic(coded(meant, PQ, BT709)[..., 0], PQ, BT709), meant).max() <= 4


def test_hdr_heic_keeps_its_transparency():
    samples = np.dstack([coded(patches(), PQ), np.full((2 * LOUPE, 2 * LOUPE), 65535, np.uint16)])
    samples[:, :LOUPE, 3] = 0
    photo = read_photo(heic(samples, PQ))
    assert np.all(photo[:, : LOUPE - 2] == 255)
    assert np.abs(photo[LOUPE // 2, -8].astype(int) - PALE).max() <= 4


@pytest.mark.parametrize("box", [b"freenclx", b"colrnclx\0\x09\0\x02"])
def test_deep_heic_that_does_not_state_its_transfer_is_refused(box):
    data = heic(coded(patches(), PQ), PQ)
    stated = b"colrnclx\0\x09\0\x10"
    assert stated in data
    assert "HDR" in refusal(data.replace(stated[: len(box)], box))


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("bits", [8, 16])
def test_hdr_png_comes_back_as_the_srgb_that_was_meant(transfer, bits):
    samples = coded(patches(), transfer)
    if bits == 8:
        samples = (samples / 257).round().astype(np.uint8)
    data = png(samples, cICP=bytes((BT2020, transfer, 0, 1)), gAMA=gama(1), sRGB=b"\0")
    assert differences(data, patches()).max() <= (4 if bits == 8 else 1)


def test_hdr_png_of_narrow_range_is_read_in_that_range():
    signal = coded(patches(), PQ) / 65535
    samples = np.rint((16 + 219 * signal) * 256).astype(np.uint16)
    assert differences(png(samples, cICP=bytes((BT2020, PQ, 0, 0))), patches()).max() <= 1


def test_hdr_png_keeps_its_transparency():
    samples = np.dstack([coded(patches(), PQ), np.full((2 * LOUPE, 2 * LOUPE), 65535, np.uint16)])
    samples[:, :LOUPE, 3] = 0
    photo = read_photo(png(samples, cICP=bytes((BT2020, PQ, 0, 1))))
    assert np.all(photo[:, : LOUPE - 2] == 255)
    assert np.abs(photo[LOUPE // 2, -1].astype(int) - PALE).max() <= 1


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_glints_of_hdr_become_white_and_leave_the_skin_as_it_is(transfer):
    glints = {PQ: 1000 / 203, HLG: 3.7}[transfer]
    data = png(coded(patches(), transfer, glints=glints), cICP=bytes((BT2020, transfer, 0, 1)))
    photo = read_photo(data).astype(int)
    assert photo[2].min() >= 252
    assert np.abs(photo[LOUPE // 2, LOUPE // 2] - SKIN).max() <= 6
    assert np.abs(photo[-1, -1] - GRAY).max() <= 1
    pale = photo[LOUPE // 2, -1]  # compressed, with the hue kept
    assert 200 < pale[0] < PALE[0]
    ratios = linear_light(pale) / linear_light(np.array(PALE))
    assert ratios.max() / ratios.min() < 1.03


def test_light_brighter_than_a_thousand_candela_does_not_darken_the_rest():
    data = png(coded(patches(), PQ, glints=40), cICP=bytes((BT2020, PQ, 0, 1)))
    assert np.abs(read_photo(data)[LOUPE // 2, LOUPE // 2].astype(int) - SKIN).max() <= 6


@pytest.mark.parametrize("profile", [profile_with_cicp(BT2020, PQ), profile_named("Rec. 2100 PQ ")])
def test_hdr_is_known_by_the_colour_profile_too(profile):
    samples = (coded(patches(), PQ) / 257).round().astype(np.uint8)
    assert differences(encoded(samples, "PNG", icc_profile=profile), patches()).max() <= 4


def test_cicp_tag_of_a_profile_that_is_not_hdr_changes_nothing():
    profile = profile_with_cicp(BT709, SRGB)
    assert differences(encoded(patches(), "PNG", icc_profile=profile), patches()).max() <= 1


@pytest.mark.parametrize("brand", [b"avif", b"mif1"])
def test_avif_is_refused_whatever_its_brand(brand):
    data = encoded(patches(), "AVIF")
    for changed in (data, data.replace(b"colrnclx\0\x01\0\x0d", b"colrnclx\0\x09\0\x10")):
        assert "not a JPEG, PNG, WebP or HEIC" in refusal(changed[:8] + brand + changed[12:])
    without_brands = (changed[:8] + brand + changed[12:]).replace(b"avif", b"miaf")
    if brand == b"mif1":
        assert "not a JPEG, PNG, WebP or HEIC" in refusal(without_brands)


# --- gain maps: the base picture is the photo


def test_ultra_hdr_jpeg_is_read_without_its_gain_map():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description hdrgm:Version="1.0"/></x:xmpmeta>'
    gain_map = Image.new("L", (48, 48), 255)
    data = encoded(patches(), "MPO", save_all=True, append_images=[gain_map], xmp=xmp, quality=95)
    assert differences(data, patches()).max() <= 3


def test_heic_is_read_without_the_picture_derived_by_a_gain_map():
    data = bytearray(encoded(quarters(), "HEIF", save_all=True, append_images=[Image.new("RGB", (64, 64))]))
    place = data.rindex(b"hvc1")  # the type of the second item
    data[place : place + 4] = b"tmap"
    assert corners(read_photo(bytes(data))) == corners(quarters())


def test_heic_is_read_without_its_gain_map():
    # The thumbnail becomes an auxiliary picture: its reference, and the property that is not needed.
    data = encoded(quarters(), "HEIF", thumbnails=[64])
    place = data.index(b"\0\0\0\x28clap")
    named = b"\0\0\0\x28auxC\0\0\0\0" + b"urn:com:photo:aux:gain-map\0".ljust(28, b"\0")
    data = data[:place] + named + data[place + 40 :]
    data = data.replace(b"thmb", b"auxl")
    assert pillow_heif.open_heif(BytesIO(data)).info["aux"]
    assert corners(read_photo(data)) == corners(quarters())


# --- linear light and gamut


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", ["gAMA", "cICP"])
def test_png_in_linear_light_is_read_as_such(bits, kind):
    samples = coded(patches(), LINEAR, BT709)
    if bits == 8:
        samples = (samples / 257).round().astype(np.uint8)
    chunk = gama(1) if kind == "gAMA" else bytes((BT709, LINEAR, 0, 1))
    assert differences(png(samples, **{kind: chunk}), patches()).max() <= (4 if bits == 8 else 1)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_png_in_linear_light_with_gray_or_transparency(channels):
    samples = coded(patches(), LINEAR, BT709)
    if channels < 3:
        samples = samples[..., :1]
    if channels != 1:
        samples = np.dstack([samples, np.full(samples.shape[:2], 65535, np.uint16)])
    meant = patches() if channels == 4 else patches()[..., :1].repeat(3, axis=2)
    assert differences(png(samples, gAMA=gama(1)), meant).max() <= 1


def test_gamma_of_another_screen_is_applied():
    samples = np.rint(linear_light(patches()) ** (1 / 1.8) * 65535).astype(np.uint16)
    assert differences(png(samples, gAMA=gama(1 / 1.8)), patches()).max() <= 1


@pytest.mark.parametrize(
    "chunks",
    [
        {"gAMA": gama(0.45455)},
        {"gAMA": gama(0)},
        {"gAMA": gama(40_000)},
        {"gAMA": gama(1), "sRGB": b"\0"},
        {"cICP": bytes((BT709, SRGB, 0, 1)), "gAMA": gama(1)},
        {"cICP": b"\x09\x10"},
        {"cHRM": struct.pack(">8I", *(0,) * 8)},
        {"cHRM": struct.pack(">8I", *(50_000,) * 8)},
        {"cHRM": struct.pack(">8I", *(2**32 - 1,) * 8)},
        {"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)},
    ],
    ids=str,
)
def test_chunks_that_say_srgb_or_nothing_sensible_change_nothing(chunks):
    assert np.array_equal(read_photo(png(patches(), **chunks)), patches())


def test_profile_wins_over_gamma():
    data = encoded(patches(), "PNG", icc_profile=profile_with_cicp(BT709, SRGB))
    start = 33  # after IHDR
    data = data[:start] + png_chunk(b"gAMA", gama(1)) + data[start:]
    assert differences(data, patches()).max() <= 1


@pytest.mark.parametrize("kind", ["cICP", "cHRM"])
def test_wide_gamut_without_a_profile_is_converted(kind):
    samples = coded(patches(), SRGB, BT2020)
    chromaticities = (31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600)
    chunk = bytes((BT2020, SRGB, 0, 1)) if kind == "cICP" else struct.pack(">8I", *chromaticities)
    assert differences(png(samples, **{kind: chunk}), patches()).max() <= 1


@pytest.mark.parametrize("transfer", [SRGB, LINEAR])
def test_heic_of_wide_gamut_without_a_profile_is_converted(transfer):
    data = heic(coded(patches(), transfer), transfer)
    assert differences(data, patches()).max() <= (4 if transfer == SRGB else 10)  # 10 bits of linear light


# --- 12 bits in 16


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_samples_stored_unscaled_in_16_bits_are_scaled(bits, channels):
    samples = np.rint(patches() / 255 * (2**bits - 1)).astype(np.uint16)
    if channels < 3:
        samples = samples[..., :1]
    if channels in (2, 4):
        samples = np.dstack([samples, np.full(samples.shape[:2], 65535, np.uint16)])
    meant = patches() if channels > 2 else patches()[..., :1].repeat(3, axis=2)
    assert differences(png(samples), meant).max() == 0


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_14_bits_in_16_are_scaled_where_the_file_states_them(channels):
    samples = np.rint(patches() / 255 * (2**14 - 1)).astype(np.uint16)[..., : 1 if channels < 3 else 3]
    meant = samples if channels > 2 else samples.repeat(3, axis=2)
    meant = np.rint(meant / (2**14 - 1) * 255).astype(np.uint8)
    if channels in (2, 4):
        samples = np.dstack([samples, np.full(samples.shape[:2], 65535, np.uint16)])
    assert differences(png(samples, sBIT=bytes([14] * channels)), meant).max() == 0


def test_dark_photo_of_14_bits_scaled_to_16_stays_dark():
    dark = np.linspace(0, 12000, 64 * 64).astype(np.uint16).reshape(64, 64) & 0xFFFC
    assert np.abs(read_photo(png(dark, sBIT=b"\x0e"))[..., 0].astype(int) - dark // 257).max() <= 1


def test_12_bits_of_linear_light_in_16_are_scaled_and_read_as_light():
    samples = coded(patches(), LINEAR, BT709) // 16
    assert differences(png(samples, gAMA=gama(1)), patches()).max() <= 1


def test_dark_photo_of_16_bits_stays_dark():
    dark = np.linspace(0, 8000, 64 * 64).astype(np.uint16).reshape(64, 64)
    assert np.array_equal(read_photo(png(dark))[..., 0], dark // 257)
    assert np.abs(read_photo(png(np.dstack([dark] * 3)))[..., 0].astype(int) - dark // 257).max() <= 1


def test_black_photo_of_16_bits_stays_black():
    assert not read_photo(png(np.zeros((64, 64, 3), np.uint16))).any()


# --- 50 megapixels


def test_phone_of_50_megapixels_is_read():
    data = encoded(quarters(6144, 8192), "JPEG")
    assert read_photo(data).shape == (1536, 2048, 3)


def test_large_photo_in_linear_light_is_reduced():
    samples = coded(quarters(4, 60), LINEAR, BT709).repeat(75, axis=0).repeat(100, axis=1)
    photo = read_photo(png(samples, gAMA=gama(1)))
    assert photo.shape == (150, 3000, 3)
    assert corners(photo) == corners(quarters())


def test_cut_off_hdr_heic_is_refused():
    data = heic(coded(patches(), PQ), PQ)
    assert "damaged" in refusal(data[: len(data) * 3 // 4])
