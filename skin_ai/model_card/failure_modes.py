"""Where a bundle is known to fail, read off its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from skin_ai.model_card.blocks import (
    NOT_MEASURED,
    Section,
    Text,
    interval,
    listed,
    section,
    with_n,
)
from skin_ai.model_card.certainty import AT, WAYS, one_way
from skin_ai.model_card.labels import SOURCES, label, type_name
from skin_ai.model_card.rows import FEW, by_mode, cases_of, group_name, groups_of, most_frequent_wrong

Figures = Mapping[str, Any]

WELL_CALIBRATED = 0.05  # the calibration error that issue 10 asks for
CAUGHT = 0.8  # the share of flawed photos that issue 10 asks for
SELDOM = 0.5  # of a type: missed more often than found


def failure_modes(manifest: Mapping[str, Any]) -> Section:
    """A sentence for each, with its figures; none where nothing was measured."""
    figures, types = manifest.get("figures", {}), manifest["types"]
    lines = [
        *_missed_types(figures.get("modes", {}).get("chain", {}), types),
        *_words_of_people(figures.get("words", {})),
        *_wordings(figures),
        *_malignancy(figures.get("malignancy", {}).get("chain", {})),
        *_groups(figures.get("groups", {})),
        *_calibration(figures.get("calibration", {})),
        *_foreign_photos(figures.get("gate", {})),
        *_flawed_photos(figures.get("quality", {})),
        *_ink(figures.get("shortcuts", {})),
        *_eliminations(figures.get("elimination", {})),
        *_heatmaps(figures.get("heatmaps", {})),
    ]
    text = "\n".join(f"- {line}" for line in lines) or NOT_MEASURED
    return section("Known failure modes", [Text(text)])


def _missed_types(chain: Figures, types: list[str]) -> Iterator[str]:
    recall = {
        type_: figure for type_, figure in chain.get("recall", {}).items() if _value(figure) is not None
    }
    if not recall:
        return
    wrong = most_frequent_wrong(chain.get("confusion"), types)
    lowest = min(recall, key=lambda type_: recall[type_]["value"])
    seldom = [type_ for type_, figure in recall.items() if figure["value"] < SELDOM]
    for type_ in sorted({lowest, *seldom}, key=lambda type_: recall[type_]["value"]):
        is_missed = recall[type_]["value"] < SELDOM
        what = "is missed more often than found" if is_missed else "is the type found least often"
        taken = f", most often taken for {_lower(wrong[type_])}" if wrong.get(type_) else ""
        n = cases_of({"chain": chain}, type_, types)
        yield f"{type_name(type_)} {what}: recall {interval(recall[type_])}{n}{taken}."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _words_of_people(sources: Figures) -> Iterator[str]:
    chain = sources.get("scin", {}).get("modes", {}).get("chain", {})
    if _value(chain.get("accuracy")) is None:
        return
    never = [type_name(type_).lower() for type_, f in chain.get("recall", {}).items() if f.get("value") == 0]
    yield (
        f"On {SOURCES['scin']} alone its first answer is right in {with_n(chain['accuracy'], chain.get('n'))}"
        + (f"; never named right: {listed(never)}." if never else ".")
    )


def _wordings(figures: Figures) -> Iterator[str]:
    known, unknown = figures.get("modes", {}), figures.get("others", {})
    photo = _value(known.get("photo_only", {}).get("balanced_accuracy"))
    for mode, what in (("chain", "photo and words"), ("words_only", "words alone")):
        before = known.get(mode, {}).get("balanced_accuracy")
        after = unknown.get(f"{mode}_in_held_out_wordings", {}).get("balanced_accuracy")
        if _value(before) is None or _value(after) is None:
            continue
        below = (
            f"; the photo alone reaches {interval(known['photo_only']['balanced_accuracy'])}"
            if mode == "chain" and photo is not None and _value(after) < photo
            else ""
        )
        yield (
            f"Wordings never trained on: the balanced accuracy of {what} falls from {interval(before)} to "
            f"{interval(after)}{below}."
        )


def _malignancy(chain: Figures) -> Iterator[str]:
    for at, specificity in AT.items():
        if (value := _value(chain.get(at))) is not None and value < 1:
            yield (
                f"At a specificity of {specificity} it finds {interval(chain[at])} of the malignant lesions "
                f"and misses {1 - value:.2f}."
            )


def _groups(measured: Figures) -> Iterator[str]:
    for grouping, found in groups_of(measured).items():
        title = label(grouping)
        groups = {group_name(grouping, group): values for group, values in found.items() if "n" in values}
        few = [f"{group} (n = {values['n']:,})" for group, values in groups.items() if values["n"] < FEW]
        if few:
            yield f"{title}: too few cases to say anything of {listed(few)}."
        yield from _weakest(title, {group: values for group, values in groups.items() if values["n"] >= FEW})


def _weakest(title: str, groups: Mapping[str, Figures]) -> Iterator[str]:
    measure = next(
        (
            m
            for m in ("balanced_accuracy", "accuracy")
            if any(_value(g.get(m)) is not None for g in groups.values())
        ),
        None,
    )
    if measure is None or len(groups) < 2:
        return
    known = {name: group for name, group in groups.items() if _value(group.get(measure)) is not None}
    weakest = min(known, key=lambda name: known[name][measure]["value"])
    yield (
        f"{title}: lowest {label(measure).lower()} in {weakest}, "
        f"{with_n(known[weakest][measure], known[weakest]['n'])}."
    )


def _calibration(measured: Figures) -> Iterator[str]:
    for way, title in WAYS.items():
        errors = {mode: one_way(found, way).get("ece") for mode, found in by_mode(measured).items()}
        poor = [
            f"{label(mode).lower()} {with_n(error)}"
            for mode, error in errors.items()
            if (_value(error) or 0) >= WELL_CALIBRATED
        ]
        if poor:
            yield f"Calibration errors of {WELL_CALIBRATED} or more, {title}: {listed(poor)}."


def _foreign_photos(gate: Figures) -> Iterator[str]:
    caught = {kind: f for kind, f in gate.get("caught", {}).items() if _value(f) is not None}
    if caught:
        weakest = min(caught, key=lambda kind: caught[kind]["value"])
        yield (
            f"Photos unlike those in training are not all held back. Least often: {label(weakest).lower()}, "
            f"caught in {with_n(caught[weakest])}."
        )
    if _value(gate.get("false_alarms")) is not None:
        yield f"The gate holds back {with_n(gate['false_alarms'])} of the photos that it should let pass."


def _flawed_photos(quality: Figures) -> Iterator[str]:
    missed = []
    for kind, found in quality.get("kinds", {}).items():
        costs_accuracy = found.get("strength_at_fall") is not None
        if costs_accuracy and (_value(found.get("caught")) or 0) < CAUGHT:
            missed.append(f"{label(kind).lower()} {with_n(found.get('caught'))}")
    if missed:
        yield f"Flaws of photos that are caught too seldom where they cost accuracy: {listed(missed)}."


def _ink(shortcuts: Figures) -> Iterator[str]:
    drawn = {key: f for key, f in shortcuts.get("drawn_ink", {}).items() if _value(f) is not None}
    changes = {key: f for key, f in drawn.items() if "change" in key} or drawn
    if changes:
        told = "; ".join(f"{label(key).lower()} {with_n(figure)}" for key, figure in changes.items())
        yield f"Ink drawn on a photo changes what is said of it: {told}."


def _eliminations(elimination: Figures) -> Iterator[str]:
    same = {
        change: found["same_first_type"]
        for change, found in elimination.get("stability", {}).items()
        if isinstance(found, Mapping) and _value(found.get("same_first_type")) is not None
    }
    if same:
        weakest = min(same, key=lambda change: same[change]["value"])
        yield (
            "Changes that should make no difference change first answers. Most of all: "
            f"{label(weakest).lower()}, the same answer in {with_n(same[weakest])}."
        )


def _heatmaps(heatmaps: Figures) -> Iterator[str]:
    verdict = heatmaps.get("verdict")
    if isinstance(verdict, str) and not verdict.startswith("better"):
        yield f"Heatmaps, by deletion, insertion and ROAD: {verdict.rstrip('.')}."


def _value(figure: Any) -> Any:
    return figure.get("value") if isinstance(figure, Mapping) else None
