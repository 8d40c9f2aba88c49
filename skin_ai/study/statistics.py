"""The figures of a reader study; docs/study.md says of each what is counted and which interval it has.

All functions are pure and take the table of `readings`, of one bundle. No figure is given if n is under
MIN_N. Intervals speak of other readers and other cases (intervals.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pandas as pd

from skin_ai.diseases import DISEASES, find
from skin_ai.intervals import (
    MIN_N,
    Estimate,
    difference,
    mean,
    median,
    rate,
    rate_of_cases,
    spread,
    wilson,
)
from skin_ai.study.store import RANKS
from skin_ai.vocabulary import NOTHING, ROLES, YEARS_OF_PRACTICE

Stage = Literal["before", "after"]
Who = Literal["before", "after", "ai"]
STAGES: Final[tuple[Stage, ...]] = ("before", "after")
WHO: Final[tuple[Who, ...]] = ("before", "after", "ai")
TOPS: Final = (1, 3)  # accuracy of the first diagnosis, and of the first three

OUTSIDE_SCOPE: Final = "outside the model's scope"
UNDECIDED: Final = "undecided"
NOT_STATED: Final = "not stated"
NOT_UNDERSTOOD: Final = "reference not understood"

# What the reference of a case is to the AI.
Reference = Literal["known", "outside", "not understood", "none"]
REFERENCES: Final[tuple[Reference, ...]] = ("known", "outside", "not understood", "none")

# Order of the groups of a column; those of other columns are sorted by name.
NATURAL_ORDER: Final = {
    "fitzpatrick": ("1", "2", "3", "4", "5", "6"),
    "truth": tuple(DISEASES),
    "role": ROLES,
    "years_of_practice": YEARS_OF_PRACTICE,
}
ALL_AGREE: Final = 1.0  # expected agreement at which kappa is not defined


@dataclass(frozen=True)
class Switches:
    """beneficial: share right after, of the readings wrong before; harmful: the reverse."""

    beneficial: Estimate
    harmful: Estimate


@dataclass(frozen=True)
class Reliance:
    """Of the readings whose first diagnosis before differed from the AI's: how many adopted the AI's.

    followed_when_right, followed_when_wrong: those with a reference. outside_scope, undecided: readings
    counted in none of these, because the AI does not know the diagnosis before or was itself undecided.
    """

    followed_when_right: Estimate
    followed_when_wrong: Estimate
    followed: Estimate
    outside_scope: int
    undecided: int


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa of the first diagnoses of reader and AI; the other readings are left out of it."""

    kappa: Estimate
    outside_scope: int
    undecided: int


@dataclass(frozen=True)
class Missing:
    """Readings with a first answer and no final one, and the gain if there were one.

    n: those with a reference; kept, changed: the gain if all of them had kept their answer, or had put the
    AI's first diagnosis first; None if there would be under MIN_N readings.
    """

    n: int
    kept: float | None
    changed: float | None


@dataclass(frozen=True)
class Undecided:
    """Results in which the AI named several candidates instead of a diagnosis.

    decided: the share of cases with a diagnosis. The others are of the readings of undecided results.
    changed: first diagnosis changed; candidate: the first diagnosis is one of the AI's candidates, by stage;
    right: accuracy, by stage; right_where_decided: the readers' accuracy on all other results, by stage.
    """

    decided: Estimate
    n_cases: int
    n_readings: int
    changed: Estimate
    candidate: dict[Stage, Estimate]
    right: dict[Stage, Estimate]
    right_where_decided: dict[Stage, Estimate]


@dataclass(frozen=True)
class OfReferences:
    """Cases and readings with one kind of reference, and their accuracy where it can be judged."""

    n_cases: int
    n_readings: int
    before: Estimate | None
    after: Estimate | None


@dataclass(frozen=True)
class Summary:
    """All figures of a set of readings of one bundle.

    accuracy: by who ("before", "after", "ai") and top (1, 3); gain: accuracy after minus before, by top;
    agreement, seconds (median) and confidence (mean, 0 to 100): by stage. n_with_truth: readings with a
    reference that was understood.
    """

    n_readings: int
    n_readers: int
    n_cases: int
    n_with_truth: int
    accuracy: dict[tuple[Who, int], Estimate]
    gain: dict[int, Estimate]
    missing: dict[int, Missing]
    switches: Switches
    reliance: Reliance
    undecided: Undecided
    references: dict[Reference, OfReferences]
    agreement: dict[Stage, Agreement]
    seconds: dict[Stage, Estimate]
    confidence: dict[Stage, Estimate]


# ---- the table of readings ----


def readings(answers: pd.DataFrame, *, second_looks: bool = False) -> pd.DataFrame:
    """One row per reading with a blinded answer before, an answer after and a run, by the time of the latter.

    Repeats are left out: readings of a photo or words that their reader had met before in another case.
    second_looks: also those of the arm "nothing", which have no run; bundle is then "" and ai ().

    bundle: a name for each bundle and version; ai: the run's types, most likely first; ai_probability: of
    the first; undecided: its candidates, () where it gave a diagnosis; before, after: the reader's diagnoses,
    most likely first. Equal diagnoses are equal strings: the type's code, or the text as first written. A
    built-in sample is the same case, "sample:<name>", for all readers.
    """
    both = _joined(answers)
    is_shown = both["ai_answer"].astype(bool)  # a run with at least one type
    if second_looks:
        is_shown |= both["arm"] == NOTHING
    is_finished = is_shown & both["answered_at"].notna()
    return (
        both[is_finished]
        .sort_values("answered_at", kind="stable", ignore_index=True)
        .drop(columns=["ai_answer"])
    )


def unfinished(answers: pd.DataFrame) -> pd.DataFrame:
    """The readings with a blinded answer before and none after, as `readings`; after is () in all.

    Without those of the arm "nothing", which are in no figure of the AI.
    bundle, ai: of the same case's other readings where the AI has not run for this reader; "" and () if
    there are none.
    """
    both = _joined(answers)
    known = both[both["ai_answer"].astype(bool)].drop_duplicates("case").set_index("case")
    missing = both[both["answered_at"].isna() & (both["arm"] != NOTHING)].reset_index(drop=True)
    has_run = missing["ai_answer"].astype(bool)
    for column in ("bundle", "ai", "undecided"):
        values = [
            own if ran else known[column].get(case, own)
            for own, ran, case in zip(missing[column], has_run, missing["case"], strict=True)
        ]
        missing[column] = pd.Series(values, dtype=missing[column].dtype)
    return missing.drop(columns=["ai_answer"])


def bundles(readings: pd.DataFrame) -> list[str]:
    """The bundles of the readings, the one with most readings first."""
    return list(readings["bundle"].value_counts(sort=True).index)


def of_bundle(readings: pd.DataFrame, bundle: str) -> pd.DataFrame:
    """The readings with this bundle; unfinished ones also if no bundle is known of them."""
    return readings[readings["bundle"].isin((bundle, ""))].reset_index(drop=True)


def _joined(answers: pd.DataFrame) -> pd.DataFrame:
    """All blinded readings with an answer before, finished or not (answered_at is then NaT)."""
    blinded = answers[answers["blinded"].astype(bool) & ~answers["repeat"].astype(bool)]
    before = blinded[blinded["stage"] == "before"]
    given = ["reader", "case", *RANKS, "confidence", "management", "malignancy", "seconds", "answered_at"]
    after = blinded.loc[blinded["stage"] == "after", given]
    both = before.merge(after, "left", on=["reader", "case"], suffixes=("_before", ""), validate="one_to_one")
    both[[*RANKS, "management"]] = both[[*RANKS, "management"]].fillna("")
    ranks_before = [f"{column}_before" for column in RANKS]
    columns = ("truth", *ranks_before, *RANKS)
    spelling = _one_spelling(np.concatenate([both[column].unique() for column in columns]))
    types = {run: tuple(type_ for type_, _ in run or ()) for run in set(both["ai_answer"])}
    labels = _labels(both)

    def ranked(columns: list[str]) -> pd.Series:
        rows = zip(*(both[column] for column in columns), strict=True)
        return pd.Series([tuple(spelling[text] for text in row if text) for row in rows], dtype=object)

    return pd.DataFrame(
        {
            **{column: both[column] for column in ("reader", "role", "years_of_practice", "deck", "arm")},
            "case": both["case"].where(both["sample"] == "", "sample:" + both["sample"]),
            "bundle": both["bundle_sha256"].map(labels).where(both["bundle"] != "", "").astype("str"),
            "fitzpatrick": both["fitzpatrick"],
            # Samples are tried out, also by readers who have seen them before: they score nobody.
            "truth": both["truth"].map(spelling).astype("str").where(both["sample"] == "", ""),
            "ai": pd.Series([types[run] for run in both["ai_answer"]], dtype=object),
            "ai_probability": np.array([run[0][1] if run else np.nan for run in both["ai_answer"]], float),
            "undecided": pd.Series([tuple(text.split()) for text in both["ai_undecided"]], dtype=object),
            "before": ranked(ranks_before),
            "after": ranked([*RANKS]),
            "before_confidence": both["confidence_before"],
            "after_confidence": both["confidence"],
            "before_management": both["management_before"],
            "after_management": both["management"],
            "before_malignancy": both["malignancy_before"],
            "after_malignancy": both["malignancy"],
            "before_seconds": both["seconds_before"],
            "after_seconds": both["seconds"],
            "answered_at": both["answered_at"],
            "ai_answer": both["ai_answer"],
        }
    )


def _labels(answers: pd.DataFrame) -> dict[str, str]:
    """Hash of a bundle -> its name; where two hashes have the same name, with version and first digits."""
    known = answers.loc[answers["bundle"] != "", ["bundle", "bundle_version", "bundle_sha256"]]
    known = known.drop_duplicates("bundle_sha256")
    is_shared = known["bundle"].duplicated(keep=False)
    return {
        sha256: f"{name} {version} ({sha256[:6]})" if shared else name
        for (name, version, sha256), shared in zip(known.itertuples(index=False), is_shared, strict=True)
    }


def _one_spelling(texts: Iterable[str]) -> dict[str, str]:
    """Text -> the code of its type, or the first text that differs only in case and spaces."""
    first: dict[str, str] = {}
    spelling = {}
    for text in texts:
        disease = find(text)
        plain = " ".join(text.split())
        spelling[text] = disease.code if disease else first.setdefault(plain.casefold(), plain)
    return spelling


# ---- what a reading is ----


def correct(readings: pd.DataFrame, who: Who, top: int = 1) -> np.ndarray:
    """(n,) whether the reference is among the first `top` diagnoses; False unless it is a known type.

    Of all three no more are counted than the reader named both before and after: the AI always ranks all its
    types, and naming more is no better diagnosis.
    """
    columns = (readings[name].to_numpy(dtype=object) for name in ("truth", who, "before", "after"))
    return np.array(
        [
            truth in DISEASES and truth in ranks[: min(top, len(before), len(after))]
            for truth, ranks, before, after in zip(*columns, strict=True)
        ],
        dtype=bool,
    )


def kinds_of_reference(readings: pd.DataFrame) -> np.ndarray:
    """(n,) of REFERENCES: one of the AI's types, another type, free text that is no type, or none."""

    def kind(truth: str, types: tuple[str, ...]) -> Reference:
        if not truth:
            return "none"
        if truth not in DISEASES:
            return "not understood"
        return "known" if truth in types or not types else "outside"

    pairs = zip(readings["truth"].to_numpy(dtype=object), readings["ai"], strict=True)
    return np.array([kind(truth, types) for truth, types in pairs], dtype=object)


def is_scored(readings: pd.DataFrame) -> np.ndarray:
    """(n,) whether the reference was understood; no answer can be compared with any other reference."""
    return readings["truth"].isin(list(DISEASES)).to_numpy(dtype=bool)


def is_undecided(readings: pd.DataFrame) -> np.ndarray:
    return np.array([bool(candidates) for candidates in readings["undecided"]], dtype=bool)


def _first(readings: pd.DataFrame, who: Who) -> np.ndarray:
    return np.array([ranks[0] if ranks else "" for ranks in readings[who]], dtype=object)


def _in_scope(readings: pd.DataFrame, stage: Stage) -> np.ndarray:
    """(n,) whether the AI knows the reader's first diagnosis."""
    pairs = zip(_first(readings, stage), readings["ai"], strict=True)
    return np.array([first in types for first, types in pairs], dtype=bool)


# ---- figures with intervals ----


def accuracy(readings: pd.DataFrame, who: Who, top: int = 1) -> Estimate:
    """How often the reference is among the first `top` diagnoses.

    Of the AI alone: among the cases in which it gave a diagnosis, each counted once; in top 3 a case has the
    mean of its readings, because readers name different numbers of diagnoses.
    """
    right, scored = correct(readings, who, top), is_scored(readings)
    if who != "ai":
        return rate(readings, right, scored)
    decided = scored & ~is_undecided(readings)
    return rate_of_cases(_by_case(readings, right, decided))


def _by_case(readings: pd.DataFrame, values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(cases,) the mean of the values (n,) of each case's readings."""
    return pd.Series(values[among], dtype=float).groupby(readings["case"].to_numpy()[among]).mean().to_numpy()


def gain(readings: pd.DataFrame, top: int = 1) -> Estimate:
    """Accuracy after minus accuracy before, paired by reading."""
    before, after = correct(readings, "before", top), correct(readings, "after", top)
    return difference(readings, after & ~before, before & ~after, is_scored(readings))


def missing(readings: pd.DataFrame, unfinished: pd.DataFrame, top: int = 1) -> Missing:
    """The gain if the unfinished readings were finished; those without any known result keep their answer."""
    left = unfinished[is_scored(unfinished)]
    done = readings[is_scored(readings)]
    total = len(done) + len(left)

    def gain_if(after: Iterable[tuple[str, ...]]) -> float | None:
        if total < MIN_N:
            return None
        assumed = left.assign(after=pd.Series(list(after), index=left.index, dtype=object))
        gained = [
            (correct(part, "after", top).astype(int) - correct(part, "before", top)).sum()
            for part in (done, assumed)
        ]
        return float(sum(gained) / total)

    adopted = [
        (types[0], *(own for own in before if own != types[0])) if types else before
        for before, types in zip(left["before"], left["ai"], strict=True)
    ]
    return Missing(len(left), gain_if(left["before"]), gain_if(adopted))


def switches(readings: pd.DataFrame) -> Switches:
    """First diagnoses that became right, and that became wrong.

    Separately, because their difference hides harm: wrong AI misled readers of all levels in Tschandl et al.
    2020 (Nat. Med. 26:1229).
    """
    before, after, scored = correct(readings, "before"), correct(readings, "after"), is_scored(readings)
    return Switches(rate(readings, after, scored & ~before), rate(readings, ~after, scored & before))


def reliance(readings: pd.DataFrame) -> Reliance:
    """How often readers whose diagnosis differed adopted the AI's.

    Adopting a wrong one is over-reliance, which answering first should reduce (Buçinca et al. 2021, Proc. ACM
    Hum.-Comput. Interact. 5 CSCW1:188).
    """
    ai, in_scope, undecided = _first(readings, "ai"), _in_scope(readings, "before"), is_undecided(readings)
    differed = in_scope & ~undecided & (_first(readings, "before") != ai)
    followed = _first(readings, "after") == ai
    right, scored = correct(readings, "ai"), is_scored(readings)
    return Reliance(
        rate(readings, followed, differed & scored & right),
        rate(readings, followed, differed & scored & ~right),
        rate(readings, followed, differed),
        outside_scope=int((~in_scope & ~undecided).sum()),
        undecided=int(undecided.sum()),
    )


def undecided(readings: pd.DataFrame) -> Undecided:
    """How often the AI was undecided, and what readers did then."""
    open_, scored = is_undecided(readings), is_scored(readings)
    first = {stage: _first(readings, stage) for stage in STAGES}
    candidates = readings["undecided"]
    named = {
        stage: np.array([own in types for own, types in zip(first[stage], candidates, strict=True)], bool)
        for stage in STAGES
    }
    right = {stage: correct(readings, stage) for stage in STAGES}
    return Undecided(
        decided=rate_of_cases(_by_case(readings, ~open_, np.ones(len(readings), dtype=bool))),
        n_cases=readings.loc[open_, "case"].nunique(),
        n_readings=int(open_.sum()),
        changed=rate(readings, first["before"] != first["after"], open_),
        candidate={stage: rate(readings, named[stage], open_) for stage in STAGES},
        right={stage: rate(readings, right[stage], open_ & scored) for stage in STAGES},
        right_where_decided={stage: rate(readings, right[stage], ~open_ & scored) for stage in STAGES},
    )


def references(readings: pd.DataFrame) -> dict[Reference, OfReferences]:
    """By kind of reference, those that occur."""
    kinds = kinds_of_reference(readings)
    found: dict[Reference, OfReferences] = {}
    for kind in REFERENCES:
        these = kinds == kind
        judged = kind in ("known", "outside")
        if these.any():
            found[kind] = OfReferences(
                readings.loc[these, "case"].nunique(),
                int(these.sum()),
                *(rate(readings, correct(readings, stage), these) if judged else None for stage in STAGES),
            )
    return found


def agreement(readings: pd.DataFrame, stage: Stage) -> Agreement:
    """Cohen's kappa of the first diagnoses of reader and AI, where the AI decided and knows the reader's.

    The interval is that of the observed agreement (intervals.wilson), with the variance of kappa. There is
    none where reader or AI always gave the same diagnosis: kappa is then 0 whatever the cases are.
    """
    in_scope, undecided = _in_scope(readings, stage), is_undecided(readings)
    among = in_scope & ~undecided
    own, ai = _first(readings, stage)[among], _first(readings, "ai")[among]
    left_out = {"outside_scope": int((~in_scope & ~undecided).sum()), "undecided": int(undecided.sum())}
    n = len(own)
    observed, expected, influence = _kappa_parts(own, ai)
    if n < MIN_N or expected >= ALL_AGREE:
        return Agreement(Estimate(None, None, None, n), **left_out)
    kappa = Estimate((observed - expected) / (1 - expected), None, None, n)
    found = spread(readings[among], influence)
    if not found.describes_only and len(set(own)) > 1 and len(set(ai)) > 1:
        # At most n: the delta method is too sure of kappa in small studies (benchmarks.coverage).
        ends = wilson(observed, min(found.effective_n(observed * (1 - observed)), n), found.t)
        low, high = ((end - expected) / (1 - expected) for end in ends)
        kappa = replace(kappa, low=float(low), high=float(high))
    return Agreement(kappa, **left_out)


def _kappa_parts(own: np.ndarray, ai: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Observed and expected agreement (Cohen 1960, eq. 1), and the influence (n,) of each reading.

    The influence is on kappa times (1 - expected), the scale of the observed agreement (by the delta method:
    Fleiss, Cohen and Everitt 1969).
    """
    n = max(1, len(own))
    codes, types = pd.factorize(np.concatenate([own, ai]))
    of_reader, of_ai = codes[: len(own)], codes[len(own) :]
    share_of_reader, share_of_ai = (
        np.bincount(side, minlength=len(types)) / n for side in (of_reader, of_ai)
    )
    same = (of_reader == of_ai).astype(float)
    observed, expected = float(same.mean()) if len(own) else 0.0, float(share_of_reader @ share_of_ai)
    kappa = (observed - expected) / (1 - expected) if expected < ALL_AGREE else 0.0
    by_chance = share_of_ai[of_reader] + share_of_reader[of_ai] - 2 * expected
    return observed, expected, (same - observed - (1 - kappa) * by_chance) / n


def seconds(readings: pd.DataFrame, stage: Stage) -> Estimate:
    """The median time: to the first answer from first seeing the case, to the final one from the first."""
    return median(readings, readings[f"{stage}_seconds"].to_numpy(dtype=float))


def confidence(readings: pd.DataFrame, stage: Stage) -> Estimate:
    """The mean stated confidence, 0 to 100."""
    return mean(readings, readings[f"{stage}_confidence"].to_numpy(dtype=float), (0, 100))


def summary(readings: pd.DataFrame, unfinished: pd.DataFrame) -> Summary:
    """All figures; ValueError if the readings are of several bundles, because no figure pools them."""
    found = bundles(readings)
    if len(found) > 1:
        raise ValueError(f"The readings are of several bundles: {', '.join(found)}. Choose one.")
    return Summary(
        n_readings=len(readings),
        n_readers=readings["reader"].nunique(),
        n_cases=readings["case"].nunique(),
        n_with_truth=int(is_scored(readings).sum()),
        accuracy={(who, top): accuracy(readings, who, top) for who in WHO for top in TOPS},
        gain={top: gain(readings, top) for top in TOPS},
        missing={top: missing(readings, unfinished, top) for top in TOPS},
        switches=switches(readings),
        reliance=reliance(readings),
        undecided=undecided(readings),
        references=references(readings),
        agreement={stage: agreement(readings, stage) for stage in STAGES},
        seconds={stage: seconds(readings, stage) for stage in STAGES},
        confidence={stage: confidence(readings, stage) for stage in STAGES},
    )


def by_group(readings: pd.DataFrame, unfinished: pd.DataFrame, column: str) -> dict[str, Summary]:
    """Group of a column -> its summary; readings without a value come last, as "not stated"."""
    labels, of_unfinished = (_labels_of_groups(table, column) for table in (readings, unfinished))
    names = _in_order(labels, NATURAL_ORDER.get(column, ()))
    return {name: summary(readings[labels == name], unfinished[of_unfinished == name]) for name in names}


def _labels_of_groups(readings: pd.DataFrame, column: str) -> np.ndarray:
    labels = readings[column].astype("string").replace("", pd.NA).fillna(NOT_STATED)
    if column == "truth":
        labels = labels.where(is_scored(readings) | (labels == NOT_STATED), NOT_UNDERSTOOD)
    return labels.to_numpy(dtype=object)


def _in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Unique names: first in the given order, then alphabetically, then what has no name."""
    places = {name: place for place, name in enumerate(order)}
    last = (NOT_UNDERSTOOD, UNDECIDED, NOT_STATED)
    return sorted(
        set(names),
        key=lambda name: (last.index(name) if name in last else -1, places.get(name, len(places)), name),
    )


# ---- tables without intervals ----


def kappa_over_time(readings: pd.DataFrame, blocks: int = 10) -> pd.DataFrame:
    """Kappa before and after in consecutive blocks of nearly equal n; NaN if under MIN_N are counted.

    There are fewer than `blocks` blocks if they would have under MIN_N readings. Columns: block (from 1), n,
    before, after.
    """
    ordered = readings.sort_values("answered_at", kind="stable")
    count = min(blocks, len(ordered) // MIN_N)
    parts = np.array_split(np.arange(len(ordered)), count) if count else []
    table = pd.DataFrame(
        {"block": np.arange(1, count + 1), "n": np.array([len(p) for p in parts], dtype=int)}
    )
    for stage in STAGES:
        kappas = (agreement(ordered.iloc[part], stage).kappa.value for part in parts)
        table[stage] = np.array([np.nan if kappa is None else kappa for kappa in kappas], dtype=float)
    return table


def calibration(confidence: np.ndarray, correct: np.ndarray, bins: int = 5) -> pd.DataFrame:
    """Mean confidence (0 to 1) and accuracy in bins of nearly equal n, least confident first.

    confidence, correct: (n,). Equal confidences share a bin, so the order of the answers does not matter. A
    bin under MIN_N answers is joined with the next, the last one with the one before: no answer is left out
    unless there are under MIN_N in all. Columns: confidence, accuracy, n.
    """
    table = pd.DataFrame({"confidence": confidence, "accuracy": correct}, dtype=float)
    place = (table["confidence"].rank() - 0.5) / max(1, len(table))
    drawn = np.floor(place * min(bins, len(table) // MIN_N)).to_numpy()
    joined, number, held = {}, 0, 0
    for value, size in zip(*np.unique(drawn, return_counts=True), strict=True):
        joined[value], held = number, held + size
        if held >= MIN_N:
            number, held = number + 1, 0
    grouped = table.groupby([min(joined[value], max(number - 1, 0)) for value in drawn])
    result = grouped.mean().assign(n=grouped.size())
    return result[result["n"] >= MIN_N].reset_index(drop=True)


def calibrations(readings: pd.DataFrame) -> dict[Who, pd.DataFrame]:
    """Bins of readers before and after, and of the AI over the cases in which it decided, each once."""
    scored = readings[is_scored(readings)]
    cases = scored[~is_undecided(scored)].drop_duplicates("case")
    stated: dict[Who, tuple[pd.DataFrame, pd.Series]] = {
        "before": (scored, scored["before_confidence"] / 100),
        "after": (scored, scored["after_confidence"] / 100),
        "ai": (cases, cases["ai_probability"]),
    }
    return {
        who: calibration(values.to_numpy(float), correct(table, who))
        for who, (table, values) in stated.items()
    }


def confusion(readings: pd.DataFrame, stage: Stage) -> pd.DataFrame:
    """Counts of the reader's first diagnosis (rows) by the AI's (columns), for the types that occur.

    The last row, OUTSIDE_SCOPE, has the diagnoses that the AI does not know; a last column, UNDECIDED, the
    results without a diagnosis, if there are any.
    """
    undecided = is_undecided(readings)
    ai = np.where(undecided, UNDECIDED, _first(readings, "ai"))
    own = np.where(_in_scope(readings, stage), _first(readings, stage), OUTSIDE_SCOPE)
    types = _in_order({*own, *ai} - {OUTSIDE_SCOPE, UNDECIDED}, tuple(DISEASES))
    counts = pd.crosstab(own, ai).rename_axis(index=None, columns=None)
    columns = [*types, UNDECIDED] if undecided.any() else types
    return counts.reindex(index=[*types, OUTSIDE_SCOPE], columns=columns, fill_value=0)


def flow(readings: pd.DataFrame) -> pd.DataFrame:
    """Counts by right or wrong before and after, for readings with a reference.

    Columns: before, after ("right" or "wrong"), n; always four rows.
    """
    before, after, scored = correct(readings, "before"), correct(readings, "after"), is_scored(readings)
    states = {"right": True, "wrong": False}
    rows = [
        (first, then, int((scored & (before == was_right) & (after == is_right)).sum()))
        for first, was_right in states.items()
        for then, is_right in states.items()
    ]
    return pd.DataFrame(rows, columns=["before", "after", "n"])
