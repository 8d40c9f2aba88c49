from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keeps tests away from the data of this computer's user."""
    monkeypatch.delenv("SKIN_AI_DATABASE_URL", raising=False)
    monkeypatch.setenv("SKIN_AI_DATA", str(tmp_path / "data"))
    return tmp_path / "data"
