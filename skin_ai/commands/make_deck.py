"""Makes a deck from a data set in the layout of PAD-UFES-20; narratives are made from its fields."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from PIL import Image

from skin_ai.diseases import DISEASES, LABEL_SETS
from skin_ai.predict.photo import PhotoError
from skin_ai.study.deck import MAX_CASES, refusal, small_photo
from skin_ai.study.deck_files import SETTINGS, TABLE
from skin_ai.study.deck_rows import READ, CellError
from skin_ai.vocabulary import age_band_of

if TYPE_CHECKING:
    from skin_ai.training.datasets import Case

TYPES: Final = LABEL_SETS["pad-ufes-20"]
JPEG_QUALITY: Final = 95
NOTE: Final = (
    "These cases come from PAD-UFES-20. A bundle trained on PAD-UFES-20 has seen them, "
    "so the AI looks better than it is."
)
HEADER: Final = ("photo", "narrative", "age_band", "body_site", "fitzpatrick", "reference")


def make_deck(dataset: Path, out: Path, n: int, *, balanced: bool, seed: int = 0) -> None:
    """Writes a deck of n cases with photos, one per patient; the same seed gives the same deck.

    balanced: equal numbers of each type, as far as possible; otherwise as frequent as in the data set. The
    deck does not identify patients. Raises DeckError, and writes nothing, if it cannot be made.
    """
    from skin_ai.training.datasets import DatasetError, load_cases
    from skin_ai.training.telling import tell

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise refusal(f"{out} exists and is not an empty folder: choose a new one.")
    if not 1 <= n <= MAX_CASES:
        raise refusal(f"A deck has 1 to {MAX_CASES:,} cases, not {n}.")
    try:
        cases = load_cases(dataset, TYPES)
    except DatasetError as error:
        raise refusal(str(error)) from error
    chosen = _choose([case for case in cases if case.photo is not None], n, balanced, Random(seed))
    if len(chosen) < n:
        raise refusal(
            f"{dataset} has photos of {len(chosen)} patients, and a deck has one case per patient: "
            f"ask for at most {len(chosen)} cases, not {n}."
        )
    skin_types = _skin_types(dataset)
    photos = [_photo(case) for case in chosen]

    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (case, photo) in enumerate(zip(chosen, photos, strict=True), start=1):
        name, facts = f"case-{number:03d}.jpg", case.facts
        (out / name).write_bytes(photo)
        narrative = tell(facts, Random(case.key))
        age_band = "" if facts.age is None else age_band_of(facts.age)
        skin_type, reference = skin_types.get(case.key, ""), DISEASES[case.type].name
        rows.append((name, narrative, age_band, facts.site or "", skin_type, reference))
    # A JSON string is a TOML string too.
    name = json.dumps(out.resolve().name, ensure_ascii=False)
    settings = f'name = {name}\nshow_reference = true\nnote = "{NOTE}"\n'
    (out / SETTINGS).write_text(settings, encoding="utf-8")
    # Last, so that an incomplete folder is no deck.
    with (out / TABLE).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows])


def _choose(cases: list[Case], n: int, balanced: bool, rng: Random) -> list[Case]:
    """n cases of different patients in random order, or as many as there are patients."""
    # Sorted, so that the draw does not depend on the order of rows.
    shuffled = sorted(cases, key=lambda case: case.key)
    rng.shuffle(shuffled)
    if not balanced:
        return list({case.patient: case for case in shuffled}.values())[:n]
    waiting = {type_: [case for case in shuffled if case.type == type_] for type_ in TYPES}
    chosen: dict[str, Case] = {}
    while len(chosen) < n and any(waiting.values()):
        # The rarest first, so that a patient with two types counts for the rarer one.
        for type_ in sorted(TYPES, key=lambda type_: len(waiting[type_])):
            waiting[type_] = [case for case in waiting[type_] if case.patient not in chosen]
            if waiting[type_] and len(chosen) < n:
                case = waiting[type_].pop()
                chosen[case.patient] = case
    mixed = list(chosen.values())  # until now in the order of their types
    rng.shuffle(mixed)
    return mixed


def _skin_types(dataset: Path) -> dict[str, str]:
    """Key -> Fitzpatrick skin type, which load_cases does not read: its emptiness reveals the type."""
    from skin_ai.training.datasets import read_metadata

    found = {}
    for row in read_metadata(dataset):
        with suppress(CellError):  # empty, or no skin type
            found[Path(row["img_id"]).stem] = str(READ["fitzpatrick"](row.get("fitspatrick", "")))
    return found


def _photo(case: Case) -> bytes:
    """The case's photo, in a deck's size, as a JPEG without metadata."""
    if case.photo is None:
        raise ValueError(f"{case.key} has no photo.")
    try:
        pixels = small_photo(case.photo.read_bytes())
    except PhotoError as error:
        raise refusal(f"{case.photo}: {error}") from error
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return file.getvalue()
