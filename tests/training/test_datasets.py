from pathlib import Path

import numpy as np
import pytest
from drawn_cases import MINI_CASES, draw_dataset, mini_rows

from skin_ai.predict.narrative import Answer
from skin_ai.training.datasets import COLUMNS, FOLDS, Case, DatasetError, load_cases, split_folds

pytestmark = pytest.mark.filterwarnings("ignore:The least populated class")


@pytest.fixture
def write(tmp_path):
    """Rows -> a folder with them and without photos."""
    return lambda rows: draw_dataset(tmp_path, rows, photos=False)


def test_every_row_becomes_a_case_with_its_facts_and_photo(mini_dataset, types):
    cases = load_cases(mini_dataset, types)
    assert [(case.type, case.patient) for case in cases] == [
        (type_, f"PAT_{p}") for type_, p, _ in MINI_CASES
    ]
    for case, (_, _, ending) in zip(cases, MINI_CASES, strict=True):
        assert (case.photo.suffix[1:] if case.photo else "") == ending
    first, row = cases[0].facts, mini_rows()[0]
    assert first.age == int(row["age"])
    assert first.site == "FACE"
    assert (first.bleed, first.elevation) == (Answer.YES, Answer.UNSAID)
    assert first.itch is {"True": Answer.YES, "False": Answer.NO, "UNK": Answer.UNKNOWN}[row["itch"]]


# The field that is changed in the third row (row 4 of the file), and its bad value.
BAD = {
    "diagnostic": ("XYZ", "", "bcc"),
    "age": ("old", "-1", "121", "nan", "inf"),
    "region": ("MOON",),
    "itch": ("maybe",),
    "elevation": ("1",),
    "patient_id": ("",),
    "img_id": (" ",),
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in BAD.items() for value in values]
)
def test_bad_row_is_named_with_its_field(write, types, field, value):
    rows = mini_rows()
    rows[2][field] = value
    with pytest.raises(DatasetError, match=rf"metadata\.csv, row 4: .*{field}"):
        load_cases(write(rows), types)


@pytest.mark.parametrize("column", COLUMNS)
def test_missing_column_is_named(write, types, column):
    rows = [{name: value for name, value in row.items() if name != column} for row in mini_rows()]
    with pytest.raises(DatasetError, match=f"lacks the columns {column}"):
        load_cases(write(rows), types)


def test_short_row_is_an_error_and_no_crash(mini_dataset, types, tmp_path):
    text = (mini_dataset / "metadata.csv").read_text(encoding="utf-8")
    (tmp_path / "metadata.csv").write_text(f"{text}PAT_99,5\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=f"row {len(MINI_CASES) + 2}"):
        load_cases(tmp_path, types)


def test_photo_that_stands_twice_is_named_with_both_rows(write, types):
    rows = mini_rows()
    rows[5]["img_id"] = rows[1]["img_id"]
    with pytest.raises(DatasetError, match=r"row 7: .* row 3"):
        load_cases(write(rows), types)


def test_no_table_and_no_rows_are_errors(write, types, tmp_path):
    with pytest.raises(DatasetError, match=r"metadata\.csv does not exist"):
        load_cases(tmp_path / "nowhere", types)
    folder = write(mini_rows())
    header = (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()[0]
    (folder / "metadata.csv").write_text(f"{header}\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="no rows"):
        load_cases(folder, types)


def test_missing_photo_is_an_error_only_where_photos_are_required(mini_dataset, types):
    assert any(case.photo is None for case in load_cases(mini_dataset, types))
    with pytest.raises(DatasetError, match=r"row 16: no photo PAT_1_14_7"):
        load_cases(mini_dataset, types, require_photos=True)


# Columns that tell the type by their emptiness or by what was done after the diagnosis.
TELLTALES = ("biopsed", "smoke", "gender", "fitspatrick", "diameter_1", "skin_cancer_history")


@pytest.mark.parametrize("column", TELLTALES)
def test_column_that_tells_the_type_is_never_read(write, types, column):
    before = load_cases(write(mini_rows()), types)
    rows = mini_rows()
    for number, row in enumerate(rows):
        row[column] = ("", "True", "nonsense")[number % 3]
    assert load_cases(write(rows), types) == before
    for row in rows:
        del row[column]
    assert load_cases(write(rows), types) == before


# ---- folds ----


def many_cases(facts, n_patients=200):
    """Patients with one to four lesions; every fifth case and every tenth patient without a photo."""
    rng = np.random.default_rng(0)
    cases = []
    for patient in range(n_patients):
        for _ in range(rng.integers(1, 5)):
            type_ = str(rng.choice(["BCC", "ACK", "NEV", "MEL"], p=[0.5, 0.3, 0.15, 0.05]))
            photo = None if patient % 10 == 0 or len(cases) % 5 == 0 else Path("photo.jpg")
            cases.append(Case(str(len(cases)), f"PAT_{patient}", type_, facts, photo))
    return cases


@pytest.fixture(scope="module")
def cases(mini_dataset, types):
    return many_cases(load_cases(mini_dataset, types)[0].facts)


def test_no_patient_is_in_two_folds_and_every_photo_is_tested_once(cases):
    folds = split_folds(cases)
    fold_of = {}
    for case, fold in zip(cases, folds, strict=True):
        assert fold_of.setdefault(case.patient, fold) == fold
        assert fold in range(FOLDS) or case.photo is None
    assert set(folds.tolist()) >= set(range(FOLDS))


def test_case_without_a_photo_goes_with_its_patient_or_is_never_tested(cases):
    photographed = {case.patient for case in cases if case.photo is not None}
    folds = split_folds(cases)
    lonely = [fold for case, fold in zip(cases, folds, strict=True) if case.patient not in photographed]
    assert lonely
    assert set(lonely) == {-1}
    assert all(fold >= 0 for case, fold in zip(cases, folds, strict=True) if case.patient in photographed)


def test_folds_are_the_same_each_time_and_have_every_type(cases):
    folds = split_folds(cases)
    assert np.array_equal(folds, split_folds(cases))
    types = np.array([case.type for case in cases])
    photographed = np.array([case.photo is not None for case in cases])
    for fold in range(FOLDS):
        tested = types[(folds == fold) & photographed]
        assert abs((tested == "BCC").mean() - 0.5) < 0.15
        assert set(tested) == set(types)
