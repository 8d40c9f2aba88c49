"""What several tests need: bundles, a drawn photo, a drawn data set and a tiny language model."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from app_at_work import APP, TIMEOUT
from drawn_cases import as_jpeg, draw_dataset
from drawn_samples import SAMPLES
from safetensors.torch import load_file, save_file
from streamlit.testing.v1 import AppTest
from transformers import BertConfig, BertModel
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from skin_ai import settings
from skin_ai.diseases import LABEL_SETS
from skin_ai.predict.bundle import (
    DEFAULT_BUNDLE,
    GATE_FILE,
    IMAGE_FILE,
    LANGUAGE_FILE,
    PREDICTIONS_FILE,
    SHARED,
    WEIGHTS,
    Bundle,
    file_of,
    load_bundle,
    read_manifest,
    write_manifest,
)
from skin_ai.study.store import Store, open_store
from skin_ai.views.session import readers

PIECES = 8_000  # of words; all 30,522 take a tiny model most of its time


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="write tests/predict/golden.json anew from the shipped bundle",
    )


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # beside another one, on cores that both want
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)


class _ByResource(LoadScopeScheduling):
    """What uses the browser or the one PostgreSQL database runs in one worker; so does each other file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return "servers" if file.startswith(("tests/browser/", "tests/study/")) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _ByResource(config, log)


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return load_bundle()


@pytest.fixture(scope="session")
def made_up_26(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle of 26 types: the shipped one, but with a random head of the language model."""
    folder = tmp_path_factory.mktemp("weights") / "made-up-26"
    folder.mkdir()
    (folder.parent / SHARED).symlink_to(WEIGHTS / SHARED)
    types, shipped = LABEL_SETS["skin-26"], WEIGHTS / DEFAULT_BUNDLE
    random = torch.Generator().manual_seed(26)
    language = {
        name: torch.randn((len(types), *value.shape[1:]), generator=random).half() / 4
        if name.startswith("classifier.classifier.")
        else value
        for name, value in load_file(shipped / LANGUAGE_FILE).items()
    }
    save_file(language, folder / LANGUAGE_FILE)
    shutil.copyfile(shipped / PREDICTIONS_FILE, folder / PREDICTIONS_FILE)
    for name in (IMAGE_FILE, GATE_FILE):
        (folder / name).symlink_to(file_of(shipped, name))
    manifest = read_manifest(shipped)
    manifest["image_model"]["types"] = manifest["types"]
    manifest["types"] = types
    manifest["language_model"] |= {"schedule": [26, 13, 6, 3, 1], "temperatures": [1.0] * 4}
    write_manifest(folder, manifest)
    return folder


@pytest.fixture(scope="session")
def bundle_of_26(made_up_26: Path) -> Bundle:
    return load_bundle(made_up_26.name, made_up_26.parent)


@pytest.fixture(scope="session")
def types() -> tuple[str, ...]:
    return LABEL_SETS["pad-ufes-20"]


@pytest.fixture(scope="session")
def drawn_photo() -> bytes:
    """The JPEG of a sample, as a clinician would upload it."""
    return as_jpeg(SAMPLES[0].draw())


@pytest.fixture(scope="session")
def mini_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn folder of fourteen photos and four rows without; read only."""
    return draw_dataset(tmp_path_factory.mktemp("mini"))


@pytest.fixture(scope="session")
def tiny_language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random two-layer BERT with the shipped tokenizer's most frequent pieces of words."""
    folder = tmp_path_factory.mktemp("tiny-bert")
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=PIECES
    )
    BertModel(config).save_pretrained(folder)
    shipped = {
        name: file_of(WEIGHTS / DEFAULT_BUNDLE, name) for name in ("tokenizer.json", "tokenizer_config.json")
    }
    shutil.copyfile(shipped["tokenizer_config.json"], folder / "tokenizer_config.json")
    tokenizer = json.loads(shipped["tokenizer.json"].read_text(encoding="utf-8"))
    pieces = tokenizer["model"]["vocab"]  # the most frequent ones first
    tokenizer["model"]["vocab"] = {piece: place for piece, place in pieces.items() if place < PIECES}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_this_computer() -> None:
    """The file that its user may have; a test sets variables with `monkeypatch.setenv`."""
    settings.ENV_FILE = Path(os.devnull)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """What the app keeps: an empty SQLite file of this test alone."""
    for name in ("SKIN_AI_DATABASE_URL", "SKIN_AI_KIOSK", "SKIN_AI_STUDY_PASSPHRASE", "SKIN_AI_STUDY_ROLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SKIN_AI_DATA", str(tmp_path / "data"))
    readers._opened.clear()  # and not the models, which take a while
    store = open_store()
    yield store
    store.engine.dispose()
    readers._opened.clear()


@pytest.fixture
def app(store: Store) -> AppTest:
    return AppTest.from_file(APP, default_timeout=TIMEOUT).run()
