"""Disease types: label sets, names, synonyms, ICD-10, benign / pre-malignant / malignant."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Nature(StrEnum):
    BENIGN = "benign"
    PRE_MALIGNANT = "pre-malignant"
    MALIGNANT = "malignant"


@dataclass(frozen=True)
class Disease:
    """A disease type as clinicians name it.

    icd10 is of the WHO's ICD-10 (2019), "unspecified" where the code asks for a body site.
    """

    code: str
    name: str
    icd10: str
    nature: Nature
    synonyms: tuple[str, ...]


# The types of PAD-UFES-20 (Pacheco et al. 2020), with its codes; it counts Bowen's disease as SCC.
_PAD_UFES_20: Final = (
    Disease(
        "BCC", "basal cell carcinoma", "C44.9", Nature.MALIGNANT,
        (
            "basal cell carcinomas", "basal cell cancer", "basal cell skin cancer",
            "basal cell epithelioma", "basalioma", "basaliom", "rodent ulcer", "nodular BCC",
            "superficial BCC", "pigmented BCC", "morphoeic BCC", "morpheaform BCC",
            "nodular basal cell carcinoma", "superficial basal cell carcinoma",
            "pigmented basal cell carcinoma",
        ),
    ),
    Disease(
        "SCC", "squamous cell carcinoma", "C44.9", Nature.MALIGNANT,
        (
            "squamous cell carcinomas", "squamous cell cancer", "squamous cell skin cancer",
            "cutaneous squamous cell carcinoma", "cSCC", "squamous carcinoma", "epidermoid carcinoma",
            "spinalioma", "spinocellular carcinoma", "prickle cell carcinoma", "invasive SCC",
            "Bowen's disease", "Bowen disease", "Bowen", "BOD", "SCC in situ", "SCCIS",
            "squamous cell carcinoma in situ",
        ),
    ),
    Disease(
        "MEL", "melanoma", "C43.9", Nature.MALIGNANT,
        (
            "melanomas", "melanoma skin cancer", "malignant melanoma", "MM", "cutaneous melanoma",
            "invasive melanoma", "melanoma in situ", "MIS", "superficial spreading melanoma", "SSM",
            "nodular melanoma", "lentigo maligna", "lentigo maligna melanoma", "LMM",
            "acral lentiginous melanoma", "acral melanoma", "ALM", "amelanotic melanoma",
        ),
    ),
    Disease(
        "ACK", "actinic keratosis", "L57.0", Nature.PRE_MALIGNANT,
        (
            "actinic keratoses", "AK", "AKs", "solar keratosis", "solar keratoses", "senile keratosis",
            "senile keratoses", "sun keratosis", "keratosis actinica", "hypertrophic actinic keratosis",
            "hyperkeratotic actinic keratosis",
        ),
    ),
    Disease(
        "NEV", "nevus", "D22.9", Nature.BENIGN,
        (
            "nevi", "naevus", "naevi", "mole", "moles", "benign mole", "common mole",
            "melanocytic nevus", "melanocytic nevi", "melanocytic naevus", "melanocytic naevi",
            "benign nevus", "benign naevus", "pigmented nevus", "pigmented naevus", "nevocellular nevus",
            "naevocellular naevus", "junctional nevus", "junctional naevus", "compound nevus",
            "compound naevus", "intradermal nevus", "intradermal naevus", "dermal nevus",
            "dermal naevus", "dysplastic nevus", "dysplastic naevus", "atypical nevus",
            "atypical naevus", "atypical mole", "blue nevus", "blue naevus", "beauty mark",
            "beauty spot",
        ),
    ),
    Disease(
        "SEK", "seborrheic keratosis", "L82", Nature.BENIGN,
        (
            "seborrheic keratoses", "seborrhoeic keratosis", "seborrhoeic keratoses", "SK", "SKs",
            "seb K", "seb Ks", "seborrheic wart", "seborrheic warts", "seborrhoeic wart",
            "seborrhoeic warts", "senile wart", "senile warts", "basal cell papilloma",
            "verruca seborrhoica", "verruca senilis", "stucco keratosis",
            "irritated seborrheic keratosis", "irritated seborrhoeic keratosis",
        ),
    ),
)  # fmt: skip

# The twenty most frequent types of SCIN (Ward et al. 2024); the codes are ours.
_SCIN_20: Final = (
    Disease(
        "ECZ", "eczema", "L30.9", Nature.BENIGN,
        (
            "eczemas", "dermatitis", "eczematous dermatitis", "atopic dermatitis", "atopic eczema", "AD",
            "neurodermitis", "nummular eczema", "nummular dermatitis", "discoid eczema",
            "dyshidrotic eczema", "dyshidrosis", "pompholyx", "asteatotic eczema", "eczema craquelé",
        ),
    ),
    Disease(
        "ACD", "allergic contact dermatitis", "L23.9", Nature.BENIGN,
        (
            "contact allergy", "allergic contact eczema", "allergic dermatitis",
            "contact allergic dermatitis", "poison ivy", "poison ivy dermatitis", "nickel allergy",
            "nickel dermatitis",
        ),
    ),
    Disease(
        "IRCD", "irritant contact dermatitis", "L24.9", Nature.BENIGN,
        (
            "ICD", "irritant dermatitis", "irritant contact eczema", "irritant eczema",
            "toxic contact dermatitis", "primary irritant dermatitis", "contact irritant dermatitis",
        ),
    ),
    Disease(
        "URT", "urticaria", "L50.9", Nature.BENIGN,
        (
            "urticarial rash", "hives", "nettle rash", "acute urticaria", "chronic urticaria",
            "chronic spontaneous urticaria", "CSU", "chronic idiopathic urticaria",
        ),
    ),
    # The WHO's tabular list has the bite of a nonvenomous insect under superficial injury.
    Disease(
        "BITE", "insect bite", "T14.0", Nature.BENIGN,
        (
            "insect bites", "insect bite reaction", "bug bite", "bug bites", "arthropod bite",
            "arthropod bites", "arthropod bite reaction", "mosquito bite", "mosquito bites", "flea bite",
            "flea bites", "bedbug bite", "bedbug bites", "bed bug bites", "insect sting",
            "papular urticaria",
        ),
    ),
    Disease(
        "FOL", "folliculitis", "L73.9", Nature.BENIGN,
        (
            "bacterial folliculitis", "superficial folliculitis", "staphylococcal folliculitis",
            "hot tub folliculitis", "pseudomonas folliculitis", "Malassezia folliculitis",
            "pityrosporum folliculitis", "infected hair follicle", "infected hair follicles",
        ),
    ),
    Disease(
        "PSO", "psoriasis", "L40.9", Nature.BENIGN,
        (
            "psoriasis vulgaris", "plaque psoriasis", "chronic plaque psoriasis", "guttate psoriasis",
            "inverse psoriasis", "flexural psoriasis", "pustular psoriasis", "scalp psoriasis",
            "psoriatic plaque", "psoriatic plaques",
        ),
    ),
    Disease(
        "TIN", "tinea", "B35.9", Nature.BENIGN,
        (
            "ringworm", "dermatophytosis", "dermatophyte infection", "tinea corporis", "tinea pedis",
            "athlete's foot", "tinea cruris", "jock itch", "tinea capitis", "tinea faciei",
            "tinea manuum", "tinea barbae", "tinea incognito", "trichophytosis",
        ),
    ),
    Disease(
        "IMP", "impetigo", "L01.0", Nature.BENIGN,
        (
            "impetigo contagiosa", "non-bullous impetigo", "nonbullous impetigo", "bullous impetigo",
            "school sores",
        ),
    ),
    Disease(
        "ZOS", "herpes zoster", "B02.9", Nature.BENIGN,
        ("shingles", "zoster", "HZ", "VZV reactivation", "zona", "varicella zoster reactivation"),
    ),
    Disease(
        "PPE", "pigmented purpuric eruption", "L81.7", Nature.BENIGN,
        (
            "pigmented purpuric dermatosis", "pigmented purpuric dermatoses",
            "progressive pigmentary dermatosis", "PPD", "Schamberg's disease", "Schamberg disease",
            "Schamberg's purpura", "capillaritis", "progressive pigmented purpura", "pigmented purpura",
            "lichen aureus",
        ),
    ),
    Disease(
        "ACNE", "acne", "L70.9", Nature.BENIGN,
        (
            "acne vulgaris", "pimple", "pimples", "zits", "comedonal acne", "inflammatory acne",
            "cystic acne", "nodulocystic acne", "acne conglobata", "papulopustular acne", "blackheads",
            "whiteheads",
        ),
    ),
    Disease(
        "DRUG", "drug rash", "L27.0", Nature.BENIGN,
        (
            "drug eruption", "drug eruptions", "drug reaction", "cutaneous drug reaction",
            "drug exanthem", "drug exanthema", "drug-induced rash", "medication rash",
            "adverse drug reaction", "adverse drug eruption", "morbilliform drug eruption",
            "maculopapular drug eruption", "exanthematous drug eruption", "dermatitis medicamentosa",
        ),
    ),
    Disease(
        "HSV", "herpes simplex", "B00.9", Nature.BENIGN,
        (
            "herpes", "herpes simplex virus", "herpes simplex infection", "HSV-1", "HSV-2",
            "HSV infection", "herpes labialis", "cold sore", "cold sores", "fever blister",
            "fever blisters", "genital herpes",
        ),
    ),
    Disease(
        "PITR", "pityriasis rosea", "L42", Nature.BENIGN,
        ("PR", "pityriasis rosea Gibert", "pityriasis rosea of Gibert", "Christmas tree rash"),
    ),
    Disease(
        "TVER", "tinea versicolor", "B36.0", Nature.BENIGN,
        ("pityriasis versicolor", "TV", "sun fungus", "tinea versicolour", "pityriasis versicolour"),
    ),
    Disease(
        "KPIL", "keratosis pilaris", "L85.8", Nature.BENIGN,
        ("KP", "keratosis pilaris rubra", "KPR", "lichen pilaris", "chicken skin"),
    ),
    Disease(
        "LSC", "lichen simplex chronicus", "L28.0", Nature.BENIGN,
        (
            "lichen simplex", "neurodermatitis", "circumscribed neurodermatitis",
            "localised neurodermatitis", "localized neurodermatitis", "neurodermatitis circumscripta",
            "lichen Vidal", "lichenified eczema",
        ),
    ),
    Disease(
        "ROS", "rosacea", "L71.9", Nature.BENIGN,
        (
            "acne rosacea", "papulopustular rosacea", "erythematotelangiectatic rosacea", "ETR",
            "couperose", "rhinophyma", "phymatous rosacea",
        ),
    ),
    Disease(
        "VIRX", "viral exanthem", "B09", Nature.BENIGN,
        (
            "viral exanthema", "viral exanthems", "viral rash", "viral skin rash", "viral eruption",
            "exanthem due to virus", "morbilliform viral exanthem",
        ),
    ),
)  # fmt: skip

DISEASES: Final[Mapping[str, Disease]] = MappingProxyType(
    {disease.code: disease for disease in (*_PAD_UFES_20, *_SCIN_20)}
)

LABEL_SETS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"pad-ufes-20": tuple(disease.code for disease in _PAD_UFES_20), "skin-26": tuple(DISEASES)}
)


def find(text: str) -> Disease | None:
    """The type with this code, name or synonym, however it is spelt; None if there is none."""
    return _BY_TERM.get(_spelt_plainly(text))


def _spelt_plainly(text: str) -> str:
    """Without case, accents, apostrophes and hyphens, one space between words."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    without_apostrophes = re.sub(r"['\u2018\u2019\u02bc`]", "", letters)
    return " ".join(re.sub(r"[-\u00ad\u2010-\u2015\u2212_]", " ", without_apostrophes).casefold().split())


_BY_TERM: Final = {
    _spelt_plainly(term): disease
    for disease in DISEASES.values()
    for term in (disease.code, disease.name, *disease.synonyms)
}
