"""What a reader and a patient can be: roles, years of practice, age bands."""

from __future__ import annotations

import re
from typing import Final

ROLES: Final = (
    "dermatologist",
    "dermatology resident",
    "general practitioner",
    "other physician",
    "nurse",
    "student",
    "other",
)


YEARS_OF_PRACTICE: Final = ("0-2", "3-5", "6-10", "11-20", "over 20")


AGE_BANDS: Final = ("0-17", "18-39", "40-59", "60-79", "80 and over")


def age_band_of(age: float) -> str:
    """The band of AGE_BANDS for an age in years."""
    return [band for band in AGE_BANDS if int(re.split(r"\D", band)[0]) <= age][-1]
