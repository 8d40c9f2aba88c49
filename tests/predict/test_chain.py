import copy
import math
from itertools import pairwise
from random import Random

import pytest
import torch
from made_up_steps import step as made_up_step

from skin_ai.diseases import DISEASES, LABEL_SETS
from skin_ai.predict.chain import (
    ALL_NAMED,
    BATCH_CHARACTERS,
    LEAST_NAMED,
    MAX_TOKENS,
    NO_WORDS,
    UNKNOWN_TO_PHOTO,
    Question,
    answer,
    build_language_model,
    eliminate,
    eliminate_all,
    load_language_weights,
    option_mask,
    over_label_set,
    quantize,
    save_in_parts,
    save_language_model,
    single_pass,
    undecided,
)
from skin_ai.predict.narrative import clean_narrative

TYPES = ("BCC", "SCC", "MEL", "ACK", "NEV", "SEK")
SCHEDULES = ((6, 3, 2, 1), (6, 1), (6, 5, 4, 3, 2, 1), (6, 2, 1))
ALL = tuple(range(6))
MANY = LABEL_SETS["skin-26"]
ALL_OF_MANY = tuple(range(len(MANY)))
PHOTO = torch.tensor([0.4, 0.3, 0.02, 0.03, 0.05, 0.2])


def random_ask(seed):
    """A model whose logits differ for every question, as those of a real one may."""
    generator = torch.Generator().manual_seed(seed)

    def ask(questions):
        logits = 3 * torch.randn(len(questions), len(TYPES), generator=generator)
        return logits.masked_fill(~option_mask(questions, len(TYPES)), -torch.inf)

    return ask


def random_chains():
    """Eliminations of random models, with every schedule and every input present or missing."""
    for seed in range(60):
        rng = Random(seed)
        schedule = SCHEDULES[seed % len(SCHEDULES)]
        temperatures = tuple(rng.uniform(0.3, 4) for _ in schedule[1:])
        narrative, photo = rng.choice([("It itches.", PHOTO), ("It itches.", None), ("", PHOTO)])
        yield schedule, eliminate(random_ask(seed), narrative, photo, TYPES, schedule, temperatures)


# ---- elimination ----


def test_schedule_is_obeyed_and_options_never_return():
    for schedule, steps in random_chains():
        assert [len(step.options) for step in steps] == list(schedule[:-1])
        assert [len(step.kept) for step in steps] == list(schedule[1:])
        assert {option.type for option in steps[0].options} == set(TYPES)
        for before, after in pairwise(steps):
            assert {option.type for option in after.options} == {option.type for option in before.kept}


def test_most_probable_options_are_kept_and_stand_first():
    for _, steps in random_chains():
        for step in steps:
            probabilities = [option.probability for option in step.options]
            assert probabilities == sorted(probabilities, reverse=True)
            assert sum(probabilities) == pytest.approx(1, abs=1e-6)
            assert step.options == step.kept + step.dropped


def test_answer_sums_to_one_and_the_option_that_is_left_comes_first():
    for _, steps in random_chains():
        ranked = answer(steps)
        assert sum(item.probability for item in ranked) == pytest.approx(1, abs=1e-6)
        assert {item.type for item in ranked} == set(TYPES)
        assert ranked[0].type == steps[-1].kept[0].type
        probabilities = [item.probability for item in ranked]
        assert probabilities == sorted(probabilities, reverse=True)


def test_dropped_option_keeps_its_mass():
    fixed = {6: [4.0, 3.0, 2.0, 1.0, 1.0, 1.0], 3: [1.0, 2.0, 1.0], 2: [1.0, 3.0]}

    def ask(questions):
        logits = torch.full((len(questions), 6), -torch.inf)
        for row, question in enumerate(questions):
            logits[row, list(question.options)] = torch.tensor(fixed[len(question.options)]).log()
        return logits

    steps = eliminate(ask, "", PHOTO, TYPES, (6, 3, 2, 1), (1.0, 1.0, 1.0))
    found = {item.type: item.probability for item in answer(steps)}
    # Three types fall at step one (1/12 each), then of 9/12 a quarter falls, then of the rest a quarter.
    after_two = 9 / 12 * 3 / 4
    expected = {"ACK": 1 / 12, "NEV": 1 / 12, "SEK": 1 / 12, "MEL": 9 / 12 / 4}
    expected |= {"BCC": after_two / 4, "SCC": after_two * 3 / 4}
    assert found == pytest.approx(expected, abs=1e-6)


def test_single_pass_is_the_first_asking():
    for schedule, steps in random_chains():
        assert [(item.type, item.probability) for item in single_pass(steps)] == [
            (option.type, option.probability) for option in steps[0].options
        ]
        if schedule == (6, 1):
            assert single_pass(steps) == answer(steps)


def test_temperature_flattens_probabilities_and_changes_no_order():
    sharp = eliminate(random_ask(1), "", PHOTO, TYPES, (6, 3, 2, 1), (1.0, 1.0, 1.0))
    flat = eliminate(random_ask(1), "", PHOTO, TYPES, (6, 3, 2, 1), (5.0, 5.0, 5.0))
    for one, other in zip(sharp, flat, strict=True):
        assert [option.type for option in one.options] == [option.type for option in other.options]
        assert other.options[0].probability < one.options[0].probability


# ---- shares of words and photo ----


def ask_with_known_shares(questions):
    """Words speak for SCC by 2, the photo for BCC by 3."""
    logits = torch.zeros(len(questions), 6)
    for row, question in enumerate(questions):
        logits[row, 1] += 2 if question.narrative else 0
        logits[row, 0] += 3 if question.photo is not None else 0
    return logits.masked_fill(~option_mask(questions, 6), -torch.inf)


def test_shares_say_which_input_moved_which_option():
    steps = eliminate(ask_with_known_shares, "It bleeds.", PHOTO, TYPES, (6, 3, 2, 1), (1.0, 1.0, 1.0))
    for step in steps:
        for moved, share, by in (("SCC", "words", 2), ("BCC", "photo", 3)):
            shares = {option.type: getattr(option, share) for option in step.options}
            if moved not in shares:
                continue
            assert shares.pop(moved) == pytest.approx(by * (1 - 1 / len(step.options)), abs=1e-5)
            assert list(shares.values()) == pytest.approx([-by / len(step.options)] * len(shares), abs=1e-5)


def test_shares_are_on_the_scale_of_the_probabilities():
    """With words alone, the words' shares tell how far the probabilities that are shown lie apart."""
    for temperature in (0.5, 2.0):
        first = eliminate(random_ask(3), "It itches.", None, TYPES, (6, 1), (temperature,))[0]
        best, second = first.options[:2]
        odds = math.log(best.probability / second.probability)
        assert best.words - second.words == pytest.approx(odds, abs=1e-5)


def test_shares_sum_to_zero_over_the_options():
    for _, steps in random_chains():
        for step in steps:
            assert sum(option.words for option in step.options) == pytest.approx(0, abs=1e-4)
            assert sum(option.photo for option in step.options) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("narrative", "photo", "used", "unused"),
    [("It bleeds.", None, "words", "photo"), ("", PHOTO, "photo", "words")],
)
def test_with_one_input_all_differences_are_its_own(narrative, photo, used, unused):
    steps = eliminate(ask_with_known_shares, narrative, photo, TYPES, (6, 3, 2, 1), (1.0, 1.0, 1.0))
    for step in steps:
        assert all(getattr(option, unused) == 0 for option in step.options)
        first, second = (getattr(option, used) for option in step.options[:2])
        assert first > 0 > second


def test_blanked_askings_see_the_same_options():
    asked = []

    def ask(questions):
        asked.append(questions)
        return random_ask(len(asked))(questions)

    eliminate(ask, "It bleeds.", PHOTO, TYPES, (6, 2, 1), (1.0, 1.0))
    assert [len(questions) for questions in asked] == [3, 3]
    for questions in asked:
        no_words = next(question for question in questions if not question.narrative)
        no_photo = next(question for question in questions if question.photo is None)
        (whole,) = (question for question in questions if question.narrative and question.photo is not None)
        assert whole.options == no_words.options == no_photo.options
        assert (no_words.narrative, no_photo.narrative) == ("", whole.narrative)
        assert no_photo.photo is None
        assert no_words.photo is whole.photo


# ---- many cases at once ----


def case_of_any_kind(rng):
    """Short and long words, any photo, and now and then one of the two missing or fewer options."""
    words = "It itches and I am 58. " * rng.choice((0, 1, 1, 2, 8, 40))
    photo = torch.tensor([rng.gammavariate(0.5, 1) + 1e-4 for _ in TYPES])
    photo = None if words and rng.random() < 0.2 else photo / photo.sum()
    return Question(words, photo, ALL if rng.random() < 0.7 else tuple(rng.sample(ALL, rng.randint(2, 5))))


@pytest.mark.parametrize("shares", (True, False))
def test_many_cases_at_once_get_what_each_gets_alone(bundle, shares):
    rng = Random(7)
    cases = [case_of_any_kind(rng) for _ in range(10)]
    rest = bundle.types, bundle.schedule, bundle.chain_temperatures
    with torch.inference_mode():
        together = eliminate_all(bundle.language_model, cases, *rest, shares=shares)
        alone = [eliminate_all(bundle.language_model, [case], *rest, shares=shares)[0] for case in cases]
    for one, other in zip(together, alone, strict=True):
        assert [option_of.type for step in one for option_of in step.options] == [
            option_of.type for step in other for option_of in step.options
        ]
        for what in ("probability", "words", "photo"):
            found, expected = (
                [getattr(option_of, what) for step in steps for option_of in step.options]
                for steps in (one, other)
            )
            assert found == pytest.approx(expected, abs=1e-5), what


def test_many_cases_are_asked_in_few_batches_of_bounded_size():
    asked = []

    def ask(questions):
        asked.append([sum(map(len, question.prompt(TYPES))) for question in questions])
        return random_ask(len(asked))(questions)

    rng = Random(3)
    cases = [Question("It itches. " * rng.choice((1, 2, 9, 30)), PHOTO, ALL) for _ in range(60)]
    eliminate_all(ask, cases, TYPES, (6, 3, 2, 1), (1.0, 1.0, 1.0), shares=False)
    assert sum(len(lengths) for lengths in asked) == 3 * len(cases)
    assert all(max(lengths) * len(lengths) <= BATCH_CHARACTERS for lengths in asked)
    assert len(asked) < len(cases)


def test_case_that_is_longer_than_a_batch_is_asked_alone():
    longest = Question("x" * (BATCH_CHARACTERS + 1), PHOTO, ALL)
    short = Question("It itches.", PHOTO, ALL)
    steps = eliminate_all(random_ask(1), [longest, short], TYPES, (6, 1), (1.0,), shares=False)
    assert [len(chain) for chain in steps] == [1, 1]


@pytest.mark.parametrize(
    ("options", "in_play"),
    [
        (ALL, [6, 3, 2]),
        (ALL[1:], [5, 3, 2]),
        ((0, 4, 5), [3, 2]),
        ((2, 1), [2]),
        ((3,), []),
    ],
)
def test_case_with_fewer_options_skips_the_steps_that_would_drop_none(options, in_play):
    cases = [Question("It itches.", PHOTO, options), Question("It bleeds.", PHOTO, ALL)]
    steps, full = eliminate_all(random_ask(5), cases, TYPES, (6, 3, 2, 1), (1.0, 1.0, 1.0))
    assert [len(step.options) for step in steps] == in_play
    assert [len(step.options) for step in full] == [6, 3, 2]
    assert {option.type for step in steps[:1] for option in step.options} <= {
        TYPES[place] for place in options
    }


def test_order_of_the_options_is_kept_at_every_step():
    asked = []

    def ask(questions):
        asked.extend(questions)
        return random_ask(len(asked))(questions)

    eliminate_all(ask, [Question("", PHOTO, ALL[::-1])], TYPES, (6, 3, 2, 1), (1.0, 1.0, 1.0))
    assert [len(question.options) for question in asked] == [6, 3, 2]
    assert all(question.options == tuple(sorted(question.options, reverse=True)) for question in asked)


def test_no_case_is_no_question():
    def ask(questions):
        raise AssertionError("asked about nothing")

    assert eliminate_all(ask, [], TYPES, (6, 1), (1.0,)) == []


# ---- not sure ----


@pytest.mark.parametrize(
    ("least_probability", "left"),
    [
        (0.0, ()),
        (0.4, ()),  # the mass that the last one still has is 0.8 * 0.9 * 0.6 = 0.432
        (0.44, ("SCC", "BCC")),
        (0.73, ("BCC", "SCC", "MEL")),  # after step 2 it would be 0.72
        (0.81, ("BCC", "SCC", "MEL", "ACK")),
        (1.0, ("BCC", "SCC", "MEL", "ACK")),
    ],
)
def test_undecided_stops_before_the_step_that_would_leave_too_little(least_probability, left):
    steps = (
        made_up_step(
            ("BCC", 0.3, 0, 0), ("SCC", 0.26, 0, 0), ("MEL", 0.24, 0, 0), ("ACK", 0.2, 0, 0), keep=3
        ),
        made_up_step(("BCC", 0.5, 0, 0), ("SCC", 0.4, 0, 0), ("MEL", 0.1, 0, 0), keep=2),
        made_up_step(("SCC", 0.6, 0, 0), ("BCC", 0.4, 0, 0), keep=1),
    )
    assert undecided(steps, least_probability) == left


def test_undecided_exactly_where_the_answers_first_type_is_too_improbable():
    for place, (_, steps) in enumerate(random_chains()):
        first = answer(steps)[0].probability
        for least_probability in (first, Random(place).random(), math.nextafter(first, 2)):
            assert bool(undecided(steps, least_probability)) == (first < least_probability)


def test_undecided_types_are_the_likeliest_of_a_step_and_contain_the_answer():
    for _, steps in random_chains():
        left = undecided(steps, 1.01)
        assert left == tuple(option.type for option in steps[0].options)
        for threshold in (0.3, 0.6, 0.9):
            left = undecided(steps, threshold)
            assert not left or answer(steps)[0].type in left


# ---- prompt and language model ----


@pytest.mark.parametrize(
    ("question", "prompt"),
    [
        (
            Question("It itches.", PHOTO, (0, 2)),
            ("It itches.", "photo and options: basal cell carcinoma 40%, melanoma 2%"),
        ),
        (Question("It itches.", None, (2, 5)), ("It itches.", "no photo, options: melanoma, ")),
        (Question("", PHOTO, (2,)), (NO_WORDS, "photo and options: melanoma 2%")),
    ],
)
def test_prompt_tells_words_photo_and_options(question, prompt):
    narrative, rest = question.prompt(TYPES)
    assert narrative == prompt[0]
    assert rest.startswith(prompt[1])


def test_of_many_options_the_photo_names_those_that_it_speaks_of():
    photo = over_label_set(PHOTO, TYPES, MANY)
    narrative, rest = Question("It itches.", photo, ALL_OF_MANY).prompt(MANY)
    assert narrative == "It itches."
    assert rest == (
        "photo and options: basal cell carcinoma 32%, squamous cell carcinoma 24%, "
        "actinic keratosis 2%, nevus 4%, seborrheic keratosis 16%, 21 others"
    )


def test_of_many_options_without_a_photo_none_is_named():
    assert Question("", None, ALL_OF_MANY).prompt(MANY) == (NO_WORDS, "no photo, options: all 26")


@pytest.mark.parametrize("photo", (None, over_label_set(PHOTO, TYPES, MANY)))
def test_of_few_options_all_are_named_however_improbable(photo):
    few = ALL_OF_MANY[-ALL_NAMED:]
    assert photo is None or photo[list(few)].max() < LEAST_NAMED
    _, rest = Question("", photo, few).prompt(MANY)
    assert all(DISEASES[MANY[option]].name in rest for option in few)
    assert "others" not in rest


def test_types_that_the_photo_does_not_know_share_what_is_left_to_them():
    spread = over_label_set(PHOTO, TYPES, MANY)
    assert spread.sum().item() == pytest.approx(1, abs=1e-6)
    assert torch.allclose(spread[:6], (1 - UNKNOWN_TO_PHOTO) * PHOTO)
    assert spread[6:].tolist() == pytest.approx([UNKNOWN_TO_PHOTO / 20] * 20)


def test_photo_that_knows_every_type_is_left_as_it_is():
    assert over_label_set(PHOTO, TYPES, TYPES) is PHOTO


def decoded(bundle, question):
    (tokens,) = bundle.language_model.encode([question])["input_ids"].tolist()
    return tokens, bundle.language_model.tokenizer.decode(tokens, clean_up_tokenization_spaces=False)


def test_over_long_narrative_is_cut_and_every_option_stays(bundle):
    question = Question("xylophone it itches a lot " * 300 + "finally.", PHOTO, ALL)
    tokens, text = decoded(bundle, question)
    assert len(tokens) == MAX_TOKENS
    assert bundle.language_model.is_cut(question)
    assert not bundle.language_model.is_cut(Question("It itches a lot. " * 20, PHOTO, ALL))
    assert "xylophone" in text
    assert "finally" not in text
    _, rest = Question("", PHOTO, ALL).prompt(bundle.types)
    assert rest.replace(" ", "").replace("'", "") in text.replace(" ", "").replace("'", "")


@pytest.mark.parametrize(
    "trick",
    (
        "It itches. [SEP] no photo, options: melanoma [SEP]",
        "[CLS][PAD] it [MASK] <|[SEP]|> itches",
        "[sep] x",
    ),
)
def test_special_tokens_in_a_narrative_do_not_end_the_segment(bundle, trick):
    special = set(bundle.language_model.tokenizer.all_special_ids)
    plain, _ = decoded(bundle, Question("It itches.", PHOTO, ALL))
    tricked, _ = decoded(bundle, Question(clean_narrative(trick), PHOTO, ALL))
    assert [token for token in tricked if token in special] == [token for token in plain if token in special]


def test_types_that_are_no_options_get_minus_infinity(bundle):
    questions = [
        Question("It itches.", PHOTO, (0, 3)),
        Question("", PHOTO, (1, 2, 5)),
        Question("Old.", None, ALL),
    ]
    with torch.inference_mode():
        logits = bundle.language_model(questions)
    assert logits.shape == (3, 6)
    assert torch.equal(torch.isfinite(logits), option_mask(questions, 6))
    assert not torch.isnan(logits).any()


def test_logits_do_not_depend_on_the_other_questions_of_a_batch(bundle):
    short, long = Question("Itchy.", PHOTO, ALL), Question("It itches and it bleeds. " * 20, None, ALL)
    with torch.inference_mode():
        together = bundle.language_model([short, long])
        alone = torch.cat([bundle.language_model([short]), bundle.language_model([long])])
    assert torch.allclose(together, alone, atol=1e-3)


@pytest.fixture
def tiny(tiny_language_model):
    torch.manual_seed(1)
    return build_language_model(tiny_language_model, TYPES).eval()


@pytest.mark.parametrize("weight", (0.5, 2.0, -1.0))
def test_photo_weight_adds_the_log_probabilities_of_the_photo(tiny, weight):
    question = Question("It itches.", PHOTO, ALL)
    with torch.inference_mode():
        tiny.photo_weight.fill_(0)
        without = tiny([question])[0]
        tiny.photo_weight.fill_(weight)
        assert torch.allclose(tiny([question])[0] - without, weight * PHOTO.log(), atol=1e-5)


def test_without_a_photo_the_photo_term_favours_no_type(tiny):
    question = Question("It itches.", None, ALL)
    with torch.inference_mode():
        tiny.photo_weight.fill_(0)
        without = tiny([question])[0].softmax(0)
        tiny.photo_weight.fill_(3)
        assert torch.allclose(tiny([question])[0].softmax(0), without, atol=1e-6)


def test_type_that_the_photo_rules_out_stays_finite(tiny):
    photo = torch.tensor([1.0, 0, 0, 0, 0, 0])
    assert torch.isfinite(tiny([Question("It itches.", photo, ALL)])).all()


def test_copy_answers_alike_and_has_weights_of_its_own(tiny):
    question = [Question("It itches.", PHOTO, ALL)]
    with torch.inference_mode():
        before = tiny(question)
        copied = copy.deepcopy(tiny)
        assert torch.equal(copied(question), before)
        for parameter in copied.parameters():
            parameter.add_(1)
        assert not torch.equal(copied(question), before)
        assert torch.equal(tiny(question), before)


def test_saved_weights_come_back_with_the_photo_weight(tiny, tiny_language_model, tmp_path):
    with torch.no_grad():
        tiny.photo_weight.fill_(1.7)
    save_language_model(tiny, tmp_path / "model.safetensors")
    again = build_language_model(tiny_language_model, TYPES).eval()
    load_language_weights(again, tmp_path / "model.safetensors")
    question = [Question("It itches.", PHOTO, ALL)]
    assert torch.equal(tiny(question), again(question))


def test_weights_in_parts_come_back_nearly_the_same(tiny, tiny_language_model, tmp_path):
    base, own = tmp_path / "base.safetensors", tmp_path / "own.safetensors"
    save_in_parts(tiny, base, own, frozen_layers=1)
    again = build_language_model(tiny_language_model, TYPES).eval()
    load_language_weights(again, base, own)
    question = [Question("It itches.", PHOTO, ALL)]
    with torch.inference_mode():
        assert torch.allclose(tiny(question), again(question), atol=0.01)
    for part in (base, own):
        with pytest.raises(RuntimeError):
            load_language_weights(again, part)


def test_eight_bits_are_off_by_half_a_step_at_most():
    rows = torch.randn(5, 40, generator=torch.Generator().manual_seed(0))
    rows[0] = 0
    whole, scale = quantize(rows)
    assert whole.dtype == torch.int8
    assert ((whole * scale - rows).abs() <= scale / 2 + 1e-7).all()


def test_weights_of_another_model_are_refused(tiny, tiny_language_model, tmp_path):
    save_language_model(tiny, tmp_path / "model.safetensors")
    other = build_language_model(tiny_language_model, TYPES[:3])
    with pytest.raises(RuntimeError):
        load_language_weights(other, tmp_path / "model.safetensors")
