"""A made-up study: answers that readers of different skill might give with an AI."""

import numpy as np
import pandas as pd

from skin_ai.diseases import DISEASES, LABEL_SETS, Nature
from skin_ai.study.store import ANSWER_COLUMNS, MAX_RANKS
from skin_ai.vocabulary import AGE_BANDS, MANAGEMENT, ROLES, SENT_ON, SITES, YEARS_OF_PRACTICE

DECK = "Made-up deck"
TYPES = np.array(LABEL_SETS["pad-ufes-20"])
SHARES = np.array([DISEASES[type_].code in ("BCC", "ACK") for type_ in TYPES]) * 0.2 + 0.1  # of the cases
OUTSIDE_SCOPE = np.array(["PSO", "foreign body reaction"])
MALIGNANT = [code for code, disease in DISEASES.items() if disease.nature is Nature.MALIGNANT]
AI_ACCURACY = 0.75
# How often a reader's first diagnosis before the AI is right, by role.
SKILL = dict(zip(ROLES, (0.72, 0.62, 0.48, 0.45, 0.4, 0.38, 0.3), strict=True))
UNDECIDED_BELOW = 0.4  # the AI is undecided between its first two types if the first has less
UNBLINDED = 0.02  # of the readings, and there is no answer before
EXTRACTED = {
    "language": "en",
    "sure_from": 0.9,
    "facts": {"itch": {"answer": "yes", "probability": 0.97, "span": [0, 9]}},
}
WORDS_OF_THE_PATIENT = "It itches, and my aunt Matilda says that it has grown."


def answers(n_readers: int, n_cases: int, seed: int = 0) -> pd.DataFrame:
    """As Store.answers gives them: every reader reads every case of one deck."""
    random = np.random.default_rng(seed)
    readers = _readers(random, n_readers)
    cases = _cases(random, n_cases)
    readings = readers.merge(cases, how="cross")
    n = len(readings)
    right_ai = readings["ai_first"] == readings["truth"]
    skill = readings["skill"] - 0.08 * (readings["fitzpatrick"].fillna(3).astype(int) >= 5)
    knows = random.random(n) < skill
    before = _diagnoses(random, readings["truth"].to_numpy(), knows)
    # A right AI convinces more often than a wrong one, and a sure reader less often.
    follows = random.random(n) < np.where(right_ai, 0.6, 0.3) * np.where(knows, 0.7, 1)
    after = before.copy()
    adopted = np.flatnonzero(follows)
    ai_first = readings["ai_first"].to_numpy(str)
    for rank in range(1, MAX_RANKS):  # what stood above moves down
        after[adopted, rank] = np.where(before[adopted, rank] == "", "", before[adopted, rank - 1])
    after[adopted, 0] = ai_first[adopted]
    after[:, 1:][after[:, 1:] == ai_first[:, None]] = ""
    agreed = after[:, 0] == ai_first
    before_confidence = np.clip(random.normal(np.where(knows, 68, 55), 15), 0, 100).round()
    after_confidence = np.clip(before_confidence + random.normal(np.where(agreed, 9, -4), 6), 0, 100).round()
    began = pd.Timestamp("2026-03-02 09:00", tz="UTC") + pd.to_timedelta(
        readings["minute"]
        + 2.5 * random.permuted(np.tile(np.arange(n_cases), (n_readers, 1)), axis=1).ravel(),
        unit="min",
    )
    seconds = {"before": random.lognormal(3.4, 0.5, n), "after": random.lognormal(2.5, 0.6, n)}
    blinded = random.random(n) >= UNBLINDED
    stages = []
    for stage, ranks, confidence in (
        ("before", before, before_confidence),
        ("after", after, after_confidence),
    ):
        rows = readings.assign(stage=stage, blinded=blinded, repeat=False, seconds=seconds[stage].round(1))
        rows["confidence"] = confidence.astype(int)
        rows["answered_at"] = began + pd.to_timedelta(
            seconds[stage].round() + 60 * (stage == "after"), unit="s"
        )
        for rank in range(MAX_RANKS):
            rows[f"rank_{rank + 1}"] = ranks[:, rank]
        for scale in ("agrees", "heatmap_on_lesion", "steps_helped", "would_use"):
            given = pd.array(random.integers(1, 6, n), dtype="Int64")
            given[(random.random(n) < 0.3) | (stage == "before")] = pd.NA
            rows[scale] = given
        stages.append(rows if stage == "after" else rows[blinded])
    table = pd.concat(stages)
    table["answered_at"] = table["answered_at"].astype("datetime64[us, UTC]")
    return table.sort_values("answered_at", kind="stable", ignore_index=True)[list(ANSWER_COLUMNS)]


def with_management(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """As if the deck asked for both: the answers mostly follow from the first diagnosis."""
    random = np.random.default_rng(seed)
    malignant = table["rank_1"].isin(MALIGNANT).to_numpy() ^ (random.random(len(table)) < 0.2)
    others = random.choice([one for one in MANAGEMENT if one != SENT_ON], len(table))
    return table.assign(
        management=np.where(malignant, SENT_ON, others),
        malignancy=pd.array(np.where(malignant, random.choice([50, 70, 90], len(table)), 30), dtype="Int64"),
    )


def _readers(random: np.random.Generator, n: int) -> pd.DataFrame:
    roles = random.choice(ROLES, n, p=(0.35, 0.2, 0.2, 0.1, 0.05, 0.07, 0.03))
    letters = np.array(list("ABCDEFGHJKLMNPQRSTUVWXYZ23456789"))
    codes = ["".join(random.choice(letters, 4)) + f"-{number:04d}" for number in range(n)]
    skill = np.array([SKILL[role] for role in roles]) + random.normal(0, 0.07, n)
    return pd.DataFrame(
        {
            "reader": codes,
            "role": roles,
            "years_of_practice": np.where(random.random(n) < 0.1, "", random.choice(YEARS_OF_PRACTICE, n)),
            "skill": skill,
            "minute": random.integers(0, 60 * 24 * 14, n),
        }
    )


def _cases(random: np.random.Generator, n: int) -> pd.DataFrame:
    truth = random.choice(TYPES, n, p=SHARES / SHARES.sum())
    ai_is_right = random.random(n) < AI_ACCURACY
    scores = random.gumbel(0, 1, (n, len(TYPES)))
    of_truth = truth[:, None] == TYPES
    scores[of_truth] = np.where(ai_is_right, scores.max(1) + random.gamma(2, 0.8, n), scores.min(1) + 0.5)
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    order = np.argsort(-probabilities, axis=1)
    fitzpatrick = pd.array(random.choice(6, n, p=(0.1, 0.3, 0.25, 0.15, 0.12, 0.08)) + 1, dtype="Int64")
    fitzpatrick[random.random(n) < 0.1] = pd.NA
    return pd.DataFrame(
        {
            "deck": DECK,
            "consent_sha256": "",
            "consented_at": pd.Series([pd.NaT] * n, dtype="datetime64[us, UTC]"),
            "case": [f"{number:032x}" for number in random.integers(1, 2**62, n)],
            "sample": "",
            "reason": "",
            "age_band": random.choice(AGE_BANDS, n),
            "body_site": random.choice(SITES, n),
            "fitzpatrick": fitzpatrick,
            "truth": truth,
            "arm": "",
            "management": "",
            "malignancy": pd.array([pd.NA] * n, dtype="Int64"),
            "bundle": "pad-ufes-20",
            "bundle_version": "1.0",
            "bundle_sha256": "0" * 64,
            "ai_answer": [
                tuple((str(TYPES[k]), round(float(row[k]), 4)) for k in ranked)
                for row, ranked in zip(probabilities, order, strict=True)
            ],
            "ai_undecided": [
                " ".join(TYPES[ranked[:2]]) if row[ranked[0]] < UNDECIDED_BELOW else ""
                for row, ranked in zip(probabilities, order, strict=True)
            ],
            "ai_first": TYPES[order[:, 0]],
            "comment": "",
            "narrative": WORDS_OF_THE_PATIENT,
            "facts_extracted": [EXTRACTED] * n,
            "facts_confirmed": [{"itch": "no", "age": 62}] * n,
        }
    )


def _diagnoses(random: np.random.Generator, truth: np.ndarray, knows: np.ndarray) -> np.ndarray:
    """(n, MAX_RANKS) ranked diagnoses, "" where fewer were given; right at first where the reader knows."""
    n = len(truth)
    scores = random.random((n, len(TYPES)))
    of_truth = truth[:, None] == TYPES
    scores[of_truth] = np.where(knows, 2, np.minimum(scores[of_truth] + 0.2, 1) * scores.max(1) * 0.99)
    ranked = TYPES[np.argsort(-scores, axis=1)][:, :MAX_RANKS].astype("U64")
    outside = ~knows & (random.random(n) < 0.12)
    ranked[outside, 0] = random.choice(OUTSIDE_SCOPE, outside.sum())
    ranked[np.arange(MAX_RANKS) >= random.integers(1, MAX_RANKS + 1, n)[:, None]] = ""
    return ranked
