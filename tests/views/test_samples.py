import re

import numpy as np
import pytest

from skin_ai.diseases import DISEASES
from skin_ai.views.case.samples import SAMPLES

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


def test_samples_are_several_and_told_apart():
    assert len(SAMPLES) >= 4
    for field in ("name", "title", "narrative"):
        assert len({getattr(sample, field) for sample in SAMPLES}) == len(SAMPLES)


@each_sample
def test_drawing_is_a_photo_and_always_the_same(sample):
    photo = sample.draw()
    assert photo.shape == (600, 600, 3)
    assert photo.dtype == np.uint8
    assert np.array_equal(photo, sample.draw())


@each_sample
def test_lesion_stands_out_from_the_skin_around_it(sample):
    photo = sample.draw().astype(float)
    lesion, corner = photo[240:360, 240:360].mean((0, 1)), photo[:100, :100].mean((0, 1))
    assert np.abs(lesion - corner).max() > 15  # of 255


@each_sample
def test_skin_is_warm_and_neither_black_nor_burnt_out(sample):
    red, green, blue = sample.draw()[:80].reshape(-1, 3).mean(0)
    assert 120 < blue < green < red < 240


@each_sample
def test_title_says_that_it_is_drawn(sample):
    assert sample.title.startswith("Drawn: ")


@each_sample
def test_narrative_is_a_patient_speaking(sample):
    sentences = re.findall(r"[^.]+\.", sample.narrative)
    assert 2 <= len(sentences) <= 4
    assert re.search(r"\b(I|I'm|my|My)\b", sample.narrative)


@each_sample
def test_neither_title_nor_narrative_names_a_disease(sample):
    words = f"{sample.title} {sample.narrative}".lower()
    for disease in DISEASES.values():
        for term in (disease.code, disease.name, *disease.synonyms):
            assert not re.search(rf"\b{re.escape(term.lower())}\b", words), term
