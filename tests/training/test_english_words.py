"""The list of English words holds what the extraction is trained on."""

import shutil
from pathlib import Path

from skin_ai.predict.language_detection import WORDS
from skin_ai.training.english_words import add_english_words


def test_list_is_up_to_date_and_can_grow(tmp_path: Path) -> None:
    copy = tmp_path / "words.txt"
    shutil.copyfile(WORDS, copy)
    assert add_english_words(path=copy) == 0
    assert copy.read_text("utf-8") == WORDS.read_text("utf-8")
    assert add_english_words(["It frobnicates, señor."], copy) == 1
