"""Where a bundle is known to fail, read from its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from skin_ai.diseases import DISEASES, Nature
from skin_ai.model_card.labels import GROUPINGS, SOURCES, group_name, label, listed, lower, type_name
from skin_ai.model_card.tables import Figures, confusions, value_of, with_n

WELL_CALIBRATED = 0.05  # calibration errors below it are not reported
FLAGGED = 0.8  # of photos degraded enough to cost accuracy
SELDOM = 0.5  # recall below it: missed more often than found
FEW = 30  # cases: below it the interval of a share of one half is wider than ±0.18


def failure_modes(manifest: Mapping[str, Any]) -> list[str]:
    """A line of Markdown for each, the most harmful first; empty if nothing was measured."""
    figures, types = manifest.get("figures", {}), manifest["types"]
    return [
        *_missed_types(figures.get("modes", {}).get("chain", {}), types),
        *_words_of_people(figures.get("words", {})),
        *_wordings(figures),
        *_groups(figures.get("groups", {})),
        *_malignancy(figures.get("malignancy", {}).get("chain", {})),
        *_calibration(figures.get("calibration", {})),
        *_unsuitable_photos(figures.get("gate", {})),
        *_degraded_photos(figures.get("quality", {})),
        *_ink(figures.get("shortcuts", {})),
        *_eliminations(figures.get("elimination", {})),
        *_heatmaps(figures.get("heatmaps", {})),
    ]


def _missed_types(chain: Figures, types: list[str]) -> Iterator[str]:
    """The type with the lowest recall, all that are missed more often than found, and melanoma."""
    recall = _measured(chain.get("recall", {}))
    if not recall:
        return
    found = confusions(chain, types)
    by_recall = sorted(recall, key=lambda type_: recall[type_]["value"])
    missed = []
    for type_ in by_recall:
        if type_ in (by_recall[0], "MEL") or recall[type_]["value"] < SELDOM:
            n = found[type_].n if type_ in found else None
            text = f"{type_name(type_).lower()} in {with_n(recall[type_], n)}"
            if type_ in found and (mistakes := found[type_].mistakes):
                most = next(iter(mistakes))
                text += f" (mistaken for {type_name(most).lower()} in {mistakes[most]:,})"
            missed.append(text)
    yield f"**Missed types.** Correctly ranked first: {'; '.join(missed)}."


def _words_of_people(sources: Figures) -> Iterator[str]:
    chain = sources.get("scin", {}).get("modes", {}).get("chain", {})
    if value_of(chain.get("accuracy")) is None:
        return
    never = [type_ for type_, recall in chain.get("recall", {}).items() if value_of(recall) == 0]
    cancers = [type_name(type_).lower() for type_ in never if DISEASES[type_].nature == Nature.MALIGNANT]
    rest = [f"{len(never) - len(cancers)} other types"] if len(never) > len(cancers) else []
    yield (
        f"**Patients' own words.** On {SOURCES['scin']} without a photo, the first answer is correct in "
        f"{with_n(chain['accuracy'], chain.get('n'))}."
        + (f" Never identified: {listed([*cancers, *rest])}." if never else "")
    )


def _wordings(figures: Figures) -> Iterator[str]:
    others = figures.get("others", {})
    photo = value_of(figures.get("modes", {}).get("photo_only", {}).get("balanced_accuracy"))
    found = []
    for mode, what in (("chain", "from photo and words"), ("words_only", "from words alone")):
        held_out = others.get(f"{mode}_in_held_out_wordings", {})
        value = value_of(held_out.get("balanced_accuracy"))
        if value is not None:
            is_below = mode == "chain" and photo is not None and value < photo
            found.append(
                f"{with_n(held_out['balanced_accuracy'], held_out.get('n'))}, {what}"
                + (", less than from the photo alone" if is_below else "")
            )
    if found:
        yield f"**Unfamiliar wording.** Balanced accuracy in held-out wordings: {'; '.join(found)}."


def _groups(measured: Figures) -> Iterator[str]:
    for grouping in dict.fromkeys([*GROUPINGS, *measured]):
        if not isinstance(measured.get(grouping), Mapping):
            continue
        groups = {group_name(grouping, key): part for key, part in measured[grouping].items() if "n" in part}
        few = [f"{name} (n = {part['n']:,})" for name, part in groups.items() if part["n"] < FEW]
        large = {name: part for name, part in groups.items() if part["n"] >= FEW}
        sentences = [*_weakest(large), *([f"Too few cases to assess: {listed(few)}."] if few else [])]
        if sentences:
            yield f"**{label(grouping)}.** {' '.join(sentences)}"


def _weakest(groups: Mapping[str, Figures]) -> Iterator[str]:
    for measure in ("balanced_accuracy", "accuracy"):
        known = _measured({name: part.get(measure) for name, part in groups.items()})
        if len(known) > 1:
            weakest = min(known, key=lambda name: known[name]["value"])
            yield (
                f"Lowest {label(measure).lower()}: {lower(weakest)}, "
                f"{with_n(known[weakest], groups[weakest]['n'])}."
            )
            return


def _malignancy(chain: Figures) -> Iterator[str]:
    found = [
        f"at {specificity} specificity, sensitivity is {with_n(chain[key])}"
        for key, specificity in (("sensitivity_at_80", "0.80"), ("sensitivity_at_90", "0.90"))
        if value_of(chain.get(key)) is not None
    ]
    if found:
        yield f"**Missed malignancy.** For malignant against all other types, {'; '.join(found)}."


def _calibration(measured: Figures) -> Iterator[str]:
    """Of the probabilities that the app shows."""
    errors = {
        mode: part["ece_shown"]
        for mode, part in measured.items()
        if isinstance(part, Mapping) and (value_of(part.get("ece_shown")) or 0) >= WELL_CALIBRATED
    }
    if errors:
        poor = listed([f"{label(mode).lower()} {with_n(error)}" for mode, error in errors.items()])
        yield f"**Calibration.** Calibration error of {WELL_CALIBRATED} or more: {poor}."


def _unsuitable_photos(gate: Figures) -> Iterator[str]:
    sentences = []
    if caught := _measured(gate.get("caught", {})):
        weakest = min(caught, key=lambda kind: caught[kind]["value"])
        sentences.append(
            f"Photos unlike those in training are not always flagged; least often {lower(label(weakest))}: "
            f"{with_n(caught[weakest])}."
        )
    if value_of(gate.get("false_alarms")) is not None:
        sentences.append(f"Suitable photos flagged by mistake: {with_n(gate['false_alarms'])}.")
    if sentences:
        yield f"**Unsuitable photos.** {' '.join(sentences)}"


def _degraded_photos(quality: Figures) -> Iterator[str]:
    missed = [
        f"{lower(label(kind))} {with_n(found.get('caught'))}"
        for kind, found in quality.get("kinds", {}).items()
        if found.get("strength_at_fall") is not None and (value_of(found.get("caught")) or 0) < FLAGGED
    ]
    if missed:
        yield (
            "**Photo quality.** Of photos degraded enough to cost 0.1 of accuracy, fewer than "
            f"{FLAGGED} are flagged: {listed(missed)}."
        )


def _ink(shortcuts: Figures) -> Iterator[str]:
    drawn = shortcuts.get("drawn_ink", {})
    found = [
        f"{what} {with_n(drawn[key])}"
        for key, what in (
            ("malignancy_changes_by", "the probability of malignancy changes by"),
            ("first_type_changes", "the type ranked first changes in"),
        )
        if value_of(drawn.get(key)) is not None
    ]
    if found:
        yield f"**Surgical ink.** When ink is drawn on a photo, {listed(found)}."


def _eliminations(elimination: Figures) -> Iterator[str]:
    stability = elimination.get("stability", {})
    same = _measured({change: part.get("same_first_type") for change, part in stability.items()})
    if same:
        weakest = min(same, key=lambda change: same[change]["value"])
        yield (
            "**Instability.** Changes that should not matter can change the answer; most of all "
            f"{lower(label(weakest))}, with the same type ranked first in {with_n(same[weakest])}."
        )


def _heatmaps(heatmaps: Figures) -> Iterator[str]:
    verdict = heatmaps.get("verdict")
    if isinstance(verdict, str) and not verdict.startswith("better"):
        yield f"**Heatmaps.** By deletion, insertion and ROAD: {verdict.rstrip('.')}."


def _measured(figures: Figures) -> dict[str, Any]:
    return {key: figure for key, figure in figures.items() if value_of(figure) is not None}
