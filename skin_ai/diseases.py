"""Disease types: label sets, names, synonyms, ICD-10, nature. Read from `diseases.toml`."""

import re
import tomllib
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import SequenceMatcher
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

FILE: Final = Path(__file__).with_suffix(".toml")


class DiseasesError(ValueError):
    """A file of disease types that cannot be used; the message names the file and the entry."""


class Nature(StrEnum):
    NOT_A_TUMOUR = "not a tumour"
    BENIGN = "benign"
    PRE_MALIGNANT = "pre-malignant"
    MALIGNANT = "malignant"


@dataclass(frozen=True)
class Disease:
    """A disease type as clinicians name it; icd10 is the WHO's ICD-10 (2019).

    codes: of other systems, and the beginnings of all its ICD-10 codes (see `diseases.toml`).
    """

    code: str
    name: str
    icd10: str
    nature: Nature
    codes: tuple[str, ...]
    synonyms: tuple[str, ...]

    @property
    def terms(self) -> tuple[str, ...]:
        """Names and codes that mean this type; `find` takes other spellings and ICD-10 codes too."""
        return (self.code, self.name, *self.synonyms, *(code for code in self.codes if not _is_icd10(code)))


def read_diseases(path: Path = FILE) -> tuple[dict[str, Disease], dict[str, tuple[str, ...]]]:
    """Types by code, and label sets by name. Raises DiseasesError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DiseasesError(f"{path.name} cannot be read: {error}") from error
    if set(content) != {"types", "label_sets"}:
        raise DiseasesError(f"{path.name} must have the tables label_sets and types, and no others.")
    types = {code: _disease(f"{path.name}: {code}", code, entry) for code, entry in content["types"].items()}
    owner: dict[tuple[str, ...], str] = {}
    for code, disease in types.items():
        for term in disease.terms:
            other = owner.setdefault(_key(term), code)
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
    synonyms, codes = entry["synonyms"], entry["codes"]
    if not (isinstance(synonyms, list) and isinstance(codes, list)) or not all(
        isinstance(text, str) and text for text in (entry["name"], *synonyms, *codes)
    ):
        raise DiseasesError(f"{where}: name must be a text, synonyms and codes lists of texts.")
    if not re.fullmatch(r"[A-Z]\d\d(\.\d)?", str(entry["icd10"])):
        raise DiseasesError(f"{where}: {entry['icd10']!r} is not a code of the WHO's ICD-10, as C44.9 is.")
    if entry["nature"] not in list(Nature):
        raise DiseasesError(f"{where}: nature {entry['nature']!r} must be one of {', '.join(Nature)}.")
    nature = Nature(entry["nature"])
    return Disease(code, entry["name"], entry["icd10"], nature, tuple(codes), tuple(synonyms))


def find(text: str) -> Disease | None:
    """The type that a text surely means by name, synonym or code, however it is spelt; else None.

    All parts of the text must agree: "Basal cell carcinoma (BCC)" is found, "BCC/SCC" is not. Not cached:
    what a visitor typed must not stay in memory.
    """
    if text in DISEASES:
        return DISEASES[text]
    meanings = [meaning for piece in _pieces(text) if (meaning := _meaning(piece)) is not None]
    agreed = frozenset.intersection(*meanings) if meanings else frozenset()
    return DISEASES[min(agreed)] if len(agreed) == 1 else None


def comparable(text: str) -> str:
    """The code of the type that a text means, or the text without differences in case and spaces."""
    disease = find(text)
    return disease.code if disease else " ".join(text.split()).casefold()


def suggest(text: str) -> tuple[Disease, ...]:
    """Up to three types that a text which `find` does not know may mean, the most similar first."""
    score: dict[str, float] = defaultdict(float)
    for piece in _pieces(text):
        words = _words(piece)
        spans = (words[i:j] for i in range(len(words)) for j in range(i + 1, len(words) + 1))
        named = [_known(span) for span in spans if len("".join(span)) >= SHORTEST]
        for meaning in (_meaning(piece) or frozenset(), *named, _with_words(words)):
            if len(meaning) <= SUGGESTIONS:  # more are a nature, such as "benign"
                score |= dict.fromkeys(meaning, 1.0)
        matcher = SequenceMatcher(b="".join(words), autojunk=False)
        for spelling, codes in _SPELLINGS.items():
            matcher.set_seq1(spelling)
            could_be_similar = matcher.real_quick_ratio() >= SIMILAR and matcher.quick_ratio() >= SIMILAR
            if could_be_similar and (ratio := matcher.ratio()) >= SIMILAR:
                for code in codes:
                    score[code] = max(score[code], ratio)
    near = max(0.0, max(score.values(), default=0.0) - MUCH_LESS)
    best = sorted((code for code in DISEASES if score[code] > near), key=lambda code: -score[code])
    return tuple(DISEASES[code] for code in best[:SUGGESTIONS])


def _pieces(text: str) -> list[str]:
    """The whole text if it is a name, else what brackets, separators and ICD-10 codes part."""
    text = re.sub(NAME_OF_ICD10, " ", unicodedata.normalize("NFKC", text), flags=re.IGNORECASE)
    if _known(_words(text)):
        return [text]
    apart = rf"[()\[\]{{}}/|:;,=+&]|\s[-\u2013\u2014]\s|(\b{ICD10}(?=\W|$))"
    parts = re.split(apart, text, flags=re.IGNORECASE)
    return [part for part in parts if part and _words(part)]


def _meaning(piece: str) -> frozenset[str] | None:
    """Codes of the types that a piece can mean; None if it says nothing about the type ("NOS")."""
    words = _words(piece)
    if all(word in QUALIFIERS for word in words):
        return None
    if _is_icd10(piece.strip(" .?!")):
        return _of_icd10(piece.strip(" .?!"))
    return _known(words) or _OF_NATURE.get(" ".join(words), frozenset())


def _known(words: list[str]) -> frozenset[str]:
    """The type with this name; words that do not change the type may stand in it."""
    without = (word for word in words if word not in QUALIFIERS)
    disease = _BY_TERM.get(tuple(sorted(words))) or _BY_TERM.get(tuple(sorted(without)))
    return frozenset({disease.code} if disease else ())


def _is_icd10(text: str) -> bool:
    return re.fullmatch(ICD10, text, flags=re.IGNORECASE) is not None


def _of_icd10(code: str) -> frozenset[str]:
    """The types with the longest beginning of an ICD-10 code; several where the code means several."""
    code = re.sub("[.,]", "", code.upper())
    fitting = [
        (len(beginning), disease.code)
        for disease in DISEASES.values()
        for beginning in (entry.replace(".", "") for entry in disease.codes if _is_icd10(entry))
        if re.match(beginning.replace("?", "."), code)
    ]
    longest = max(fitting, default=(0, ""))[0]
    return frozenset(type_ for length, type_ in fitting if length == longest)


def _key(text: str) -> tuple[str, ...]:
    return tuple(sorted(_words(text)))


def _words(text: str) -> list[str]:
    return [_singular(word) for word in _spelt_plainly(text).split()]


def _spelt_plainly(text: str) -> str:
    """Small American letters without accents, apostrophes, stops and hyphens, one space between words."""
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()
    text = "".join(c for c in text if unicodedata.category(c) != "Cf" or c == "\u00ad")
    text = re.sub(r"['\u2018\u2019\u02bc`.?!*\"\u201c\u201d]", "", text)
    text = re.sub(r"[-\u00ad\u2010-\u2015\u2212_,;:]", " ", text)
    text = re.sub(r"ae|oe|\u00e6|\u0153", "e", text)
    text = re.sub(r"our\b", "or", re.sub(r"is(e[ds]?|ing|ation)\b", r"iz\1", text))
    return " ".join(text.split())


def _singular(word: str) -> str:
    if word in SAME_WORD:
        return SAME_WORD[word]
    for plural, singular in (("oses", "osis"), ("itides", "itis"), ("omata", "oma"), ("ies", "y")):
        if word.endswith(plural) and word != plural:
            return word.removesuffix(plural) + singular
    is_plural = len(word) > SHORTEST and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return word[:-1] if is_plural else word


def _spellings() -> dict[str, set[str]]:
    """Every name without spaces, and its beginnings at the ends of words -> codes of its types."""
    found = defaultdict(set)
    for disease in DISEASES.values():
        for words in map(_words, disease.terms):
            for end in range(1, len(words) + 1):
                found["".join(words[:end])].add(disease.code)
    return {spelling: codes for spelling, codes in found.items() if len(spelling) >= SHORTEST}


def _with_words(words: list[str]) -> frozenset[str]:
    """The types that have a name with all of these words, as "contact dermatitis"; none for a single word."""
    within = (code for term, code in _TERMS if len(words) > 1 and {*words} < {*term})
    return frozenset(within)


def _with_nature(nature: Nature) -> frozenset[str]:
    """Who writes "benign" may mean what is no tumour, too."""
    meant = (Nature.BENIGN, Nature.NOT_A_TUMOUR) if nature is Nature.BENIGN else (nature,)
    return frozenset(code for code, disease in DISEASES.items() if disease.nature in meant)


SUGGESTIONS: Final = 3
SHORTEST: Final = 3  # letters of a name within a text; shorter ones are found by chance
SIMILAR: Final = (
    0.7  # ratio of difflib: "bcell" and "basal cell" have 0.71, names of different types mostly less
)
MUCH_LESS: Final = 0.1  # so much less similar than the best is no suggestion
# With a decimal comma where a spreadsheet took the code for a number.
ICD10: Final = r"[A-TV-Z]\d[\dA-B](?:\.?[\dA-Z?]{1,4}|,\d{1,4})?"
NAME_OF_ICD10: Final = rf"\bICD(?:[- ]?10(?:-?[CG]M)?(?: code)?\b|(?=\W{{1,2}}{ICD10}(?:\W|$)))"
SAME_WORD: Final = {
    "ca": "carcinoma", "nevi": "nevus", "lentigines": "lentigo", "verruce": "verruca", "scabies": "scabies",
}  # fmt: skip
# Words that do not change the type.
QUALIFIERS: Final = frozenset(
    (
        "nos", "unspecified", "skin", "cutaneous", "of", "the", "nodular", "superficial", "pigmented",
        "micronodular", "multifocal", "sclerosing", "invasive", "infiltrative", "infiltrating", "ulcerated",
        "morpheic", "morpheaform", "morpheiform", "sclerodermiform", "solid", "cystic", "in", "situ",
        "compound", "junctional", "intradermal", "common", "atypical", "congenital", "recurrent", "inflamed",
        "irritated", "well", "moderately", "poorly", "differentiated", "type", "subtype", "diagnosis", "dx",
        "clinically", "primary", "biopsy", "histologically", "histology", "histo", "proven", "confirmed",
    )
)  # fmt: skip

_types, _label_sets = read_diseases()
DISEASES: Final[Mapping[str, Disease]] = MappingProxyType(_types)
LABEL_SETS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(_label_sets)
_BY_TERM: Final = {_key(term): disease for disease in DISEASES.values() for term in disease.terms}
_TERMS: Final = tuple((term, disease.code) for term, disease in _BY_TERM.items())
_OF_NATURE: Final = {" ".join(_words(nature)): _with_nature(nature) for nature in Nature}
_SPELLINGS: Final = _spellings()
