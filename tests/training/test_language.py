from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import MistralConfig, MistralModel, PreTrainedTokenizerFast

from skin_ai.diseases import LABEL_SETS
from skin_ai.predict.chain import WORDS_POOLING, Question, build_language_model, load_language_weights
from skin_ai.predict.narrative import Answer, Facts
from skin_ai.training import language, loop
from skin_ai.training.datasets import Case
from skin_ai.training.language import (
    LanguageSettings,
    fit_head,
    head_parameters,
    make_examples,
    predict_steps,
    pretrained,
    train_chain,
)
from skin_ai.training.reading import (
    AGE_CLASSES,
    FACT_CLASSES,
    NO_TARGET,
    _reading_pairs,
    fact_classes,
    reading_targets,
    teach_reading,
)
from skin_ai.training.sources import story_cases
from skin_ai.vocabulary import DURATIONS, KINDS, MORE_SYMPTOMS, REGIONS, SITES

ALL = tuple(range(6))
MANY = 400  # draws


@pytest.fixture(scope="module")
def settings(tiny_language_model):
    return LanguageSettings(
        base=str(tiny_language_model), reading_updates=10, reading_batch_size=8, epochs=2, batch_size=8,
        frozen_layers=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def cases(types):
    """A dozen cases, and what an image model thinks of them: None where there is no photo."""
    rng = np.random.default_rng(0)
    cases, photos = [], []
    for number in range(12):
        facts = Facts(age=30 + number, site=SITES[number % 5], itch=Answer.YES, bleed=Answer.NO)
        cases.append(Case(str(number), str(number), types[number % 6], facts, None))
        photos.append(torch.tensor(rng.dirichlet(np.ones(6)), dtype=torch.float32) if number % 3 else None)
    return cases, photos


def same_weights(one, other):
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Killed(Exception):
    pass


@pytest.fixture
def kill_at(monkeypatch):
    """Ends the training where an epoch (counted from 0) would begin, as a kill would."""
    original = loop.set_seed

    def kill(epoch):
        def set_seed(seed):
            if seed % 1000 == epoch:
                raise Killed
            original(seed)

        monkeypatch.setattr(loop, "set_seed", set_seed)

    return kill


# ---- reading ----


@pytest.mark.parametrize(
    ("facts", "symptoms", "site", "age"),
    [
        (Facts(), [2] * 6, len(SITES), AGE_CLASSES - 1),
        (Facts(age=0, site=SITES[0], itch=Answer.YES, elevation=Answer.NO), [0, 2, 2, 2, 2, 1], 0, 0),
        (Facts(age=39, site=SITES[2], grew=Answer.UNKNOWN), [2] * 6, 2, 3),
        (Facts(age=120, hurt=Answer.NO), [2, 2, 1, 2, 2, 2], len(SITES), AGE_CLASSES - 2),
    ],
)
def test_reading_targets_are_symptoms_site_and_decade(facts, symptoms, site, age):
    assert reading_targets(facts) == [*symptoms, site, age]


def test_more_reading_targets_are_what_scin_asks_besides():
    facts = Facts(
        itch=Answer.YES,
        age_range="50 to 59",
        fever=Answer.NO,
        kind=KINDS[1],
        duration=DURATIONS[2],
        more_sites=(REGIONS[0], REGIONS[3]),
    )
    symptoms = [1 if symptom == "fever" else 2 for symptom in MORE_SYMPTOMS]
    regions = [int(region in facts.more_sites) for region in REGIONS]
    assert reading_targets(facts, more=True) == [0, *[2] * 5, len(SITES), 5, *symptoms, 1, 2, *regions]


@pytest.mark.parametrize("reads_more", [False, True])
def test_facts_and_stories_are_read_in_turn(settings, reads_more):
    all_types = LABEL_SETS["skin-26"]
    settings = replace(settings, reads_more=reads_more)
    stories = story_cases()[:20]
    classes = fact_classes(settings)
    pairs = _reading_pairs(stories, all_types, settings, 30, Random(0))
    for place, (question, targets) in enumerate(pairs):
        assert question.narrative
        assert len(targets) == len(classes) + 1
        is_story = place % (2 + reads_more) == 0
        assert is_story == (targets[-1] != NO_TARGET) == (set(targets[:-1]) == {NO_TARGET})
        if not is_story:
            assert all(0 <= target < n for target, n in zip(targets, classes, strict=False))
    asked_of_scin = {target for _, targets in pairs for target in targets[len(FACT_CLASSES) : -1]}
    assert asked_of_scin - {NO_TARGET} if reads_more else not asked_of_scin


def test_reading_is_taught_once_and_measured_on_held_out_wordings(settings, types, tmp_path, kill_at):
    done = tmp_path / "reading.safetensors"
    figures = teach_reading(settings, types, [], done)
    assert done.exists()
    assert {name.split("_in_")[1] for name in figures} == {"training_wordings", "held_out_wordings"}
    assert all(0 <= value <= 1 for value in figures.values())
    kill_at(0)
    assert teach_reading(settings, types, [], done) == figures


def test_what_was_read_starts_the_chain(settings, cases, types, tmp_path):
    reading = tmp_path / "reading.safetensors"
    teach_reading(settings, types, [], reading)
    reader = pretrained(settings, types, n_outputs=sum(FACT_CLASSES))
    load_language_weights(reader, reading)
    model = train_chain(*cases, types, replace(settings, epochs=1), reading, tmp_path / "chain.safetensors")
    encoder, frozen = reader.classifier.base_model, "encoder.layer.0.output.dense.weight"
    assert torch.equal(encoder.get_parameter(frozen), model.classifier.base_model.get_parameter(frozen))


# ---- examples ----


def examples_of(cases, types, settings, *, seed=0, all_options=False):
    return make_examples(*cases, types, settings, Random(seed), all_options=all_options)


def test_examples_of_a_step_have_the_type_among_the_options(cases, types, settings):
    examples = examples_of(cases, types, settings)
    sizes = Counter(len(example.question.options) for example in examples)
    assert sizes[6] == len(cases[0]) >= sizes[3] >= sizes[2] > 0
    for example in examples:
        options = example.question.options
        assert sorted(set(options)) == list(options)
        assert sum(example.target) == 1
        assert example.target.index(1) in options


def test_case_without_photo_gives_one_example_a_step(types, settings):
    cases = [Case(str(n), str(n), types[n % 6], Facts(itch=Answer.YES), None) for n in range(12)]
    examples = make_examples(cases, [None] * 12, types, settings, Random(0), all_options=False)
    assert [len(example.question.options) for example in examples] == [6, 3, 2] * 12
    assert [types[example.target.index(1)] for example in examples[::3]] == [case.type for case in cases]


def test_options_say_nothing_about_the_label_that_the_photo_does_not_say(types, settings):
    """Otherwise the model learns to distrust the photo."""
    photo = torch.tensor([0.5, 0.2, 0.15, 0.08, 0.05, 0.02])
    drawn = np.random.default_rng(0).choice(6, size=20 * MANY, p=photo.numpy() / photo.numpy().sum())
    cases = [
        Case(str(n), str(n), types[label], Facts(itch=Answer.YES), None) for n, label in enumerate(drawn)
    ]
    own = replace(settings, schedule=(6, 2, 1))
    examples = make_examples(cases, [photo] * len(cases), types, own, Random(0), all_options=False)
    pair = [e.target.index(1) for e in examples if e.question.options == (0, 1)]
    assert len(pair) > MANY
    assert np.mean([label == 0 for label in pair]) == pytest.approx(0.5 / 0.7, abs=0.05)


def test_weighted_label_is_a_soft_target_among_the_options(types, settings):
    case = Case("1", "1", types[0], Facts(itch=Answer.YES), None, target=((types[0], 0.75), (types[4], 0.25)))
    examples = make_examples([case] * MANY, [None] * MANY, types, settings, Random(0), all_options=False)
    for example in examples:
        there = [place in example.question.options for place in (0, 4)]
        assert any(there)
        expected = {(True, True): (0.75, 0.25), (True, False): (1.0, 0.0), (False, True): (0.0, 1.0)}
        assert (example.target[0], example.target[4]) == expected[tuple(there)]
        assert sum(example.target) == 1
    both = [example.target[0] and example.target[4] for example in examples]
    assert 0 < np.mean([weight > 0 for weight in both]) < 1


def test_examples_are_new_each_epoch_and_the_same_each_run(cases, types, settings):
    narratives = [
        [example.question.narrative for example in examples_of(cases, types, settings, seed=seed)]
        for seed in (1, 1, 2)
    ]
    assert narratives[0] == narratives[1] != narratives[2]


def test_control_differs_in_nothing_but_the_options(cases, types, settings):
    chain, control = (examples_of(cases, types, settings, all_options=control) for control in (False, True))
    for one, other in zip(chain, control, strict=True):
        assert other.question.options == ALL
        assert one.question.narrative == other.question.narrative
        assert one.question.photo is other.question.photo
        assert (one.target, one.group) == (other.target, other.group)


def test_hard_options_are_drawn_more_often(types, settings):
    photo = torch.tensor([0.1, 0.6, 0.25, 0.03, 0.01, 0.01])
    case = Case("1", "1", types[0], Facts(itch=Answer.YES), None)
    counts = {}
    for hard in (0.8, 0.0):
        own = replace(settings, hard=hard, schedule=(6, 2, 1))
        examples = make_examples([case] * MANY, [photo] * MANY, types, own, Random(0), all_options=False)
        counts[hard] = Counter(
            other for e in examples if len(e.question.options) == 2 for other in e.question.options
        )
    assert counts[0.8][1] > counts[0.8][2] > counts[0.8][5] > 0
    drawn = sum(counts[0.0].values()) / 2  # examples with this label
    for other in range(1, 6):
        assert counts[0.0][other] / drawn == pytest.approx(1 / 5, abs=0.08)


def test_words_or_photo_are_missing_as_often_as_set_and_never_both(types, settings):
    case = Case("1", "1", types[0], Facts(itch=Answer.YES), None)
    examples = make_examples(
        [case] * MANY, [torch.full((6,), 1 / 6)] * MANY, types, settings, Random(0), all_options=False
    )
    no_words = np.mean([not example.question.narrative for example in examples])
    no_photo = np.mean([example.question.photo is None for example in examples])
    assert no_words == pytest.approx(settings.missing_words, abs=0.03)
    assert no_photo == pytest.approx(settings.missing_photo, abs=0.03)
    assert all(e.question.narrative or e.question.photo is not None for e in examples)
    without = make_examples([case] * MANY, [None] * MANY, types, settings, Random(0), all_options=False)
    assert all(e.question.narrative and e.question.photo is None for e in without)


# ---- what the head sees ----


def test_head_sees_the_mean_of_the_words_whatever_they_are_asked_with(settings, types):
    model = pretrained(replace(settings, pooling=WORDS_POOLING), types).eval()
    short, long = Question("it itches", None, (0, 1)), Question("it bleeds and hurts " * 5, None, ALL)
    seen = []
    model.classifier.classifier.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.inference_mode():
        together = model([short, long])
        alone = torch.cat([model([short]), model([long])])
        inputs = model.encode([short])
        tokens = model.classifier.base_model(**inputs).last_hidden_state[0]
    assert torch.allclose(together, alone, atol=1e-5)
    is_word = inputs["token_type_ids"][0] == 0
    assert torch.allclose(seen[1][0], tokens[is_word].mean(0), atol=1e-6)


def test_pooling_that_is_not_known_is_refused(settings, types):
    with pytest.raises(ValueError, match="median"):
        pretrained(replace(settings, pooling="median"), types)


# ---- training ----


def test_fitted_head_tells_the_types_apart_better_than_the_photo_alone(settings, cases, types):
    model = pretrained(settings, types)
    head = model.classifier.classifier
    examples = examples_of(cases, types, settings, all_options=True)
    no_prior = torch.zeros(2, len(types))
    questions = [example.question for example in examples]
    labels = torch.tensor([example.target for example in examples]).argmax(1)
    fit_head(model, head, examples, no_prior, replace(settings, probe_strength=1e4))
    with torch.inference_mode():
        fitted = torch.nn.functional.cross_entropy(model(questions), labels)
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        photo_alone = torch.nn.functional.cross_entropy(model(questions), labels)
    assert fitted < photo_alone - 0.01
    assert all(parameter.grad is None for parameter in model.parameters())


def test_loss_that_is_no_number_ends_the_training(settings, cases, types, tmp_path, monkeypatch):
    monkeypatch.setattr(language, "_soft_cross_entropy", lambda logits, targets: logits.sum() * torch.nan)
    done = tmp_path / "chain.safetensors"
    with pytest.raises(ValueError, match="the loss is nan in epoch 1"):
        train_chain(*cases, types, replace(settings, probe_strength=0.0), None, done)
    assert not done.exists()


def test_killed_run_goes_on_and_gives_the_same_weights(settings, cases, types, tmp_path, kill_at):
    whole = train_chain(*cases, types, settings, None, tmp_path / "whole.safetensors")
    done = tmp_path / "killed.safetensors"
    kill_at(1)
    with pytest.raises(Killed):
        train_chain(*cases, types, settings, None, done)
    assert not done.exists()
    kill_at(0)
    resumed = train_chain(*cases, types, settings, None, done)
    assert same_weights(whole, resumed)
    kill_at(1)
    read = train_chain(*cases, types, settings, None, done)
    assert same_weights(whole, read)
    # Figures of a run that went on are those of a run in one go, whatever precision it trained in.
    question = [Question("It bleeds.", cases[1][1], ALL)]
    with torch.inference_mode():
        assert torch.allclose(whole(question), read(question), atol=1e-6)


def test_embeddings_and_lower_layers_stay_and_the_rest_moves(settings, cases, types, tmp_path):
    own = replace(settings, averaging=0, epochs=1)
    start = pretrained(own, types).classifier.base_model
    model = train_chain(*cases, types, own, None, tmp_path / "chain.safetensors")
    trained = model.classifier.base_model
    moved = {
        name
        for name, value in start.named_parameters()
        if not torch.equal(value, trained.get_parameter(name))
    }
    assert "encoder.layer.1.output.dense.weight" in moved
    assert not [name for name in moved if name.startswith(("embeddings.word_embeddings", "encoder.layer.0."))]
    assert model.photo_weight.item() != 1


def test_control_is_another_model(settings, cases, types, tmp_path):
    own = replace(settings, epochs=1)
    chain = train_chain(*cases, types, own, None, tmp_path / "chain.safetensors")
    control = train_chain(*cases, types, own, None, tmp_path / "control.safetensors", all_options=True)
    assert not same_weights(chain, control)


# ---- adapters for large models ----


@pytest.fixture(scope="module")
def mistral(types, tmp_path_factory):
    """The folder of a random two-layer Mistral; its tokenizer has no padding token, as the real one."""
    folder = tmp_path_factory.mktemp("mistral")
    spoken = "it itches bleeds no photo and options words melanoma % , : . I am on my"
    words = ["<unk>", "<s>", "</s>", *spoken.split(" ")]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>",
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(0)
    MistralModel(
        MistralConfig(
            vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, bos_token_id=1, eos_token_id=2,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def lora(mistral):
    return LanguageSettings(
        base=str(mistral), reading_updates=5, reading_batch_size=4, epochs=1, batch_size=8, lora_rank=4
    )


def test_adapters_are_few_weights_and_the_base_stays(lora, types):
    model = pretrained(lora, types)
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert trained
    assert all("lora_" in name or "score" in name or name == "photo_weight" for name in trained)
    assert any("lora_" in name for name in trained)
    assert all(value.dtype == torch.float32 for value in model.parameters() if value.requires_grad)
    assert not any(weight.any() for weight in head_parameters(model))


def test_adapters_train_merge_and_predict(lora, mistral, cases, types, tmp_path, kill_at):
    reading, done = tmp_path / "reading.safetensors", tmp_path / "chain.safetensors"
    teach_reading(lora, types, [], reading)
    model = train_chain(*cases, types, lora, reading, done)
    assert not [name for name in model.state_dict() if "lora" in name]
    (steps,) = predict_steps(model, ["it itches"], [cases[1][1]], lora.schedule, (1.0, 1.0, 1.0))
    assert [len(step.options) for step in steps] == [6, 3, 2]
    # What serves knows nothing of adapters: it reads the merged weights.
    serving = build_language_model(mistral, types).eval()
    load_language_weights(serving, done)
    questions = [Question("it itches", cases[1][1], ALL), Question("no", None, (1, 2))]
    with torch.inference_mode():
        assert torch.allclose(serving(questions), model.eval()(questions), atol=1e-5)
    start = pretrained(replace(lora, lora_rank=0), types)
    assert not torch.equal(
        start.classifier.model.layers[0].mlp.up_proj.weight,
        model.classifier.model.layers[0].mlp.up_proj.weight,
    )


def test_killed_adapters_go_on_and_their_checkpoint_has_no_frozen_weights(
    lora, cases, types, tmp_path, kill_at
):
    lora = replace(lora, epochs=2)
    whole = train_chain(*cases, types, lora, None, tmp_path / "whole.safetensors")
    done = tmp_path / "killed.safetensors"
    kill_at(1)
    with pytest.raises(Killed):
        train_chain(*cases, types, lora, None, done)
    saved = torch.load(done.with_suffix(".checkpoint"), weights_only=True)["model"]
    assert all("lora_" in name or "score" in name or name == "photo_weight" for name in saved)
    kill_at(0)
    assert same_weights(whole, train_chain(*cases, types, lora, None, done))


def test_base_is_bf16_and_the_logits_are_not_rounded_to_it(lora, types, monkeypatch):
    """In bf16, the head's logits of large features are rounded to steps that the softmax can see."""
    monkeypatch.setattr(language, "fastest_precision", lambda: "bf16")
    model = pretrained(lora, types).eval()
    assert model.classifier.base_model.model.model.norm.weight.dtype == torch.bfloat16
    seen = []
    model.classifier.base_model.model.model.register_forward_hook(
        lambda _, given, found: seen.append(found.last_hidden_state)
    )
    (head,) = head_parameters(model)
    torch.nn.init.normal_(head, std=3)  # as with features of SmolLM2, 576 of them, of 2 on average
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        scores = model.scores([Question("it itches", None, ALL)])
    exact = seen[0][0, -1].float() @ head.T
    assert scores[0].abs().max() > 8  # bf16 has steps of 1/16 there
    assert torch.allclose(scores[0], exact, atol=1e-3)


def test_attention_of_cudnn_is_not_trained_with(lora, cases, types, tmp_path, monkeypatch):
    """Its backward pass in bf16 gave NaN on the GPUs on which Gemma's losses were no numbers."""
    original, was_on = language._soft_cross_entropy, []

    def loss(logits, targets):
        was_on.append(torch.backends.cuda.cudnn_sdp_enabled())
        return original(logits, targets)

    torch.backends.cuda.enable_cudnn_sdp(True)
    monkeypatch.setattr(language, "_soft_cross_entropy", loss)
    train_chain(*cases, types, lora, None, tmp_path / "chain.safetensors")
    assert was_on
    assert not any(was_on)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("length", [64, 128, 192])
def test_gradients_of_masked_attention_on_a_gpu_are_finite(length):
    """The case of pytorch/pytorch#196678: all logits near -120, as where heads see only the first token."""
    torch.backends.cuda.enable_cudnn_sdp(False)  # as `fit` does
    torch.manual_seed(0)
    query, key, value = (
        torch.randn(1, 1, length, 64, device="cuda", dtype=torch.bfloat16) / 10 for _ in range(3)
    )
    query[..., 0], key[..., 0] = 1, -120 * 8
    for part in (query, key, value):
        part.requires_grad_()
    mask = torch.ones(length, length, dtype=torch.bool, device="cuda").tril()[None, None]
    torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask).sum().backward()
    assert all(part.grad.isfinite().all() for part in (query, key, value))


@pytest.mark.parametrize("lost", [0, -1])
def test_gradients_that_are_no_numbers_do_not_reach_the_weights(
    lora, cases, types, tmp_path, monkeypatch, lost
):
    """Of the last update no later loss would tell: its weights were saved."""
    original, losses = language._soft_cross_entropy, []
    examples = examples_of(cases, types, lora, seed=lora.seed * 1000)
    n_updates = -(-len(examples) // lora.batch_size)

    def loss(logits, targets):
        value = original(logits, targets)
        losses.append(value.item())
        is_lost = len(losses) - 1 == lost % n_updates
        # The root has no slope at zero: a finite loss, and gradients that are inf times 0.
        return value + (value - value.detach()).abs().sqrt() if is_lost else value

    monkeypatch.setattr(language, "_soft_cross_entropy", loss)
    model = train_chain(*cases, types, lora, None, tmp_path / "chain.safetensors")
    assert len(losses) == n_updates
    assert all(weight.isfinite().all() for weight in model.state_dict().values())
    assert model.photo_weight.item() != 1


def test_gradients_that_are_never_numbers_end_the_training(lora, cases, types, tmp_path, monkeypatch):
    original = language._soft_cross_entropy
    monkeypatch.setattr(
        language,
        "_soft_cross_entropy",
        lambda logits, targets: (value := original(logits, targets)) + (value - value.detach()).abs().sqrt(),
    )
    done = tmp_path / "chain.safetensors"
    with pytest.raises(ValueError, match="gradients of 10 updates in a row are not finite"):
        train_chain(*cases, types, replace(lora, batch_size=1), None, done)
    assert not done.exists()


def test_finished_adapters_are_read_again_and_not_trained(lora, cases, types, tmp_path, kill_at):
    done = tmp_path / "chain.safetensors"
    model = train_chain(*cases, types, lora, None, done)
    kill_at(0)
    assert same_weights(model, train_chain(*cases, types, lora, None, done))
