import re
from io import BytesIO

import pandas as pd
import pytest
from pypdf import PdfReader

from skin_ai.intervals import Estimate
from skin_ai.study import statistics
from skin_ai.study.take_home import confidence_lines, help_and_harm, pdf, take_home, time_line
from tests.study.made_up_study import WORDS_OF_THE_PATIENT, answers

NOTICE = "Research software, not a medical device."


@pytest.fixture
def mine() -> pd.DataFrame:
    everyone = answers(n_readers=3, n_cases=40, seed=1)
    return everyone[everyone["reader"] == everyone["reader"].iloc[0]]


def page_of(table: pd.DataFrame) -> PdfReader:
    return PdfReader(BytesIO(pdf(take_home(table), NOTICE)))


def text_of(page: PdfReader) -> str:
    """The written text on one line."""
    return " ".join(page.pages[0].extract_text().split())


def pages(page: PdfReader) -> int:
    return len(page.pages)


def lowest(page: PdfReader) -> float:
    """Points from the lower edge to the lowest line."""
    found: list[float] = []
    page.pages[0].extract_text(
        visitor_text=lambda text, _, place, *rest: found.append(place[5]) if text.strip() else None
    )
    return min(found)


@pytest.mark.parametrize(
    ("estimate", "unit", "text"),
    [
        (Estimate(0.744, 0.651, 0.82, 120), "", "0.74 (0.65 to 0.82), n = 120"),
        (Estimate(-0.05, -0.2, 0.1, 5), "", "-0.05 (-0.20 to 0.10), n = 5"),
        (Estimate(30.2, 29.3, 31.1, 4911), " s", "30 s (29 to 31), n = 4,911"),
        (Estimate(64.4, 60.0, 68.1, 24), "%", "64% (60 to 68), n = 24"),
        (Estimate(None, None, None, 3), "", "too few (n = 3)"),
        (Estimate(None, None, None, 12), "", "not defined (n = 12)"),
    ],
)
def test_figures_are_written_with_interval_and_n(estimate, unit, text):
    assert estimate.text(unit) == text


def test_figures_are_those_of_the_statistics(mine):
    readings = statistics.readings(mine)
    summary = take_home(mine)
    assert summary.summary == statistics.summary(readings, statistics.unfinished(mine))
    assert sum(summary.helped.values()) == summary.summary.switches.beneficial.count
    assert sum(summary.misled.values()) == summary.summary.switches.harmful.count
    assert summary.day == mine["answered_at"].max().date()


def test_pdf_is_one_page_with_every_figure(mine):
    page, figures = page_of(mine), take_home(mine).summary
    assert pages(page) == 1
    text = text_of(page)
    for estimate in (
        *figures.accuracy.values(),
        figures.switches.beneficial,
        figures.switches.harmful,
        *(figures.agreement[stage].kappa for stage in ("before", "after")),
    ):
        assert estimate.text() in text
    flowing = text
    for sentence in (
        *help_and_harm(take_home(mine)),
        *confidence_lines(take_home(mine)),
        time_line(take_home(mine)),
    ):
        assert sentence in flowing


def test_pdf_says_what_it_is_and_of_whom(mine):
    text = text_of(page_of(mine))
    for part in (
        NOTICE,
        "Protocol:",
        str(mine["answered_at"].max().date()),
        f"{len(statistics.readings(mine))} cases, all with a reference diagnosis",
        "Made-up deck",
        "AI: pad-ufes-20",
    ):
        assert part in text


def test_pdf_names_the_pseudonym(mine):
    assert f"Reader {mine['reader'].iloc[0]}" in text_of(page_of(mine))


def test_pdf_holds_no_words_of_the_patient_and_no_comment(mine):
    text = text_of(page_of(mine.assign(comment="Too slow.", reason="It looked like one.")))
    for words in (WORDS_OF_THE_PATIENT, "Matilda", "Too slow", "looked like"):
        assert words not in text


@pytest.mark.parametrize(
    ("deck", "shown"),
    [
        ("Zürich 2026", "Zürich 2026"),
        ("“Smart” course – 2026", "“Smart” course – 2026"),  # noqa: RUF001
        ("Łódź kurs skóry", "Łódź kurs skóry"),
        ("Příběhy", "Příběhy"),
        ("Курс дерматологии", "Курс дерматологии"),  # noqa: RUF001
        ("Δέρμα", "Δέρμα"),
        ("brackets ) and \\ too (", "brackets ) and \\ too ("),
        ("a\nb\tc", "a b c"),
        ("皮膚科 2026", "[U+76AE U+819A U+79D1] 2026"),
        ("피부 😀", "[U+D53C U+BD80] "),
        ("😀\ufe0f 👩\u200d⚕️", "😀"),
        ("🧴\u200d", "[U+1F9F4]"),
    ],
)
def test_deck_of_any_script_is_written_as_far_as_it_can_be(mine, deck, shown):
    page = page_of(mine.assign(deck=deck))
    assert pages(page) == 1
    assert shown in text_of(page)
    assert ("letters that this PDF's font lacks" in text_of(page)) == ("[U+" in text_of(page))


def test_longest_names_stay_on_one_page(mine):
    long = mine.assign(deck="W" * 500, truth=[f"{'long ' * 80}{n % 9}" for n in range(len(mine))])
    page = page_of(long)
    assert pages(page) == 1
    assert "Protocol:" in text_of(page)
    assert lowest(page) > 30


def test_few_cases_give_no_figures(mine):
    few = mine[mine["case"].isin(statistics.readings(mine)["case"].head(3))]
    text = text_of(page_of(few))
    assert "too few (n = 3)" in text
    assert not re.search(r"\d\.\d\d \(", text)
    assert confidence_lines(take_home(few)) == []


def test_deck_without_reference_speaks_of_agreement_confidence_and_time_only(mine):
    text = text_of(page_of(mine.assign(truth="")))
    assert "no reference diagnoses" in text
    assert "Cohen's kappa" in text
    assert "mean confidence" in text
    assert "were right" not in text
    assert "First diagnosis right" not in text
    assert "none with a reference diagnosis" in text


def test_unblinded_answers_give_no_summary(mine):
    assert take_home(mine[mine["stage"] == "after"].assign(blinded=False)) is None


def test_confidence_stands_beside_what_was_right(mine):
    summary = take_home(mine.assign(confidence=100))
    for stage, sentence in zip(("before", "after"), confidence_lines(summary), strict=True):
        right = summary.summary.accuracy[stage, 1]
        assert "100%" in sentence
        assert f"{right.count} of {right.n}" in sentence


def test_one_reader_has_no_interval(mine):
    figures = take_home(mine).summary
    assert [figures.accuracy[stage, 1].low for stage in ("before", "after")] == [None, None]
    assert figures.accuracy["ai", 1].low is not None


def test_summary_is_of_one_bundle(mine):
    others = mine["case"].isin(sorted(mine["case"].unique())[:10])
    both = pd.concat([mine[~others], mine[others].assign(bundle="skin-26", bundle_sha256="1" * 64)])
    summary = take_home(both)
    n = statistics.readings(mine[others])["case"].nunique()
    assert (summary.ai, summary.with_other_bundles) == ("pad-ufes-20", {"skin-26": n})
    assert f"left out: {n} cases with skin-26" in text_of(page_of(both))


def test_moments_name_both_sides_even_where_nothing_happened(mine):
    same = mine.copy()
    before = mine[mine["stage"] == "before"].set_index("case")["rank_1"]
    same["rank_1"] = same["case"].map(before).fillna(same["rank_1"])
    helped, misled = help_and_harm(take_home(same))
    assert "helped" in helped and "no case" in helped
    assert "misled" in misled and "no case" in misled
