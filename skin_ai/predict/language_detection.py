"""Detects whether a text is in English and, if not, in which language."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Final

from py3langid.langid import MODEL_FILE, LanguageIdentifier

ENGLISH: Final = "en"
NO_LANGUAGE: Final = "zxx"  # ISO 639-2: no linguistic content
# Those that the detector may choose from: without Nigerian Pidgin, Frisian and the like, for which it takes
# dialect and charts.
LANGUAGES: Final = [
    "en", "de", "nl", "da", "no", "sv", "fi", "is", "fr", "es", "pt", "it", "ro", "ca", "pl", "cs",
    "sk", "hu", "hr", "sl", "lt", "lv", "et", "el", "ru", "uk", "bg", "sr", "tr", "ar", "fa", "he",
    "ur", "hi", "bn", "ta", "te", "mr", "gu", "pa", "th", "vi", "id", "ms", "tl", "zh", "ja", "ko",
    "sw", "so", "am", "sq", "eu", "cy", "ga", "mt", "ka", "hy", "az", "kk",
]  # fmt: skip
WORDS: Final = Path(__file__).with_name("english_words.txt")
WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
ABBREVIATION: Final = re.compile(r"[A-Z]{1,5}")
MARKUP: Final = re.compile(r"</?[A-Za-z][^<>]*>")
AGE: Final = re.compile(r"\W*\d{1,3}\W*")  # a number that can be the patient's age
ROWS: Final = ("qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm")  # of keyboards
AGAIN: Final = re.compile(r"(.{3,})\1+")
# (known words at most, probability of English at most): below both it is another language. Chosen so that of
# narratives, stories, notes and contrast pairs, their own words left out of it, 8 of 5,014 are taken for
# foreign.
LIMITS: Final = ((0.5, 0.5), (0.75, 0.3))
_IDENTIFYING = Lock()


def language_of(text: str) -> str:
    """ISO 639-1 code of the text's language; "en" where nothing speaks against it.

    NO_LANGUAGE where it has no words, and is no number that can be an age. Short texts and charts hold too
    little for a detector by letters alone: a text is another language only where few of its words are English
    ones *and* the detector (py3langid) doubts that it is English.
    """
    if not text or AGE.fullmatch(text):
        return ENGLISH
    # One letter is a word only in scripts such as Chinese.
    words = [word for word in WORD.findall(MARKUP.sub(" ", text)) if len(word) > 1 or not word.isascii()]
    if all(not _is_known(word) and is_noise(word) for word in words):
        return NO_LANGUAGE
    known = sum(map(_is_known, words)) / len(words)
    if known >= LIMITS[1][0]:
        return ENGLISH
    with _IDENTIFYING:
        ranked = _identifier().rank(text)
    english = float(dict(ranked)[ENGLISH])
    if not any(known < words_limit and english < limit for words_limit, limit in LIMITS):
        return ENGLISH
    return next(str(language) for language, _ in ranked if language != ENGLISH)


def _is_known(word: str) -> bool:
    lowered = word.lower().replace("\u2019", "'")
    known = english_words()
    return (
        lowered in known
        or lowered.removesuffix("'s") in known
        or lowered.removesuffix("s") in known
        or ABBREVIATION.fullmatch(word) is not None
    )


def is_noise(word: str) -> bool:
    """Whether a word is typed at random or to fill the field: no language has it.

    One letter again and again, a run of neighbouring keys, the same three or more letters twice, or only
    consonants. In Slavic languages r and l can be the vowel of a word ("prst", "vlk").
    """
    letters = word.casefold()
    if not letters.isascii():
        return False
    has_vowel = not set(letters).isdisjoint("aeiouy")
    is_run = any(letters in row or letters[::-1] in row for row in ROWS)
    is_repeated = (len(letters) > 2 and len(set(letters)) == 1) or AGAIN.fullmatch(letters) is not None
    if is_repeated or (is_run and len(letters) > (3 if has_vowel else 2)):
        return True
    return not has_vowel and "r" not in letters and len(letters) > (4 if "l" in letters else 2)


@cache
def english_words() -> frozenset[str]:
    """Words of the English texts of the extraction's training, slips included, and some of dialects."""
    return frozenset(unicodedata.normalize("NFKC", WORDS.read_text(encoding="utf-8")).split())


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
