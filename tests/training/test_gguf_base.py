from pathlib import Path

import numpy as np
import pytest
import torch

from skin_ai.predict.chain import Question, build_language_model
from skin_ai.training import gguf_base
from skin_ai.training.gguf_base import WEIGHTS_FILE, as_folder
from skin_ai.training.language import LanguageSettings, pretrained

gguf = pytest.importorskip("gguf", reason="pip install gguf: it reads and writes GGUF files")

WIDTH, HEAD, INNER, LAYERS = 32, 16, 64, 2
# As in Gemma's own file: control tokens, and pieces of text with "▁" for the space.
CONTROL = ("<pad>", "<eos>", "<bos>", "<unk>")
PIECES = ("▁", *"abcdefghijklmnopqrstuvwxyzI.,:%0123456789", "it", "▁it", "ch", "es", "ches")


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory):
    """A random Gemma 3 of two layers as a GGUF file, its large matrices in 8 bits, and what stands in it."""
    file = tmp_path_factory.mktemp("gguf") / "tiny-gemma.gguf"
    writer = gguf.GGUFWriter(file, "gemma3")
    writer.add_name("tiny")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_sliding_window(512)
    tokens = [*CONTROL, *PIECES]
    kinds = [gguf.TokenType.CONTROL] * len(CONTROL) + [gguf.TokenType.NORMAL] * len(PIECES)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(place) for place in range(len(tokens))])
    writer.add_token_types(kinds)
    for place, name in enumerate(("pad", "eos", "bos", "unk")):
        getattr(writer, f"add_{name}_token_id")(place)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)

    rng, written = np.random.default_rng(0), {}
    shapes = {"token_embd": (len(tokens), WIDTH), "output_norm": (WIDTH,)}
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.{name}": shape
            for name, shape in {
                "attn_q": (2 * HEAD, WIDTH), "attn_k": (HEAD, WIDTH), "attn_v": (HEAD, WIDTH),
                "attn_output": (WIDTH, 2 * HEAD), "attn_q_norm": (HEAD,), "attn_k_norm": (HEAD,),
                "attn_norm": (WIDTH,), "post_attention_norm": (WIDTH,),
                "ffn_norm": (WIDTH,), "post_ffw_norm": (WIDTH,),
                "ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER),
            }.items()
        }  # fmt: skip
    for name, shape in shapes.items():
        values = rng.normal(size=shape).astype(np.float32)
        kind = gguf.GGMLQuantizationType.Q8_0 if len(shape) == 2 else gguf.GGMLQuantizationType.F32
        stored = gguf.quantize(values, kind)
        writer.add_tensor(f"{name}.weight", stored, raw_dtype=kind)
        written[name] = torch.from_numpy(gguf.dequantize(stored, kind).copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file, written


def test_classifier_starts_with_the_weights_of_the_file(gguf_file, types, tmp_path):
    file, written = gguf_file
    base = as_folder(str(file), tmp_path)
    assert Path(base).name == file.stem
    body = pretrained(LanguageSettings(base), types).classifier.model
    assert torch.equal(body.embed_tokens.weight, written["token_embd"])
    for layer in range(LAYERS):
        own, name = body.layers[layer], f"blk.{layer}"
        assert torch.equal(own.self_attn.q_proj.weight, written[f"{name}.attn_q"])
        assert torch.equal(own.self_attn.o_proj.weight, written[f"{name}.attn_output"])
        assert torch.equal(own.mlp.down_proj.weight, written[f"{name}.ffn_down"])
        # Gemma multiplies by one plus its weight, and GGUF keeps the sum.
        assert torch.equal(own.pre_feedforward_layernorm.weight, written[f"{name}.ffn_norm"] - 1)
    assert torch.equal(body.norm.weight, written["output_norm"] - 1)


def test_what_serves_reads_the_written_folder_alone(gguf_file, types, tmp_path):
    base = as_folder(str(gguf_file[0]), tmp_path)
    trained = pretrained(LanguageSettings(base), types).eval()
    serving = build_language_model(Path(base), types).eval()
    serving.load_state_dict(trained.state_dict())
    photo = torch.full((6,), 1 / 6)
    questions = [Question("it itches", None, (0, 1)), Question("I bleed.", photo, (0, 2, 3))]
    assert serving.encode(questions)["input_ids"].tolist() == trained.encode(questions)["input_ids"].tolist()
    with torch.inference_mode():
        # Attention is written out where it trains, so the last bit may differ.
        torch.testing.assert_close(serving(questions), trained(questions))


def test_file_is_read_once(gguf_file, tmp_path, monkeypatch):
    base = as_folder(str(gguf_file[0]), tmp_path)
    written = (Path(base) / WEIGHTS_FILE).stat().st_mtime_ns
    monkeypatch.setattr(gguf_base, "_write", None)
    assert as_folder(str(gguf_file[0]), tmp_path) == base
    assert (Path(base) / WEIGHTS_FILE).stat().st_mtime_ns == written


def test_folder_stays_as_it_is(tmp_path):
    assert as_folder("somewhere/all-MiniLM-L6-v2", tmp_path) == "somewhere/all-MiniLM-L6-v2"


def test_no_such_file_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"no file .*none\.gguf"):
        as_folder(str(tmp_path / "none.gguf"), tmp_path)


def test_missing_package_is_told(gguf_file, tmp_path, monkeypatch):
    monkeypatch.setattr(gguf_base, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install gguf"):
        as_folder(str(gguf_file[0]), tmp_path)
