import shutil

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, BertConfig, LlamaConfig, LlamaModel, PreTrainedTokenizerFast

from skin_ai.predict.bundle import DEFAULT_BUNDLE, WEIGHTS, file_of
from skin_ai.predict.chain import MAX_TOKENS, Question, build_language_model
from skin_ai.predict.prompt_format import has_own_format, load_tokenizer

CHAT = (
    "{% for message in messages %}<|user|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CONTROL = ["<|end|>", "<|user|>", "<|assistant|>"]


@pytest.fixture(params=["right", "left"])
def folder(request, tmp_path):
    """A decoder's tokenizer that reads bytes, without a padding token, and a config of two layers."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({text: i for i, text in enumerate([*CONTROL, *alphabet])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(CONTROL)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", padding_side=request.param,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(tmp_path)  # fmt: skip
    config = LlamaConfig(
        vocab_size=len(tokenizer.get_vocab()), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, eos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaModel(config).save_pretrained(tmp_path)
    return tmp_path


def with_chat(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)


def joined(tokenizer, *segments):
    return tokenizer.decode(tokenizer(*segments)["input_ids"])


def test_segments_are_two_lines(folder):
    assert joined(load_tokenizer(folder, LlamaConfig()), "It itches.", "no photo") == "It itches.\nno photo"


def test_instruction_tuned_model_reads_a_users_message(folder):
    with_chat(folder)
    tokenizer = load_tokenizer(folder, LlamaConfig())
    assert joined(tokenizer, "It itches.", "no photo") == "<|user|>It itches.\nno photo<|end|><|assistant|>"


def test_bundle_needs_only_the_tokenizers_own_files(folder, tmp_path):
    with_chat(folder)
    tokenizer = load_tokenizer(folder, LlamaConfig())
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").unlink()
    served = load_tokenizer(folder, LlamaConfig())
    assert has_own_format(served)
    assert joined(served, "It itches.", "no photo") == joined(tokenizer, "It itches.", "no photo")


def test_padding_comes_last(folder):
    config = LlamaConfig()
    tokenizer = load_tokenizer(folder, config)
    assert config.pad_token_id == tokenizer.eos_token_id
    mask = tokenizer(["a", "abc"], ["b", "b"], padding=True)["attention_mask"]
    assert mask[0] == [1, 1, 1, 0, 0]


def test_over_long_narrative_is_cut_and_the_message_stays_whole(folder, types):
    with_chat(folder)
    model = build_language_model(folder, types)
    fits = MAX_TOKENS - len("\nno photo, options: actinic keratosis, melanoma") - len(CONTROL)
    options = tuple(types.index(type_) for type_ in ("ACK", "MEL"))
    for length, is_cut in ((fits, False), (fits + 1, True)):
        question = Question("a" * length, None, options)
        ids = model.encode([question])["input_ids"][0].tolist()
        assert model.is_cut(question) == is_cut
        assert len(ids) == MAX_TOKENS
        text = model.tokenizer.decode(ids)
        assert text.startswith("<|user|>aaa")
        assert text.endswith("melanoma<|end|><|assistant|>")


def test_encoder_keeps_its_own_format(tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(file_of(WEIGHTS / DEFAULT_BUNDLE, name), tmp_path / name)
    tokenizer = load_tokenizer(tmp_path, BertConfig())
    assert not has_own_format(tokenizer)
    assert joined(tokenizer, "it itches", "no photo") == "[CLS] it itches [SEP] no photo [SEP]"
