"""Sample cases for trying the app; README.md says where they come from."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from skin_ai.predict.photo import read_photo
from skin_ai.study.stored_photo import pixels_sha256
from skin_ai.study.tables import Case
from skin_ai.vocabulary import SITES, age_band_of

FOLDER: Final = Path(__file__).parent
CREDIT: Final = "Photo: PAD-UFES-20, CC BY 4.0"


@dataclass(frozen=True)
class Sample:
    """name: the photo's in PAD-UFES-20; body_site: one of SITES; reference: a type's code."""

    name: str
    narrative: str
    age: int
    body_site: str
    reference: str
    proven_by: str

    @property
    def title(self) -> str:
        """Site and age only, so that it does not suggest a diagnosis."""
        return f"{self.body_site.capitalize()}, {self.age} years"

    @property
    def caption(self) -> str:
        return f"{self.title}. {CREDIT}"

    def pixels(self) -> np.ndarray:
        """(h, w, 3) uint8."""
        return read_photo((FOLDER / "images" / f"{self.name}.jpg").read_bytes())


def _read() -> tuple[Sample, ...]:
    """From head to foot, since the table lists them by diagnosis."""
    with (FOLDER / "cases.csv").open(encoding="utf-8", newline="") as table:
        found = [
            Sample(
                Path(row["photo"]).stem,
                row["narrative"],
                int(row["age"]),
                row["site"],
                row["reference"],
                row["proven_by"],
            )
            for row in csv.DictReader(table)
        ]
    return tuple(sorted(found, key=lambda sample: (SITES.index(sample.body_site), sample.age)))


SAMPLES: Final = _read()


def find(name: str) -> Sample | None:
    return next((sample for sample in SAMPLES if sample.name == name), None)


def as_case(sample: Sample, case_id: str) -> Case:
    """The sample as a case of its reader."""
    return Case(
        id=case_id,
        sample=sample.name,
        narrative=sample.narrative,
        age_band=age_band_of(sample.age),
        body_site=sample.body_site,
        photo_sha256=pixels_sha256(sample.pixels()),
        reference=sample.reference,
        explanation=explanation(sample),
    )


def explanation(sample: Sample) -> str:
    return f"Proven by {sample.proven_by}."
