import csv
import os

import pytest
from drawn_cases import draw_lesion

from skin_ai.diseases import LABEL_SETS
from skin_ai.predict.narrative import NARRATIVE_LIMIT, Facts
from skin_ai.predict.photo import MAX_BYTES, read_photo
from skin_ai.training.collection import COLUMNS, load_collection
from skin_ai.training.datasets import DatasetError

TYPES = LABEL_SETS["skin-26"]
ROWS = (
    ("nose.png", "basal cell carcinoma", "A", "A shiny bump on my nose."),
    ("more/arm.png", "mole", "A", ""),
    ("", "ECZ", "", "Dry and  itchy\tin the bends of my elbows."),
    ("Rücken.png", "shingles", "", "[SEP] A band of blisters."),
)


@pytest.fixture
def collection(tmp_path):
    """A folder with three drawn photos, and what writes its cases.csv."""
    folder = tmp_path / "collection"
    (folder / "more").mkdir(parents=True)
    for seed, name in enumerate(("nose.png", "more/arm.png", "Rücken.png", "nose.jpg")):
        draw_lesion("BCC", seed).save(folder / name)

    def write(rows=ROWS, columns=COLUMNS, delimiter=",", encoding="utf-8"):
        with (folder / "cases.csv").open("w", newline="", encoding=encoding) as file:
            csv.writer(file, delimiter=delimiter).writerows([columns, *rows])
        return folder

    return write


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-8-sig")])
def test_every_row_becomes_a_case(collection, delimiter, encoding):
    folder = collection(delimiter=delimiter, encoding=encoding)
    cases = load_collection(folder, TYPES, "clinic")
    assert [case.key for case in cases] == ["clinic/nose", "clinic/arm", "clinic/row/4", "clinic/Rücken"]
    assert [case.type for case in cases] == ["BCC", "NEV", "ECZ", "ZOS"]
    assert [case.story for case in cases] == [
        "A shiny bump on my nose.", "", "Dry and itchy in the bends of my elbows.", "SEP A band of blisters.",
    ]  # fmt: skip
    assert [case.photo and case.photo.relative_to(folder).as_posix() for case in cases] == [
        "nose.png", "more/arm.png", None, "Rücken.png",
    ]  # fmt: skip
    assert all(read_photo(case.photo.read_bytes()).shape[2] == 3 for case in cases if case.photo)
    assert {case.source for case in cases} == {"clinic"}
    assert all(case.facts == Facts() and case.target == () for case in cases)


def test_rows_of_a_patient_stay_together_and_a_row_without_is_its_own(collection):
    patients = [case.patient for case in load_collection(collection(), TYPES, "clinic")]
    assert patients[0] == patients[1]
    assert len(set(patients)) == 3


def test_patient_named_like_a_photo_is_another(collection):
    rows = [("nose.png", "BCC", "", ""), ("more/arm.png", "BCC", "nose", "")]
    first, second = load_collection(collection(rows), TYPES, "clinic")
    assert first.patient != second.patient


def test_columns_come_in_any_order_and_case_and_others_stay_unread(collection):
    columns = ("Narrative", "reference", "PHOTO", "patient", "Label")
    rows = [("It bleeds.", "whatever", "nose.png", "", "bcc"), ("", "", "", "", "")]
    (case,) = load_collection(collection(rows, columns), TYPES, "clinic")
    assert (case.story, case.type, case.photo.name) == ("It bleeds.", "BCC", "nose.png")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("nose.jpg", "gout", "", ""), "label is 'gout', no known type"),
        (("nose.jpg", "", "", ""), "label is empty: write a name"),
        (("", "BCC", "", ""), "photo and narrative are both empty: fill in one"),
        (("", "BCC", "", "\u200b"), "photo and narrative are both empty"),
        (("gone.png", "BCC", "", ""), "photo 'gone.png' is not in the folder: add it"),
        (("Nose.png", "BCC", "", ""), "photo 'Nose.png' is not in the folder"),
        (("../secret.png", "BCC", "", ""), "photo '../secret.png' leads out of the folder"),
        (("/etc/passwd", "BCC", "", ""), "photo '/etc/passwd' leads out of the folder"),
        (("..\\secret.png", "BCC", "", ""), r"photo '.*secret.png' leads out of the folder"),
        (("nose.png", "BCC", "", ""), "photo 'nose.png' has the name of the one in row 2"),
        (("nose.jpg", "BCC", "", ""), "photo 'nose.jpg' has the name of the one in row 2"),
        (("", "BCC", "", "a" * (NARRATIVE_LIMIT + 1)), "narrative: .* please shorten"),
        (("", "BCC", "p" * 101, "It itches."), "patient: .* please shorten"),
        (("", "BCC", "", "It itches", " and bleeds."), "text stands under no column"),
    ],
)
def test_bad_row_is_named_with_its_field(collection, row, message):
    with pytest.raises(DatasetError, match=rf"cases\.csv, row 3: {message}"):
        load_collection(collection([ROWS[0], row]), TYPES, "clinic")


def test_type_outside_the_label_set_is_refused(collection):
    with pytest.raises(DatasetError, match=r"row 4: label is 'ECZ' \(ECZ\), which is not learnt here"):
        load_collection(collection(), LABEL_SETS["pad-ufes-20"], "clinic")


@pytest.mark.parametrize("column", COLUMNS)
def test_missing_column_is_named_before_any_row_is_read(collection, column):
    columns = [other if other != column else "else" for other in COLUMNS]
    with pytest.raises(DatasetError, match=rf"cases\.csv lacks the columns {column}: its first row must"):
        load_collection(collection([("gone.png", "gout", "", "")], columns), TYPES, "clinic")


def test_column_that_stands_twice_is_named(collection):
    with pytest.raises(DatasetError, match="more than one column label"):
        load_collection(collection(columns=(*COLUMNS, "Label")), TYPES, "clinic")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "lacks the columns photo, label, patient, narrative"),
        (b"photo,label,patient,narrative\n", "has no rows below the header"),
        (b"photo,label,patient,narrative\n,BCC,,It\xff\n", "line 2 is not in UTF-8"),
        (b'photo,label,patient,narrative\n,BCC,,"It\n', "row 2: the quotation marks do not match"),
    ],
)
def test_table_that_cannot_be_read_is_refused(collection, data, message):
    folder = collection()
    (folder / "cases.csv").write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        load_collection(folder, TYPES, "clinic")


def test_folder_without_table_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"cases\.csv does not exist: give the folder"):
        load_collection(tmp_path, TYPES, "clinic")


def link_out(photo):
    draw_lesion("BCC", 9).save(photo.parent.parent / "outside.png")
    photo.symlink_to(photo.parent.parent / "outside.png")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (link_out, "is a link out of the folder"),
        (lambda photo: photo.symlink_to(photo), "cannot be read"),
        (os.mkfifo, "no ordinary file"),
        (lambda photo: photo.touch(), "has 0.0 MB"),
        (lambda photo: photo.write_bytes(bytes(MAX_BYTES + 1)), "at most 20 MB"),
    ],
)
def test_photo_that_is_no_safe_file_is_refused(collection, make, message):
    folder = collection([("strange.png", "BCC", "", "")])
    make(folder / "strange.png")
    with pytest.raises(DatasetError, match=rf"row 2: photo 'strange\.png' .*{message}"):
        load_collection(folder, TYPES, "clinic")
