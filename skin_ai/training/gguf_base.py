"""Converts a base model in one GGUF file into a Hugging Face folder."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from accelerate import PartialState
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel, AutoTokenizer

WEIGHTS_FILE = "model.safetensors"


def as_folder(base: str, work: Path) -> str:
    """Folder of the base model: `base` itself, or a GGUF file's model, converted once, in `work`.

    The weights are dequantised to single precision, about eight times the size of a 4-bit file. Raises
    ValueError without the file, or without the package `gguf` to read it.
    """
    file = Path(base)
    if file.suffix != ".gguf":
        return base
    if not file.is_file():
        raise ValueError(f"There is no file {file}.")
    if find_spec("gguf") is None:
        raise ValueError(f"{file} is a GGUF file; to read it: pip install gguf")
    folder = work / file.stem
    with PartialState().main_process_first():
        if not (folder / WEIGHTS_FILE).exists():
            _write(file, folder)
    return str(folder)


def _write(file: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)
    AutoConfig.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)
    body = AutoModel.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    # transformers refuses save_pretrained for a model from a GGUF file.
    unfinished = folder / "model.new"
    save_file(body.state_dict(), unfinished, metadata={"format": "pt"})
    unfinished.replace(folder / WEIGHTS_FILE)
