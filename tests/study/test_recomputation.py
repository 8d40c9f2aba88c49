"""Every figure of Compare, computed a second way from the answers of a made-up study of 200 readings.

Nothing of skin_ai.study.statistics is used on this side: pandas joins and counts, statsmodels gives kappa and
Wilson's interval, and the spread over readers and cases comes from the matrix of readers by cases.
"""

import made_up_study
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from scipy.stats import t as students_t
from sklearn.metrics import roc_auc_score
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from skin_ai.diseases import DISEASES, Nature
from skin_ai.study import arms, management, statistics

RANKS = ["rank_1", "rank_2", "rank_3", "rank_4"]
STAGES = ("before", "after")


def made_up() -> pd.DataFrame:
    """8 readers x 25 cases: some unfinished, some undecided, and references of every kind."""
    table = made_up_study.with_management(made_up_study.answers(8, 25, seed=11))
    cases = sorted(table["case"].unique())
    named = {cases[3]: "PSO", cases[9]: "PSO", cases[12]: "something odd", cases[20]: ""}
    table["truth"] = table["case"].map(named).fillna(table["truth"])
    return table.drop(table[table["stage"] == "after"].index[5::17])


ANSWERS = made_up()
READINGS = statistics.readings(ANSWERS)
UNFINISHED = statistics.unfinished(ANSWERS)
SUMMARY = statistics.summary(READINGS, UNFINISHED)


def second_table(answers: pd.DataFrame) -> pd.DataFrame:
    """One row per reading with an answer before, with what is counted as numbers."""
    blinded = answers[answers["blinded"]]
    values = [*RANKS, "confidence", "seconds", "management", "malignancy"]
    pairs = blinded.pivot(index=["reader", "case"], columns="stage", values=values)
    rows = []
    for (reader, case), pair in pairs.iterrows():
        if pd.isna(pair["rank_1", "before"]):
            continue
        one = blinded[(blinded["reader"] == reader) & (blinded["case"] == case)].iloc[0]
        said = {s: [r for r in pair[[(rank, s) for rank in RANKS]] if r and not pd.isna(r)] for s in STAGES}
        ai = [type_ for type_, _ in one["ai_answer"]]
        named = min(3, len(said["before"]), len(said["after"]) or 9)
        truth = one["truth"]
        row = {"reader": reader, "case": case, "role": one["role"], "truth": truth, "ai": ai[0], "types": ai}
        row |= {"p": one["ai_answer"][0][1], "candidates": one["ai_undecided"].split(), "own": said["before"]}
        row |= {"finished": bool(said["after"]), "scored": truth in DISEASES, "named": named}
        row |= {"known": truth in ai, "outside": truth in DISEASES and truth not in ai}
        row |= {"ai_1": float(ai[0] == truth), "ai_3": float(truth in ai[:named])}
        for s in STAGES:
            first = said[s][0] if said[s] else ""
            row |= {f"first_{s}": first, f"in_{s}": first in ai, f"{s}_1": float(first == truth)}
            row |= {f"{s}_3": float(truth in said[s][:named]), f"sure_{s}": float(pair["confidence", s])}
            row |= {f"sec_{s}": float(pair["seconds", s]), f"risk_{s}": pair["malignancy", s]}
            row |= {f"sent_{s}": float(pair["management", s] == "biopsy or refer")}
        rows.append(row)
    table = pd.DataFrame(rows)
    table["decided"] = table["candidates"].map(len) == 0
    return table


ALL = second_table(ANSWERS)
TABLE = ALL[ALL["finished"]].reset_index(drop=True)
SCORED = TABLE[TABLE["scored"]]


def spread(table: pd.DataFrame, influence: pd.Series) -> tuple[float, float]:
    """Variance and Student's t: from the covariances of every pair of readers over their cases."""
    matrix = table.assign(z=influence.to_numpy()).pivot(index="reader", columns="case", values="z")
    r, c = matrix.shape
    between = r * np.var(matrix.sum(axis=1) - matrix.to_numpy()[~np.isnan(matrix)].sum() / r, ddof=1)
    e = matrix.sub(matrix.mean(axis=1), axis=0).fillna(0).to_numpy()
    products = e @ e.T
    shared = (products.sum() - np.trace(products)) * r / (r - 1) * c / (c - 1)
    variance = between + max(shared, 0)
    t = students_t.ppf(0.975, (r - 1) * (variance / between) ** 2) if between else norm.ppf(0.975)
    return max(variance, np.square(influence).sum()), t


def is_shown(table: pd.DataFrame) -> bool:
    return table["reader"].nunique() >= 5 and table["case"].nunique() >= 10


def wilson(value: float, n: float, t: float) -> tuple[float, float]:
    return proportion_confint(value * n, n, alpha=2 * norm.sf(t), method="wilson")


def expected_rate(table: pd.DataFrame, happened: pd.Series):
    """(value, low, high, n), with None where there is no figure or no interval."""
    n = len(table)
    if n < 5:
        return None, None, None, n
    value = happened.mean()
    if not is_shown(table):
        return value, None, None, n
    variance, t = spread(table, (happened - value) / n)
    alone = value * (1 - value)
    n_effective = (
        min(n, alone / variance) if variance > 0 else max(table["reader"].nunique(), table["case"].nunique())
    )
    return (value, *wilson(value, n_effective, t), n)


def same(estimate, expected) -> bool:
    found = (estimate.value, estimate.low, estimate.high, estimate.n)
    return all(
        one is None if two is None else one == pytest.approx(two, abs=1e-6)
        for one, two in zip(found, expected, strict=True)
    )


def test_study_has_about_200_readings_of_every_kind():
    assert len(ALL) + 10 > 200 > len(TABLE) > 150
    assert len(TABLE) < len(ALL) and not TABLE["decided"].all() and TABLE["outside"].any()
    assert not TABLE["in_before"].all() and (TABLE["truth"] == "something odd").any()


def test_counts():
    assert (SUMMARY.n_readings, SUMMARY.n_with_truth) == (len(TABLE), len(SCORED))
    assert (SUMMARY.n_readers, SUMMARY.n_cases) == (TABLE["reader"].nunique(), TABLE["case"].nunique())


@pytest.mark.parametrize("top", [1, 3])
@pytest.mark.parametrize("stage", STAGES)
def test_accuracy_of_readers(stage, top):
    assert same(SUMMARY.accuracy[stage, top], expected_rate(SCORED, SCORED[f"{stage}_{top}"]))


@pytest.mark.parametrize("top", [1, 3])
def test_accuracy_of_the_ai(top):
    of_cases = SCORED[SCORED["decided"]].groupby("case")[f"ai_{top}"].mean()
    n, value = len(of_cases), of_cases.mean()
    assert same(SUMMARY.accuracy["ai", top], (value, *wilson(value, n, norm.ppf(0.975)), n))


def expected_difference(table: pd.DataFrame, change: pd.Series):
    n, more, less = len(table), (change > 0).mean(), (change < 0).mean()
    if not is_shown(table):
        return change.mean(), None, None, n
    variance, t = spread(table, (change - change.mean()) / n)
    n_effective = min(n, change.var(ddof=0) / variance)
    cells = np.array([more, less, 1 - more - less]) * n_effective + [0.25, 0.25, 0.5]
    shares = cells / cells.sum()
    middle = shares[0] - shares[1]
    half = t * np.sqrt((shares[0] + shares[1] - middle**2) / cells.sum())
    return change.mean(), middle - half, middle + half, n


@pytest.mark.parametrize("top", [1, 3])
def test_gain(top):
    change = SCORED[f"after_{top}"] - SCORED[f"before_{top}"]
    assert same(SUMMARY.gain[top], expected_difference(SCORED, change))


def test_management():
    found = management.management(READINGS)
    nature = TABLE["truth"].map(lambda truth: DISEASES[truth].nature if truth in DISEASES else "")
    malignant, benign = TABLE[nature == "malignant"], TABLE[nature == "benign"]
    judged = TABLE[nature.isin(["malignant", "benign"])]
    assert found.left_out == len(TABLE) - len(judged) > 0
    of_malignant = nature[judged.index] == "malignant"
    right = {s: (judged[f"sent_{s}"] == of_malignant).astype(float) for s in STAGES}
    for one, rows, happened in (
        (found.harm, malignant, {s: 1 - malignant[f"sent_{s}"] for s in STAGES}),
        (found.unnecessary, benign, {s: benign[f"sent_{s}"] for s in STAGES}),
        (found.right, judged, right),
    ):
        for s in STAGES:
            assert same(one.at[s], expected_rate(rows, happened[s]))
        assert same(one.change, expected_difference(rows, happened["after"] - happened["before"]))
    for estimate, was in ((found.switches.beneficial, 0.0), (found.switches.harmful, 1.0)):
        rows = judged[right["before"] == was]
        assert same(estimate, expected_rate(rows, (right["after"][rows.index] != was).astype(float)))
    for s in STAGES:
        assert found.chosen[s]["biopsy or refer"] == TABLE[f"sent_{s}"].sum()
        assert sum(found.chosen[s].values()) == len(TABLE)


def test_probability_of_malignancy():
    bins = management.malignancy_calibration(READINGS)
    malignant = SCORED["truth"].map(lambda truth: DISEASES[truth].nature == "malignant")
    for s in STAGES:
        assert bins[s]["n"].sum() == len(SCORED)
        assert (bins[s]["confidence"] * bins[s]["n"]).sum() == pytest.approx(SCORED[f"risk_{s}"].sum() / 100)
        assert (bins[s]["accuracy"] * bins[s]["n"]).sum() == pytest.approx(malignant.sum())


def test_auc_of_the_probability_of_malignancy():
    malignant = SCORED["truth"].map(lambda truth: DISEASES[truth].nature == "malignant")
    rows = SCORED.reset_index(drop=True)
    is_malignant = malignant.reset_index(drop=True).astype(int)
    of_readers = rows.groupby("reader").groups
    parts, value, n = {}, {}, len(rows)
    for s in STAGES:
        risk = rows[f"risk_{s}"].astype(float)
        aucs = {reader: roc_auc_score(is_malignant[at], risk[at]) for reader, at in of_readers.items()}
        value[s] = np.mean(list(aucs.values()))
        parts[s] = pd.Series(0.0, index=rows.index)
        for reader, at in of_readers.items():
            for i in at:
                others = [j for j in at if is_malignant[j] != is_malignant[i]]
                kind = [j for j in at if is_malignant[j] == is_malignant[i]]
                sign = 1 if is_malignant[i] else -1
                place = np.mean([(np.sign(sign * (risk[i] - risk[j])) + 1) / 2 for j in others])
                own = (place - aucs[reader]) / np.sqrt(len(kind) * (len(kind) - 1))
                parts[s][i] = (own + (aucs[reader] - value[s]) / len(at)) / len(of_readers)
    found = management.malignancy_auc(READINGS)
    for s in STAGES:
        variance, t = spread(rows, parts[s])
        ends = wilson(value[s], value[s] * (1 - value[s]) / variance, t)
        assert same(found.at[s], (value[s], *ends, n))
    gain = value["after"] - value["before"]
    variance, t = spread(rows, parts["after"] - parts["before"])
    half = t * np.sqrt(variance)
    assert same(found.change, (gain, gain - half, gain + half, n))


def test_auc_has_no_interval_with_few_lesions_of_a_kind_and_none_without_both():
    """Of four malignant lesions, four readers or lesions of one kind alone."""
    malignant = management.is_of_nature(READINGS, Nature.MALIGNANT)
    four = READINGS["case"].isin(sorted(READINGS["case"][malignant].unique())[:4])
    readers = READINGS["reader"].isin(sorted(READINGS["reader"].unique())[:4])
    for kept in (four | ~malignant, readers):
        found = management.malignancy_auc(READINGS[kept].reset_index(drop=True))
        for one in (*found.at.values(), found.change):
            assert one.value is not None and one.low is None and one.high is None
    found = management.malignancy_auc(READINGS[~malignant].reset_index(drop=True))
    assert {one.value for one in (*found.at.values(), found.change)} == {None}


def test_gain_with_missing_answers():
    left = ALL[~ALL["finished"] & ALL["scored"]]
    gained = (SCORED["after_1"] - SCORED["before_1"]).sum()
    total = len(SCORED) + len(left)
    found = SUMMARY.missing[1]
    assert found.n == len(left) > 0
    assert found.kept == pytest.approx(gained / total)
    changed = sum(float(row.ai == row.truth) - float(row.own[0] == row.truth) for row in left.itertuples())
    assert found.changed == pytest.approx((gained + changed) / total)
    of_three = (SCORED["after_3"] - SCORED["before_3"]).sum()
    assert SUMMARY.missing[3].kept == pytest.approx(of_three / total)
    for row in left.itertuples():
        k = min(3, len(row.own))
        after = [row.ai, *(own for own in row.own if own != row.ai)]
        of_three += float(row.truth in after[:k]) - float(row.truth in row.own[:k])
    assert SUMMARY.missing[3].changed == pytest.approx(of_three / total)


def test_switches():
    wrong, right = SCORED[SCORED["before_1"] == 0], SCORED[SCORED["before_1"] == 1]
    assert same(SUMMARY.switches.beneficial, expected_rate(wrong, wrong["after_1"]))
    assert same(SUMMARY.switches.harmful, expected_rate(right, 1 - right["after_1"]))
    counts = pd.crosstab(SCORED["before_1"], SCORED["after_1"]).to_numpy()[::-1, ::-1]
    assert statistics.flow(READINGS)["n"].tolist() == counts.ravel().tolist()


def test_reliance():
    differed = TABLE[TABLE["in_before"] & TABLE["decided"] & (TABLE["first_before"] != TABLE["ai"])]
    followed = (differed["first_after"] == differed["ai"]).astype(float)
    relied = SUMMARY.reliance
    assert same(relied.followed, expected_rate(differed, followed))
    for estimate, right in ((relied.followed_when_right, 1.0), (relied.followed_when_wrong, 0.0)):
        these = differed["scored"] & (differed["ai_1"] == right)
        assert same(estimate, expected_rate(differed[these], followed[these]))
    assert relied.undecided == (~TABLE["decided"]).sum()
    assert relied.outside_scope == (TABLE["decided"] & ~TABLE["in_before"]).sum()


ARMS = ("nothing", "ranking", "steps")


def with_arms() -> pd.DataFrame:
    """The same study with a deck that randomises; second looks have no run. Everything else stays."""
    draw = np.random.default_rng(3)
    keys = ANSWERS[["reader", "case"]].apply(tuple, axis=1)
    drawn = keys.map(dict(zip(keys.unique(), draw.choice(ARMS, keys.nunique()), strict=True)))
    table, none = ANSWERS.assign(arm=drawn), drawn == "nothing"
    for column in ("bundle", "bundle_version", "bundle_sha256", "ai_undecided"):
        table[column] = table[column].mask(none, "")
    table["ai_answer"] = table["ai_answer"].astype(object).where(~none, None)
    return table


def test_arms():
    table = with_arms()
    drawn = table.drop_duplicates(["reader", "case"]).set_index(["reader", "case"])["arm"]
    arm = pd.Series([drawn[key] for key in zip(TABLE["reader"], TABLE["case"], strict=True)])
    readings = arms.with_arms(statistics.readings(table, second_looks=True))
    found = arms.by_arm(readings, table)
    assert list(found) == list(ARMS)
    assert sum(one.n_readings for one in found.values()) == len(TABLE)
    n_left = ALL[~ALL["finished"]].shape[0]
    assert sum(one.missing for one in found.values()) == n_left
    means = {}
    for name, one in found.items():
        rows = SCORED[arm[SCORED.index] == name]
        change = rows["after_1"] - rows["before_1"]
        means[name] = change
        assert one.n_readings == (arm == name).sum()
        for s in STAGES:
            assert same(one.accuracy[s], expected_rate(rows, rows[f"{s}_1"]))
        assert same(one.gain, expected_difference(rows, change))
        assert one.seconds.value == TABLE.loc[arm == name, "sec_after"].median()
    both = SCORED[arm[SCORED.index].isin(["steps", "ranking"])]
    sign = arm[both.index].map({"steps": 1, "ranking": -1})
    sizes = sign.map({1: len(means["steps"]), -1: len(means["ranking"])})
    own_mean = sign.map({1: means["steps"].mean(), -1: means["ranking"].mean()})
    variance, t = spread(both, sign * (both["after_1"] - both["before_1"] - own_mean) / sizes)
    value = means["steps"].mean() - means["ranking"].mean()
    half = t * np.sqrt(variance)
    difference = arms.difference_of_gains(readings, ("steps", "ranking"))
    assert same(difference, (value, value - half, value + half, len(both)))


def test_second_looks_are_in_no_figure_of_the_ai():
    table = with_arms()
    with_ai = table[table["arm"] != "nothing"]
    pd.testing.assert_frame_equal(statistics.readings(table), statistics.readings(with_ai))
    left, expected = statistics.unfinished(table), statistics.unfinished(with_ai)
    assert list(left["case"]) == list(expected["case"])


def test_arms_have_no_interval_where_few_read_them_or_nobody_changed():
    readings = arms.with_arms(statistics.readings(with_arms(), second_looks=True))
    few = readings[readings["reader"].isin(sorted(readings["reader"].unique())[:4])].reset_index(drop=True)
    unmoved = readings.assign(after=readings["before"])
    for table, value in ((few, None), (unmoved, 0.0)):
        found = arms.difference_of_gains(table, ("steps", "ranking"))
        assert found.low is None and found.high is None
        assert found.value is not None and (value is None or found.value == value)


def test_undecided():
    found, open_ = SUMMARY.undecided, TABLE[~TABLE["decided"]]
    of_cases = TABLE.groupby("case")["decided"].first()
    ends = wilson(of_cases.mean(), len(of_cases), norm.ppf(0.975))
    assert same(found.decided, (of_cases.mean(), *ends, len(of_cases)))
    assert (found.n_cases, found.n_readings) == (open_["case"].nunique(), len(open_))
    changed = (open_["first_before"] != open_["first_after"]).astype(float)
    assert same(found.changed, expected_rate(open_, changed))
    decided = SCORED[SCORED["decided"]]
    for s in STAGES:
        named = [
            float(own in among) for own, among in zip(open_[f"first_{s}"], open_["candidates"], strict=True)
        ]
        assert same(found.candidate[s], expected_rate(open_, pd.Series(named, index=open_.index)))
        judged = open_[open_["scored"]]
        assert same(found.right[s], expected_rate(judged, judged[f"{s}_1"]))
        assert same(found.right_where_decided[s], expected_rate(decided, decided[f"{s}_1"]))


def test_references():
    kinds = {"known": TABLE["known"], "outside": TABLE["outside"]}
    kinds["not understood"] = (TABLE["truth"] != "") & ~TABLE["scored"]
    kinds["none"] = TABLE["truth"] == ""
    assert list(SUMMARY.references) == list(kinds)
    for kind, these in kinds.items():
        found, rows = SUMMARY.references[kind], TABLE[these]
        assert (found.n_cases, found.n_readings) == (rows["case"].nunique(), len(rows))
        for s, estimate in (("before", found.before), ("after", found.after)):
            if kind in ("known", "outside"):
                assert same(estimate, expected_rate(rows, rows[f"{s}_1"]))
            else:
                assert estimate is None


@pytest.mark.parametrize("stage", STAGES)
def test_kappa(stage):
    rows = TABLE[TABLE[f"in_{stage}"] & TABLE["decided"]]
    own, ai, n = rows[f"first_{stage}"], rows["ai"], len(rows)
    types = sorted({*own, *ai})

    def kappa_and_expected(weights: np.ndarray) -> tuple[float, float]:
        counts = pd.crosstab(own, ai, values=weights, aggfunc="sum").reindex(index=types, columns=types)
        shares = counts.fillna(0).to_numpy() / weights.sum()
        by_chance = float(shares.sum(0) @ shares.sum(1))
        return (np.trace(shares) - by_chance) / (1 - by_chance), by_chance

    ones = np.ones(n)
    value, by_chance = kappa_and_expected(ones)
    assert value == pytest.approx(
        cohens_kappa(pd.crosstab(own, ai).reindex(index=types, columns=types, fill_value=0)).kappa
    )
    step = 1e-5
    influence = [(kappa_and_expected(ones + step * (np.arange(n) == k))[0] - value) / step for k in range(n)]
    variance, t = spread(rows, pd.Series(influence) * (1 - by_chance))
    observed = (own == ai).mean()
    ends = wilson(observed, min(n, observed * (1 - observed) / variance), t)
    low, high = ((end - by_chance) / (1 - by_chance) for end in ends)
    found = SUMMARY.agreement[stage].kappa
    assert (found.value, found.n) == (pytest.approx(value), n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
    left_out = SUMMARY.agreement[stage]
    assert left_out.undecided == (~TABLE["decided"]).sum()
    assert left_out.outside_scope == (TABLE["decided"] & ~TABLE[f"in_{stage}"]).sum()


@pytest.mark.parametrize("stage", STAGES)
def test_time_and_confidence(stage):
    n, seconds, sure = len(TABLE), TABLE[f"sec_{stage}"], TABLE[f"sure_{stage}"]
    below = (seconds <= seconds.median()).astype(float)
    variance, t = spread(TABLE, (below - below.mean()) / n)
    low, high = wilson(0.5, below.var(ddof=0) / variance, t)
    expected = (seconds.median(), seconds.quantile(low), seconds.quantile(high), n)
    assert same(SUMMARY.seconds[stage], expected)
    variance, t = spread(TABLE, (sure - sure.mean()) / n)
    half = t * np.sqrt(variance)
    assert same(SUMMARY.confidence[stage], (sure.mean(), sure.mean() - half, sure.mean() + half, n))


def test_calibration_and_confusion():
    bins = statistics.calibrations(READINGS)
    for s in STAGES:
        assert bins[s]["n"].sum() == len(SCORED)
        assert (bins[s]["confidence"] * bins[s]["n"]).sum() == pytest.approx(SCORED[f"sure_{s}"].sum() / 100)
        assert (bins[s]["accuracy"] * bins[s]["n"]).sum() == pytest.approx(SCORED[f"{s}_1"].sum())
        shown = statistics.confusion(READINGS, s)
        own = TABLE[f"first_{s}"].where(TABLE[f"in_{s}"], statistics.OUTSIDE_SCOPE)
        ai = TABLE["ai"].where(TABLE["decided"], statistics.UNDECIDED)
        counts = pd.crosstab(own, ai).reindex(index=shown.index, columns=shown.columns, fill_value=0)
        assert shown.to_numpy().tolist() == counts.to_numpy().tolist()
        assert shown.to_numpy().sum() == len(TABLE)
    cases = SCORED[SCORED["decided"]].drop_duplicates("case")
    assert bins["ai"]["n"].sum() == len(cases)
    assert (bins["ai"]["confidence"] * bins["ai"]["n"]).sum() == pytest.approx(cases["p"].sum())
    assert (bins["ai"]["accuracy"] * bins["ai"]["n"]).sum() == pytest.approx(cases["ai_1"].sum())


def test_kappa_over_time():
    blocks = statistics.kappa_over_time(READINGS, blocks=4)
    ordered = TABLE.set_index(["reader", "case"]).loc[
        list(zip(READINGS["reader"], READINGS["case"], strict=True))
    ]
    for number, part in enumerate(np.array_split(np.arange(len(ordered)), 4)):
        rows = ordered.iloc[part]
        rows = rows[rows["in_after"] & rows["decided"]]
        types = sorted({*rows["first_after"], *rows["ai"]})
        counts = pd.crosstab(rows["first_after"], rows["ai"]).reindex(
            index=types, columns=types, fill_value=0
        )
        assert blocks["after"][number] == pytest.approx(cohens_kappa(counts).kappa)
        assert blocks["n"][number] == len(part)


def test_subgroups():
    groups = statistics.by_group(READINGS, UNFINISHED, "role")
    assert set(groups) == set(TABLE["role"])
    for role, found in groups.items():
        rows = SCORED[SCORED["role"] == role]
        assert same(found.accuracy["after", 1], expected_rate(rows, rows["after_1"]))
        left = ALL[~ALL["finished"] & ALL["scored"] & (ALL["role"] == role)]
        assert found.missing[1].n == len(left)
