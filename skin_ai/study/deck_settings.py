"""What deck.toml may say, and what is wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from skin_ai.file_paths import shown
from skin_ai.study.deck_rows import one_line
from skin_ai.vocabulary import ARMS, RANKING, STEPS

CONSENT_LIMIT: Final = 10_000  # characters
TEXT_LIMITS: Final = {"name": 100, "note": 500}  # characters
DEFAULT_COMPARISON: Final = (STEPS, RANKING)


@dataclass(frozen=True)
class Setting:
    """read: the value as it is kept, None where it is not valid; rule: what a valid one is."""

    read: Callable[[Any], Any]
    rule: str


def _text(limit: int) -> Callable[[Any], str | None]:
    def read(value: Any) -> str | None:
        text = one_line(value) if isinstance(value, str) else ""
        return text if 0 < len(text) <= limit else None

    return read


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _arms(value: Any) -> tuple[str, ...] | None:
    is_right = isinstance(value, list) and len(value) >= 2 and all(arm in ARMS for arm in value)
    return tuple(arm for arm in ARMS if arm in value) if is_right and len({*value}) == len(value) else None


def _comparison(value: Any) -> tuple[str, ...] | None:
    is_right = isinstance(value, list) and len(value) == 2 and all(arm in ARMS for arm in value)
    return tuple(value) if is_right and value[0] != value[1] else None


def consent_text(text: Any) -> str | None:
    """A text with its lines and without invisible characters; None where it is no text or too long."""
    lines = [one_line(line) for line in text.splitlines()] if isinstance(text, str) else []
    plain = "\n".join(lines).strip()
    return plain if 0 < len(plain) <= CONSENT_LIMIT else None


_ALL_ARMS: Final = ", ".join(f'"{arm}"' for arm in ARMS)
SETTINGS: Final[Mapping[str, Setting]] = {
    **{
        key: Setting(_text(limit), f"{key} must be 1 to {limit} characters in quotes.")
        for key, limit in TEXT_LIMITS.items()
    },
    **{
        key: Setting(_boolean, f"{key} must be true or false, without quotes.")
        for key in ("show_reference", "ask_management", "ask_malignancy")
    },
    "arms": Setting(_arms, f"arms must be a list of two or more of {_ALL_ARMS}, each once."),
    "primary_comparison": Setting(
        _comparison, 'primary_comparison must be a list of two arms, such as ["steps", "ranking"].'
    ),
    "consent": Setting(consent_text, f"consent must be 1 to {CONSENT_LIMIT:,} characters in quotes."),
}
TYPOGRAPHIC: Final = re.compile("[\u201c-\u201e\u2018\u2019«»]")
STRAIGHT: Final = 'use straight quotation marks, as in name = "...".'
EXAMPLE: Final = 'write name = "..." and show_reference = true, one per line.'


def read(text: str) -> tuple[dict[str, Any], list[str]]:
    """The valid settings of deck.toml, and what is wrong with the others."""
    lines = re.sub("\r\n?", "\n", text)
    try:
        written = tomllib.loads(lines)
    except RecursionError:
        return {}, [EXAMPLE]
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+)", str(error))
        line = int(place[1]) if place else lines.count("\n") + 1
        advice = STRAIGHT if TYPOGRAPHIC.search(lines.split("\n")[line - 1]) else EXAMPLE
        return {}, [f"line {line}: {advice}"]
    valid: dict[str, Any] = {}
    wrong = []
    for key, value in written.items():
        setting = SETTINGS.get(key)
        if setting is None:
            wrong.append(f"{shown(key)} is not a setting: use {', '.join(SETTINGS)} only.")
        elif (found := setting.read(value)) is None:
            wrong.append(setting.rule)
        else:
            valid[key] = found
    arms = valid.get("arms", ())
    named = valid.get("primary_comparison", DEFAULT_COMPARISON if arms else ())
    if not wrong and not {*named} <= {*arms}:
        wrong.append("primary_comparison must name two of the deck's arms.")
    return valid | {"primary_comparison": named}, wrong
