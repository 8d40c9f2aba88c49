"""Photos that are unlike the training photos: drawn, sampled, or altered from the data.

The sample photos come with scikit-image (CC0, public domain or no known restrictions where its documentation
says so; it does not for motorcycle_left, moon and page), scikit-learn (CC BY 2.0) and matplotlib. They are
read from the installed packages; none is copied into a bundle or the repository.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import islice

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps
from scipy.ndimage import gaussian_filter

from skin_ai.evaluation.painting_over import distance_to_skin, lesion_mask, paint_over

PER_KIND = 50
SIDE = 300  # pixels
_COLOUR_OF_SKIMAGE = (
    "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg", "astronaut.png", "motorcycle_left.png"
)  # fmt: skip
COLOUR_PHOTOS = (
    *(("skimage", f"data/{name}") for name in _COLOUR_OF_SKIMAGE),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    ("matplotlib", "mpl-data/sample_data/Minduka_Present_Blue_Pack.png"),
)
GREY_PHOTOS = tuple(
    ("skimage", f"data/{name}.png")
    for name in ("brick", "camera", "clock_motion", "coins", "grass", "gravel", "horse", "moon")
)
OTHER_MEDICINE = tuple(
    ("skimage", f"data/{name}") for name in ("retina.jpg", "ihc.png", "cell.png", "microaneurysms.png")
)
PRINTED = (("skimage", "data/page.png"), ("skimage", "data/text.png"))
# Package, file and the box of the face (left, upper, right, lower) in pixels.
FACES = (
    ("skimage", "data/astronaut.png", (150, 30, 300, 210)),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", (160, 90, 360, 330)),
)
WORDS = (
    "report", "patient", "date", "clinic", "history", "of", "the", "and", "skin", "with", "no", "record",
    "signed", "total", "page", "left", "right", "arm", "dose", "result", "see", "note", "12.5 mg", "2024",
)  # fmt: skip


@dataclass(frozen=True)
class ForeignPhoto:
    """pixels: (s, s, 3) uint8; place: of the data's photo that it was made from, or None; source: shared by
    photos of the same origin, for intervals over sources."""

    pixels: np.ndarray = field(repr=False)
    source: str
    place: int | None = None


def foreign_photos(squares: np.ndarray, seed: int, per_kind: int = PER_KIND) -> dict[str, list[ForeignPhoto]]:
    """Kind -> `per_kind` photos, drawn from `seed`; fewer, or no kind, where the data has too few photos.

    squares: (n, s, s, 3) uint8 of the data's photos. Raises FileNotFoundError without scikit-image, which
    is no requirement of the app.
    """
    made = {
        kind: make(squares, np.random.default_rng((seed, number)), per_kind)
        for number, (kind, make) in enumerate(KINDS.items())
    }
    return {kind: photos for kind, photos in made.items() if photos}


Sample = tuple[str, str] | tuple[str, str, tuple[int, int, int, int]]  # package, file, box in pixels
Maker = Callable[[np.ndarray, np.random.Generator, int], list[ForeignPhoto]]


def _open(package: str, name: str, box: tuple[int, int, int, int] | None = None) -> Image.Image:
    try:
        with (files(package) / name).open("rb") as file:
            return Image.open(file).convert("RGB").crop(box)
    except ModuleNotFoundError:
        raise FileNotFoundError(
            f"The sample photo {name} comes with {package}: pip install -r requirements-dev.txt"
        ) from None


def _cropped(sources: Sequence[Sample], least: float, *, mirror: bool = True) -> Maker:
    """Crops of sample photos or of their box, from `least` of its width or height to all of it."""

    def make(squares: np.ndarray, rng: np.random.Generator, count: int) -> list[ForeignPhoto]:
        opened = [_open(*source) for source in sources]
        photos = []
        for number in range(count):
            image, name = opened[number % len(opened)], sources[number % len(sources)][1]
            side = int(min(image.size) * rng.uniform(least, 1))
            x, y = (int(rng.integers(length - side + 1)) for length in image.size)
            part = _resized(image.crop((x, y, x + side, y + side)))
            is_mirrored = mirror and rng.random() < 0.5
            photos.append(ForeignPhoto(part[:, ::-1].copy() if is_mirrored else part, name))
        return photos

    return make


def _resized(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).copy()


def _drawn(draw: Callable[[np.random.Generator], Image.Image | np.ndarray]) -> Maker:
    def make(squares: np.ndarray, rng: np.random.Generator, count: int) -> list[ForeignPhoto]:
        return [ForeignPhoto(np.array(draw(rng), dtype=np.uint8), f"drawn {k}") for k in range(count)]

    return make


def _colour(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(rng.integers(0, 256, 3).tolist())


def _shapes(rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), _colour(rng))
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(1, 9)):
        x, y = rng.integers(-40, SIDE - 40, 2).tolist()
        width, height = rng.integers(30, 200, 2).tolist()
        box, colour = (x, y, x + width, y + height), _colour(rng)
        kind = rng.integers(4)
        if kind < 2:
            (pen.rectangle, pen.ellipse)[kind](box, fill=colour)
        elif kind == 2:
            pen.polygon([tuple(point) for point in rng.integers(0, SIDE, (3, 2)).tolist()], fill=colour)
        else:
            pen.line(rng.integers(0, SIDE, 4).tolist(), fill=colour, width=int(rng.integers(2, 20)))
    return image


def _text(rng: np.random.Generator) -> Image.Image:
    paper = int(rng.integers(190, 256))
    image = Image.new("RGB", (SIDE * 2, SIDE * 2), (paper, paper, max(0, paper - int(rng.integers(30)))))
    pen, size = ImageDraw.Draw(image), int(rng.integers(14, 44))
    font = ImageFont.load_default(size)
    for y in range(20, SIDE * 2, int(size * 1.5)):
        line = " ".join(rng.choice(WORDS, int(rng.integers(3, 14))).tolist())
        pen.text((20, y), line, font=font, fill=(int(rng.integers(90)),) * 3)
    image = image.rotate(float(rng.uniform(-8, 8)), Image.Resampling.BICUBIC, fillcolor=(paper,) * 3)
    is_dark_screen = rng.random() < 0.2
    return (ImageOps.invert(image) if is_dark_screen else image).resize((SIDE, SIDE))


def _text_pages(squares: np.ndarray, rng: np.random.Generator, count: int) -> list[ForeignPhoto]:
    printed = _cropped(PRINTED, 0.5)(squares, rng, count // 5)
    return printed + _drawn(_text)(squares, rng, count - len(printed))


def _noise(rng: np.random.Generator) -> np.ndarray:
    """White or smooth, in grey or in colour."""
    values = rng.normal(0, 1, (SIDE, SIDE, 1 if rng.random() < 0.3 else 3))
    sigma = float(rng.choice([0, 0, 1, 3, 10, 30]))
    values = gaussian_filter(values, (sigma, sigma, 0), mode="wrap") if sigma else values
    values = np.broadcast_to(values / values.std(), (SIDE, SIDE, 3))
    return np.clip(128 + rng.uniform(20, 80) * values, 0, 255)


def _plain(rng: np.random.Generator) -> np.ndarray:
    """One colour, or a gradient of two."""
    first, second = np.array(_colour(rng)), np.array(_colour(rng))
    share = np.linspace(0, 1, SIDE)[:, None, None] * np.ones((1, SIDE, 1)) * float(rng.integers(2))
    return np.rot90(first * (1 - share) + second * share, int(rng.integers(4)))


def _finger(rng: np.random.Generator) -> Image.Image:
    """A finger with nail and creases in a skin colour, on a plain background."""
    skin = np.array((224, 178, 150)) * rng.uniform(0.4, 1.08)
    image = Image.new("RGB", (SIDE, SIDE), _colour(rng))
    pen = ImageDraw.Draw(image)

    def tone(factor: float) -> tuple[int, ...]:
        return tuple(np.clip(skin * factor, 0, 255).astype(int).tolist())

    width = int(rng.integers(80, 170))
    x, y = (SIDE - width) // 2 + int(rng.integers(-30, 30)), int(rng.integers(15, 70))
    pen.rounded_rectangle((x, y, x + width, 2 * SIDE), radius=width // 2, fill=tone(1))
    nail = (x + width * 0.24, y + 12, x + width * 0.76, y + width * 0.85)
    pen.rounded_rectangle(nail, radius=width // 4, fill=tone(1.12), outline=tone(0.85), width=2)
    for crease in range(3):
        line = y + width * 1.25 + crease * 12
        pen.line((x + width * 0.15, line, x + width * 0.85, line), fill=tone(0.82), width=2)
    turned = image.rotate(
        float(rng.uniform(-60, 60)), Image.Resampling.BICUBIC, fillcolor=image.getpixel((1, 1))
    )
    shaded = np.asarray(turned.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 2)))), dtype=np.float32)
    light = gaussian_filter(rng.normal(0, 1, (SIDE, SIDE, 1)), (60, 60, 0), mode="wrap")
    grain = rng.normal(0, rng.uniform(1, 5), shaded.shape)
    return Image.fromarray(
        np.clip(shaded * (1 + 0.12 * light / light.std()) + grain, 0, 255).astype(np.uint8)
    )


def _from_data(alter: Callable[[np.ndarray, np.random.Generator], np.ndarray | None]) -> Maker:
    """The first photos, in random order, that `alter` accepts."""

    def make(squares: np.ndarray, rng: np.random.Generator, count: int) -> list[ForeignPhoto]:
        altered = ((place, alter(squares[place], rng)) for place in rng.permutation(len(squares)).tolist())
        photos = (ForeignPhoto(pixels, f"photo {k}", k) for k, pixels in altered if pixels is not None)
        return list(islice(photos, count))

    return make


def _painted_over(square: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """The photo without its lesion, if the result stands out no more than spots of the border do."""
    spot = lesion_mask(square)
    if spot is None:
        return None
    painted = paint_over(square, spot, rng)
    distance, border = distance_to_skin(painted)
    clean = np.quantile(distance[spot], 0.95) < np.quantile(distance[border], 0.95)
    return painted if clean else None


def _skin_corner(square: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """A corner of 15 to 25% of the side, if a lesion was found."""
    if lesion_mask(square) is None:
        return None
    side = int(square.shape[0] * rng.uniform(0.15, 0.25))
    y, x = (int(rng.integers(2)) * (square.shape[0] - side) for _ in range(2))
    return _resized(Image.fromarray(square[y : y + side, x : x + side]))


def _lesion_inside(square: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """A part within the lesion, at least 8% of the side."""
    spot = lesion_mask(square)
    if spot is None:
        return None
    rows, columns = np.nonzero(spot)
    y, x = int(np.median(rows)), int(np.median(columns))
    half = square.shape[0] // 8
    while half >= square.shape[0] // 25:
        part = (slice(max(0, y - half), y + half), slice(max(0, x - half), x + half))
        if spot[part].mean() > 0.97:
            return _resized(Image.fromarray(square[part]))
        half -= 2
    return None


def _false_colours(square: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Inverted, or with red and blue or red and green exchanged."""
    kind = rng.integers(3)
    return 255 - square if kind == 0 else square[..., [[2, 1, 0], [1, 0, 2]][kind - 1]].copy()


def _posterised(square: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two or three levels a channel."""
    levels = int(rng.integers(2, 4))
    steps = np.minimum(square.astype(np.float32) * levels / 256, levels - 1).astype(np.uint8)
    return (steps * (255 // (levels - 1))).astype(np.uint8)


KINDS: dict[str, Maker] = {
    "everyday": _cropped(COLOUR_PHOTOS, 0.4),
    "grey": _cropped(GREY_PHOTOS, 0.4),
    "faces": _cropped(FACES, 0.4, mirror=False),
    "other_medicine": _cropped(OTHER_MEDICINE, 0.4),
    "drawn_shapes": _drawn(_shapes),
    "drawn_fingers": _drawn(_finger),
    "text_pages": _text_pages,
    "noise": _drawn(_noise),
    "plain": _drawn(_plain),
    "painted_over": _from_data(_painted_over),
    "skin_corner": _from_data(_skin_corner),
    "lesion_inside": _from_data(_lesion_inside),
    "false_colours": _from_data(_false_colours),
    "posterised": _from_data(_posterised),
}
