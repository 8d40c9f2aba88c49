import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta
from sklearn.calibration import calibration_curve
from sklearn.metrics import cohen_kappa_score, confusion_matrix
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from benchmarks import coverage
from skin_ai import intervals
from skin_ai.diseases import LABEL_SETS
from skin_ai.intervals import Estimate
from skin_ai.study import statistics
from skin_ai.study.statistics import NOT_STATED, NOT_UNDERSTOOD, OUTSIDE_SCOPE, UNDECIDED, Missing

PAD, SKIN_26 = LABEL_SETS["pad-ufes-20"], LABEL_SETS["skin-26"]
START = pd.Timestamp("2025-03-01 09:00", tz="UTC")
RANKS = ["rank_1", "rank_2", "rank_3", "rank_4"]
SCALES = ["agrees", "heatmap_on_lesion", "steps_helped", "would_use"]
COLUMNS = [
    "reader", "role", "years_of_practice", "deck", "case", "sample", "stage", "blinded", "repeat",
    "answered_at", "seconds", *RANKS, "confidence", "arm", "management", "malignancy", "reason", "age_band",
    "body_site", "fitzpatrick", "truth", "bundle", "bundle_version", "bundle_sha256", "ai_answer",
    "ai_undecided", *SCALES, "comment", "narrative",
    "facts_extracted", "facts_confirmed",
]  # fmt: skip


def ai_says(first, types=PAD):
    """The ranking of a run that has this type first, then the others."""
    others = [type_ for type_ in types if type_ != first]
    return ((first, 0.5), *((type_, 0.5 / len(others)) for type_ in others))


def read(before, after, ai="BCC", truth="", reader="R1", case=None, types=PAD, minute=0, **more):
    """The two answers of a reading; diagnoses are a text or a list of up to four."""
    row = dict.fromkeys(COLUMNS, "") | dict.fromkeys(["malignancy", "fitzpatrick", *SCALES], None)
    row |= {"reader": reader, "case": case or "0" * 32, "blinded": True, "repeat": False, "seconds": 30.0}
    row |= {"confidence": 60}
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
    integers = dict.fromkeys(["malignancy", "fitzpatrick", *SCALES], "Int64")
    table = table.astype({"blinded": bool, "repeat": bool, "confidence": int, "seconds": float} | integers)
    text = table.columns.difference(
        ["blinded", "repeat", "confidence", "seconds", "answered_at", "ai_answer", *integers]
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


def summed(found, unfinished=None):
    """The summary of readings, none of which is unfinished unless given."""
    return statistics.summary(found, statistics.unfinished(answers()) if unfinished is None else unfinished)


def grouped(found, column):
    return statistics.by_group(found, statistics.unfinished(answers()), column)


def crossed_readings(n_readers, n_cases, reading):
    """Readings of every reader with every case; reading(reader, case) gives before, after, ai and truth."""
    made = [
        read(
            *reading(reader, case),
            reader=f"R{reader:02}",
            case=f"{case:032x}",
            minute=reader * n_cases + case,
        )
        for reader in range(n_readers)
        for case in range(n_cases)
    ]
    return statistics.readings(answers(*made))


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
            before_management="follow up",
            after_management="biopsy or refer",
            before_malignancy=30,
            after_malignancy=70,
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
        "arm": "",
        "case": "a" * 32,
        "bundle": "pad-ufes-20",
        "fitzpatrick": 4,
        "truth": "MEL",
        "ai": ("MEL", "BCC", "SCC", "ACK", "NEV", "SEK"),
        "ai_probability": 0.5,
        "undecided": (),
        "before": ("NEV", "MEL"),
        "after": ("MEL",),
        "before_confidence": 40,
        "after_confidence": 90,
        "before_management": "follow up",
        "after_management": "biopsy or refer",
        "before_malignancy": 30,
        "after_malignancy": 70,
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
    assert summed(found).n_cases == 1


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
        ("chil blain", "Chil  blain", 1, False),  # no text is compared with a text
        ("chilblain", "dermatofibroma", 1, False),
        ("Kaposi  sarcoma", "kaposi Sarcoma", 1, True),
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
    assert {who: (e.n, e.value) for who, e in of.items()} == {
        "before": (6, 0.5),
        "after": (6, 1.0),
        "ai": (6, 0.5),
    }
    assert (of["before"].count, of["after"].count) == (3, 6)
    assert statistics.gain(found).value == 0.5


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


# ---- like with like ----


def test_ai_is_given_no_more_diagnoses_than_the_reader_named():
    """A random AI had 0.52 in top 3 because it always ranks all six types."""
    rng = np.random.default_rng(0)

    def reading(reader, case):
        return ("NEV", "NEV", PAD[rng.integers(6)], "MEL")

    found = crossed_readings(1, 300, reading)
    assert statistics.accuracy(found, "ai", 3) == statistics.accuracy(found, "ai", 1)
    assert statistics.accuracy(found, "ai", 3).value < 0.25


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["NEV", "MEL"], ["NEV", "MEL"], (True, True, True)),
        (["NEV"], ["NEV", "MEL"], (False, False, False)),  # naming more after the AI is no gain
        (["NEV", "SEK", "MEL"], ["NEV", "SEK"], (False, False, True)),
        (["NEV", "SEK", "ACK", "MEL"], ["MEL", "NEV", "SEK", "ACK"], (False, True, True)),
    ],
)
def test_top_3_counts_as_many_diagnoses_for_all_three(before, after, expected):
    found = readings_of((before, after, "SCC", "MEL"))
    found["ai"] = [("SCC", "MEL", "BCC", "ACK", "NEV", "SEK")]
    assert tuple(bool(statistics.correct(found, who, 3)[0]) for who in ("before", "after", "ai")) == expected


# ---- bundles ----


def of_two_bundles():
    both = [("pad-ufes-20", "1" * 64), ("skin-26", "2" * 64), ("skin-26", "2" * 64)]
    made = [
        read("NEV", "MEL", "MEL", "MEL", case=f"{n:032x}", minute=n, bundle=name, bundle_sha256=sha256)
        for n, (name, sha256) in enumerate(both * 5)
    ]
    return statistics.readings(answers(*made))


def test_bundles_are_never_pooled():
    found = of_two_bundles()
    assert statistics.bundles(found) == ["skin-26", "pad-ufes-20"]  # the one with more readings first
    with pytest.raises(ValueError, match="several bundles: skin-26, pad-ufes-20"):
        summed(found)
    assert summed(statistics.of_bundle(found, "pad-ufes-20")).n_readings == 5


def test_two_versions_of_a_bundle_are_two_bundles():
    made = [
        read("NEV", "MEL", "MEL", "MEL", case=f"{n:032x}", bundle_version=f"1.{n}", bundle_sha256=f"{n}" * 64)
        for n in range(2)
    ]
    found = statistics.readings(answers(*made))
    assert set(found["bundle"]) == {"pad-ufes-20 1.0 (000000)", "pad-ufes-20 1.1 (111111)"}


# ---- missing final answers ----


def test_missing_final_answers_are_counted_with_the_gain_they_may_hide():
    """Readers who left where the AI was wrong raised the gain from 0.19 to 0.29."""
    made = [
        *(read("NEV", "MEL", "MEL", "MEL", case=f"{n:032x}") for n in range(6)),  # wrong -> right
        *(read("MEL", "MEL", "MEL", "MEL", case=f"{n:032x}") for n in range(6, 10)),
        *(read("MEL", "MEL", "NEV", "MEL", case=f"{n:032x}")[:1] for n in range(10, 14)),  # left, AI wrong
        *(read("NEV", "NEV", "MEL", "MEL", case=f"{n:032x}")[:1] for n in range(14, 15)),  # left, AI right
        *(read("NEV", "NEV", "MEL", "", case=f"{n:032x}")[:1] for n in range(15, 18)),  # no reference
    ]
    table = answers(*made)
    found, left = statistics.readings(table), statistics.unfinished(table)
    assert statistics.gain(found).value == pytest.approx(0.6)
    assert len(left) == 8
    missing = statistics.missing(found, left)
    assert missing.n == 5
    assert missing.kept == pytest.approx(6 / 15)
    assert missing.changed == pytest.approx((6 - 4 + 1) / 15)


def test_result_that_a_reader_did_not_wait_for_is_that_of_the_case():
    made = [
        read("NEV", "MEL", "MEL", "MEL", reader="R1"),
        [row | {"ai_answer": None, "bundle": ""} for row in read("NEV", "", "", "MEL", reader="R2")[:1]],
        [
            row | {"ai_answer": None, "bundle": ""}
            for row in read("NEV", "", "", "MEL", reader="R2", case="1" * 32)[:1]
        ],
    ]
    left = statistics.unfinished(answers(*made))
    assert left["bundle"].tolist() == ["pad-ufes-20", ""]
    assert [types[:1] for types in left["ai"]] == [("MEL",), ()]
    # Of a case that the AI has never seen no change can be assumed; it counts with every bundle.
    assert len(statistics.of_bundle(left, "pad-ufes-20")) == 2
    assert len(statistics.of_bundle(left, "skin-26")) == 1


def test_nothing_is_missing_where_all_have_finished(crossed):
    gained = statistics.gain(crossed).value
    assert summed(crossed).missing[1] == Missing(0, pytest.approx(gained), pytest.approx(gained))


# ---- undecided results and other references ----


def test_undecided_result_is_no_diagnosis():
    decided = [("NEV", "MEL", "MEL", "MEL")] * 6
    open_ = [("NEV", "MEL", "MEL", "MEL")] * 3 + [("NEV", "NEV", "BCC", "NEV")] * 2 + [("BCC",) * 4]
    found = readings_of(*decided, *open_)
    found["undecided"] = [()] * 6 + [("MEL", "SEK")] * 3 + [("BCC", "SCC")] * 3
    ai = statistics.accuracy(found, "ai")
    assert (ai.value, ai.n) == (1.0, 6)
    open_found = statistics.undecided(found)
    assert (open_found.decided.value, open_found.decided.n) == (0.5, 12)
    assert (open_found.n_cases, open_found.n_readings) == (6, 6)
    assert (open_found.changed.count, open_found.changed.n) == (3, 6)
    assert {stage: e.count for stage, e in open_found.candidate.items()} == {"before": 1, "after": 4}
    assert {stage: e.count for stage, e in open_found.right.items()} == {"before": 3, "after": 6}
    assert {stage: e.n for stage, e in open_found.right_where_decided.items()} == {"before": 6, "after": 6}
    relied = statistics.reliance(found)
    assert (relied.followed.n, relied.undecided) == (6, 6)
    agreed = statistics.agreement(found, "after")
    assert (agreed.kappa.n, agreed.undecided) == (6, 6)
    drawn = statistics.confusion(found, "after")
    assert drawn[UNDECIDED].to_dict() == {"BCC": 1, "MEL": 3, "NEV": 2, OUTSIDE_SCOPE: 0}
    assert drawn.to_numpy().sum() == 12
    assert statistics.calibrations(found)["ai"]["n"].sum() == 6


def test_references_that_the_ai_cannot_name_have_a_row_of_their_own():
    found = readings_of(
        *[("MEL", "MEL", "MEL", "MEL")] * 5,
        *[("psoriasis", "MEL", "MEL", "psoriasis")] * 6,  # a known type, but none of the bundle's
        *[("lupus", "lupus", "MEL", "lupus")] * 7,  # no type at all
        *[("MEL", "MEL", "MEL", "")] * 2,
    )
    assert summed(found).n_with_truth == 11
    rows = statistics.references(found)
    assert {kind: (row.n_cases, row.n_readings) for kind, row in rows.items()} == {
        "known": (5, 5),
        "outside": (6, 6),
        "not understood": (7, 7),
        "none": (2, 2),
    }
    assert (rows["outside"].before.value, rows["outside"].after.value) == (1.0, 0.0)
    assert rows["not understood"].before is None
    assert statistics.accuracy(found, "before").n == 11


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
    # The large-sample variance (Fleiss, Cohen and Everitt 1969) of independent readings.
    own, ai = (np.array(side, dtype=object) for side in zip(*pairs, strict=True))
    _, expected_by_chance, influence = statistics._kappa_parts(own, ai)
    variance = np.square(influence / (1 - expected_by_chance)).sum()
    assert variance == pytest.approx(cohens_kappa(np.array(table)).var_kappa, rel=1e-6)


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
    found = crossed_readings(5, 10, lambda reader, case: [("BCC", "NEV")[case % 2]] * 3)
    kappa = statistics.agreement(found, "before").kappa
    assert (kappa.value, kappa.high) == (1, 1)
    low, _ = proportion_confint(10, 10, method="wilson")  # ten cases, not fifty readings
    assert kappa.low == pytest.approx((low - 0.5) / 0.5)


def test_kappa_of_readers_who_always_say_the_same_has_no_interval():
    found = crossed_readings(6, 12, lambda reader, case: ("BCC", "BCC", ("NEV", "BCC", "BCC")[case % 3], ""))
    assert statistics.agreement(found, "before").kappa == Estimate(0.0, None, None, 72)


def test_kappa_of_few_readers_has_no_interval():
    """Two readers who always say the same had 0.00 (0.00 to 0.00)."""
    found = crossed_readings(2, 6, lambda reader, case: ("BCC", "BCC", ("NEV", "BCC", "BCC")[case % 3], ""))
    assert statistics.agreement(found, "before").kappa == Estimate(0.0, None, None, 12)


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


@pytest.mark.parametrize(
    "confidence",
    [
        [0.1] * 2 + [0.5] * 20,
        [0.1] * 2 + [0.5] * 20 + [0.9] * 3,
        [0.2] * 3 + [0.4] * 4 + [0.6] * 4 + [0.8] * 4,
        [0.25] * 4 + [0.75] * 4,
    ],
)
def test_no_answer_is_left_out_of_the_bins(confidence):
    """Bins under five were dropped, with up to 55% of the answers."""
    table = statistics.calibration(np.array(confidence), np.ones(len(confidence), dtype=bool))
    assert table["n"].sum() == len(confidence)
    assert table["confidence"].is_monotonic_increasing
    assert (table["confidence"] * table["n"]).sum() == pytest.approx(sum(confidence))


def test_ai_is_counted_once_a_case_in_its_calibration():
    found = crossed_readings(8, 5, lambda reader, case: ("BCC", "BCC", "BCC", "BCC"))
    bins = statistics.calibrations(found)
    assert (bins["before"]["n"].sum(), bins["ai"]["n"].sum()) == (40, 5)


# ---- intervals ----


@pytest.mark.parametrize(("n_readers", "n_cases"), [(20, 3), (40, 5), (4, 40), (5, 9), (1, 40), (40, 1)])
def test_few_readers_or_cases_are_described_without_interval(n_readers, n_cases):
    found = summed(statistics.readings(study(n_readers, n_cases)))
    for estimate in estimates(found):
        if estimate.unit != "cases":
            assert (estimate.low, estimate.high) == (None, None)
    assert found.gain[1].value is not None


def test_five_readers_of_ten_cases_have_intervals():
    found = summed(statistics.readings(study(5, 10)))
    for estimate in (*found.accuracy.values(), *found.gain.values(), *found.seconds.values()):
        assert estimate.low < estimate.value < estimate.high


def test_readings_count_readers_and_cases_of_their_own_only():
    """A rate among readings of few cases has no interval, although the study has many."""
    found = crossed_readings(6, 20, lambda reader, case: ("NEV", "NEV", "NEV", "MEL" if case < 9 else "NEV"))
    assert statistics.accuracy(found, "before").low is not None
    assert statistics.switches(found).beneficial == Estimate(0.0, None, None, 54, 0)


@pytest.mark.parametrize("right", [0, 50])
def test_none_or_all_is_not_called_certain(right):
    found = crossed_readings(5, 10, lambda reader, case: ("MEL" if right else "NEV", "MEL", "BCC", "MEL"))
    interval = statistics.accuracy(found, "before")
    low, high = proportion_confint(10 if right else 0, 10, method="wilson")  # ten cases, not fifty readings
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_gain_is_not_called_certainly_nothing_where_nobody_changed():
    """It was 0.00 (0.00 to 0.00)."""
    found = crossed_readings(5, 10, lambda reader, case: [("MEL", "NEV")[case % 2]] * 2 + ["BCC", "MEL"])
    gained = statistics.gain(found)
    _, high = proportion_confint(0, 10, method="wilson")
    assert (gained.value, gained.low, gained.high) == pytest.approx((0, -high, high))


def test_gain_of_everybody_is_not_called_certain():
    gained = statistics.gain(crossed_readings(5, 10, lambda reader, case: ("NEV", "MEL", "MEL", "MEL")))
    assert (gained.value, gained.high) == (1, 1)
    assert 0.6 < gained.low < 0.8


def test_one_change_among_fifty_leaves_both_directions_open():
    def reading(reader, case):
        return ("NEV", "MEL" if reader == case == 0 else "NEV", "MEL", "MEL")

    gained = statistics.gain(crossed_readings(5, 10, reading))
    assert gained.value == pytest.approx(0.02)
    assert gained.low < 0 < 0.05 < gained.high


def test_more_readers_of_the_same_cases_do_not_make_the_ai_surer():
    """40 visitors with one case gave the AI 1.00 (0.91 to 1.00)."""

    def reading(reader, case):
        return ("NEV", "MEL", ("BCC", "MEL", "MEL")[case % 3], "MEL")

    few, many = (statistics.accuracy(crossed_readings(n, 12, reading), "ai") for n in (5, 40))
    assert few == many
    assert (few.value, few.n, few.unit) == (pytest.approx(8 / 12), 12, "cases")
    assert (few.low, few.high) == pytest.approx(proportion_confint(8, 12, method="wilson"))
    one = statistics.accuracy(crossed_readings(40, 1, reading), "ai")
    assert (one.value, one.n) == (None, 1)


def test_ai_is_counted_by_cases_however_often_each_was_read():
    made = [read("NEV", "NEV", "NEV", "NEV", reader=f"R{n}", case="0" * 32, minute=n) for n in range(40)]
    made += [read("NEV", "NEV", "NEV", "MEL", case=f"{n:032x}", minute=50 + n) for n in range(1, 10)]
    found = statistics.readings(answers(*made))
    assert statistics.accuracy(found, "ai").value == pytest.approx(0.1)


def test_median_is_that_of_numpy_and_its_interval_of_order_statistics():
    rng = np.random.default_rng(0)
    seconds = {(reader, case): float(rng.gamma(2, 20)) for reader in range(8) for case in range(30)}
    made = [
        read("BCC", "BCC", reader=f"R{r}", case=f"{c:032x}", before_seconds=value)
        for (r, c), value in seconds.items()
    ]
    found = statistics.seconds(statistics.readings(answers(*made)), "before")
    values = list(seconds.values())
    assert found.value == pytest.approx(np.median(values))
    # Order statistics of independent values, as the median of a sample falls between them.
    ranks = beta.ppf([0.025, 0.975], 120.5, 120.5)
    assert (found.low, found.high) == pytest.approx(np.quantile(values, ranks), abs=4)


def test_equal_values_have_no_interval():
    found = crossed_readings(5, 10, lambda reader, case: ("BCC", "BCC", "BCC", ""))
    assert statistics.seconds(found, "before") == Estimate(30.0, None, None, 50)
    assert statistics.confidence(found, "before") == Estimate(60.0, None, None, 50)


def test_spread_is_that_of_the_analysis_of_variance():
    """Obuchowski and Rockette's variance and Hillis's degrees of freedom, from the mean squares."""
    rng = np.random.default_rng(3)
    n_readers, n_cases = 6, 15
    values = rng.normal(0, 1, (n_readers, 1)) + rng.normal(0, 1, n_cases) + rng.normal(0, 1, (6, 15))
    table = pd.DataFrame(
        {"y": values.ravel(), "reader": np.repeat(np.arange(6), 15), "case": np.tile(np.arange(15), 6)}
    )
    squares = anova_lm(ols("y ~ C(reader) + C(case)", table).fit())["mean_sq"]
    of_readers, of_cases, rest = squares["C(reader)"], squares["C(case)"], squares["Residual"]
    assert of_cases > rest
    found = intervals.spread(table, (values - values.mean()).ravel() / values.size)
    assert found.variance == pytest.approx((of_readers + of_cases - rest) / values.size)
    assert found.degrees == pytest.approx(
        (n_readers - 1) * ((of_readers + of_cases - rest) / of_readers) ** 2
    )


def test_spread_is_never_less_than_of_independent_readings():
    values = np.tile([0.0, 1.0], 25)  # every reader has the same mean, every case both values
    table = pd.DataFrame({"reader": np.repeat(np.arange(5), 10), "case": (np.arange(50) * 7) % 10})
    found = intervals.spread(table, (values - 0.5) / 50)
    assert found.variance >= 0.25 / 50
    assert found.effective_n(0.25) <= 50


def test_two_readings_of_a_case_by_a_reader_are_not_two_readers():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"reader": np.repeat(np.arange(5), 20), "case": np.tile(np.arange(20), 5)})
    influence = rng.normal(0, 0.01, 100)
    twice = pd.concat([table, table], ignore_index=True)
    once = intervals.spread(table, influence)
    again = intervals.spread(twice, np.concatenate([influence, influence]) / 2)
    assert again.variance == pytest.approx(once.variance)


def test_intervals_do_not_depend_on_the_names_of_readers_and_cases(crossed):
    other = crossed.assign(
        reader=crossed["reader"].map(lambda name: f"{hash(name) % 997}-{name[::-1]}"),
        case=crossed["case"].str[::-1],
    )
    assert summed(other) == summed(crossed)


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


@pytest.mark.parametrize("influence", [0.3, 0.6])
def test_intervals_cover_the_truth_as_often_as_they_say(influence):
    """A small part of benchmarks.coverage: the full simulation is in docs/study.md."""
    covered = coverage.coverage(5, 20, influence, studies=300)
    for figure in ("Accuracy before", "Gain", "Kappa after"):
        share, shown = covered[figure]
        assert 0.9 <= share <= 1.0 and shown > 0.98


def test_figures_are_the_same_again_and_in_any_order(crossed):
    first = summed(crossed)
    assert summed(crossed) == first
    shuffled = summed(crossed.sample(frac=1, random_state=1))
    for one, other in zip(estimates(shuffled), estimates(first), strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_summary_has_the_figures_of_the_functions(crossed):
    found = summed(crossed)
    assert (found.n_readings, found.n_readers, found.n_cases, found.n_with_truth) == (180, 6, 30, 180)
    assert found.accuracy == {
        (who, top): statistics.accuracy(crossed, who, top)
        for who in ("before", "after", "ai")
        for top in (1, 3)
    }
    assert found.gain == {top: statistics.gain(crossed, top) for top in (1, 3)}
    assert found.undecided == statistics.undecided(crossed)
    assert found.references == statistics.references(crossed)
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
    for estimate in estimates(summed(found)):
        assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
        assert estimate.n <= n
    assert statistics.accuracy(found, "after").count == n


def test_figures_begin_at_five_readings():
    found = summed(readings_of(*[("NEV", "MEL", "MEL", "MEL")] * 5))
    assert found.accuracy["after", 1].value == 1
    assert found.switches.beneficial.value == 1
    assert found.switches.harmful == Estimate(None, None, None, 0, 0)


def test_empty_table_works_everywhere():
    found = statistics.readings(answers())
    assert found.empty
    assert grouped(found, "role") == {}
    assert statistics.bundles(found) == []
    assert summed(found).missing[1] == Missing(0, None, None)
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
            ["BCC", "SEK", "PSO", NOT_UNDERSTOOD, NOT_STATED],
        ),
        ("deck", ["b", "", "a"], ["a", "b", NOT_STATED]),
    ],
)
def test_groups_stand_in_their_natural_order(column, values, expected):
    made = [
        read("BCC", "BCC", case=f"{place:032x}", minute=place, **{column: value})
        for place, value in enumerate(values)
    ]
    groups = grouped(statistics.readings(answers(*made)), column)
    assert list(groups) == expected
    assert sum(summary.n_readings for summary in groups.values()) == len(values)


def test_group_is_summed_up_as_if_it_were_alone(crossed):
    groups = grouped(crossed, "role")
    assert list(groups) == ["dermatologist", "nurse"]
    assert groups["nurse"] == summed(crossed[crossed["role"] == "nurse"])


def test_repeats_are_in_no_figure():
    table = answers(*(read("NEV", "MEL", truth="MEL", case=f"{n:032x}", minute=n) for n in range(8)))
    repeated = table["case"].isin(sorted(table["case"].unique())[:3])
    found = statistics.readings(table.assign(repeat=repeated))
    assert len(found) == 5
    left = table[table["stage"] == "before"]
    assert len(statistics.unfinished(left.assign(repeat=repeated[left.index]))) == 5
