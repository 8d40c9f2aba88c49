"""Disease types: label sets, names, synonyms, ICD-10, nature. Read from `diseases.toml`."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

FILE: Final = Path(__file__).with_suffix(".toml")


class DiseasesError(ValueError):
    """A file of disease types that cannot be used; the message names the file and the entry."""


class Nature(StrEnum):
    BENIGN = "benign"
    PRE_MALIGNANT = "pre-malignant"
    MALIGNANT = "malignant"


@dataclass(frozen=True)
class Disease:
    """A disease type as clinicians name it; icd10 is the WHO's ICD-10 (2019)."""

    code: str
    name: str
    icd10: str
    nature: Nature
    synonyms: tuple[str, ...]

    @property
    def terms(self) -> tuple[str, ...]:
        """Everything that `find` takes for this type."""
        return (self.code, self.name, *self.synonyms)


def read_diseases(path: Path = FILE) -> tuple[dict[str, Disease], dict[str, tuple[str, ...]]]:
    """Types by code, and label sets by name. Raises DiseasesError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DiseasesError(f"{path.name} cannot be read: {error}") from error
    if set(content) != {"types", "label_sets"}:
        raise DiseasesError(f"{path.name} must have the tables label_sets and types, and no others.")
    types = {code: _disease(f"{path.name}: {code}", code, entry) for code, entry in content["types"].items()}
    owner: dict[str, str] = {}
    for code, disease in types.items():
        for term in disease.terms:
            other = owner.setdefault(_spelt_plainly(term), code)
            if other != code:
                raise DiseasesError(f"{path.name}: {term!r} belongs to both {other} and {code}.")
    label_sets = {}
    for name, codes in content["label_sets"].items():
        unknown = [code for code in codes if code not in types]
        if unknown:
            raise DiseasesError(
                f"{path.name}: label set {name}: {', '.join(unknown)} is not among the types."
            )
        label_sets[name] = tuple(codes)
    return types, label_sets


def _disease(where: str, code: str, entry: Any) -> Disease:
    needed = [field.name for field in fields(Disease) if field.name != "code"]
    if not isinstance(entry, dict) or set(entry) != set(needed):
        raise DiseasesError(f"{where} must have the entries {', '.join(needed)}, and no others.")
    synonyms = entry["synonyms"]
    if not isinstance(synonyms, list) or not all(
        isinstance(text, str) and text for text in (entry["name"], *synonyms)
    ):
        raise DiseasesError(f"{where}: name must be a text, and synonyms a list of texts.")
    if not re.fullmatch(r"[A-Z]\d\d(\.\d)?", str(entry["icd10"])):
        raise DiseasesError(f"{where}: {entry['icd10']!r} is not a code of the WHO's ICD-10, as C44.9 is.")
    if entry["nature"] not in list(Nature):
        raise DiseasesError(f"{where}: nature {entry['nature']!r} must be one of {', '.join(Nature)}.")
    return Disease(code, entry["name"], entry["icd10"], Nature(entry["nature"]), tuple(synonyms))


def find(text: str) -> Disease | None:
    """The type with this code, name or synonym, however it is spelt; None if there is none."""
    return _BY_TERM.get(_spelt_plainly(text))


def _spelt_plainly(text: str) -> str:
    """Without case, accents, apostrophes and hyphens, one space between words."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    without_apostrophes = re.sub(r"['\u2018\u2019\u02bc`]", "", letters)
    return " ".join(re.sub(r"[-\u00ad\u2010-\u2015\u2212_]", " ", without_apostrophes).casefold().split())


_types, _label_sets = read_diseases()
DISEASES: Final[Mapping[str, Disease]] = MappingProxyType(_types)
LABEL_SETS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(_label_sets)
_BY_TERM: Final = {_spelt_plainly(term): disease for disease in DISEASES.values() for term in disease.terms}
