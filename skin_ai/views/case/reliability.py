"""How good a verdict like this one is, both ways, from the figures in the bundle's manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skin_ai.diseases import DISEASES
from skin_ai.predict.diagnose import FEW_TYPES, Diagnosis

MEASURED_ON = {
    "chain": "photos with history",
    "words_only": "history alone",
    "photo_no_words": "photos alone",
}
OF_UNDECIDED = {
    "words_only": "words_only",
    "photo_no_words": "photo_only",
}  # keys of the manifest's "not_sure"
LEAST_CASES = 20  # under which no figure is given
YOUR_MIX = "Your clinic's mix differs."


@dataclass(frozen=True)
class Count:
    """right of n cases."""

    right: int
    n: int

    @property
    def of_ten(self) -> str:
        tenths = round(10 * self.right / self.n)
        return f"{tenths} of 10" if tenths else "fewer than 1 of 10"

    @property
    def exactly(self) -> str:
        return f"{self.right:,} of {self.n:,} ({self.right / self.n:.0%})"


@dataclass(frozen=True)
class Reliability:
    """right_when_said: of the cases in which the AI put the type first; found: of the cases of that type."""

    measured_on: str
    right_when_said: Count
    found: Count


def mode_of(diagnosis: Diagnosis) -> str:
    """The key of MEASURED_ON for the inputs that the models used."""
    if not diagnosis.narrative:
        return "photo_no_words"
    return "words_only" if diagnosis.photo_probabilities is None else "chain"


def of_type(type_: str, mode: str, manifest: Mapping[str, Any]) -> Reliability | None:
    """None where too few cases of the type, or too few such verdicts, were measured.

    Types without photos in the training data were measured on the words of SCIN's volunteers.
    """
    figures, types = manifest.get("figures", {}), manifest.get("types", [])
    on_volunteers = figures.get("words", {}).get("scin", {}).get("modes", {}).get("chain", {})
    measured = [
        (MEASURED_ON[mode], figures.get("modes", {}).get(mode, {})),
        ("volunteers' words alone", on_volunteers),
    ]
    for measured_on, of_mode in measured:
        if type_ not in types or "confusion" not in of_mode:
            continue
        place = types.index(type_)
        rows = of_mode["confusion"]  # true type by first type of the answer
        right, said, there = rows[place][place], sum(row[place] for row in rows), sum(rows[place])
        if min(said, there) >= LEAST_CASES:
            return Reliability(measured_on, Count(right, said), Count(right, there))
    return None


def in_words(diagnosis: Diagnosis, manifest: Mapping[str, Any]) -> str:
    """One or two sentences; "" where nothing like this verdict was measured."""
    if not diagnosis.steps:
        return ""
    mode = mode_of(diagnosis)
    if diagnosis.undecided:
        return _when_not_sure(diagnosis, mode, manifest)
    first = diagnosis.answer[0].type
    found = of_type(first, mode, manifest)
    if found is None:
        return f"Too few cases of {DISEASES[first].name} were measured to say how often this is right."
    return (
        f"Measured on {found.measured_on}: when it says {DISEASES[first].name}, it is right in "
        f"{found.right_when_said.of_ten}; it finds {found.found.of_ten} true cases. {YOUR_MIX}"
    )


def _when_not_sure(diagnosis: Diagnosis, mode: str, manifest: Mapping[str, Any]) -> str:
    """Of answers that are not sure because no type is likely enough; others were not measured."""
    not_sure = manifest.get("not_sure", {})
    measured_types = not_sure.get("chain", {}).get("coverage_by_type", {})
    if (
        diagnosis.matters
        or FEW_TYPES in diagnosis.flags
        or not set(diagnosis.undecided) <= measured_types.keys()
    ):
        return ""
    if mode == "chain" and "undecided" in not_sure:
        share = not_sure["undecided"]["true_type_among_them"]
        what = "the true type is among those it names"
    elif OF_UNDECIDED.get(mode) in not_sure:
        share = not_sure[OF_UNDECIDED[mode]]["accuracy_of_undecided"]
        what = "its most likely type is right"
    else:
        return ""
    return (
        f"Measured on {MEASURED_ON[mode]}: when it is not sure, {what} in "
        f"{round(10 * share['value'])} of 10. {YOUR_MIX}"
    )
