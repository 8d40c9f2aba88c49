"""Vocabulary shared by all rooms: roles, management, arms, age bands, symptoms, body sites; one plural."""

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

# What is done about a lesion; "treat" is without histology or referral.
SENT_ON: Final = "biopsy or refer"
MANAGEMENT: Final = ("reassure", "follow up", "treat", SENT_ON)

# What of the AI a reader is shown in a study; "nothing" is a second look at the case.
NOTHING: Final = "nothing"
RANKING: Final = "ranking"
STEPS: Final = "steps"
STEPS_AND_HEATMAP: Final = "steps and heatmap"
ARMS: Final = (NOTHING, RANKING, STEPS, STEPS_AND_HEATMAP)

YEARS_OF_PRACTICE: Final = ("0-2", "3-5", "6-10", "11-20", "over 20")

AGE_BANDS: Final = ("0-17", "18-39", "40-59", "60-79", "80 and over")

# Symptoms that PAD-UFES-20 records, and those that SCIN records besides (Ward et al. 2024).
SYMPTOMS: Final = ("itch", "grew", "hurt", "changed", "bleed", "elevation")
MORE_SYMPTOMS: Final = ("burn", "darken", "rough", "fluid", "fever", "tired", "joints", "mouth", "breath")
ALL_SYMPTOMS: Final = SYMPTOMS + MORE_SYMPTOMS
MOST_QUESTIONS: Final = 4  # about symptoms, after a result

# Body sites of PAD-UFES-20, from head to foot as on the form.
SITES: Final = (
    "SCALP",
    "FACE",
    "EAR",
    "NOSE",
    "LIP",
    "NECK",
    "CHEST",
    "ABDOMEN",
    "BACK",
    "ARM",
    "FOREARM",
    "HAND",
    "THIGH",
    "FOOT",
)

# What else SCIN asks its patients: what they call it, since when, where, age range in years.
KINDS: Final = ("rash", "growth", "pimples", "colour", "nail", "hair", "healthy")
# "week" is less than a week, "month" one to four weeks, "quarter" 1 to 3 months, "year" 3 to 12 months.
DURATIONS: Final = ("day", "week", "month", "quarter", "year", "years", "many_years", "childhood")
REGIONS: Final = (
    "HEAD_OR_NECK",
    "ARM_ANY",
    "PALM",
    "BACK_OF_HAND",
    "TORSO_FRONT",
    "TORSO_BACK",
    "GENITALS_OR_GROIN",
    "BUTTOCKS",
    "LEG",
    "FOOT_TOP_OR_SIDE",
    "FOOT_SOLE",
)
AGE_RANGES: Final = ("18 to 29", "30 to 39", "40 to 49", "50 to 59", "60 to 69", "70 to 79", "80 or above")
# Numbers in words, from 0 to 99.
ONES: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
TEENS: Final = (
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def age_band_of(age: float) -> str:
    """The band of AGE_BANDS for an age in years."""
    return [band for band in AGE_BANDS if int(re.split(r"\D", band)[0]) <= age][-1]


def plural(n: int, noun: str) -> str:
    """A number with its noun: "1 case", "1,200 cases"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
