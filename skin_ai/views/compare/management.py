"""Management and the probability of malignancy as tables and rows of a chart."""

from __future__ import annotations

from skin_ai.study.management import Change, Management
from skin_ai.study.statistics import STAGES
from skin_ai.study.take_home import WHO
from skin_ai.views.compare import tables
from skin_ai.views.compare.charts import Row
from skin_ai.views.compare.tables import Table
from skin_ai.vocabulary import plural

WHAT = (
    "Harm rate: share of malignant lesions that were not sent on (biopsy or refer). Unnecessary: share of "
    "benign lesions that were. All other decisions count as right."
)
MALIGNANCY = (
    "The probability of malignancy that readers stated, against the share of lesions that were malignant. On "
    "the dotted line the two match; below it, readers overestimate."
)
AUC = (
    "AUC: how often a malignant lesion got a higher probability than another one (0.5: chance), averaged "
    "over the readers who read both kinds."
)


def rates(found: Management) -> dict[str, Change]:
    return {
        "Harm rate": found.harm,
        "Unnecessary biopsies or referrals": found.unnecessary,
        "Decision right": found.right,
    }


def rows(found: Management) -> list[Row]:
    return [Row(label, {stage: one.at[stage] for stage in STAGES}) for label, one in rates(found).items()]


def left_out(found: Management) -> str:
    """Which readings are in no rate."""
    return (
        f"Left out: {plural(found.left_out, 'reading')} whose reference is pre-malignant, missing or no "
        "known type."
    )


def rates_table(found: Management) -> Table:
    table = []
    for label, one in rates(found).items():
        table.append({"": label, **{WHO[stage]: one.at[stage].text() for stage in STAGES}})
        table.append({"": "After minus before", WHO["before"]: "", WHO["after"]: one.change.text()})
    return table


def auc_table(found: Change) -> Table:
    return [
        *({"": WHO[stage], "AUC": found.at[stage].text()} for stage in STAGES),
        {"": "After minus before", "AUC": found.change.text()},
    ]


def switches_table(found: Management) -> Table:
    return tables.rates_table(
        {
            "▲ Benefit rate: wrong before, right after": found.switches.beneficial,
            "▼ Right before, wrong after": found.switches.harmful,
        }
    )


def chosen_table(found: Management) -> Table:
    return [
        {"": one.capitalize(), **{WHO[stage]: f"{found.chosen[stage][one]:,}" for stage in STAGES}}
        for one in found.chosen["before"]
    ]
