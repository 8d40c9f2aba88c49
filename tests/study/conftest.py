"""A fresh, empty store for each test, on each database that the app serves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import empty_postgresql

from skin_ai.study.store import Store, open_store
from skin_ai.study.tables import Case


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keeps tests away from what the user of this computer keeps."""
    monkeypatch.delenv("SKIN_AI_DATABASE_URL", raising=False)
    monkeypatch.setenv("SKIN_AI_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def postgresql() -> str:
    """The address of an empty PostgreSQL database."""
    return empty_postgresql()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each kind."""
    return (
        request.getfixturevalue("postgresql")
        if request.param == "postgresql"
        else f"sqlite:///{tmp_path}/a.db"
    )


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    store.engine.dispose()


@pytest.fixture
def reader(store: Store) -> str:
    return store.add_clinician("general practitioner", "3-5")


@pytest.fixture
def case() -> Case:
    """A reader's own case, not yet kept."""
    return Case(
        id="0123456789abcdef0123456789abcdef",
        narrative="The spot on my nose bleeds.",
        age_band="60-79",
        body_site="NOSE",
        fitzpatrick=2,
    )
