"""How the two segments of a prompt, the narrative and the options, become one text for a decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase

NARRATIVE, OPTIONS = "{narrative}", "{options}"
PLACES: Final = ("<before>", "<between>", "<after>")  # what stands around the two segments


def load_tokenizer(folder: str | Path, config: PretrainedConfig) -> PreTrainedTokenizerBase:
    """The tokenizer of a Hugging Face folder, ready for pairs of segments and for batches.

    Models without a padding token (Llama, Mistral, Falcon) are padded with their end token; config: gets its
    id. Padding is on the right: on the left, its tokens would come before all others and could attend to
    nothing, and what attention then gives depends on its implementation. A decoder joins two segments without
    a space; it gets the user's message of its chat template around them, or a line break between them.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=Path(folder).is_dir())
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    config.pad_token_id = tokenizer.pad_token_id
    tokenizer.padding_side = "right"
    if tokenizer.sep_token is None and not config.is_encoder_decoder and not has_own_format(tokenizer):
        _set_format(tokenizer)
    return tokenizer


def has_own_format(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the format is one of `load_tokenizer`, which is saved with the tokenizer."""
    processor = tokenizer.backend_tokenizer.post_processor
    return processor is not None and PLACES[1].encode() in processor.__getstate__()


def _set_format(tokenizer: PreTrainedTokenizerBase) -> None:
    message = f"{NARRATIVE}\n{OPTIONS}"
    start = tokenizer.bos_token if tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id] else ""
    text = f"{start}{message}"
    if tokenizer.chat_template:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": message}], tokenize=False, add_generation_prompt=True
        )
    before, rest = text.split(NARRATIVE)
    parts = dict(zip(PLACES, (before, *rest.split(OPTIONS)), strict=True))
    tokens = {name: tokenizer.tokenize(part) for name, part in parts.items()}
    before, between, after = (f"{name}:0 " if tokens[name] else "" for name in PLACES)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A",
        pair=f"{before}$A:0 {between}$B:1 {after}".strip(),
        special_tokens=[
            {"id": name, "ids": tokenizer.convert_tokens_to_ids(of), "tokens": of}
            for name, of in tokens.items()
            if of
        ],
    )
