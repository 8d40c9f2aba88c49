"""A folder in `weights/`: image model, language model and manifest, checked before use.

Files that several bundles share are stored once, in the folder `shared` next to them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

if TYPE_CHECKING:  # these import torch, and a page that only reads a manifest should not wait for it
    from skin_ai.predict.chain import LanguageModel
    from skin_ai.predict.extraction import Extractor
    from skin_ai.predict.gate import Gate
    from skin_ai.predict.image_model import ImageModel, Preprocessing

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
DEFAULT_BUNDLE = "pad-ufes-20"
WITHOUT_PHOTO = "skin-26"  # trained mainly on words
FORMAT = 2
MANIFEST = "manifest.json"
SHARED = "shared"
IMAGE_FILE = "image.safetensors"
GATE_FILE = "gate.safetensors"
LANGUAGE_BASE_FILE = "language_base.safetensors"  # word embeddings and frozen layers
LANGUAGE_FILE = "language.safetensors"  # all other weights
TOKENIZER_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json")
EXTRACTION = "extraction"  # folder in `weights/` of the model that finds facts in free words
EXTRACTION_FILE, EXTRACTION_MANIFEST = "extraction.safetensors", "extraction.json"
READS_FACTS = "facts"  # the language model is given the facts found, as the form's sentences
PREDICTIONS_FILE = "out_of_fold.safetensors"
FILES = (IMAGE_FILE, GATE_FILE, LANGUAGE_BASE_FILE, LANGUAGE_FILE, PREDICTIONS_FILE, *TOKENIZER_FILES)
WORD_PRIOR_FILE = "word_prior.safetensors"  # not of every bundle
ROW_OF_NUMBERS = re.compile(r"\[[\s\d.,-]*\]")  # written on one line of the manifest


class BundleError(RuntimeError):
    """A bundle that cannot be used; the message names the file."""


@dataclass(frozen=True)
class Bundle:
    """Both models, ready for use and never changed; all sessions share one object.

    image_types: those of `types` that the image model knows, in their order; gate: recognises photos unlike
    its training photos; quality_limits: by kind of fault (`quality.py`); temperatures: divide the logits
    before the softmax, fitted out of fold; schedule: number of options at each step, from all types to 1;
    least_probability: an answer whose first type has less is "not sure"; least_suspicion: an answer to words
    alone in which another malignant type has more is "not sure" too, None where there is no such limit;
    extractor: finds the facts that the language model reads, None where it reads the words themselves;
    sha256: of the manifest, which holds the sha256 of every file.
    """

    name: str
    types: tuple[str, ...]
    manifest: dict[str, Any]
    image_model: ImageModel
    image_types: tuple[str, ...]
    gate: Gate
    quality_limits: dict[str, float]
    preprocessing: Preprocessing
    views: int
    photo_temperature: float
    language_model: LanguageModel
    extractor: Extractor | None
    schedule: tuple[int, ...]
    chain_temperatures: tuple[float, ...]
    least_probability: float
    least_suspicion: float | None
    sha256: str


def bundle_names(weights: Path | None = None) -> tuple[str, ...]:
    """All bundles in the folder, `weights/` unless given, the default first."""
    names = {path.parent.name for path in (weights or WEIGHTS).glob(f"*/{MANIFEST}")} - {SHARED}
    return tuple(sorted(names, key=lambda name: (name != DEFAULT_BUNDLE, name)))


def automatic_bundle(has_photo: bool) -> str:
    """The bundle that answers a case unless another is chosen; "" where there is none."""
    names = bundle_names()
    name = DEFAULT_BUNDLE if has_photo or WITHOUT_PHOTO not in names else WITHOUT_PHOTO
    return name if name in names or not names else names[0]


def file_of(folder: Path, name: str) -> Path:
    """Path of a bundle's file: in its own folder, else in `shared` next to it.

    A missing file is expected in the bundle's own folder. The tokenizer's files are read from one folder: the
    bundle's own if any of them is there.
    """
    together = TOKENIZER_FILES if name in TOKENIZER_FILES else (name,)
    shared = folder.parent / SHARED / name
    is_own = any((folder / other).exists() for other in together)
    return shared if shared.exists() and not is_own else folder / name


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest alone. Raises BundleError if it is missing, damaged or of another format."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{path} is missing; there is no bundle in {folder}.") from None
    except ValueError as error:
        raise BundleError(f"{path} is damaged: {error}. Restore it from the repository.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"{path} is not in format {FORMAT}, the one that this version of skin_ai reads.")
    return manifest


def image_types_of(manifest: dict[str, Any]) -> tuple[str, ...]:
    """The types that the bundle's image model knows: by default all of the bundle's types."""
    return tuple(manifest["image_model"].get("types", manifest["types"]))


def verify_files(folder: Path, manifest: dict[str, Any]) -> None:
    """Checks the sha256 of every file against the manifest; BundleError names the first that differs."""
    checksums = manifest.get("files", {})
    has_prior = WORD_PRIOR_FILE in checksums
    for name in (*FILES, WORD_PRIOR_FILE) if has_prior else FILES:
        _verify(file_of(folder, name), checksums.get(name), folder / MANIFEST)


@cache
def load_extraction(weights: Path = WEIGHTS) -> Extractor:
    """The model that finds facts in free words, verified; loaded once for all bundles and sessions."""
    from skin_ai.predict.extraction import load_extractor

    folder, tokenizer = weights / EXTRACTION, weights / SHARED
    path = folder / EXTRACTION_MANIFEST
    try:
        checksums = json.loads(path.read_text(encoding="utf-8"))["files"]
    except FileNotFoundError:
        raise BundleError(f"{path} is missing. Restore it from the repository.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} is damaged. Restore it from the repository.") from error
    for file in (folder / EXTRACTION_FILE, *(tokenizer / name for name in TOKENIZER_FILES)):
        _verify(file, checksums.get(file.name), path)
    with _fitting(folder / EXTRACTION_FILE, path):
        return load_extractor(tokenizer, folder / EXTRACTION_FILE).requires_grad_(False)


def _verify(path: Path, checksum: str | None, manifest: Path) -> None:
    if checksum is None:
        raise BundleError(f"{manifest} has no checksum for {path.name}.")
    if not path.is_file():
        raise BundleError(f"{path} is missing. Restore it from the repository.")
    if sha256(path) != checksum:
        raise BundleError(
            f"{path} is damaged: its sha256 differs from the manifest. Restore it from the repository."
        )


def load_bundle(name: str = DEFAULT_BUNDLE, weights: Path = WEIGHTS) -> Bundle:
    """The bundle `weights/name`, every file verified. Raises BundleError."""
    import torch
    from safetensors.torch import load_file

    from skin_ai.predict.batch_norm import folded
    from skin_ai.predict.chain import OWN_POOLING, PROMPTS, build_language_model, load_language_weights
    from skin_ai.predict.gate import load_gate
    from skin_ai.predict.image_model import ImageModel, Preprocessing
    from skin_ai.predict.word_prior import load_word_prior

    folder = weights / name
    if (there := bundle_names(weights)) and name not in there:
        raise BundleError(f"There is no bundle {name!r} in {weights}; there are: {', '.join(there)}.")
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    try:
        types = tuple(manifest["types"])
        image, language = manifest["image_model"], manifest["language_model"]
        image_types = image_types_of(manifest)
        if not image_types or image_types != tuple(type_ for type_ in types if type_ in image_types):
            raise BundleError(
                f"{folder / MANIFEST}: the image model's types must be some of the bundle's, in their order."
            )
        if tuple(language["prompts"]) != PROMPTS:
            raise BundleError(
                f"{folder / MANIFEST}: the prompts differ from those of this version of skin_ai."
            )
        schedule, temperatures = tuple(language["schedule"]), tuple(language["temperatures"])
        _check_schedule(folder / MANIFEST, schedule, temperatures, len(types))
        preprocessing: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in image["preprocessing"].items()
        }
        with _fitting(file_of(folder, IMAGE_FILE), folder / MANIFEST):
            image_model = ImageModel(image["backbone"], len(image_types))
            image_model.load_state_dict(
                {
                    key: value.float() if value.is_floating_point() else value
                    for key, value in load_file(file_of(folder, IMAGE_FILE)).items()
                }
            )
            size = preprocessing.get("size", Preprocessing.size)
            image_model = folded(image_model.eval().requires_grad_(False), size)
        with _fitting(file_of(folder, GATE_FILE), folder / MANIFEST):
            gate = load_gate(file_of(folder, GATE_FILE), float(image["gate_threshold"]))
        with _fitting(file_of(folder, LANGUAGE_FILE), folder / MANIFEST):
            language_model = build_language_model(
                file_of(folder, TOKENIZER_FILES[0]).parent, types, language.get("pooling", OWN_POOLING)
            )
            load_language_weights(
                language_model, file_of(folder, LANGUAGE_BASE_FILE), file_of(folder, LANGUAGE_FILE)
            )
        if WORD_PRIOR_FILE in manifest["files"]:
            with _fitting(folder / WORD_PRIOR_FILE, folder / MANIFEST):
                language_model.word_prior = load_word_prior(folder / WORD_PRIOR_FILE, len(types))
        return Bundle(
            name=name,
            types=types,
            manifest=manifest,
            # With channels last in memory, a view takes three quarters of the time on a processor.
            image_model=image_model.to(memory_format=torch.channels_last),
            image_types=image_types,
            gate=gate,
            quality_limits={kind: float(limit) for kind, limit in manifest["quality_limits"].items()},
            preprocessing=Preprocessing(**preprocessing),
            views=image["views"],
            photo_temperature=image["temperature"],
            language_model=language_model.eval().requires_grad_(False),
            extractor=load_extraction() if language.get("reads") == READS_FACTS else None,
            schedule=schedule,
            chain_temperatures=temperatures,
            least_probability=float(manifest["least_probability"]),
            least_suspicion=None if (least := manifest.get("least_suspicion")) is None else float(least),
            sha256=sha256(folder / MANIFEST),
        )
    except KeyError as error:
        raise BundleError(f"{folder / MANIFEST} lacks the entry {error}.") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise BundleError(f"{folder / MANIFEST} has an invalid entry: {error}.") from error


def _check_schedule(
    path: Path, schedule: tuple[int, ...], temperatures: tuple[float, ...], n_types: int
) -> None:
    falls = all(before > after for before, after in pairwise(schedule))
    if not falls or (schedule[:1], schedule[-1:]) != ((n_types,), (1,)) or n_types < 2:
        raise BundleError(f"{path}: the schedule {list(schedule)} does not lead from {n_types} types to 1.")
    if len(temperatures) != len(schedule) - 1:
        raise BundleError(f"{path}: the schedule needs {len(schedule) - 1} temperatures, one per step.")


@contextmanager
def _fitting(path: Path, manifest: Path) -> Iterator[None]:
    """BundleError for weights that do not match the model in the manifest."""
    try:
        yield
    except (SafetensorError, RuntimeError, ValueError, OSError) as error:
        # PyTorch lists every layer; the beginning is enough.
        found = " ".join(str(error).split())[:200]
        raise BundleError(f"{path} does not fit {manifest}: {found}") from error


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Writes the manifest with the checksum of every file; deletes files that `shared` has too."""
    if folder.name == SHARED:
        raise BundleError(f"{folder} is for files that bundles share; give the bundle another name.")
    names = (*FILES, WORD_PRIOR_FILE) if (folder / WORD_PRIOR_FILE).exists() else FILES
    checksums = {name: sha256(file_of(folder, name)) for name in names}
    text = json.dumps({"format": FORMAT, **manifest, "files": checksums}, indent=2, ensure_ascii=False)
    text = ROW_OF_NUMBERS.sub(lambda row: " ".join(row[0].split()), text)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    others = [(name,) for name in FILES if name not in TOKENIZER_FILES]
    for together in (TOKENIZER_FILES, *others):
        shared = [folder.parent / SHARED / name for name in together]
        if all(path.is_file() and sha256(path) == checksums[path.name] for path in shared):
            for name in together:
                (folder / name).unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The file's sha256 as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
