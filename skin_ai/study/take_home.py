"""The personal summary of one reader and one deck: in sentences, and as a PDF of one page."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import pandas as pd

from skin_ai.diseases import DISEASES
from skin_ai.intervals import Estimate
from skin_ai.study import statistics
from skin_ai.study.statistics import STAGES, Summary, Who
from skin_ai.vocabulary import plural

if TYPE_CHECKING:  # slow to import, and needed only for the PDF
    from fpdf import FPDF

PROTOCOL = (
    "Protocol: you answered every case twice, first without the AI and then with its result on screen. A "
    "diagnosis is right if it is the deck's reference diagnosis. Your figures describe your answers only and "
    "have no interval; that of the AI, in brackets, is a 95% interval over cases. Cases in which you saw the "
    "AI from the start are excluded."
)
NOT_IN_FONT = (
    "In brackets: Unicode numbers of letters that this PDF's font lacks (Chinese, Japanese, Korean, emoji)."
)
WHO: dict[Who, str] = {"before": "Before the AI", "after": "After the AI", "ai": "AI alone"}
ACCURACY_TITLES = {1: "First diagnosis right", 3: "Right among the first three"}  # by top
LISTED = 5  # types named in a sentence; the others are only counted
NAME_LENGTH = 60  # characters of a reference that is free text
MARGIN, WIDTH = 18.0, 174.0  # millimetres of A4
LABEL, BAR = 58.0, 56.0
LINE = 5.2
FONT, TEXT, SMALL_TEXT = "DejaVu", 8.8, 7.5  # ships with matplotlib; sizes in points
ACCENT, ORANGE, GREY = (36, 133, 143), (191, 102, 28), (128, 138, 142)
TRACK, NOTICE_FILL = (228, 233, 234), (234, 243, 244)
INK, SMALL = (27, 37, 40), (90, 100, 104)  # of text
COLOURS = {"before": GREY, "after": ACCENT, "ai": ORANGE}


@dataclass(frozen=True)
class TakeHome:
    """helped, misled: reference diagnosis -> number of beneficial and harmful switches.

    reader: "" or a name that opens nothing. with_other_bundles: bundle -> number of cases that are left out,
    because no figure pools several bundles.
    """

    reader: str
    deck: str
    day: date  # UTC, of the last answer
    ai: str
    summary: Summary
    of_those_with_truth: Summary
    helped: dict[str, int]
    misled: dict[str, int]
    with_other_bundles: dict[str, int]


def take_home(answers: pd.DataFrame) -> TakeHome | None:
    """The summary of one reader's answers to one deck; None if no case has answers before and after."""
    finished = statistics.readings(answers)
    if finished.empty:
        return None
    bundle = statistics.bundles(finished)[0]
    readings = statistics.of_bundle(finished, bundle)
    unfinished = statistics.of_bundle(statistics.unfinished(answers), bundle)
    with_truth = readings[statistics.is_scored(readings)]
    by_type = statistics.by_group(with_truth, unfinished, "truth")
    last = answers.loc[answers["answered_at"].idxmax()]
    return TakeHome(
        reader=last["reader"],
        deck=last["deck"],
        day=last["answered_at"].date(),
        ai=bundle,
        summary=statistics.summary(readings, unfinished),
        of_those_with_truth=statistics.summary(with_truth, unfinished),
        helped=_counts({type_: group.switches.beneficial for type_, group in by_type.items()}),
        misled=_counts({type_: group.switches.harmful for type_, group in by_type.items()}),
        with_other_bundles={
            other: len(statistics.of_bundle(finished, other)) for other in statistics.bundles(finished)[1:]
        },
    )


def _counts(switches: dict[str, Estimate]) -> dict[str, int]:
    """The types with switches, the most frequent first."""
    counts = {type_: switch.count for type_, switch in switches.items() if switch.count}
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def named(diagnosis: str) -> str:
    """The name of a type; free text as it is."""
    return DISEASES[diagnosis].name if diagnosis in DISEASES else diagnosis


def help_and_harm(summary: TakeHome) -> list[str]:
    """In which cases the AI helped and in which it misled; always both."""
    return [
        f"The AI helped (wrong before, right after): {_listed(summary.helped)}.",
        f"The AI misled (right before, wrong after): {_listed(summary.misled)}.",
    ]


def _listed(counts: dict[str, int]) -> str:
    listed = [
        f"{shorten(named(type_), NAME_LENGTH, placeholder='...')} ({plural(n, 'case')})"
        for type_, n in list(counts.items())[:LISTED]
    ]
    if rest := sum(list(counts.values())[LISTED:]):
        listed.append(f"other types ({plural(rest, 'case')})")
    return ", ".join(listed) or "no case"


def confidence_lines(summary: TakeHome) -> list[str]:
    """Confidence beside accuracy, before and after; one reader's answers are too few to judge it."""
    lines = []
    for stage in STAGES:
        right = summary.of_those_with_truth.accuracy[stage, 1]
        confidence = summary.summary.confidence[stage].value
        if right.value is not None:
            confidence = summary.of_those_with_truth.confidence[stage].value
            lines.append(
                f"{WHO[stage]}: your mean confidence was {confidence:.0f}%, and {right.value:.0%} of your "
                f"first diagnoses were right ({right.count} of {right.n})."
            )
        elif confidence is not None:
            lines.append(f"{WHO[stage]}: your mean confidence was {confidence:.0f}%.")
    return lines


def time_line(summary: TakeHome) -> str:
    before, after = (summary.summary.seconds[stage].text(" s") for stage in STAGES)
    return (
        f"Median time per case: {before}, until your first answer; {after}, from there to the final one, the "
        "AI's computing time included."
    )


def case_count(summary: TakeHome, called: Callable[[str], str] = str) -> str:
    """called: how a bundle's name is written."""
    n, with_truth = summary.summary.n_readings, summary.summary.n_with_truth
    reference = "all" if with_truth == n else str(with_truth) if with_truth else "none"
    others = [
        f"{plural(n, 'case')} with {called(bundle)}" for bundle, n in summary.with_other_bundles.items()
    ]
    left_out = f"; left out: {', '.join(others)}" if others else ""
    return f"{plural(n, 'case')}, {reference} with a reference diagnosis{left_out}"


def pdf(summary: TakeHome, notice: str, *, compress: bool = True) -> bytes:
    """The summary on one page of A4, in a font with Latin, Greek, Cyrillic and other alphabets.

    Only the deck's name may have letters that it lacks: `_in_font`.
    """
    from fpdf import FPDF
    from matplotlib import get_data_path

    page = FPDF(format="A4")
    page.set_compression(compress)
    page.set_auto_page_break(False)
    page.set_margins(MARGIN, MARGIN)
    page.set_title("skin_ai: personal summary")
    for style, file in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
        page.add_font(FONT, style, Path(get_data_path(), "fonts", "ttf", file))
    page.add_page()
    page.set_text_color(*INK)
    _write(page, "Your summary", size=22, bold=True)
    deck = _fitting(page, summary.deck)
    _write(page, deck, size=13)
    if "[U+" in deck:
        _write(page, NOT_IN_FONT, size=SMALL_TEXT, colour=SMALL)
    _write(page, f"Reader {summary.reader} · {summary.day.isoformat()} · {case_count(summary)}", colour=SMALL)
    _write(page, f"AI: {summary.ai}", colour=SMALL)
    page.ln(2)
    page.set_fill_color(*NOTICE_FILL)
    _write(page, notice, fill=True)
    figures = summary.summary
    if figures.n_with_truth:
        for top, title in ACCURACY_TITLES.items():
            _heading(page, title)
            for who, label in WHO.items():
                _bar(page, label, figures.accuracy[who, top], COLOURS[who])
        _heading(page, "Switches of your first diagnosis")
        for label, switch, colour in (
            ("Beneficial: wrong to right", figures.switches.beneficial, ACCENT),
            ("Harmful: right to wrong", figures.switches.harmful, ORANGE),
        ):
            _bar(page, f"{label}: {switch.count or 0}", switch, colour)
        page.ln(1)
        _write(page, " ".join(help_and_harm(summary)))
    else:
        page.ln(3)
        _write(page, "This deck has no reference diagnoses, so accuracy is not shown.")
    _heading(page, "Confidence")
    _write(page, " ".join(confidence_lines(summary)) or f"Too few cases (n = {figures.n_readings}).")
    _heading(page, "Agreement with the AI (Cohen's kappa; 1: always the same, 0: chance level)")
    for stage in STAGES:
        _bar(page, WHO[stage], figures.agreement[stage].kappa, COLOURS[stage])
    _heading(page, "Time")
    _write(page, time_line(summary))
    page.ln(3)
    _write(page, PROTOCOL, size=SMALL_TEXT, colour=SMALL)
    return bytes(page.output())


def _fitting(page: FPDF, text: str) -> str:
    """The text, cut to one line."""
    page.set_font(FONT, size=13)
    text = _in_font(page, " ".join(unicodedata.normalize("NFC", text).split()))
    if page.get_string_width(text) <= WIDTH - 4:
        return text
    while page.get_string_width(text + "...") > WIDTH - 4:
        text = text[:-1]
    return text + "..."


def _in_font(page: FPDF, text: str) -> str:
    """Letters that the font lacks as their Unicode numbers: it would draw the same empty box for each."""
    known = page.current_font.cmap
    parts = []
    for is_known, letters in groupby(text, lambda letter: ord(letter) in known):
        part = [letter for letter in letters if is_known or unicodedata.category(letter) != "Cf"]
        parts.append("".join(part) if is_known or not part else f"[{' '.join(map(_number, part))}]")
    return "".join(parts)


def _number(letter: str) -> str:
    return f"U+{ord(letter):04X}"


def _write(
    page: FPDF,
    text: str,
    *,
    size: float = TEXT,
    bold: bool = False,
    colour: Sequence[int] = INK,
    fill: bool = False,
) -> None:
    page.set_font(FONT, "B" if bold else "", size)
    page.set_text_color(*colour)
    page.multi_cell(
        WIDTH,
        size * 0.5,
        unicodedata.normalize("NFC", text),
        align="L",
        fill=fill,
        padding=2 if fill else 0,
        new_x="LMARGIN",
        new_y="NEXT",
    )


def _heading(page: FPDF, title: str) -> None:
    page.ln(3)
    _write(page, title, size=11.5, bold=True)
    page.ln(1)


def _bar(page: FPDF, label: str, estimate: Estimate, colour: Sequence[int]) -> None:
    """A figure as a bar from 0 to 1, its interval as a line, and as text."""
    top, left = page.get_y(), MARGIN + LABEL
    page.set_font(FONT, size=TEXT)
    page.set_text_color(*INK)
    page.set_xy(MARGIN, top)
    page.cell(LABEL, LINE, label)
    page.set_fill_color(*TRACK)
    page.rect(left, top + 0.8, BAR, LINE - 1.6, style="F")
    if estimate.value is not None:
        page.set_fill_color(*colour)
        page.rect(left, top + 0.8, BAR * min(1.0, max(0.0, estimate.value)), LINE - 1.6, style="F")
    if estimate.low is not None and estimate.high is not None:
        page.set_draw_color(*INK)
        page.set_line_width(0.35)
        middle = top + LINE / 2
        low, high = (left + BAR * min(1.0, max(0.0, end)) for end in (estimate.low, estimate.high))
        page.line(low, middle, high, middle)
        for end in (low, high):
            page.line(end, middle - 0.9, end, middle + 0.9)
    page.set_xy(left + BAR + 3, top)
    page.cell(WIDTH - LABEL - BAR - 3, LINE, estimate.text())
    page.set_xy(MARGIN, top + LINE)
