import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta
from sklearn.calibration import calibration_curve
from sklearn.metrics import cohen_kappa_score, confusion_matrix
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from skin_ai import intervals
from skin_ai.diseases import LABEL_SETS
from skin_ai.intervals import Estimate
from skin_ai.study import statistics
from skin_ai.study.statistics import NOT_STATED, OUTSIDE_SCOPE

PAD, SKIN_26 = LABEL_SETS["pad-ufes-20"], LABEL_SETS["skin-26"]
START = pd.Timestamp("2025-03-01 09:00", tz="UTC")
RANKS = ["rank_1", "rank_2", "rank_3", "rank_4"]
SCALES = ["agrees", "heatmap_on_lesion", "steps_helped", "would_use"]
COLUMNS = [
    "reader", "role", "years_of_practice", "deck", "case", "sample", "stage", "blinded", "answered_at",
    "seconds", *RANKS, "confidence", "reason", "age_band", "body_site", "fitzpatrick", "truth", "bundle",
    "bundle_version", "bundle_sha256", "ai_answer", *SCALES, "comment", "narrative",
]  # fmt: skip


def ai_says(first, types=PAD):
    """The ranking of a run that has this type first, then the others."""
    others = [type_ for type_ in types if type_ != first]
    return ((first, 0.5), *((type_, 0.5 / len(others)) for type_ in others))


def read(before, after, ai="BCC", truth="", reader="R1", case=None, types=PAD, minute=0, **more):
    """The two answers of a reading; diagnoses are a text or a list of up to four."""
    row = dict.fromkeys(COLUMNS, "") | dict.fromkeys(["fitzpatrick", *SCALES], None)
    row |= {"reader": reader, "case": case or "0" * 32, "blinded": True, "seconds": 30.0, "confidence": 60}
    row |= {"truth": truth, "bundle": "pad-ufes-20", "ai_answer": ai_says(ai, types) if ai else None}
    rows = []
    for stage, ranks in (("before", before), ("after", after)):
        ranks = [ranks] if isinstance(ranks, str) else ranks
        answered = START + pd.Timedelta(minutes=minute, seconds=30 * (stage == "after"))
        own = {
            name.removeprefix(f"{stage}_"): value for name, value in more.items() if name.startswith(stage)
        }
        common = {name: value for name, value in more.items() if name in COLUMNS}
        rows.append(
            row
            | {"stage": stage, "answered_at": answered}
            | dict(zip(RANKS, ranks, strict=False))
            | common
            | own
        )
    return rows


def answers(*read_):
    """The answers table of the contract from what read() made."""
    rows = [row for rows in read_ for row in rows]
    table = pd.DataFrame(rows, columns=COLUMNS)
    integers = dict.fromkeys(["fitzpatrick", *SCALES], "Int64")
    table = table.astype({"blinded": bool, "confidence": int, "seconds": float} | integers)
    text = table.columns.difference(
        ["blinded", "confidence", "seconds", "answered_at", "ai_answer", *integers]
    )
    return table.astype(dict.fromkeys(text, "str") | {"answered_at": "datetime64[us, UTC]"})


def readings_of(*cases, **common):
    """Readings of one reader, each of another case, from (before, after, ai, truth)."""
    made = [
        read(before, after, ai, truth, case=f"{place:032x}", minute=place, **common)
        for place, (before, after, ai, truth) in enumerate(cases)
    ]
    return statistics.readings(answers(*made))


def study(n_readers=6, n_cases=30, seed=0, reader_spread=0.1):
    """Answers of readers who differ to cases that differ, AI and reader right in about two of three."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(PAD, n_cases)
    ai = [kind if rng.random() < 0.65 else rng.choice(PAD) for kind in truth]
    made = []
    for reader in range(n_readers):
        skill = 0.55 + rng.normal(0, reader_spread)
        for case in range(n_cases):
            before = truth[case] if rng.random() < skill else rng.choice([*PAD, "dermatofibroma"])
            after = ai[case] if rng.random() < 0.3 else before
            made.append(
                read(
                    before,
                    after,
                    ai[case],
                    truth[case],
                    reader=f"R{reader}",
                    case=f"{case:032x}",
                    minute=len(made),
                    seconds=float(rng.gamma(2, 20)),
                    confidence=int(rng.integers(101)),
                    fitzpatrick=int(case % 6 + 1),
                    role=("dermatologist", "nurse")[reader % 2],
                )
            )
    return answers(*made)


@pytest.fixture(scope="module")
def crossed():
    return statistics.readings(study())


# ---- readings ----


def test_reading_joins_both_answers_of_a_reader_to_a_case():
    table = answers(
        read(
            ["naevus", "MEL"],
            "Melanoma",
            ai="MEL",
            truth="malignant melanoma",
            case="a" * 32,
            before_confidence=40,
            after_confidence=90,
            before_seconds=70.5,
            after_seconds=9.0,
            role="nurse",
            years_of_practice="3-5",
            deck="spring",
            fitzpatrick=4,
        )
    )
    (row,) = statistics.readings(table).to_dict("records")
    assert row == {
        "reader": "R1",
        "role": "nurse",
        "years_of_practice": "3-5",
        "deck": "spring",
        "case": "a" * 32,
        "fitzpatrick": 4,
        "truth": "MEL",
        "ai": ("MEL", "BCC", "SCC", "ACK", "NEV", "SEK"),
        "ai_probability": 0.5,
        "before": ("NEV", "MEL"),
        "after": ("MEL",),
        "before_confidence": 40,
        "after_confidence": 90,
        "before_seconds": 70.5,
        "after_seconds": 9.0,
        "answered_at": START + pd.Timedelta(seconds=30),
    }


@pytest.mark.parametrize(
    ("left_out", "rows"),
    {
        "unblinded": read("BCC", "BCC", blinded=False)[1:],
        "not finished": read("BCC", "BCC")[:1],
        "without a run": read("BCC", "BCC", ai=""),
        "with a run that has no types": [row | {"ai_answer": ()} for row in read("BCC", "BCC")],
    }.items(),
)
def test_no_reading_is(left_out, rows):
    kept = read("NEV", "NEV", case="b" * 32)
    assert statistics.readings(answers(rows, kept))["case"].tolist() == ["b" * 32], left_out


def test_several_readers_of_a_sample_share_its_case_and_a_reader_may_read_it_twice():
    table = answers(
        *(
            read("BCC", "BCC", reader=reader, case=f"{place:032x}", sample="pearly bump", minute=place)
            for place, reader in enumerate(["R1", "R2", "R2"])
        )
    )
    found = statistics.readings(table)
    assert found["case"].tolist() == ["sample:pearly bump"] * 3
    assert found["truth"].tolist() == [""] * 3  # a sample scores nobody
    assert statistics.summary(found).n_cases == 1


def test_readings_stand_in_the_order_of_their_final_answers():
    table = answers(*(read("BCC", "BCC", case=f"{minute:032x}", minute=minute) for minute in (3, 1, 2)))
    assert statistics.readings(table)["answered_at"].is_monotonic_increasing


# ---- accuracy, switches, reliance ----


@pytest.mark.parametrize(
    ("ranks", "truth", "top", "right"),
    [
        ("MEL", "MEL", 1, True),
        (["NEV", "MEL"], "MEL", 1, False),
        (["NEV", "MEL"], "MEL", 3, True),
        (["NEV", "SEK", "ACK", "MEL"], "MEL", 3, False),
        ("Kaposi  sarcoma", "kaposi Sarcoma", 1, True),
        ("Kaposi sarcoma", "dermatofibroma", 1, False),
        ("mole", "naevus", 1, True),
        ("", "MEL", 1, False),
    ],
)
def test_diagnosis_is_right_when_it_is_the_reference(ranks, truth, top, right):
    found = readings_of((ranks, ranks, "BCC", truth))
    assert statistics.correct(found, "before", top).tolist() == [right]


def test_accuracy_is_of_readings_with_a_reference():
    known = [("MEL", "MEL", "BCC", "MEL")] * 3 + [("NEV", "MEL", "MEL", "MEL")] * 3
    found = readings_of(*known, *[("BCC", "BCC", "BCC", "")] * 4)
    of = {who: statistics.accuracy(found, who) for who in ("before", "after", "ai")}
    assert {who: (e.count, e.n, e.value) for who, e in of.items()} == {
        "before": (3, 6, 0.5),
        "after": (6, 6, 1.0),
        "ai": (3, 6, 0.5),
    }
    assert statistics.gain(found).value == 0.5
    assert statistics.accuracy(found, "ai", top=3).value == 1.0


def test_switches_are_counted_apart():
    found = readings_of(
        *[("NEV", "MEL", "MEL", "MEL")] * 4,  # wrong -> right
        *[("NEV", "SEK", "SEK", "MEL")] * 2,  # wrong -> wrong
        *[("MEL", "NEV", "NEV", "MEL")] * 3,  # right -> wrong
        *[("MEL", "MEL", "NEV", "MEL")] * 6,  # right -> right
        *[("NEV", "MEL", "MEL", "")] * 5,  # no reference
    )
    switched = statistics.switches(found)
    assert (switched.beneficial.count, switched.beneficial.n) == (4, 6)
    assert switched.beneficial.value == pytest.approx(4 / 6)
    assert (switched.harmful.count, switched.harmful.n) == (3, 9)
    assert switched.harmful.value == pytest.approx(1 / 3)
    assert statistics.flow(found).to_dict("list") == {
        "before": ["right", "right", "wrong", "wrong"],
        "after": ["right", "wrong", "right", "wrong"],
        "n": [6, 3, 4, 2],
    }


def test_reliance_is_of_readers_who_had_said_something_else():
    found = readings_of(
        *[("NEV", "MEL", "MEL", "MEL")] * 3,  # followed a right AI
        *[("NEV", "NEV", "MEL", "MEL")] * 2,  # did not
        *[("NEV", "BCC", "BCC", "NEV")] * 1,  # followed a wrong AI
        *[("NEV", "NEV", "BCC", "NEV")] * 4,  # did not
        *[("NEV", "BCC", "BCC", "")] * 2,  # followed, no reference
        *[("BCC", "BCC", "BCC", "BCC")] * 7,  # had said the same
        *[("lupus", "BCC", "BCC", "BCC")] * 5,  # outside the model's scope
    )
    relied = statistics.reliance(found)
    assert [(e.count, e.n) for e in (relied.followed_when_right, relied.followed_when_wrong)] == [
        (3, 5),
        (1, 5),
    ]
    assert (relied.followed.count, relied.followed.n) == (6, 12)
    assert relied.outside_scope == 5


def test_type_is_in_scope_where_the_run_knew_it():
    small = [("psoriasis", "BCC", "BCC", "")] * 5
    found = statistics.readings(
        answers(
            *(read(b, a, ai, t, case=f"{place:032x}") for place, (b, a, ai, t) in enumerate(small)),
            *(read("psoriasis", "BCC", case=f"{place:032x}", types=SKIN_26) for place in range(10, 15)),
        )
    )
    assert statistics.agreement(found, "before").outside_scope == 5
    assert statistics.reliance(found).followed.n == 5
    assert statistics.confusion(found, "before").to_dict() == {
        "BCC": {"BCC": 0, "PSO": 5, OUTSIDE_SCOPE: 5},
        "PSO": {"BCC": 0, "PSO": 0, OUTSIDE_SCOPE: 0},
    }


# ---- kappa ----

# Two radiologists, 85 mammograms: normal, benign, suspected, cancer (Boyd 1982 in Altman 1991, p. 403).
MAMMOGRAMS = [[21, 12, 0, 0], [4, 17, 1, 0], [3, 9, 15, 2], [0, 0, 0, 1]]
GRANTS = [[20, 5], [10, 15]]


@pytest.mark.parametrize(("table", "expected"), [(MAMMOGRAMS, 0.4728), (GRANTS, 0.4)])
def test_kappa_of_worked_examples(table, expected):
    pairs = [
        (PAD[row], PAD[column]) for row, n in enumerate(table) for column, k in enumerate(n) for _ in range(k)
    ]
    found = readings_of(*((said, said, ai, "") for said, ai in pairs))
    kappa = statistics.agreement(found, "before").kappa
    assert kappa.value == pytest.approx(expected, abs=5e-5)
    # The large-sample interval (Fleiss, Cohen and Everitt 1969), one reader: near the bootstrap over cases.
    reference = cohens_kappa(np.array(table))
    assert (kappa.low, kappa.high) == pytest.approx((reference.kappa_low, reference.kappa_upp), abs=0.04)


@pytest.mark.parametrize("stage", ["before", "after"])
def test_kappa_is_that_of_scikit_learn_and_statsmodels_over_readings_in_scope(crossed, stage):
    said = [ranks[0] for ranks in crossed[stage]]
    pairs = [(one, ai[0]) for one, ai in zip(said, crossed["ai"], strict=True) if one in PAD]
    found = statistics.agreement(crossed, stage)
    assert found.kappa.value == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))
    table = confusion_matrix(*zip(*pairs, strict=True), labels=PAD)
    assert found.kappa.value == pytest.approx(cohens_kappa(table).kappa)
    assert (found.kappa.n, found.outside_scope) == (len(pairs), said.count("DFIB"))
    assert found.outside_scope > 0
    drawn = statistics.confusion(crossed, stage)
    assert drawn.loc[list(PAD), list(PAD)].to_numpy().tolist() == table.tolist()
    assert drawn.loc[OUTSIDE_SCOPE].sum() == found.outside_scope


def test_kappa_is_not_defined_where_both_always_say_the_same_type():
    found = statistics.agreement(readings_of(*[("BCC", "BCC", "BCC", "")] * 9), "before")
    assert found.kappa == Estimate(None, None, None, 9)


def test_kappa_of_perfect_agreement_is_not_called_certain():
    found = readings_of(*[("BCC", "BCC", "BCC", ""), ("NEV", "NEV", "NEV", "")] * 4)
    kappa = statistics.agreement(found, "before").kappa
    assert (kappa.value, kappa.high) == (1, 1)
    assert kappa.low == pytest.approx((0.025 ** (1 / 8) - 0.5) / 0.5)


def test_kappa_over_time_has_consecutive_equal_blocks(crossed):
    table = statistics.kappa_over_time(crossed, blocks=7)
    assert table["block"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert table["n"].sum() == len(crossed) and table["n"].max() - table["n"].min() <= 1
    first = crossed.sort_values("answered_at").head(table["n"][0])
    pairs = [
        (ranks[0], ai[0]) for ranks, ai in zip(first["after"], first["ai"], strict=True) if ranks[0] in PAD
    ]
    assert table["after"][0] == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))


def test_blocks_of_kappa_have_at_least_five_readings():
    found = readings_of(*[("BCC", "BCC", "BCC", ""), ("BCC", "NEV", "NEV", "")] * 6)
    assert statistics.kappa_over_time(found)["n"].tolist() == [6, 6]
    assert statistics.kappa_over_time(found.head(4)).empty
    # Two blocks of six; the first has too few in scope for a figure.
    outside = readings_of(
        *[("lupus", "BCC", "BCC", "")] * 4, *[("BCC", "BCC", "BCC", ""), ("SEK", "NEV", "NEV", "")] * 4
    )
    table = statistics.kappa_over_time(outside)
    assert np.isnan(table["before"][0]) and np.isfinite(table["before"][1])


# ---- calibration ----


def test_calibration_of_a_worked_example():
    confidence = np.array([0.2] * 5 + [0.6] * 6 + [0.9] * 5)
    correct = np.repeat([True, False, True, False, True, False], [1, 4, 3, 3, 4, 1])
    shuffled = np.random.default_rng(0).permutation(16)
    for order in (np.arange(16), shuffled):
        table = statistics.calibration(confidence[order], correct[order], bins=3)
        assert table["confidence"].tolist() == pytest.approx([0.2, 0.6, 0.9])
        assert table["accuracy"].tolist() == pytest.approx([0.2, 0.5, 0.8])
        assert table["n"].tolist() == [5, 6, 5]


def test_calibration_is_that_of_scikit_learn_where_no_confidence_repeats():
    rng = np.random.default_rng(0)
    confidence = rng.random(200)
    correct = rng.random(200) < confidence
    table = statistics.calibration(confidence, correct, bins=5)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=5, strategy="quantile")
    assert table["accuracy"].tolist() == pytest.approx(accuracy.tolist())
    assert table["confidence"].tolist() == pytest.approx(mean.tolist())
    assert table["n"].tolist() == [40] * 5


@pytest.mark.parametrize(("n", "bins"), [(0, 0), (4, 0), (5, 1), (14, 2), (25, 5), (400, 5)])
def test_calibration_has_no_bin_under_five(n, bins):
    table = statistics.calibration(np.linspace(0, 1, n), np.ones(n, dtype=bool))
    assert len(table) == bins
    assert (table["n"] >= 5).all()


def test_bin_that_equal_confidences_leave_small_is_not_drawn():
    table = statistics.calibration(np.array([0.1] * 2 + [0.5] * 20), np.ones(22, dtype=bool))
    assert table["n"].tolist() == [20]


# ---- intervals ----


@pytest.mark.parametrize(("right", "n"), [(12, 40), (30, 60), (150, 200)])
def test_interval_of_a_single_reader_is_near_the_binomial_one(right, n):
    found = readings_of(
        *[("MEL", "MEL", "BCC", "MEL")] * right, *[("NEV", "MEL", "BCC", "MEL")] * (n - right)
    )
    interval = statistics.accuracy(found, "before")
    for method in ("normal", "wilson"):
        low, high = proportion_confint(right, n, method=method)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.035)


@pytest.mark.parametrize("right", [0, 7])
def test_none_or_all_of_seven_is_not_called_certain(right):
    before = "MEL" if right else "NEV"
    interval = statistics.accuracy(readings_of(*[(before, "MEL", "BCC", "MEL")] * 7), "before")
    low, high = proportion_confint(right, 7, method="beta")
    expected = (0.0 if np.isnan(low) else low, 1.0 if np.isnan(high) else high)
    assert (interval.low, interval.high) == pytest.approx(expected)


def test_median_is_that_of_numpy_and_its_interval_near_the_exact_one():
    seconds = np.random.default_rng(0).gamma(2, 20, 80).round(1)
    made = [read("BCC", "BCC", case=f"{k:032x}", before_seconds=value) for k, value in enumerate(seconds)]
    found = statistics.seconds(statistics.readings(answers(*made)), "before")
    assert found.value == pytest.approx(np.median(seconds))
    # Order statistics, as the median of a sample falls between them: beta quantiles of their ranks.
    ranks = beta.ppf([0.025, 0.975], 40.5, 40.5)
    assert (found.low, found.high) == pytest.approx(np.quantile(seconds, ranks), abs=3)


def test_medians_of_resamples_are_those_of_the_values_drawn():
    rng = np.random.default_rng(0)
    for n in (5, 6, 17, 64, 101):
        values = np.sort(rng.integers(0, 40, n).astype(float))
        weights = rng.integers(0, 3, (n, 50)).astype(np.float32)
        expected = [np.median(np.repeat(values, column.astype(int))) for column in weights.T]
        assert intervals._weighted_medians(values, weights).tolist() == expected


def test_reader_and_case_are_drawn_whole(crossed):
    weights = intervals.reading_weights(crossed)
    assert (weights[:, 0] == 1).all()
    table = pd.DataFrame(weights[:, 1:], index=[crossed["reader"], crossed["case"]])
    grid = table.to_numpy().reshape(crossed["reader"].nunique(), -1, weights.shape[1] - 1)
    ordered = table.sort_index().to_numpy().reshape(grid.shape)
    by_reader, by_case = ordered.sum(1), ordered.sum(0)
    # Products of two margins: each table is of rank one and its total is n times n.
    assert ordered * ordered.sum((0, 1)) == pytest.approx(by_reader[:, None] * by_case)
    assert (ordered.sum((0, 1)) == len(crossed)).all()


@pytest.mark.parametrize(
    ("readers", "cases"), [(1, 8), (8, 1), (1, 1)], ids=["one reader", "one case", "one of each"]
)
def test_single_reader_or_case_is_not_resampled(readers, cases):
    n = max(readers, cases, 8)
    table = pd.DataFrame({"reader": np.arange(n) % readers, "case": np.arange(n) % cases})
    assert (intervals.reading_weights(table).sum(0) == n).all()


def test_interval_is_wider_where_readers_differ():
    widths = []
    for spread in (0.0, 0.3):
        found = statistics.accuracy(statistics.readings(study(8, 40, reader_spread=spread)), "before")
        widths.append(found.high - found.low)
    assert widths[1] > 1.2 * widths[0]


def test_gain_is_paired(crossed):
    before, after, gained = (
        statistics.accuracy(crossed, "before"),
        statistics.accuracy(crossed, "after"),
        statistics.gain(crossed),
    )
    assert gained.value == pytest.approx(after.value - before.value)
    assert gained.high - gained.low < (before.high - before.low) + (after.high - after.low)


@pytest.mark.parametrize(("n_readers", "n_cases"), [(1, 40), (10, 40)])
def test_intervals_cover_the_truth_as_often_as_they_say(n_readers, n_cases):
    rng = np.random.default_rng(1)
    reader, case = (side.ravel() for side in np.indices((n_readers, n_cases)))
    design = pd.DataFrame({"reader": reader, "case": case})
    everyone = np.ones(len(design), dtype=bool)
    # Chances of readers and cases average to 0.6; the single reader is the one that is spoken of.
    covered = 0
    for _ in range(150):
        skill = rng.uniform(-0.15, 0.15, n_readers) * (n_readers > 1)
        chance = 0.6 + skill[reader] + rng.uniform(-0.25, 0.25, n_cases)[case]
        (found,) = intervals.means(design, [(rng.random(len(design)) < chance, everyone)])
        covered += found.low <= 0.6 <= found.high
    assert 0.90 <= covered / 150 <= 0.995


def test_figures_are_the_same_again_and_in_any_order(crossed):
    first = statistics.summary(crossed)
    assert statistics.summary(crossed) == first
    shuffled = statistics.summary(crossed.sample(frac=1, random_state=1))
    assert shuffled.accuracy == first.accuracy
    assert shuffled.agreement == first.agreement


def test_summary_has_the_figures_of_the_functions(crossed):
    found = statistics.summary(crossed)
    assert (found.n_readings, found.n_readers, found.n_cases, found.n_with_truth) == (180, 6, 30, 180)
    assert found.accuracy == {
        (who, top): statistics.accuracy(crossed, who, top)
        for who in ("before", "after", "ai")
        for top in (1, 3)
    }
    assert found.gain == {top: statistics.gain(crossed, top) for top in (1, 3)}
    assert found.switches == statistics.switches(crossed)
    assert found.reliance == statistics.reliance(crossed)
    for stage in ("before", "after"):
        assert found.agreement[stage] == statistics.agreement(crossed, stage)
        assert found.seconds[stage] == statistics.seconds(crossed, stage)
        assert found.confidence[stage].value == pytest.approx(crossed[f"{stage}_confidence"].mean())


# ---- few or none ----


def estimates(summary):
    return [
        *summary.accuracy.values(),
        *summary.gain.values(),
        *vars(summary.switches).values(),
        *(value for value in vars(summary.reliance).values() if isinstance(value, Estimate)),
        *(found.kappa for found in summary.agreement.values()),
        *summary.seconds.values(),
        *summary.confidence.values(),
    ]


@pytest.mark.parametrize("n", [0, 1, 4])
def test_no_figure_under_five_readings(n):
    found = readings_of(*[("NEV", "MEL", "MEL", "MEL"), ("MEL", "MEL", "MEL", "MEL")][:n] * (n // 2 or 1))
    assert len(found) == n
    for estimate in estimates(statistics.summary(found)):
        assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
        assert estimate.n <= n
    assert statistics.accuracy(found, "after").count == n


def test_figures_begin_at_five_readings():
    found = statistics.summary(readings_of(*[("NEV", "MEL", "MEL", "MEL")] * 5))
    assert found.accuracy["after", 1].value == 1
    assert found.switches.beneficial.value == 1
    assert found.switches.harmful == Estimate(None, None, None, 0, 0)


def test_empty_table_works_everywhere():
    found = statistics.readings(answers())
    assert found.empty
    assert statistics.by_group(found, "role") == {}
    assert statistics.kappa_over_time(found).columns.tolist() == ["block", "n", "before", "after"]
    assert statistics.kappa_over_time(found).empty
    assert statistics.flow(found)["n"].tolist() == [0, 0, 0, 0]
    drawn = statistics.confusion(found, "after")
    assert (drawn.index.tolist(), drawn.columns.tolist()) == ([OUTSIDE_SCOPE], [])
    table = statistics.calibration(np.array([]), np.array([], dtype=bool))
    assert table.columns.tolist() == ["confidence", "accuracy", "n"] and table.empty


# ---- groups ----


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("fitzpatrick", [None, 6, 1, 3, 1], ["1", "3", "6", NOT_STATED]),
        (
            "years_of_practice",
            ["over 20", "", "0-2", "11-20", "3-5"],
            ["0-2", "3-5", "11-20", "over 20", NOT_STATED],
        ),
        (
            "role",
            ["student", "nurse", "", "dermatologist", "other"],
            ["dermatologist", "nurse", "student", "other", NOT_STATED],
        ),
        (
            "truth",
            ["lupus", "SEK", "", "bcc", "Chilblain", "chilblain ", "psoriasis"],
            ["BCC", "SEK", "PSO", "Chilblain", "lupus", NOT_STATED],
        ),
        ("deck", ["b", "", "a"], ["a", "b", NOT_STATED]),
    ],
)
def test_groups_stand_in_their_natural_order(column, values, expected):
    made = [
        read("BCC", "BCC", case=f"{place:032x}", minute=place, **{column: value})
        for place, value in enumerate(values)
    ]
    groups = statistics.by_group(statistics.readings(answers(*made)), column)
    assert list(groups) == expected
    assert sum(summary.n_readings for summary in groups.values()) == len(values)


def test_group_is_summed_up_as_if_it_were_alone(crossed):
    groups = statistics.by_group(crossed, "role")
    assert list(groups) == ["dermatologist", "nurse"]
    assert groups["nurse"] == statistics.summary(crossed[crossed["role"] == "nurse"])
