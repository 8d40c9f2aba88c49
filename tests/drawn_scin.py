"""Invented volunteers with drawn photos, in the layout of SCIN's bucket."""

import csv
from pathlib import Path

from drawn_cases import Row, draw_lesion

# Columns of SCIN's tables, some of those that stay unread among them.
CASE_COLUMNS = (
    "case_id", "source", "age_group", "sex_at_birth", "fitzpatrick_skin_type", "race_ethnicity_white",
    "textures_raised_or_bumpy", "textures_flat", "textures_rough_or_flaky", "textures_fluid_filled",
    "body_parts_head_or_neck", "body_parts_arm", "body_parts_palm", "body_parts_back_of_hand",
    "body_parts_torso_front", "body_parts_torso_back", "body_parts_genitalia_or_groin",
    "body_parts_buttocks", "body_parts_leg", "body_parts_foot_top_or_side", "body_parts_foot_sole",
    "body_parts_other", "condition_symptoms_bothersome_appearance", "condition_symptoms_bleeding",
    "condition_symptoms_increasing_size", "condition_symptoms_darkening", "condition_symptoms_itching",
    "condition_symptoms_burning", "condition_symptoms_pain",
    "condition_symptoms_no_relevant_experience", "other_symptoms_fever", "other_symptoms_chills",
    "other_symptoms_fatigue", "other_symptoms_joint_pain", "other_symptoms_mouth_sores",
    "other_symptoms_shortness_of_breath", "other_symptoms_no_relevant_symptoms", "related_category",
    "condition_duration", "image_1_path", "image_2_path", "image_3_path", "combined_race",
)  # fmt: skip
LABEL_COLUMNS = (
    "case_id", "weighted_skin_condition_label", "dermatologist_fitzpatrick_skin_type_label_1",
)  # fmt: skip
# Weighted label, photos and what was ticked or chosen, by case.
MINI_SCIN: dict[str, tuple[str, tuple[str, ...], Row]] = {
    "-11": (
        "{'Eczema': 0.4, 'Scabies': 0.2, 'Tinea': 0.1, 'Acute dermatitis, NOS': 0.3}",
        ("-101", "102"),
        {"textures_flat": "YES", "condition_symptoms_itching": "YES", "related_category": "RASH"},
    ),
    "12": ("{'Urticaria': 0.5, 'Insect Bite': 0.5}", ("103",), {"condition_duration": "ONE_DAY"}),
    "13": ("{'Scabies': 1.0}", ("104", "105", "106"), {"textures_raised_or_bumpy": "YES"}),
    "14": ("{}", ("107",), {"age_group": "AGE_30_TO_39"}),
    "15": ("{'SCC/SCCIS': 0.67, 'SK/ISK': 0.33}", ("108", "103"), {"age_group": "AGE_80_OR_ABOVE"}),
    "16": ("{'Drug Rash': 1.0}", ("109",), {}),
}


def scin_rows() -> tuple[list[Row], list[Row]]:
    """Rows of scin_cases.csv and of scin_labels.csv."""
    cases, labels = [], []
    for key, (label, photos, told) in MINI_SCIN.items():
        row = dict.fromkeys(CASE_COLUMNS, "") | {"case_id": key, "source": "SCIN"} | told
        row |= {f"image_{n}_path": f"dataset/images/{photo}.png" for n, photo in enumerate(photos, start=1)}
        cases.append(row)
        labels.append(dict.fromkeys(LABEL_COLUMNS, "") | {"case_id": key, LABEL_COLUMNS[1]: label})
    return cases, labels


def draw_scin(
    folder: Path,
    rows: tuple[list[Row], list[Row]] | None = None,
    *,
    tables: str = "dataset",
    photos: bool = True,
) -> Path:
    """Writes tables into `folder/tables` and, as small PNGs, every photo of MINI_SCIN."""
    (folder / "dataset" / "images").mkdir(parents=True, exist_ok=True)
    for name, table in zip(("scin_cases.csv", "scin_labels.csv"), rows or scin_rows(), strict=True):
        with (folder / tables / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
    for name in {name for _, names, _ in MINI_SCIN.values() for name in names if photos}:
        image = draw_lesion("NEV", abs(int(name)))
        image.resize((64, 60)).save(folder / "dataset" / "images" / f"{name}.png")
    return folder
