"""What several tests need: the shipped bundle, a drawn photo, a drawn data set and a tiny language model."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from app_at_work import APP, TIMEOUT
from drawn_cases import as_jpeg, draw_dataset
from streamlit.testing.v1 import AppTest
from transformers import BertConfig, BertModel

from skin_ai.bundle import DEFAULT_BUNDLE, WEIGHTS, Bundle, load_bundle
from skin_ai.diseases import LABEL_SETS
from skin_ai.samples import SAMPLES
from skin_ai.study.store import Store, open_store
from skin_ai.views import study


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-golden", action="store_true", help="write tests/golden.json anew from the shipped bundle"
    )


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return load_bundle()


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
    """The folder of a random two-layer BERT with the shipped tokenizer."""
    folder = tmp_path_factory.mktemp("tiny-bert")
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=30522
    )
    BertModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(WEIGHTS / DEFAULT_BUNDLE / name, folder / name)
    return folder


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """What the app keeps: an empty SQLite file of this test alone."""
    for name in ("SKIN_AI_DATABASE_URL", "SKIN_AI_KIOSK", "SKIN_AI_STUDY_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SKIN_AI_DATA", str(tmp_path / "data"))
    study._opened.clear()  # and not the models, which take a while
    store = open_store()
    yield store
    store.engine.dispose()
    study._opened.clear()


@pytest.fixture
def app(store: Store) -> AppTest:
    return AppTest.from_file(APP, default_timeout=TIMEOUT).run()
