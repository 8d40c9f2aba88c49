import itertools
import re
from collections import Counter
from functools import partial

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from skin_ai.diseases import DISEASES, LABEL_SETS
from skin_ai.predict.bundle import PREDICTIONS_FILE, WEIGHTS, bundle_names
from skin_ai.training.collection import load_collection
from skin_ai.training.datasets import DatasetError, digest, load_cases
from skin_ai.training.scin import load_scin
from skin_ai.views.case.samples import CREDIT, FOLDER, SAMPLES, find
from skin_ai.vocabulary import SITES

TYPES = LABEL_SETS["pad-ufes-20"]
TRAINED_ON = "PAT_701_4056_457"  # a photo of PAD-UFES-20 that is no sample

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


def test_samples_are_two_of_each_type_and_differ():
    assert Counter(sample.reference for sample in SAMPLES) == dict.fromkeys(TYPES, 2)
    for field in ("name", "title", "narrative"):
        assert len({getattr(sample, field) for sample in SAMPLES}) == len(SAMPLES)
    assert find(SAMPLES[3].name) is SAMPLES[3]
    assert find("") is None


def test_order_does_not_put_the_types_together():
    assert sum(one.reference == other.reference for one, other in itertools.pairwise(SAMPLES)) <= 3


@each_sample
def test_sample_is_a_photo_with_a_patient_speaking(sample):
    photo = sample.pixels()
    assert photo.shape == (300, 300, 3)
    assert photo.dtype == np.uint8
    assert sample.body_site in SITES
    assert str(sample.age) in sample.narrative
    assert re.search(r"\b(I|I'm|my|My)\b", sample.narrative)


@each_sample
def test_neither_title_nor_narrative_names_a_disease(sample):
    words = f"{sample.title} {sample.narrative}".lower()
    for disease in DISEASES.values():
        for term in (disease.code, disease.name, *disease.synonyms):
            assert not re.search(rf"\b{re.escape(term.lower())}\b", words), term


@each_sample
def test_photo_has_no_metadata(sample):
    with Image.open(FOLDER / "images" / f"{sample.name}.jpg") as photo:
        assert not photo.getexif()


def test_samples_are_credited():
    assert CREDIT == "Photo: PAD-UFES-20, CC BY 4.0"
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for part in ("PAD-UFES-20", "creativecommons.org/licenses/by/4.0", "Pacheco", "written for this project"):
        assert part in readme


# Held out


@pytest.mark.parametrize("read", [load_cases, load_scin, partial(load_collection, source="samples")])
@pytest.mark.parametrize("folder", [FOLDER, FOLDER / "images"])
def test_no_reader_of_training_data_takes_the_samples(read, folder):
    with pytest.raises(DatasetError):
        read(folder, types=TYPES)


@pytest.mark.parametrize("name", bundle_names())
def test_no_bundle_was_trained_on_a_sample(name):
    predictions = load_file(WEIGHTS / name / PREDICTIONS_FILE)
    photos, patients = (set(predictions[kind].tolist()) for kind in ("photos", "patients"))
    assert digest(TRAINED_ON) in photos
    assert photos.isdisjoint(digest(sample.name) for sample in SAMPLES)
    assert patients.isdisjoint(digest("_".join(sample.name.split("_")[:2])) for sample in SAMPLES)


def test_nothing_that_trains_or_evaluates_knows_where_the_samples_are():
    root = WEIGHTS.parent / "skin_ai"
    for room in ("training", "evaluation", "commands", "predict"):
        for path in (root / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            known = ("case/samples", "views.case", *(sample.name for sample in SAMPLES))
            assert not [part for part in known if part in text], path
