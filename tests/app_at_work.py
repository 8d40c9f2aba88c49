"""What tests of the pages do and read, as a clinician would."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO, StringIO
from pathlib import Path
from zipfile import ZipFile

import drawn_samples
import numpy as np
from drawn_cases import as_jpeg
from sqlalchemy import func, select, text
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1 import AppTest

from skin_ai.study.store import Store
from skin_ai.study.tables import Base
from skin_ai.views.case.case_state import CaseState
from skin_ai.views.case.samples import SAMPLES

APP = Path(__file__).parent.parent / "navigation.py"
TIMEOUT = 180  # seconds: the first run of the app loads the models, perhaps beside other work
WORDS = "I am 61. The spot on my back has grown and it bleeds now and then."
SAVE, AT_ONCE, LATER = "Save my diagnosis and show the AI's", "Show me the AI at once", "Keep for later"


def button(app: AppTest, label: str):
    return next(button for button in app.button if button.label == label)


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def texts(app: AppTest) -> str:
    elements = (*app.title, *app.header, *app.subheader, *app.markdown, *app.caption, *app.text)
    return "\n".join([*(element.value for element in elements), *html_texts(app)])


def html_texts(app: AppTest) -> list[str]:
    """What a reader sees of the page's own HTML, without its styles and scripts."""
    bodies = [element.proto.body for element in app.get("html")]
    return [re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", body, flags=re.DOTALL) for body in bodies]


def table_of(app: AppTest) -> str:
    return "\n".join(table.value.to_string() for table in app.table)


def problems(app: AppTest) -> list[str]:
    return [element.value for element in (*app.error, *app.warning)]


def case(app: AppTest) -> CaseState:
    return app.session_state["case"]


def upload(app: AppTest, filename: str, content: bytes, kind: str = "image/jpeg") -> AppTest:
    return app.file_uploader[0].set_value((filename, content, kind)).run()


def open_symptom_form(app: AppTest, is_open: bool = True) -> AppTest:
    app.session_state[f"symptom_form_{case(app).id}"] = is_open
    return app.run()


def use_sample(app: AppTest) -> AppTest:
    app.segmented_control(key="way").set_value("Sample").run()
    return app.button(key=f"sample_{SAMPLES[0].name}").click().run()


def words_areas(app: AppTest):
    return [area for area in app.text_area if area.label == "In the patient's own words, or yours"]


def words_area(app: AppTest):
    (area,) = words_areas(app)
    return area


def type_words(app: AppTest, words: str = WORDS) -> AppTest:
    return words_area(app).set_value(words).run()


def ranks(app: AppTest, stage: str):
    return app.multiselect(key=f"ranks_{stage}_{case(app).id}")


def confidence(app: AppTest, stage: str):
    return app.segmented_control(key=f"confidence_{stage}_{case(app).id}")


def give(app: AppTest, diagnoses: Sequence[str], sure: int = 70, stage: str = "before") -> AppTest:
    """Types an own answer, without saving it."""
    ranks(app, stage).set_value(list(diagnoses))
    return confidence(app, stage).set_value(sure).run()


def answer(app: AppTest, diagnoses: Sequence[str] = ("melanoma",), sure: int = 70) -> AppTest:
    """The own diagnosis, saved: the AI's is shown."""
    return button(give(app, diagnoses, sure), SAVE).click().run()


def finish(app: AppTest) -> AppTest:
    """The final answer, unchanged."""
    return app.button(key="keep").click().run()


def change(app: AppTest, diagnoses: Sequence[str], sure: int = 70) -> AppTest:
    """Another final answer, without saving it."""
    app.button(key="change").click().run()
    return give(app, diagnoses, sure, "after")


def save_change(app: AppTest) -> AppTest:
    return app.button(key="final").click().run()


def open_heatmap(app: AppTest) -> AppTest:
    app.session_state[f"heatmap_{case(app).id}"] = True
    return app.run()


def begin_anew(app: AppTest) -> AppTest:
    """The session of the page that "Next visitor" reloads."""
    assert "location.replace" in app.get("html")[0].proto.body
    return AppTest.from_file(APP, default_timeout=TIMEOUT).run()


def as_drawn_anew(app: AppTest) -> WidgetStates:
    """What a browser sends that forgot what the widgets held and drew the page: their defaults."""
    sent = WidgetStates()
    for choice in (*app.multiselect, *app.segmented_control):
        chosen = [choice.options[place] for place in choice.proto.default]
        sent.widgets.add(id=choice.id).string_array_value.data[:] = chosen
    for box in app.selectbox:
        if box.proto.HasField("default"):
            sent.widgets.add(id=box.id, string_value=box.options[box.proto.default])
    for field in (*app.text_area, *app.text_input):
        sent.widgets.add(id=field.id, string_value=field.proto.default)
    for slider in app.slider:
        sent.widgets.add(id=slider.id).double_array_value.data[:] = slider.proto.default
    for radio in app.radio:
        sent.widgets.add(id=radio.id, string_value=radio.options[radio.proto.default])
    for box in app.checkbox:
        sent.widgets.add(id=box.id, bool_value=box.proto.default)
    return sent


def rows_of(store: Store) -> dict[str, int]:
    """Tables that hold rows, and how many."""
    with store.reading() as session:
        found = {
            table.name: session.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
        }
    return {name: rows for name, rows in found.items() if rows}


@contextmanager
def full_disk(store: Store, table: str) -> Iterator[None]:
    """Meanwhile the database takes no row of this table."""
    with store.writing() as session:
        for event in ("INSERT", "UPDATE"):
            fails = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            session.execute(text(f"CREATE TRIGGER no_{event} BEFORE {event} ON {table} {fails}"))
    try:
        yield
    finally:
        with store.writing() as session:
            for event in ("INSERT", "UPDATE"):
                session.execute(text(f"DROP TRIGGER no_{event}"))


def deck_zip(
    rows: Sequence[Mapping[str, str]], settings: str = "", photos: Mapping[str, np.ndarray] | None = None
) -> bytes:
    """A deck as a zip: rows of cases.csv, deck.toml and photos by file name."""
    photos = (
        {f"{drawn.name}.jpg": drawn.draw() for drawn in drawn_samples.SAMPLES} if photos is None else photos
    )
    table = StringIO()
    writer = csv.DictWriter(table, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    file = BytesIO()
    with ZipFile(file, "w") as deck:
        deck.writestr("cases.csv", table.getvalue())
        if settings:
            deck.writestr("deck.toml", settings)
        for name, photo in photos.items():
            deck.writestr(name, as_jpeg(photo))
    return file.getvalue()
