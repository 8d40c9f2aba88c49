import re

import pytest

from skin_ai.diseases import DISEASES, FILE, LABEL_SETS, DiseasesError, Nature, find, read_diseases, suggest

TERMS = [(code, term) for code, disease in DISEASES.items() for term in disease.terms]


@pytest.mark.parametrize(("code", "term"), TERMS)
def test_every_term_finds_its_own_type_so_none_belongs_to_two(code, term):
    assert find(term) is DISEASES[code]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("MOLE", "NEV"),
        ("  mole ", "NEV"),
        ("naevus", "NEV"),
        ("nævus", "NEV"),
        ("AK", "ACK"),
        ("solar  keratosis", "ACK"),
        ("bcc", "BCC"),
        ("Rodent ulcer", "BCC"),
        ("basal-cell carcinoma", "BCC"),
        ("basal\u2010cell\u2011carcinoma", "BCC"),
        ("basal\u00a0cell\tcarcinoma", "BCC"),
        ("Bowen's disease", "SCC"),
        ("Bowen\u2019s disease", "SCC"),
        ("Bowens disease", "SCC"),
        ("seborrhoeic keratosis", "SEK"),
        ("Shingles", "ZOS"),
        ("hives", "URT"),
        ("ringworm", "TIN"),
        ("athletes foot", "TIN"),
        ("inflamed seborrheic keratosis", "SEK"),
        ("eczema craquele", "ECZ"),
        ("Éczema", "ECZ"),
        ("tinea versicolor", "TVER"),
        ("acne rosacea", "ROS"),
        ("", None),
        ("  ", None),
        ("-", None),
        ("contact dermatitis", None),
        ("keratosis", None),
        ("lupus", None),
        # how tables write them
        ("nv", "NEV"),
        ("BKL", "SEK"),
        ("akiec", "ACK"),
        ("df", "DFIB"),
        ("C44.91", "BCC"),
        ("C4491", "BCC"),
        ("c44.319", "BCC"),
        ("C44.52", "SCC"),
        ("D04.9", "SCC"),
        ("D03.5", "MEL"),
        ("L57.0", "ACK"),
        ("L570", "ACK"),
        ("L82.1", "SEK"),
        ("ICD-10: C43.9", "MEL"),
        ("C44.9", None),  # the WHO's code for both BCC and SCC
        ("C44", None),
        ("L57.0 actinic keratosis", "ACK"),
        ("BCC (C44.9)", "BCC"),
        ("SCC (C44.91)", None),
        ("Basal cell carcinoma (BCC)", "BCC"),
        ("SCC (Bowen)", "SCC"),
        ("BCC?", "BCC"),
        ("?BCC", "BCC"),
        ("B.C.C.", "BCC"),
        ("basal cell ca.", "BCC"),
        ("carcinoma, basal cell", "BCC"),
        ("BCC - nodular", "BCC"),
        ("Melanoma, NOS", "MEL"),
        ("melanoma (malignant)", "MEL"),
        ("nevus (malignant)", None),
        ("haemangioma", "ANG"),
        ("L57,0", "ACK"),
        ("c44,91", "BCC"),
        ("L57,0 actinic keratosis", "ACK"),
        ("C44,9", None),
        ("ICD: L57.0", "ACK"),
        ("ICD-10 code L57.0", "ACK"),
        ("A60.0", "HSV"),  # genital herpes
        ("W57.XXXA", "BITE"),
        ("S80.861A", "BITE"),
        ("S80.01XA", None),  # a bruise
        ("L71", "ROS"),
        ("L71.0", "PERD"),
        ("L91.0", None),  # hypertrophic scar or keloid
        ("L25.9", None),
        ("L85.8", None),
        # words beside a name that do not change the type
        ("seb. keratosis", "SEK"),
        ("SK - inflamed", "SEK"),
        ("Morbus Bowen", "SCC"),
        ("M. Bowen", "SCC"),
        ("SCC, well differentiated", "SCC"),
        ("morphoeic basal cell carcinoma", "BCC"),
        ("Basal Cell Carcinoma (nodular type)", "BCC"),
        ("naevus (compound)", "NEV"),
        ("nevocytic nevus", "NEV"),
        ("melanoma (in situ)", "MEL"),
        ("Dx: BCC", "BCC"),
        ("Benign keratosis-like lesions", "SEK"),
        ("SCCKA", "SCC"),
        # as ISIC's archive writes them
        ("Nevus, Atypical, Dysplastic, or Clark", "NEV"),
        ("Solar or actinic keratosis", "ACK"),
        ("Squamous cell carcinoma, Invasive", "SCC"),
        ("Melanoma Invasive", "MEL"),
        ("pigmented benign keratosis", "SEK"),
        ("lentigo NOS", "LENT"),
        ("lentigo maligna", "MEL"),
        ("melanocytic nævi.", "NEV"),
        ("seborrhoeic keratoses", "SEK"),
        ("melanomata", "MEL"),
        # what only resembles a type, or names two, is never taken
        ("BCC/SCC", None),
        ("no melanoma", None),
        ("metastatic melanoma", None),
        ("basal cell carcinma", None),
        ("BCC (left cheek)", None),
        ("benign", None),
        ("NOS", None),
    ],
)
def test_find_takes_what_clinicians_type(text, code):
    assert find(text) is (DISEASES[code] if code else None)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("bcell", ["BCC", "SEK"]),
        ("basal cell carcinma", ["BCC"]),
        ("squamous cel carcinoma", ["SCC"]),
        ("melanom", ["MEL"]),
        ("contact dermatitis", ["ACD", "ECZ", "IRCD"]),
        ("L25.9", ["ACD", "IRCD"]),
        ("L85.8", ["KAC", "KPIL"]),
        ("L91.0", ["KEL", "SCAR"]),
        ("Nävus", ["NEV"]),
        ("probable BCC", ["BCC"]),
        ("BCC (left cheek)", ["BCC"]),
        ("BCC/SCC", ["BCC", "SCC"]),
        ("C44.9", ["BCC", "SCC"]),
        ("xyz", []),
        ("UNK", []),
        ("", []),
    ],
)
def test_a_text_that_is_not_understood_has_suggestions(text, codes):
    assert find(text) is None
    assert sorted(disease.code for disease in suggest(text)) == codes


def test_label_sets_are_in_their_agreed_order():
    pad_ufes_20, skin_26 = LABEL_SETS["pad-ufes-20"], LABEL_SETS["skin-26"]
    assert pad_ufes_20 == ("BCC", "SCC", "MEL", "ACK", "NEV", "SEK")
    assert skin_26[:6] == pad_ufes_20
    assert [DISEASES[code].name for code in skin_26[6:]] == [
        "eczema",
        "allergic contact dermatitis",
        "irritant contact dermatitis",
        "urticaria",
        "insect bite",
        "folliculitis",
        "psoriasis",
        "tinea",
        "impetigo",
        "herpes zoster",
        "pigmented purpuric eruption",
        "acne",
        "drug rash",
        "herpes simplex",
        "pityriasis rosea",
        "tinea versicolor",
        "keratosis pilaris",
        "lichen simplex chronicus",
        "rosacea",
        "viral exanthem",
    ]


@pytest.mark.parametrize("disease", DISEASES.values(), ids=lambda disease: disease.code)
def test_a_type_is_written_as_the_others_are(disease):
    assert re.fullmatch(r"[A-Z]{3,5}", disease.code)
    assert re.sub("Merkel|Kaposi", "x", disease.name).islower()
    assert re.fullmatch(r"[A-Z]\d\d(\.\d)?", disease.icd10)  # the WHO's codes have at most four characters
    assert len(set(disease.synonyms)) == len(disease.synonyms)


def test_only_the_cancers_of_pad_ufes_20_are_malignant():
    known = {code: DISEASES[code] for code in LABEL_SETS["skin-26"]}
    by_nature = {nature: {c for c, d in known.items() if d.nature is nature} for nature in Nature}
    assert by_nature[Nature.MALIGNANT] == {"BCC", "SCC", "MEL"}
    assert by_nature[Nature.PRE_MALIGNANT] == {"ACK"}


def test_what_is_no_tumour_is_not_called_benign():
    natures = {code: DISEASES[code].nature for code in LABEL_SETS["skin-26"]}
    assert {code for code, nature in natures.items() if nature is Nature.BENIGN} == {"NEV", "SEK"}
    assert natures["PSO"] == natures["ZOS"] == natures["ACNE"] == "not a tumour"
    assert Nature.NOT_A_TUMOUR not in {natures[code] for code in LABEL_SETS["pad-ufes-20"]}


def test_the_tables_cannot_be_changed():
    with pytest.raises(TypeError):
        DISEASES["NEW"] = DISEASES["BCC"]
    with pytest.raises(TypeError):
        LABEL_SETS["new"] = ()


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ('nature = "malignant"', 'nature = "bad"', "BCC: nature 'bad'"),
        ('icd10 = "L82"', 'icd10 = "L82.11"', "SEK: 'L82.11' is not a code"),
        ('name = "melanoma"\n', "", "MEL must have the entries name"),
        ('"rodent ulcer"', '"mole"', "'mole' belongs to both BCC and NEV"),
        ('"rodent ulcer"', "3", "BCC: name must be a text, synonyms and codes lists"),
        ('pad-ufes-20 = ["BCC"', 'pad-ufes-20 = ["BBC"', "pad-ufes-20: BBC is not among the types"),
        ("[label_sets]", "[labels]", "must have the tables label_sets and types"),
        ("[label_sets]", "[label_sets", "cannot be read"),
    ],
)
def test_a_faulty_file_is_named_with_its_entry(tmp_path, before, after, found):
    path = tmp_path / "diseases.toml"
    text = FILE.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(DiseasesError, match=rf"diseases\.toml.*{found}"):
        read_diseases(path)
