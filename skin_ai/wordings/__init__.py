"""How patients say things: wordings in TOML files, one file per subject, read and checked once.

Every wording states one fact and names no disease. Held-out wordings are never used for training, so that
they tell reading from memorising. The first plain wording of a fact is the symptom form's.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from itertools import product
from pathlib import Path
from string import Formatter
from typing import Any, Final, TypeVar

from skin_ai.vocabulary import AGE_RANGES, ALL_SYMPTOMS, DURATIONS, KINDS, REGIONS, SITES

FOLDER: Final = Path(__file__).parent
ANSWERS: Final = ("yes", "no", "unknown")
FORMS: Final = ("statement", "denial", "bare", "noun")
# Name of a joining word -> what stands between the phrases of a list, and before the last one.
JOINS: Final[Mapping[str, tuple[str, str]]] = {
    "and": (", ", " and "),
    "or": (", ", " or "),
    "nor": (" nor ", " nor "),
    "no": (", no ", ", no "),
    "comma": (", ", ", "),
}


class WordingsError(ValueError):
    """A file of wordings that cannot be used; the message names the file and the entry."""


@dataclass(frozen=True)
class Wordings:
    """One fact in three voices: plain and wordy are sentences, terse are fragments without full stop."""

    plain: tuple[str, ...]
    terse: tuple[str, ...]
    wordy: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def training(self) -> tuple[str, ...]:
        return self.plain + self.terse + self.wordy


@dataclass(frozen=True)
class Site:
    """Names of one body site: nouns follow "my", places are whole phrases."""

    nouns: tuple[str, ...]
    places: tuple[str, ...]
    held_out_places: tuple[str, ...]


@dataclass(frozen=True)
class Phrases:
    """A part of a sentence: a symptom in a list, a duration, an age range."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """All wordings. Mappings have the names of `vocabulary`; symptoms and lists have one entry per answer."""

    age: Wordings
    age_and_site: Wordings
    age_range: Wordings
    age_ranges: Mapping[str, Phrases]
    site: Wordings
    sites: Mapping[str, Site]
    region: Wordings
    regions: Mapping[str, Site]
    duration: Wordings
    durations: Mapping[str, Phrases]
    kinds: Mapping[str, Wordings]
    symptoms: Mapping[str, Mapping[str, Wordings]]
    lists: Mapping[str, Wordings]
    contrast: Wordings
    forms: Mapping[str, Mapping[str, Phrases]]
    fillers: Wordings


Placeholders = frozenset[str]
NONE: Final = (Placeholders(),)
PLACE: Final = (Placeholders({"place"}), Placeholders({"noun"}))
AGE: Final = tuple(map(Placeholders, ({"age"}, {"words"}, {"ordinal"}, {"a", "age"})))
AGE_AND_PLACE: Final = tuple(age | place for age, place in product(AGE, PLACE))
LIST: Final = tuple(Placeholders({f"{form}_{join}"}) for form, join in product(FORMS, JOINS))

Entry = TypeVar("Entry", Wordings, Site, Phrases)


@cache
def load_wordings(folder: Path = FOLDER) -> Catalogue:
    """All wordings, checked; takes about 20 ms the first time. Raises WordingsError."""
    age = _tables(folder / "age.toml", "sentence", "with_site", "range_sentence", "ranges")
    sites = _tables(folder / "sites.toml", "sentence", "sites")
    regions = _tables(folder / "regions.toml", "sentence", "regions")
    durations = _tables(folder / "durations.toml", "sentence", "durations")
    symptoms = _tables(folder / "symptoms.toml", *ALL_SYMPTOMS)
    lists = _tables(folder / "lists.toml", "lists", "contrast", "forms")
    forms = _subtables("lists.toml: forms", lists["forms"], FORMS)
    fillers = _tables(folder / "fillers.toml", *_names(Wordings))
    return Catalogue(
        age=_entry(Wordings, "age.toml: sentence", age["sentence"], AGE),
        age_and_site=_entry(Wordings, "age.toml: with_site", age["with_site"], AGE_AND_PLACE),
        age_range=_entry(
            Wordings, "age.toml: range_sentence", age["range_sentence"], (Placeholders({"range"}),)
        ),
        age_ranges=_entries(Phrases, "age.toml: ranges", age["ranges"], AGE_RANGES),
        site=_entry(Wordings, "sites.toml: sentence", sites["sentence"], PLACE),
        sites=_entries(Site, "sites.toml: sites", sites["sites"], SITES),
        region=_entry(Wordings, "regions.toml: sentence", regions["sentence"], PLACE),
        regions=_entries(Site, "regions.toml: regions", regions["regions"], REGIONS),
        duration=_entry(
            Wordings, "durations.toml: sentence", durations["sentence"], (Placeholders({"time"}),)
        ),
        durations=_entries(Phrases, "durations.toml: durations", durations["durations"], DURATIONS),
        kinds=_entries(Wordings, "kinds.toml", _tables(folder / "kinds.toml", *KINDS), KINDS),
        symptoms={
            symptom: _entries(Wordings, f"symptoms.toml: {symptom}", symptoms[symptom], ANSWERS)
            for symptom in ALL_SYMPTOMS
        },
        lists=_entries(Wordings, "lists.toml: lists", lists["lists"], ANSWERS, LIST),
        contrast=_entry(Wordings, "lists.toml: contrast", lists["contrast"], (Placeholders({"yes", "no"}),)),
        forms={
            form: _entries(Phrases, f"lists.toml: forms.{form}", forms[form], ALL_SYMPTOMS) for form in FORMS
        },
        fillers=_entry(Wordings, "fillers.toml", fillers, (*NONE, Placeholders({"number"}))),
    )


def _tables(path: Path, *names: str) -> dict[str, Any]:
    """The file's tables, which must be those of `names`."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WordingsError(f"{path.name} cannot be read: {error}") from error
    return _subtables(path.name, content, names)


def _subtables(where: str, table: object, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise WordingsError(f"{where} must be a table with the entries {', '.join(names)}.")
    missing = [name for name in names if name not in table]
    unknown = [name for name in table if name not in names]
    if missing or unknown:
        raise WordingsError(
            f"{where}: missing entries: {', '.join(missing) or 'none'}; "
            f"unknown entries: {', '.join(unknown) or 'none'}."
        )
    return table


def _entries(
    kind: type[Entry],
    where: str,
    table: object,
    names: tuple[str, ...],
    allowed: tuple[Placeholders, ...] = NONE,
) -> dict[str, Entry]:
    found = _subtables(where, table, names)
    return {name: _entry(kind, f"{where}.{name}", found[name], allowed) for name in names}


def _entry(kind: type[Entry], where: str, table: object, allowed: tuple[Placeholders, ...] = NONE) -> Entry:
    """One entry of lists of texts; every text has one of the `allowed` sets of placeholders."""
    names = _names(kind)
    found = _subtables(where, table, names)
    for name in names:
        texts = found[name]
        if not isinstance(texts, list) or not texts or not all(isinstance(t, str) and t for t in texts):
            raise WordingsError(f"{where}: {name} must be a list of one or more texts.")
        for text in texts:
            _check_placeholders(f"{where}: {name}", text, allowed)
    return kind(**{name: tuple(found[name]) for name in names})


def _check_placeholders(where: str, text: str, allowed: tuple[Placeholders, ...]) -> None:
    try:
        placeholders = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise WordingsError(f"{where}: {text!r}: {error}.") from error
    if placeholders not in allowed:
        choices = " or ".join(
            " and ".join(f"{{{name}}}" for name in sorted(one)) or "no placeholder" for one in allowed
        )
        raise WordingsError(f"{where}: {text!r} needs {choices}.")


def _names(kind: type[Wordings] | type[Site] | type[Phrases]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
