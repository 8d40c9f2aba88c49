"""What one reader takes home after a deck: their figures in words, and as one page of PDF."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from textwrap import shorten
from typing import TYPE_CHECKING

import pandas as pd

from skin_ai.diseases import DISEASES
from skin_ai.study import statistics
from skin_ai.study.statistics import MIN_N, Estimate, Stage, Summary, Who

if TYPE_CHECKING:  # its fonts take a while to load, and only who asks for the page needs them
    from fpdf import FPDF

PROTOCOL = (
    "Protocol: every case was answered twice, first without the AI and then with its result on screen. A "
    "diagnosis counts as right if it is the reference diagnosis of the deck. In brackets: 95% intervals by "
    "bootstrap over cases. Answers that were given with the AI in view from the start are left out."
)
WHO: dict[Who, str] = {"before": "Before the AI", "after": "After the AI", "ai": "AI alone"}
STAGES: tuple[Stage, ...] = ("before", "after")
LISTED = 5  # types by name among the moments; the others are counted
NAME_LENGTH = 60  # characters of a diagnosis that is no type but a deck's own text
MARGIN, WIDTH = 18.0, 174.0  # millimetres of A4
LABEL, BAR = 58.0, 56.0
LINE = 5.2
ACCENT, ORANGE, GREY, TRACK, INK = (
    (36, 133, 143),
    (191, 102, 28),
    (128, 138, 142),
    (228, 233, 234),
    (27, 37, 40),
)
SMALL = (90, 100, 104)  # of text: as pale as can be read
COLOURS = {"before": GREY, "after": ACCENT, "ai": ORANGE}


@dataclass(frozen=True)
class TakeHome:
    """A reader's deck. helped, misled: how many cases of which reference diagnosis were switched."""

    reader: str
    deck: str
    day: date  # UTC, of the last answer
    ai: str
    summary: Summary
    of_those_with_truth: Summary
    helped: dict[str, int]
    misled: dict[str, int]


def take_home(answers: pd.DataFrame) -> TakeHome | None:
    """The personal summary of the answers of one reader to one deck; None if no case was read both ways."""
    readings = statistics.readings(answers)
    if readings.empty:
        return None
    with_truth = readings[readings["truth"] != ""]
    by_type = statistics.by_group(with_truth, "truth")
    last = answers.loc[answers["answered_at"].idxmax()]
    return TakeHome(
        reader=last["reader"],
        deck=last["deck"],
        day=last["answered_at"].date(),
        ai=" ".join(filter(None, (last["bundle"], last["bundle_version"]))),
        summary=statistics.summary(readings),
        of_those_with_truth=statistics.summary(with_truth),
        helped=_counts({type_: of_type.switches.beneficial for type_, of_type in by_type.items()}),
        misled=_counts({type_: of_type.switches.harmful for type_, of_type in by_type.items()}),
    )


def _counts(switches: dict[str, Estimate]) -> dict[str, int]:
    """Only what happened, the most frequent first."""
    counts = {type_: switch.count or 0 for type_, switch in switches.items()}
    return {type_: n for type_, n in sorted(counts.items(), key=lambda item: -item[1]) if n}


def written(estimate: Estimate, unit: str = "") -> str:
    """A figure with its interval and n, as 0.74 (0.65 to 0.82), n = 120; in words where there is none."""
    if estimate.value is None:
        return f"too few (n = {estimate.n})" if estimate.n < MIN_N else f"not defined (n = {estimate.n:,})"
    value, low, high = (short(number, unit) for number in (estimate.value, estimate.low, estimate.high))
    interval = "" if estimate.low is None else f" ({low.removesuffix(unit)} to {high.removesuffix(unit)})"
    return f"{value}{interval}, n = {estimate.n:,}"


def short(value: float | None, unit: str = "") -> str:
    """A value alone: two decimals, or none where it has a unit."""
    if value is None:
        return ""
    return f"{value:.0f}{unit}" if unit else f"{value:.2f}"


def named(diagnosis: str) -> str:
    """A type's name for its code; what is not a code stays as it was written."""
    return DISEASES[diagnosis].name if diagnosis in DISEASES else diagnosis


def moments(summary: TakeHome) -> list[str]:
    """In which cases the AI helped and in which it misled, always both."""
    return [
        f"The AI helped (wrong before, right after): {_listed(summary.helped)}.",
        f"The AI misled (right before, wrong after): {_listed(summary.misled)}.",
    ]


def _listed(counts: dict[str, int]) -> str:
    if not counts:
        return "in no case"
    shown = [
        f"{shorten(named(type_), NAME_LENGTH, placeholder='...')} ({n} case{'s' * (n > 1)})"
        for type_, n in list(counts.items())[:LISTED]
    ]
    if rest := sum(list(counts.values())[LISTED:]):
        shown.append(f"other types ({rest} case{'s' * (rest > 1)})")
    return ", ".join(shown)


def sureness(summary: TakeHome) -> list[str]:
    """How confidence fitted what was right, before and after."""
    said = []
    for stage in STAGES:
        right = summary.of_those_with_truth.accuracy[stage, 1]
        if right.value is None or right.low is None or right.high is None:
            sure = summary.summary.confidence[stage].value
            if sure is not None:
                said.append(f"{WHO[stage]} you were on average {sure:.0f}% sure.")
            continue
        sure = summary.of_those_with_truth.confidence[stage].value or 0.0
        if sure > 100 * right.high:
            verdict = "surer than right"
        elif sure < 100 * right.low:
            verdict = "more often right than sure"
        else:
            verdict = f"as far as {right.n} cases can tell, your confidence fits"
        said.append(
            f"{WHO[stage]} you were on average {sure:.0f}% sure, and right in {right.value:.0%} of cases: "
            f"{verdict}."
        )
    return said


def pace(summary: TakeHome) -> str:
    """The time that a case took."""
    before, after = (written(summary.summary.seconds[stage], " s") for stage in STAGES)
    return f"Median time per case: {before}, until your first answer; {after}, with the AI's result in view."


def counted(summary: TakeHome) -> str:
    """How much there is behind the figures."""
    n, with_truth = summary.summary.n_readings, summary.summary.n_with_truth
    reference = "all" if with_truth == n else str(with_truth) if with_truth else "none"
    return f"{n} case{'s' * (n != 1)}, {reference} with a reference diagnosis"


def pdf(summary: TakeHome, notice: str, *, compress: bool = True) -> bytes:
    """The summary on one page of A4, in the letters of Latin-1; notice: what must stand on it."""
    from fpdf import FPDF

    page = FPDF(format="A4")
    page.set_compression(compress)
    page.set_auto_page_break(False)
    page.set_margins(MARGIN, MARGIN)
    page.set_title(_latin("skin_ai: personal summary"))
    page.add_page()
    page.set_text_color(*INK)
    _write(page, "Your summary", size=22, bold=True)
    _write(page, _fitting(page, summary.deck), size=13)
    _write(page, f"Reader {summary.reader} · {summary.day.isoformat()} · {counted(summary)}", colour=SMALL)
    _write(page, f"AI: {summary.ai}", colour=SMALL)
    page.ln(2)
    page.set_fill_color(234, 243, 244)
    _write(page, notice, fill=True)
    figures = summary.summary
    if figures.n_with_truth:
        for top, title in ((1, "First diagnosis right"), (3, "Right among the first three")):
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
        _write(page, " ".join(moments(summary)))
    else:
        page.ln(3)
        _write(page, "The deck has no reference diagnoses, so nothing is said about right and wrong.")
    _heading(page, "Confidence")
    _write(page, " ".join(sureness(summary)) or f"Too few cases (n = {figures.n_readings}).")
    _heading(page, "Agreement with the AI (Cohen's kappa; 1: always the same, 0: as by chance)")
    for stage in STAGES:
        _bar(page, WHO[stage], figures.agreement[stage].kappa, COLOURS[stage])
    _heading(page, "Time")
    _write(page, pace(summary))
    page.ln(3)
    _write(page, PROTOCOL, size=8.5, colour=SMALL)
    return bytes(page.output())


def _latin(text: str) -> str:
    """What the core fonts can write: accents are kept, letters of other scripts become question marks."""
    return unicodedata.normalize("NFC", text).encode("latin-1", "replace").decode("latin-1")


def _fitting(page: FPDF, text: str) -> str:
    """The beginning of a text, as much as goes on one line."""
    page.set_font("Helvetica", size=13)
    text = " ".join(_latin(text).split())
    if page.get_string_width(text) <= WIDTH - 4:
        return text
    while page.get_string_width(text + "...") > WIDTH - 4:
        text = text[:-1]
    return text + "..."


def _write(
    page: FPDF,
    text: str,
    *,
    size: float = 10,
    bold: bool = False,
    colour: Sequence[int] = INK,
    fill: bool = False,
) -> None:
    page.set_font("Helvetica", "B" if bold else "", size)
    page.set_text_color(*colour)
    page.multi_cell(
        WIDTH,
        size * 0.5,
        _latin(text),
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
    """One figure as a bar from 0 to 1 with its interval as a line, and as text."""
    top, left = page.get_y(), MARGIN + LABEL
    page.set_font("Helvetica", size=10)
    page.set_text_color(*INK)
    page.set_xy(MARGIN, top)
    page.cell(LABEL, LINE, _latin(label))
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
    page.cell(WIDTH - LABEL - BAR - 3, LINE, written(estimate))
    page.set_xy(MARGIN, top + LINE)
