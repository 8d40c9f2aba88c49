"""What stands around the figures: the model, its use, its data, and what to mind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from skin_ai.diseases import DISEASES
from skin_ai.model_card.blocks import (
    NOT_MEASURED,
    Block,
    Section,
    Table,
    Text,
    capital,
    number,
    section,
    table,
    with_n,
)
from skin_ai.model_card.labels import SOURCES, label, type_name
from skin_ai.model_card.rows import group_name, groups_of
from skin_ai.predict.bundle import image_types_of

PURPOSE = """
- Research and teaching: how clinicians use ranked, explained advice about a skin lesion, and when it helps or
  misleads them. It proposes a ranked differential diagnosis from a photo, the patient's words, or both.
- Users: clinicians and researchers who know that it is research software, and who have their own diagnosis
  first.
"""
MISUSE = """
It must not be used:
- to decide about a patient: whether to biopsy, treat, refer or send home;
- to rule out cancer. A low probability of melanoma is no exclusion of melanoma;
- by patients on their own, or where nobody examines the lesion;
- on lesions of other types than those listed, on mucosa, nails or hair, or on images that were not taken by a
  smartphone, as dermoscopy is not;
- to rank people, to set a price, or for any purpose that is not the study of such advice.
"""
FACTORS = """
- Who the patient is: skin type, age, body site, gender. Only age and site are an input, and only where the
  words tell them.
- How the photo was made: camera, distance, light, sharpness, surgeons' ink.
- How the words are put: the models read wordings that they were taught better than others.
- What the lesion is: a lesion of a type that is not listed gets one of the listed names all the same.
"""
METRICS = """
- **Balanced accuracy**: the mean over types of how often a lesion of that type is named first (its
  **recall**). Rare types count as much as frequent ones, as no clinic's mix is known beforehand.
- **Accuracy**: how often the first answer is right; **top 3**: how often one of the first three is. Both with
  the frequency of the types in the data multiplied in.
- **Macro AUC**: how well the probability of a type ranks its cases above the others, mean over types.
- **Calibration error**: mean distance of how sure it was from how often it was right, in bins of equally many
  cases. Drawing cases anew adds to it; where that was not taken off, the interval lies above the value.
- **Malignancy AUC**, sensitivity at a given specificity: malignant types against all others.
- **Coverage**: the share of cases that it answers when it may say that it is not sure.
"""
HOW_TO_READ = """
Balanced accuracy leads: how often a lesion is named right, the mean over types. In brackets: 95% intervals,
by bootstrap over patients (over cases where there are no patients). *n* is the number of cases. Best is 1;
for calibration errors 0.
"""
ETHICS = """
- The photos are of patients; they were published by their collectors for research. No photo and no row of a
  patient is in this software, only weights and anonymous predictions.
- Advice misleads: who follows a wrong first answer is worse off than without it, experts too (Tschandl 2020).
  The app therefore asks for the clinician's diagnosis first and counts helpful and harmful changes apart.
- An error is not equally bad in both directions: a missed melanoma costs more than a needless biopsy. No
  threshold was chosen for that here, as no outcome of any patient is known.
- Shares, heatmaps and eliminations say what the model used, not what is true. How much they deserve belief is
  told above, where it was measured.
- What a user gives goes to the computer that runs the app and to the study's database, and nowhere else.
"""
RECOMMENDATIONS = """
- Before any use on patients: a study in the clinic where it would be used, with its cameras, its patients and
  a reference diagnosis, by skin type. No such study was made.
- Give words by the symptom form: its sentences are those that the model reads best.
- Take a probability for what it is: of the listed types alone, at equal frequency.
"""


def model_details(manifest: Mapping[str, Any]) -> Section:
    image, language = manifest["image_model"], manifest["language_model"]
    seen, types = len(image_types_of(dict(manifest))), len(manifest["types"])
    schedule = " → ".join(str(options) for options in language["schedule"])
    lines = [
        f"Task: a ranked differential diagnosis of {types} types from a photo of a skin lesion and the "
        "patient's words.",
        f"Bundle {manifest['name']}, made by skin_ai {manifest['code_version']}; trained by the code of its "
        "repository, from seeds.",
        f"Image model: {image['backbone']}, the mean of {image['views']} turned and mirrored views; it knows "
        f"{'all' if seen == types else seen} of the types.",
        f"Language model: {language['base']} with a classification head. It reads words and the photo's "
        f"recommendations and eliminates options in steps: {schedule}.",
        "Method: Chain of Options, our reading of [arXiv 2411.13855](https://arxiv.org/abs/2411.13855), "
        "which publishes neither prompts nor code.",
        *starting_weights(manifest),
    ]
    files = table(
        ({"File": name, "sha256, first 8": value[:8]} for name, value in manifest.get("files", {}).items()),
    )
    return section(
        "Model Details",
        [
            Text("\n".join(f"- {line}" for line in lines)),
            types_table(manifest),
            *([section("Files of the bundle", files, folded=True)] if files else []),
        ],
    )


def types_table(manifest: Mapping[str, Any]) -> Table:
    """The types that the bundle knows."""
    return Table(
        tuple(
            {
                "Code": type_,
                "Type": type_name(type_),
                "Nature": str(DISEASES[type_].nature),
                "ICD-10": DISEASES[type_].icd10,
            }
            for type_ in manifest["types"]
        )
    )


def starting_weights(manifest: Mapping[str, Any]) -> list[str]:
    """A sentence for each, and one for the code."""
    lines = [
        f"Started from the weights {source['name']}, {source['licence']}."
        for source in manifest.get("starting_weights", [])
    ]
    return [
        *lines,
        "The code is under the Apache License 2.0. Sample photos are drawn by code and show nobody.",
    ]


def intended_use() -> Section:
    return section("Intended Use", [Text(PURPOSE), Text(MISUSE)])


def factors(manifest: Mapping[str, Any]) -> Section:
    lines = []
    for grouping, found in groups_of(manifest.get("figures", {}).get("groups", {})).items():
        sizes = {group_name(grouping, group): values.get("n", 0) for group, values in found.items()}
        told = ", ".join(f"{group} (n = {n:,})" for group, n in sizes.items())
        lines.append(f"- {label(grouping)}: {told}")
    text = "\n".join(["Groups that were measured:", *lines]) if lines else f"Results by group: {NOT_MEASURED}"
    return section("Factors", [Text(FACTORS), Text(text)])


def metrics(manifest: Mapping[str, Any]) -> Section:
    lines = list(_thresholds(manifest))
    blocks: list[Block] = [Text(HOW_TO_READ), section("What each figure means", [Text(METRICS)], folded=True)]
    if lines:
        blocks.append(Text("Thresholds:\n" + "\n".join(f"- {line}" for line in lines)))
    return section("Metrics", blocks)


def _thresholds(manifest: Mapping[str, Any]) -> Iterator[str]:
    figures = manifest.get("figures", {})
    if (least := manifest.get("not_sure", {}).get("least_probability")) is not None:
        yield f"Not sure: the answer stays open where its first type is less probable than {number(least)}."
    gate = figures.get("gate", {})
    if isinstance(gate.get("threshold"), int | float):
        method = gate.get("method", "the gate's score")
        yield f"A photo is told from those in training by {method}, threshold {number(gate['threshold'])}."
    limits = figures.get("quality", {}).get("limits")
    if isinstance(limits, Mapping) and limits:
        told = (f"{label(key).lower()} {number(value)}" for key, value in limits.items() if _is_number(value))
        yield f"Photo quality: {', '.join(told)}."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def evaluation_data(manifest: Mapping[str, Any]) -> Section:
    figures = manifest.get("figures", {})
    blocks: list[Block] = []
    if "protocol" in figures:
        blocks.append(Text(f"**Photos and words of PAD-UFES-20.** {figures['protocol']}"))
    if confusion := figures.get("modes", {}).get("chain", {}).get("confusion"):
        counts = {type_: sum(row) for type_, row in zip(manifest["types"], confusion, strict=True)}
        blocks.append(
            Text(
                f"Cases (n = {sum(counts.values()):,}): "
                + ", ".join(f"{type_name(type_).lower()} {n:,}" for type_, n in counts.items() if n)
                + "."
            )
        )
    for source, told in figures.get("words", {}).items():
        if "protocol" in told:
            blocks.append(Text(f"**{capital(SOURCES.get(source, source))}.** {told['protocol']}"))
    return section("Evaluation Data", blocks)


def training_data(manifest: Mapping[str, Any]) -> Section:
    blocks: list[Block] = [Text("\n".join(f"- {line}" for line in data_sources(manifest)))]
    blocks += table(
        {
            "Data": source["name"],
            "Cases": f"{source['rows']:,}",
            "With photo": f"{source['photos']:,}",
            "Patients or voices": f"{source['patients']:,}",
        }
        for source in manifest.get("data", [])
        if {"rows", "photos", "patients"} <= source.keys()
    )
    blocks.append(
        Text(
            "The shipped models are trained on all of it; the figures are of models that were trained in the "
            "same way without the patient who is predicted."
        )
    )
    blocks.append(
        section(
            "Frequency of the types",
            table(
                {"Type": type_name(type_), "Share": f"{share:.1%}"}
                for type_, share in manifest.get("prior", {}).items()
            ),
            folded=True,
        )
    )
    return section("Training Data", blocks)


def data_sources(manifest: Mapping[str, Any]) -> list[str]:
    """A sentence for each data set, with its licence."""
    return [
        f"Trained on {source['name']}, {source['licence']}. {source.get('citation', '')}".strip()
        for source in manifest.get("data", [])
    ]


def ethical_considerations(manifest: Mapping[str, Any]) -> Section:
    text = ETHICS.strip()
    chain = manifest.get("figures", {}).get("modes", {}).get("chain", {})
    if (recall := chain.get("recall", {}).get("MEL")) and recall.get("value") is not None:
        n = sum(chain["confusion"][manifest["types"].index("MEL")]) if "confusion" in chain else None
        text += (
            f"\n- A melanoma is named first by the chain in {with_n(recall, n)}; above each of the others "
            "stands another type."
        )
    return section("Ethical Considerations", [Text(text)])


def recommendations() -> Section:
    return section("Recommendations", [Text(RECOMMENDATIONS)])
