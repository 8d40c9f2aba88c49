"""A deck's arms as tables and rows of a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skin_ai.intervals import Estimate
from skin_ai.study.arms import Arm
from skin_ai.study.statistics import STAGES
from skin_ai.study.take_home import WHO
from skin_ai.views.compare.charts import Row
from skin_ai.views.compare.tables import Table
from skin_ai.vocabulary import NOTHING

SEVERAL = "These answers are of several decks with arms. Choose one deck above to compare its arms."
NOT_NAMED = "No primary comparison is known: load the deck here before its answers are imported."
WHAT = (
    "What readers saw of the AI was drawn at random for each reader and case. These figures count first "
    "diagnoses. The sections below pool all arms that show the AI."
)


def name(arm: str) -> str:
    return "Nothing (second look)" if arm == NOTHING else arm.capitalize()


def rows(found: Mapping[str, Arm]) -> list[Row]:
    return [
        Row(name(arm), {stage: figures.accuracy[stage] for stage in STAGES}) for arm, figures in found.items()
    ]


def gains_table(found: Mapping[str, Arm]) -> Table:
    return [
        {
            "": name(arm),
            **{WHO[stage]: figures.accuracy[stage].text() for stage in STAGES},
            "Gain": figures.gain.text(),
        }
        for arm, figures in found.items()
    ]


def times_table(found: Mapping[str, Arm]) -> Table:
    return [
        {
            "": name(arm),
            "Median time after": figures.seconds.text(" s"),
            "Final answers missing": f"{figures.missing:,} of {figures.missing + figures.n_readings:,}",
        }
        for arm, figures in found.items()
    ]


def primary(comparison: Sequence[str], difference: Estimate) -> str:
    """The one comparison that was named before the study, as a sentence."""
    if not comparison:
        return NOT_NAMED
    first, second = comparison
    return (
        f"**Primary comparison, named before the study: {first} against {second}.** Difference of the gains: "
        f"{difference.text()}."
    )
