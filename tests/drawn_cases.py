"""Invented cases with photos drawn by code, in the layout of PAD-UFES-20."""

import csv
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

ROOT = Path(__file__).parent.parent
# The header of PAD-UFES-20's metadata.csv.
PAD_COLUMNS = (
    "patient_id", "lesion_id", "smoke", "drink", "background_father", "background_mother", "age", "pesticide",
    "gender", "skin_cancer_history", "cancer_history", "has_piped_water", "has_sewage_system", "fitspatrick",
    "region", "diameter_1", "diameter_2", "diagnostic", "itch", "grew", "hurt", "changed", "bleed",
    "elevation", "img_id", "biopsed",
)  # fmt: skip
COLOURS = {
    "BCC": (205, 120, 115), "SCC": (190, 90, 80), "MEL": (60, 40, 35),
    "ACK": (200, 140, 110), "NEV": (120, 80, 55), "SEK": (150, 110, 80),
}  # fmt: skip
# Type, patient and the photo's file ending; "" for a row without a photo.
MINI_CASES = (
    ("BCC", 1, "png"), ("BCC", 1, "jpg"), ("BCC", 2, "jpg"), ("BCC", 3, "png"), ("BCC", 4, "jpg"),
    ("ACK", 5, "jpg"), ("ACK", 6, "png"), ("ACK", 7, "jpg"), ("NEV", 8, "png"), ("NEV", 9, "jpg"),
    ("MEL", 10, "jpg"), ("MEL", 11, "png"), ("SCC", 12, "jpg"), ("SEK", 13, "png"),
    ("SEK", 1, ""), ("ACK", 14, ""), ("SEK", 14, ""), ("NEV", 15, ""),
)  # fmt: skip

Row = dict[str, str]


def as_jpeg(pixels: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=92)
    return buffer.getvalue()


def mini_rows() -> list[Row]:
    """Rows of metadata.csv for MINI_CASES, with random answers."""
    rng = np.random.default_rng(5)
    rows = []
    for number, (type_, patient, _) in enumerate(MINI_CASES):
        row = dict.fromkeys(PAD_COLUMNS, "")
        row |= {
            name: str(rng.choice(["True", "False", "UNK"])) for name in ("itch", "grew", "hurt", "changed")
        }
        row |= {"bleed": "True", "elevation": "", "age": str(rng.integers(20, 90)), "region": "FACE"}
        row |= {"patient_id": f"PAT_{patient}", "lesion_id": str(number), "diagnostic": type_}
        row |= {"img_id": f"PAT_{patient}_{number}_7.png", "biopsed": str(type_ in ("BCC", "SCC", "MEL"))}
        rows.append(row)
    return rows


def draw_lesion(type_: str, seed: int) -> Image.Image:
    """A blob in the colour of its type on skin, 320 pixels wide and 300 high."""
    rng = np.random.default_rng(seed)
    red, green, blue = (np.array((215, 175, 150)) + rng.integers(-15, 15, 3)).tolist()
    image = Image.new("RGB", (320, 300), (red, green, blue))
    x, y, radius = rng.integers(130, 190), rng.integers(120, 180), rng.integers(50, 90)
    ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=COLOURS[type_])
    return image.filter(ImageFilter.GaussianBlur(3))


def draw_dataset(folder: Path, rows: list[Row] | None = None, *, photos: bool = True) -> Path:
    """Writes rows (by default those of MINI_CASES) and drawn photos in PAD-UFES-20's layout."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = mini_rows() if rows is None else rows
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for number, (row, (type_, _, ending)) in enumerate(zip(mini_rows(), MINI_CASES, strict=True)):
        if photos and ending:
            draw_lesion(type_, number).save(folder / "images" / f"{Path(row['img_id']).stem}.{ending}")
    return folder
