"""What an operator writes is understood, or the start stops and says what to write."""

from pathlib import Path

import pytest

from skin_ai import settings
from skin_ai.__main__ import main
from skin_ai.settings import SettingsError


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*settings.OURS, settings.THREADS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(settings, "ENV_FILE", tmp_path / ".env")
    settings._of_file.cache_clear()


def understood(monkeypatch: pytest.MonkeyPatch, **values: str) -> settings.Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"SKIN_AI_{name}", value)
    return settings.current()


def test_without_settings_everything_has_its_default() -> None:
    found = settings.current()
    assert (found.is_kiosk, found.kiosk_minutes, found.hosts, found.base_path) == (False, 3, (), "")
    assert (found.database_url, found.study_passphrase, found.study_role) == ("", "", "")
    assert found.data.name == "skin_ai"


@pytest.mark.parametrize("value", ["1", "true", "True", " YES ", "on", "y", '"1"', "'true'"])
def test_yes_in_usual_spellings(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert understood(monkeypatch, KIOSK=value).is_kiosk


@pytest.mark.parametrize("value", ["0", "false", "No", "off", "", "  "])
def test_no_in_usual_spellings(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not understood(monkeypatch, KIOSK=value).is_kiosk


@pytest.mark.parametrize(("value", "minutes"), [("2,5", 2.5), ("2.5", 2.5), ("5", 5), ("0.3", 0.3)])
def test_minutes_with_comma_or_point(value: str, minutes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert understood(monkeypatch, KIOSK_MINUTES=value).kiosk_minutes == minutes


def test_paths_have_home_and_variables_filled_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert understood(monkeypatch, DATA="~/x").data == tmp_path / "x"
    assert understood(monkeypatch, DATA="${HOME}/y").data == tmp_path / "y"
    assert (
        understood(monkeypatch, DATABASE_URL="sqlite:///~/a.db").database_url == f"sqlite:///{tmp_path}/a.db"
    )


@pytest.mark.parametrize(
    ("value", "hosts"),
    [
        ("skin.example.org", ("skin.example.org",)),
        ("https://Skin.example.org:8443/, 192.168.1.7:8501", ("skin.example.org", "192.168.1.7")),
        ("[fd00::1]:8501 fd00::2", ("fd00::1", "fd00::2")),
        ("münchen.de", ("xn--mnchen-3ya.de",)),
    ],
)
def test_hosts_are_read_as_browsers_send_them(
    value: str, hosts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert understood(monkeypatch, HOSTS=value).hosts == hosts


def test_base_path_has_no_slashes_at_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert understood(monkeypatch, BASE_PATH="/derma/skin/").base_path == "derma/skin"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("KIOSK", "maybe", "SKIN_AI_KIOSK is “maybe”: write yes or no."),
        ("KIOSK_MINUTES", "three", "SKIN_AI_KIOSK_MINUTES is “three”: write minutes"),
        ("KIOSK_MINUTES", "0", "more than 0"),
        ("KIOSK_MINUTES", "nan", "write minutes"),
        ("KIOSK_MINUTES", "1.000,5", "write minutes"),
        ("DATA", "$NO_SUCH_FOLDER/x", "SKIN_AI_DATA uses $NO_SUCH_FOLDER, which is not set."),
        ("DATA", "~nobody-of-this-name/x", "nobody's folder"),
        ("DATA", "%APPDATA%/x", "SKIN_AI_DATA uses %APPDATA%, which is not set."),
        ("DATA", "$$/x", "SKIN_AI_DATA uses $, which is not set."),
        ("DATA", "file:///tmp/x", "SKIN_AI_DATA is “file:///tmp/x”: write a path of this machine"),
        ("DATA", "C:\\Users\\x", "write a path of this machine"),
        ("HOSTS", "0.0.0.0", "SKIN_AI_HOSTS holds “0.0.0.0”"),
        ("HOSTS", "::", "SKIN_AI_HOSTS holds “::”"),
        ("HOSTS", "1", "SKIN_AI_HOSTS holds “1”"),
        ("HOSTS", "*", "SKIN_AI_HOSTS holds “*”"),
        ("HOSTS", "our clinic!", "SKIN_AI_HOSTS holds “clinic!”"),
        ("BASE_PATH", "../x", "SKIN_AI_BASE_PATH is “../x”"),
        ("DATABASE_URL", "mysql://u:Winter@host/name", "SKIN_AI_DATABASE_URL is not a database address"),
        *(
            (
                "DATABASE_URL",
                f"postgresql://u:{password}@db.example/skin",
                "write an @ within the password as %40",
            )
            for password in ("Winter@2026", "Winter?@2026")
        ),
        ("KIOSKS", "1", "SKIN_AI_KIOSKS is not a setting: use SKIN_AI_KIOSK."),
    ],
)
def test_what_is_not_understood_stops_every_command_with_one_sentence(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"SKIN_AI_{name}", value)
    with pytest.raises(SettingsError):
        settings.current()
    assert main(["check"]) == 2
    out, err = capsys.readouterr()
    assert said in err and err.count("\n") == 1 and not out
    assert "Winter" not in err and "2026@" not in err


def test_file_is_read_and_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ENV_FILE.write_text(
        "\ufeff# At the stand\r\nexport SKIN_AI_KIOSK = yes  # for visitors\r\n\r\n"
        "SKIN_AI_KIOSK_MINUTES=4\r\nSKIN_AI_STUDY_PASSPHRASE='a # fig = on the sill'\r\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("SKIN_AI_KIOSK_MINUTES", "2,5")
    found = settings.current()
    assert (found.is_kiosk, found.kiosk_minutes) == (True, 2.5)
    assert found.study_passphrase == "a # fig = on the sill"
    lines = settings.described()
    assert "SKIN_AI_KIOSK = yes (.env)" in lines
    assert "SKIN_AI_KIOSK_MINUTES = 2.5 (environment)" in lines


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("SKIN_AI_KIOSK", "line 2: write NAME=value."),
        ("OMP_NUM_THREADS=1", "line 2: OMP_NUM_THREADS is read from the environment only"),
        ("SKIN_AI_STUDY_ROLE='staff", "line 2: the value of SKIN_AI_STUDY_ROLE has no closing quote."),
        ("SKIN_AI_KISOK=1", "SKIN_AI_KISOK is not a setting: use SKIN_AI_KIOSK."),
    ],
)
def test_line_of_the_file_that_is_not_understood_is_named(line: str, said: str) -> None:
    settings.ENV_FILE.write_text(f"SKIN_AI_HOSTS=skin.example.org\n{line}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=said):
        settings.current()


def test_file_in_another_encoding_is_told() -> None:
    settings.ENV_FILE.write_text("SKIN_AI_KIOSK=1", encoding="utf-16")
    with pytest.raises(SettingsError, match="UTF-8"):
        settings.current()


def test_all_are_described_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    understood(
        monkeypatch,
        DATABASE_URL="postgresql://u:Winter2026@db.example/skin?password=Winter2026",
        STUDY_PASSPHRASE="Winter2026",
    )
    said = "\n".join(settings.described())
    assert all(f"{name} = " in said for name in (*settings.OURS, settings.THREADS))
    assert "postgresql://u:***@db.example/skin (environment)" in said
    assert "Winter2026" not in said
