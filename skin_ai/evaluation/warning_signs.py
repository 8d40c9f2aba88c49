"""Does a warning sign bring up the malignant type that it stands for, and a harmless look-alike not?"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from skin_ai.evaluation.figures import mean_figure
from skin_ai.evaluation.protocols import protocol
from skin_ai.intervals import patient_weights
from skin_ai.predict.bundle import Bundle
from skin_ai.predict.diagnose import Diagnosis, suspected, verdict

TABLE: Final = Path(__file__).with_suffix(".csv")
WARNING, LOOK_ALIKE = "warning", "look-alike"
DEVELOPMENT, TEST = "development", "test"
FIRST: Final = 3  # ranks among which a type counts as brought up


@dataclass(frozen=True)
class Sign:
    """A sentence with a warning sign, or one that only looks like it.

    type: that it stands for, "" where it is none of the 26; split: DEVELOPMENT was looked at when the limit
    of `suspected` was chosen, TEST was not.
    """

    text: str
    kind: str
    type: str
    writer: str
    split: str


def load_signs() -> tuple[Sign, ...]:
    with TABLE.open(newline="", encoding="utf-8") as file:
        return tuple(Sign(**row) for row in csv.DictReader(file))


def measure(bundle: Bundle, split: str) -> dict[str, Any]:
    """How often a warning sign brings up its type, and a look-alike is not sure for that reason."""
    signs = [sign for sign in load_signs() if sign.split == split]
    answers = [(sign, verdict(None, sign.text, bundle)) for sign in signs]
    warnings = [brings_up(found, sign.type) for sign, found in answers if sign.kind == WARNING]
    alarms = [is_alarm(found, bundle) for sign, found in answers if sign.kind == LOOK_ALIKE]
    first = [found.answer[0].type == sign.type for sign, found in answers if sign.kind == WARNING]
    shares = {"warnings_named": warnings, "warnings_first": first, "false_alarms": alarms}
    figures = {
        name: mean_figure(np.array(values), patient_weights(np.arange(len(values))))
        for name, values in shares.items()
    }
    return {
        "bundle": bundle.name,
        "protocol": protocol("warning_signs"),
        "warning_signs": {"n": len(signs), "split": split, **figures},
    }


def brings_up(diagnosis: Diagnosis, type_: str) -> bool:
    """The type is among the first three, or the result is not sure and names it."""
    return type_ in diagnosis.undecided or type_ in [item.type for item in diagnosis.answer[:FIRST]]


def is_alarm(diagnosis: Diagnosis, bundle: Bundle) -> bool:
    """Not sure only because a malignant type is suspected."""
    return bool(suspected(diagnosis.answer, bundle.least_suspicion)) and (
        diagnosis.answer[0].probability >= bundle.least_probability
    )
