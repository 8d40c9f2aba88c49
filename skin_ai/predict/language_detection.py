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
# (known words at most, probability of English at most): below both it is another language. Chosen so that of
# narratives, stories, notes and contrast pairs, their own words left out of it, 8 of 5,014 are taken for
# foreign.
LIMITS: Final = ((0.5, 0.5), (0.75, 0.3))
_IDENTIFYING = Lock()


def language_of(text: str) -> str:
    """ISO 639-1 code of the text's language; "en" where nothing speaks against it.

    Short texts and charts hold too little for a detector by letters alone: a text is another language only
    where few of its words are English ones *and* the detector (py3langid) doubts that it is English.
    """
    words = [word for word in WORD.findall(text) if len(word) > 1]
    if not words:
        return ENGLISH
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


@cache
def english_words() -> frozenset[str]:
    """Words of the English texts of the extraction's training, slips included, and some of dialects."""
    return frozenset(unicodedata.normalize("NFKC", WORDS.read_text(encoding="utf-8")).split())


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
