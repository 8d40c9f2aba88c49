import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from io import BytesIO

import numpy as np
import pytest
import torch
from drawn_cases import as_jpeg
from drawn_samples import SAMPLES
from PIL import Image, ImageDraw

from skin_ai.predict.diagnose import (
    FLAGS,
    Diagnosis,
    NothingToDiagnose,
    by_photo_alone,
    diagnose,
    marked,
    verdict,
    with_maps,
    with_words,
)
from skin_ai.predict.narrative import NARRATIVE_LIMIT, Answer, Facts, NarrativeError, sentences
from skin_ai.predict.photo import Crop, PhotoError, crop_square, read_photo
from skin_ai.predict.prepared_photo import prepare

WORDS = "I am 67. It is on my nose, it bleeds and it has grown."
# What is given: a photo, words.
INPUTS = {"both": (True, WORDS), "photo only": (True, ""), "words only": (False, WORDS)}


def same(one, other, tolerance=0.0):
    """Whether two runs say the same in everything but their timings."""
    one, other = one.as_json(), other.as_json()
    if tolerance == 0:
        return {**one, "timings_ms": None} == {**other, "timings_ms": None}
    pairs = zip(
        one["answer"] + one["recommendations"], other["answer"] + other["recommendations"], strict=True
    )
    return one["flags"] == other["flags"] and all(
        a["type"] == b["type"] and abs(a["probability"] - b["probability"]) < tolerance for a, b in pairs
    )


@pytest.fixture(scope="module")
def results(bundle, drawn_photo):
    return {
        name: diagnose(prepare(drawn_photo) if seen else None, words, bundle)
        for name, (seen, words) in INPUTS.items()
    }


@pytest.mark.parametrize("name", INPUTS)
def test_probabilities_sum_to_one_and_every_type_has_its_place(results, bundle, name):
    result = results[name]
    ranked = [result.answer, result.single_pass] + [result.recommendations] * INPUTS[name][0]
    for items in ranked:
        assert {item.type for item in items} == set(bundle.types)
        probabilities = [item.probability for item in items]
        assert sum(probabilities) == pytest.approx(1, abs=1e-5)
        assert probabilities == sorted(probabilities, reverse=True)
    for step in result.steps:
        assert sum(option.probability for option in step.options) == pytest.approx(1, abs=1e-5)
    assert [len(step.options) for step in result.steps] == list(bundle.schedule[:-1])


@pytest.mark.parametrize(("name", "flag"), [("photo only", "no_words"), ("words only", "no_photo")])
def test_missing_input_is_flagged(results, name, flag):
    assert flag in results[name].flags
    assert flag not in results["both"].flags
    assert set(results[name].flags) <= set(FLAGS)


def test_without_a_photo_there_are_no_recommendations_and_no_heatmaps(results):
    assert results["words only"].recommendations == ()
    assert results["words only"].heatmaps == {}


def test_recommendations_come_from_the_photo_alone(results):
    assert results["both"].recommendations == results["photo only"].recommendations


def test_words_change_the_answer(bundle, drawn_photo, results):
    other = diagnose(prepare(drawn_photo), "I am 20. It has been there since birth.", bundle)
    assert not same(other, results["both"], 1e-6)


@pytest.mark.parametrize("words", ("", "  \n ", "\u200b\x00"))
def test_nothing_given_is_an_error(bundle, words):
    with pytest.raises(NothingToDiagnose, match=r"Give a photo"):
        diagnose(None, words, bundle)


def test_bad_inputs_are_their_own_errors(bundle, drawn_photo):
    for damaged in (drawn_photo[:3000], b""):
        with pytest.raises(PhotoError):
            prepare(damaged)
    with pytest.raises(NarrativeError):
        diagnose(prepare(drawn_photo), "a" * (NARRATIVE_LIMIT + 1), bundle)


def test_heatmaps_sum_to_the_logits_behind_the_recommendations(results, bundle):
    result, bias = results["both"], bundle.image_model.head.bias
    assert tuple(result.heatmaps) == bundle.types
    logits = np.array([result.heatmaps[type_].sum() for type_ in bundle.types]) + bias.numpy()
    expected = np.exp(logits / bundle.photo_temperature)
    expected /= expected.sum()
    found = {item.type: item.probability for item in result.recommendations}
    assert [found[type_] for type_ in bundle.types] == pytest.approx(expected.tolist(), abs=1e-4)


# ---- a photo unlike those of the training ----


def refusing(bundle):
    """The bundle with a gate that takes every photo for foreign."""
    return replace(bundle, gate=replace(bundle.gate, threshold=0.0))


def test_foreign_photo_is_left_out_where_there_are_words_to_go_by(bundle, drawn_photo, results):
    found = diagnose(prepare(drawn_photo), WORDS, refusing(bundle))
    assert found.is_foreign
    assert not results["both"].is_foreign
    assert "photo_unlike" in found.flags
    assert "no_photo" not in found.flags
    assert found.steps == results["words only"].steps
    assert found.answer == results["words only"].answer
    # For "show anyway".
    assert found.recommendations == results["both"].recommendations
    assert found.heatmaps.keys() == results["both"].heatmaps.keys()


def test_foreign_photo_without_words_is_all_there_is_and_is_said_to_be_a_guess(bundle, drawn_photo, results):
    found = diagnose(prepare(drawn_photo), "", refusing(bundle))
    assert found.is_foreign
    assert "photo_unlike_alone" in found.flags
    assert found.answer == results["photo only"].answer


def test_gate_asks_nothing_of_words_alone(bundle, results):
    found = diagnose(None, WORDS, refusing(bundle))
    assert not found.is_foreign
    assert same(found, results["words only"])


# ---- not sure, unstable, and what is wrong with the photo ----


def test_answer_is_not_sure_exactly_below_the_least_probability(bundle, drawn_photo, results):
    first = results["both"].answer[0].probability
    sure, unsure = (
        diagnose(prepare(drawn_photo), WORDS, replace(bundle, least_probability=first + change))
        for change in (-0.001, 0.001)
    )
    assert sure.undecided == ()
    assert len(unsure.undecided) >= 2
    assert unsure.undecided[0] in {option.type for step in unsure.steps for option in step.kept}
    assert unsure.answer == sure.answer


def test_variant_that_changes_the_first_type_is_told(bundle, drawn_photo, results):
    class Easily(torch.nn.Module):
        """Takes another type for the first where the options are named from behind."""

        is_cut = bundle.language_model.is_cut

        def forward(self, questions):
            logits = bundle.language_model(questions)
            first = results["both"].answer[0].type
            for row, question in enumerate(questions):
                if list(question.options) != sorted(question.options):
                    logits[row, bundle.types.index(first)] -= 50
            return logits

    found = diagnose(prepare(drawn_photo), WORDS, replace(bundle, language_model=Easily()))
    assert set(found.unstable) == {"options_reversed"}
    assert found.unstable["options_reversed"] != results["both"].answer[0].type
    assert found.answer == results["both"].answer


@pytest.mark.parametrize(
    ("spoil", "flag"),
    [
        (lambda pixels: (pixels * 0.06).astype(np.uint8), "photo_dark"),
        (lambda pixels: pixels[::40, ::40], "photo_small"),
    ],
)
def test_fault_of_the_photo_is_flagged(bundle, results, spoil, flag):
    pixels = SAMPLES[0].draw()
    spoilt = diagnose(prepare(spoil(pixels)), WORDS, bundle)
    assert flag in spoilt.flags
    assert flag not in diagnose(prepare(pixels), WORDS, bundle).flags
    assert spoilt.answer


def test_pen_on_the_photo_is_flagged(bundle):
    pixels = SAMPLES[0].draw()
    assert "ink" not in diagnose(prepare(pixels), WORDS, bundle).flags
    marked = Image.fromarray(pixels)
    side = min(marked.size)
    box = [0.2 * side, 0.2 * side, 0.8 * side, 0.8 * side]
    ImageDraw.Draw(marked).ellipse(box, outline=(60, 50, 150), width=side // 50)
    assert "ink" in diagnose(prepare(np.asarray(marked)), WORDS, bundle).flags


# ---- an image model of fewer types than the language model ----


@pytest.fixture(scope="module")
def result_of_26(bundle_of_26, drawn_photo):
    return diagnose(prepare(drawn_photo), WORDS, bundle_of_26)


def test_fewer_image_types_recommend_and_map_only_theirs(bundle_of_26, result_of_26, results):
    assert result_of_26.recommendations == results["both"].recommendations
    assert tuple(result_of_26.heatmaps) == bundle_of_26.image_types
    for ranked in (result_of_26.answer, result_of_26.single_pass):
        assert {item.type for item in ranked} == set(bundle_of_26.types)
        assert sum(item.probability for item in ranked) == pytest.approx(1, abs=1e-5)
    assert [len(step.options) for step in result_of_26.steps] == [26, 13, 6, 3]


def test_language_model_is_told_what_the_photo_leaves_to_other_types(bundle_of_26, drawn_photo, results):
    asked = []

    class Listening(torch.nn.Module):
        is_cut = bundle_of_26.language_model.is_cut

        def forward(self, questions):
            asked.append(questions)
            return bundle_of_26.language_model(questions)

    diagnose(prepare(drawn_photo), WORDS, replace(bundle_of_26, language_model=Listening()))
    seen = dict(zip(bundle_of_26.types, asked[0][0].photo.tolist(), strict=True))
    of_photo = {item.type: item.probability for item in results["photo only"].recommendations}
    for type_, probability in seen.items():
        expected = 0.8 * of_photo[type_] if type_ in of_photo else 0.2 / 20
        assert probability == pytest.approx(expected, abs=1e-6), type_


def test_unlike_photo_leaves_all_types_to_the_words(bundle_of_26, drawn_photo):
    found = diagnose(prepare(drawn_photo), WORDS, refusing(bundle_of_26))
    assert found.answer == diagnose(None, WORDS, bundle_of_26).answer


# ---- what is made of the inputs ----


def test_crop_changes_what_the_model_sees(bundle, drawn_photo, results):
    crop = Crop(x=0.3, y=0.4, size=0.5)
    cropped = diagnose(prepare(drawn_photo, crop), WORDS, bundle)
    assert not same(cropped, results["both"], 1e-6)
    square = crop_square(read_photo(drawn_photo), crop)
    assert same(cropped, diagnose(prepare(square), WORDS, bundle))


def test_words_that_are_cut_are_flagged(bundle, results):
    assert "words_cut" in diagnose(None, ("Itchy. " * NARRATIVE_LIMIT)[:NARRATIVE_LIMIT], bundle).flags
    assert "words_cut" not in results["both"].flags


def test_disagreement_of_chain_and_single_pass_is_flagged(results):
    for result in results.values():
        differ = result.answer[0].type != result.single_pass[0].type
        assert ("disagree" in result.flags) == differ


def test_pixels_count_and_not_the_file_around_them(bundle, drawn_photo, results):
    pixels = read_photo(drawn_photo)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    assert same(results["both"], diagnose(prepare(buffer.getvalue()), WORDS, bundle))
    assert same(results["both"], diagnose(prepare(pixels), WORDS, bundle))


def test_same_input_gives_the_same_result(bundle, drawn_photo, results):
    assert same(results["both"], diagnose(prepare(drawn_photo), WORDS, bundle))


def test_sessions_at_once_get_what_they_would_get_alone(bundle):
    cases = [(prepare(as_jpeg(sample.draw())), sample.narrative) for sample in SAMPLES[1:3]]
    alone = [diagnose(photo, words, bundle) for photo, words in cases]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda case: diagnose(*case, bundle), cases * 2))
    assert all(same(one, other, 1e-5) for one, other in zip(alone * 2, together, strict=True))
    assert not same(alone[0], alone[1], 1e-5)


def test_json_has_exactly_the_promised_keys(results, bundle):
    for result in results.values():
        found = json.loads(json.dumps(result.as_json(), allow_nan=False))
        assert list(found) == [
            "bundle", "recommendations", "chain", "answer", "single_pass", "undecided", "unstable", "matters",
            "words_read", "flags", "timings_ms",
        ]  # fmt: skip
        assert found["bundle"] == bundle.name
        for item in found["recommendations"] + found["answer"] + found["single_pass"]:
            assert list(item) == ["type", "name", "probability"]
        assert [step["step"] for step in found["chain"]] == list(range(1, len(bundle.schedule)))
        for step in found["chain"]:
            assert list(step) == ["step", "options"]
            for option in step["options"]:
                assert list(option) == ["type", "probability", "kept", "words", "photo"]


def restored(result):
    return Diagnosis.from_json(json.loads(json.dumps(result.as_json())), result.narrative)


@pytest.mark.parametrize("name", INPUTS)
def test_kept_json_gives_all_but_photo_and_maps_again(results, name):
    result, found = results[name], restored(results[name])
    without = replace(result, square=None, feature_map=None, heatmaps={}, timings_ms=found.timings_ms)
    assert found == without
    assert found.timings_ms == pytest.approx(result.timings_ms, abs=0.06)


def test_kept_foreign_photo_is_still_foreign_and_told_only_where_it_was(bundle, drawn_photo):
    with_words, alone = (diagnose(prepare(drawn_photo), words, refusing(bundle)) for words in (WORDS, ""))
    for result in (with_words, alone):
        assert restored(result).is_foreign
        assert restored(result).photo_probabilities == result.photo_probabilities
    assert with_words.photo_probabilities is None
    assert alone.photo_probabilities is not None


def test_kept_photo_of_fewer_types_is_spread_over_the_label_set_again(result_of_26):
    found = restored(result_of_26).photo_probabilities
    assert found == pytest.approx(result_of_26.photo_probabilities, abs=1e-6)


def test_maps_of_a_kept_diagnosis_are_those_of_the_run(bundle, drawn_photo, results):
    result = results["both"]
    again = with_maps(restored(result), prepare(drawn_photo).square, bundle)
    assert np.array_equal(again.square, result.square)
    assert again.heatmaps.keys() == result.heatmaps.keys()
    for type_, evidence in result.heatmaps.items():
        assert np.allclose(again.heatmaps[type_], evidence, atol=1e-5)
    assert np.allclose(again.feature_map, result.feature_map, atol=1e-5)


@pytest.mark.parametrize("lacks", ["undecided", "unstable", "single_pass", "flags", "timings_ms", "chain"])
def test_kept_json_of_an_older_version_can_be_read(results, lacks):
    kept = results["both"].as_json()
    del kept[lacks]
    assert Diagnosis.from_json(kept, WORDS).answer == results["both"].answer


def test_flag_that_is_no_longer_known_is_left_out(results):
    kept = results["both"].as_json() | {"flags": ["small_crop", "disagree"]}
    assert Diagnosis.from_json(kept, WORDS).flags == ("disagree",)


def test_timings_cover_what_was_done(results):
    assert set(results["both"].timings_ms) == {
        "read_photo", "photo_quality", "words", "preprocessing", "image_model", "heatmaps", "gate",
        "language_model", "stability", "total",
    }  # fmt: skip
    assert set(results["words only"].timings_ms) == {"words", "language_model", "stability", "total"}
    assert all(value >= 0 for value in results["both"].timings_ms.values())


def test_result_is_frozen_and_has_no_pixels(results):
    with pytest.raises(FrozenInstanceError):
        results["both"].answer = ()
    assert "array(" not in repr(results["both"])


def test_other_words_give_what_a_diagnosis_with_them_gives(bundle, drawn_photo):
    photo, facts = prepare(drawn_photo), Facts(age=67, site="NOSE", bleed=Answer.YES)
    whole = diagnose(photo, "", bundle, facts)
    for words in ("", "I am 40. It does not itch."):
        asked = with_words(diagnose(photo, words, bundle), sentences(facts), bundle)
        assert same(asked, whole, 1e-5)
        assert asked.undecided == whole.undecided


@pytest.mark.parametrize("name", INPUTS)
def test_verdict_is_the_diagnosis_before_it_is_tested(bundle, drawn_photo, results, name):
    seen, words = INPUTS[name]
    found = verdict(prepare(drawn_photo) if seen else None, words, bundle)
    assert (found.unstable is None) == bool(words)
    assert same(marked(found, bundle), results[name])
    assert same(marked(restored(found), bundle), results[name])  # also by a session that opens it again


@pytest.mark.parametrize("name", ["both", "photo only"])
def test_photo_alone_answers_as_without_words(bundle, results, name):
    assert by_photo_alone(results[name], bundle) == results["photo only"].answer


def test_foreign_photo_alone_answers_as_without_words(bundle, drawn_photo):
    told, alone = (verdict(prepare(drawn_photo), words, refusing(bundle)) for words in (WORDS, ""))
    assert by_photo_alone(told, refusing(bundle)) == alone.answer
