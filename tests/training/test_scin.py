import ast
import csv
from collections import Counter

import pytest
from drawn_cases import ROOT
from drawn_scin import draw_scin, scin_rows

from skin_ai.diseases import LABEL_SETS, find
from skin_ai.predict.narrative import Answer, Facts
from skin_ai.training.datasets import DatasetError
from skin_ai.training.scin import COLUMNS, CONDITIONS, facts_of, load_scin, type_of_condition
from skin_ai.vocabulary import AGE_RANGES, DURATIONS, KINDS, MORE_SYMPTOMS, REGIONS

DATA = ROOT.parent / "shared" / "data" / "scin"
SKIN_26 = LABEL_SETS["skin-26"]
EMPTY = dict.fromkeys(scin_rows()[0][0], "")
YES = Answer.YES


@pytest.fixture
def write(tmp_path):
    """(rows of cases, rows of labels) -> a folder with them and without photos."""
    return lambda rows: draw_scin(tmp_path, rows, photos=False)


def labelled(*labels):
    """Rows with these weighted labels instead of their own."""
    cases, rows = scin_rows()
    for row, label in zip(rows, labels, strict=False):
        row["weighted_skin_condition_label"] = label
    return cases, rows


# ---- cases ----


@pytest.mark.parametrize("tables", ["", "dataset"])
def test_case_has_target_facts_and_first_photo_wherever_the_tables_lie(tmp_path, tables):
    folder = draw_scin(tmp_path, tables=tables)
    cases = load_scin(folder, SKIN_26)
    assert [case.key for case in cases] == ["-11", "12", "15", "16"]  # 13 is scabies, 14 has no label
    first = cases[0]
    assert (first.source, first.story, first.type) == ("scin", "", "ECZ")
    assert first.facts == Facts(itch=YES, elevation=Answer.NO, kind="rash")
    assert first.photo == folder / "dataset/images/-101.png"
    (folder / "dataset/images/-101.png").unlink()
    assert load_scin(folder, SKIN_26)[0].photo == folder / "dataset/images/102.png"
    (folder / "dataset/images/102.png").unlink()
    assert load_scin(folder, SKIN_26)[0].photo is None


@pytest.mark.parametrize(
    ("label", "target"),
    [
        ("{'Eczema': 0.4, 'Milia': 0.3, 'Tinea': 0.1, 'Infected eczema': 0.2}", {"ECZ": 6 / 7, "TIN": 1 / 7}),
        ("{'Tinea': 0.25, 'Eczema': 0.5}", {"ECZ": 2 / 3, "TIN": 1 / 3}),
        ("{'Urticaria': 0.5, 'Insect Bite': 0.5}", {"URT": 0.5, "BITE": 0.5}),
        ("{'Insect Bite': 0.5, 'Urticaria': 0.5}", {"BITE": 0.5, "URT": 0.5}),
        ("{'Tinea': 0.3, 'Eczema': 0.1, 'Chronic dermatitis, NOS': 0.2}", {"TIN": 0.5, "ECZ": 0.5}),
        ("{'Drug Rash': 1}", {"DRUG": 1.0}),
    ],
)  # fmt: skip
def test_weights_are_summed_by_type_and_sorted_with_ties_in_the_labels_order(write, label, target):
    case = load_scin(write(labelled(label)), SKIN_26)[0]
    assert [type_ for type_, _ in case.target] == list(target)
    assert dict(case.target) == pytest.approx(target)
    assert case.type == case.target[0][0]


@pytest.mark.parametrize(
    "label", ["", "{}", "{'Scabies': 1.0}", "{'Never heard of': 1.0}", "{'Eczema': 0.0}"]
)
def test_case_without_weight_on_a_type_is_left_out(write, label):
    assert "-11" not in [case.key for case in load_scin(write(labelled(label)), SKIN_26)]


def test_only_asked_for_types_count(write):
    (case,) = load_scin(write(scin_rows()), LABEL_SETS["pad-ufes-20"])
    assert [type_ for type_, _ in case.target] == ["SCC", "SEK"]
    with pytest.raises(DatasetError, match="no case"):
        load_scin(write(scin_rows()), ("MEL",))


def test_cases_that_share_a_photo_are_one_patient(write):
    patients = {case.key: case.patient for case in load_scin(write(scin_rows()), SKIN_26)}
    assert patients == {"-11": "-11", "12": "12", "15": "12", "16": "16"}


def test_shared_photos_are_followed_through_cases_that_are_left_out(write):
    cases, labels = scin_rows()
    cases[3]["image_2_path"] = cases[5]["image_1_path"]  # 14, without a label, with 16
    cases[3]["image_3_path"] = cases[0]["image_2_path"]  # and with -11
    patients = {case.key: case.patient for case in load_scin(write((cases, labels)), SKIN_26)}
    assert patients == {"-11": "-11", "12": "12", "15": "12", "16": "-11"}


@pytest.mark.parametrize(
    "column",
    [
        "sex_at_birth", "fitzpatrick_skin_type", "race_ethnicity_white", "combined_race",
        "dermatologist_fitzpatrick_skin_type_label_1",
    ],
)  # fmt: skip
def test_who_the_volunteer_is_stays_unread(write, column):
    before = load_scin(write(scin_rows()), SKIN_26)
    rows = scin_rows()
    for row in (row for table in rows for row in table if column in row):
        row[column] = "anything"
    assert load_scin(write(rows), SKIN_26) == before
    for row in (row for table in rows for row in table):
        row.pop(column, None)
    assert load_scin(write(rows), SKIN_26) == before


# ---- facts ----

TICKS = {
    "textures_raised_or_bumpy": {"elevation": YES},
    "textures_flat": {"elevation": Answer.NO},
    "textures_rough_or_flaky": {"rough": YES},
    "textures_fluid_filled": {"fluid": YES},
    "body_parts_head_or_neck": {"more_sites": ("HEAD_OR_NECK",)},
    "body_parts_arm": {"more_sites": ("ARM_ANY",)},
    "body_parts_palm": {"more_sites": ("PALM",)},
    "body_parts_back_of_hand": {"more_sites": ("BACK_OF_HAND",)},
    "body_parts_torso_front": {"more_sites": ("TORSO_FRONT",)},
    "body_parts_torso_back": {"more_sites": ("TORSO_BACK",)},
    "body_parts_genitalia_or_groin": {"more_sites": ("GENITALS_OR_GROIN",)},
    "body_parts_buttocks": {"more_sites": ("BUTTOCKS",)},
    "body_parts_leg": {"more_sites": ("LEG",)},
    "body_parts_foot_top_or_side": {"more_sites": ("FOOT_TOP_OR_SIDE",)},
    "body_parts_foot_sole": {"more_sites": ("FOOT_SOLE",)},
    "body_parts_other": {},
    "condition_symptoms_bothersome_appearance": {},
    "condition_symptoms_bleeding": {"bleed": YES},
    "condition_symptoms_increasing_size": {"grew": YES},
    "condition_symptoms_darkening": {"darken": YES},
    "condition_symptoms_itching": {"itch": YES},
    "condition_symptoms_burning": {"burn": YES},
    "condition_symptoms_pain": {"hurt": YES},
    "condition_symptoms_no_relevant_experience": {},
    "other_symptoms_fever": {"fever": YES},
    "other_symptoms_chills": {"fever": YES},
    "other_symptoms_fatigue": {"tired": YES},
    "other_symptoms_joint_pain": {"joints": YES},
    "other_symptoms_mouth_sores": {"mouth": YES},
    "other_symptoms_shortness_of_breath": {"breath": YES},
    "other_symptoms_no_relevant_symptoms": {},
}
CHOICES = {
    "related_category": ("kind", {
        "": None, "OTHER_ISSUE_DESCRIPTION": None, "RASH": "rash", "GROWTH_OR_MOLE": "growth",
        "ACNE": "pimples", "PIGMENTARY_PROBLEM": "colour", "NAIL_PROBLEM": "nail", "HAIR_LOSS": "hair",
        "OTHER_HAIR_PROBLEM": "hair", "LOOKS_HEALTHY": "healthy",
    }),
    "condition_duration": ("duration", {
        "": None, "UNKNOWN": None, "ONE_DAY": "day", "LESS_THAN_ONE_WEEK": "week",
        "ONE_TO_FOUR_WEEKS": "month", "ONE_TO_THREE_MONTHS": "quarter", "THREE_TO_TWELVE_MONTHS": "year",
        "MORE_THAN_ONE_YEAR": "years", "MORE_THAN_FIVE_YEARS": "many_years", "SINCE_CHILDHOOD": "childhood",
    }),
    "age_group": ("age_range", {
        "": None, "AGE_UNKNOWN": None, "AGE_18_TO_29": "18 to 29", "AGE_80_OR_ABOVE": "80 or above",
    }),
}  # fmt: skip


@pytest.mark.parametrize("column", TICKS)
def test_tick_says_one_fact_and_silence_none(column):
    assert facts_of(EMPTY) == Facts()
    assert facts_of(EMPTY | {column: "YES"}) == Facts(**TICKS[column])


def test_raised_and_flat_is_raised_and_places_keep_their_order():
    row = EMPTY | {"textures_flat": "YES", "textures_raised_or_bumpy": "YES"}
    assert facts_of(row).elevation is YES
    row = dict.fromkeys(EMPTY, "") | {column: "YES" for column in EMPTY if column.startswith("body_parts_")}
    assert facts_of(row).more_sites == REGIONS


@pytest.mark.parametrize(
    ("column", "value"), [(column, value) for column, (_, known) in CHOICES.items() for value in known]
)
def test_choice_becomes_its_word(column, value):
    fact, known = CHOICES[column]
    assert facts_of(EMPTY | {column: value}) == Facts(**{fact: known[value]})


def test_every_word_of_the_contract_can_be_said():
    words = {fact: set(known.values()) - {None} for fact, known in CHOICES.values()}
    assert words["kind"] == set(KINDS)
    assert words["duration"] == set(DURATIONS)
    assert words["age_range"] < set(AGE_RANGES)
    assert set(MORE_SYMPTOMS) <= {fact for told in TICKS.values() for fact in told}


# ---- errors ----

# Field, its bad value in the third row (row 4 of the file) of the table that has it.
BAD = [
    ("case_id", ""),
    ("weighted_skin_condition_label", "{'Eczema': "),
    ("weighted_skin_condition_label", "['Eczema']"),
    ("weighted_skin_condition_label", "__import__('os')"),
    ("weighted_skin_condition_label", "{'Eczema': 'much'}"),
    ("weighted_skin_condition_label", "{'Eczema': True}"),
    ("weighted_skin_condition_label", "{'Eczema': -0.5}"),
    ("weighted_skin_condition_label", "{'Eczema': 1e999}"),
    ("weighted_skin_condition_label", "{3: 0.5}"),
    ("textures_flat", "NO"),
    ("body_parts_arm", "yes"),
    ("condition_symptoms_pain", "1"),
    ("related_category", "MOON"),
    ("condition_duration", "LONG"),
    ("age_group", "42"),
    ("image_1_path", "dataset/images/../../photo.png"),
    ("image_2_path", "/etc/passwd"),
    ("image_3_path", "dataset/images/1.jpg"),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_bad_row_is_named_with_its_file_and_field(write, field, value):
    rows = labelled("{'Eczema': 1.0}", "{'Eczema': 1.0}", "{'Eczema': 1.0}")
    table = next(table for table in rows if field in table[0])
    table[2][field] = value
    with pytest.raises(DatasetError, match=rf"scin_(cases|labels)\.csv, row 4: .*{field}"):
        load_scin(write(rows), SKIN_26)


@pytest.mark.parametrize(("table", "column"), [(t, column) for t in COLUMNS for column in COLUMNS[t]])
def test_missing_column_is_named(write, table, column):
    rows = scin_rows()
    for row in rows[list(COLUMNS).index(table)]:
        del row[column]
    with pytest.raises(DatasetError, match=f"{table} lacks the columns {column}"):
        load_scin(write(rows), SKIN_26)


@pytest.mark.parametrize("table", [0, 1])
def test_case_that_stands_twice_or_in_one_table_only_is_named(write, table):
    rows = scin_rows()
    rows[table][4]["case_id"] = rows[table][1]["case_id"]
    with pytest.raises(DatasetError, match=r"row 6: case_id 12 .* row 3"):
        load_scin(write(rows), SKIN_26)
    rows[table][4]["case_id"] = "99"
    with pytest.raises(DatasetError, match=r"row 6: case_id (99|15) is not in both"):
        load_scin(write(rows), SKIN_26)


def test_missing_table_short_row_and_no_rows_are_errors(write, tmp_path):
    with pytest.raises(DatasetError, match=r"no scin_cases\.csv; python -m skin_ai data scin"):
        load_scin(tmp_path / "nowhere", SKIN_26)
    table = write(scin_rows()) / "dataset" / "scin_labels.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text("\n".join([*text.splitlines()[:-1], "16"]), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"scin_labels\.csv, row 7: the row ends before weighted"):
        load_scin(tmp_path, SKIN_26)
    table.write_text(text.splitlines()[0], encoding="utf-8")
    with pytest.raises(DatasetError, match="no rows"):
        load_scin(tmp_path, SKIN_26)


# ---- the table of conditions ----


@pytest.fixture(scope="module")
def conditions():
    with CONDITIONS.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_condition_stands_once_with_a_known_type_and_a_reason(conditions):
    assert list(conditions[0]) == ["condition", "cases", "type", "why"]
    assert len({row["condition"] for row in conditions}) == len(conditions)
    for row in conditions:
        assert row["type"] in ("", *SKIN_26), row
        assert int(row["cases"]) > 0, row
        assert row["why"], row
    assert set(type_of_condition().values()) == set(SKIN_26)


def test_condition_that_the_app_knows_by_name_has_the_same_type(conditions):
    for row in conditions:
        known = find(row["condition"])
        is_of_bundle = known is not None and known.code in LABEL_SETS["skin-26"]
        assert not is_of_bundle or known.code == row["type"], row


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not there")
def test_every_condition_of_five_cases_is_in_the_table_with_its_count(conditions):
    counts = Counter()
    with (DATA / "scin_labels.csv").open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            counts.update(list(ast.literal_eval(row["weighted_skin_condition_label"])))
    table = {row["condition"]: int(row["cases"]) for row in conditions}
    assert {name for name, count in counts.items() if count >= 5} <= set(table)
    assert table == {name: counts[name] for name in table}


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not there")
def test_scin_loads_whole():
    cases = load_scin(DATA, SKIN_26)
    assert len(cases) == 2338
    assert {case.type for case in cases} == set(SKIN_26)
    assert Counter(case.type for case in cases).most_common(2) == [("ECZ", 598), ("ACD", 308)]
    assert len({case.patient for case in cases}) == 2331
    assert sum(not case.facts.said for case in cases) == 335
    for case in cases:
        assert sum(weight for _, weight in case.target) == pytest.approx(1)
