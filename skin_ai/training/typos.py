"""Typing errors in training narratives."""

import re
from random import Random

LONG_WORD = re.compile(r"[A-Za-z]{6,}")
MISSPELLS_LONG_WORD = 0.12
DROPS_APOSTROPHES = 0.5
FORGETS_CAPITALS = 0.5
DROPS_FULL_STOPS = 0.3


def with_typos(text: str, rng: Random, *, fragments: bool) -> str:
    """Misspelt words and missing punctuation. Digits and short words ("no", "not") stay as they are."""
    text = LONG_WORD.sub(
        lambda word: _misspelt(word.group(), rng) if rng.random() < MISSPELLS_LONG_WORD else word.group(),
        text,
    )
    if rng.random() < DROPS_APOSTROPHES:
        text = text.replace("'", "")
    if rng.random() < FORGETS_CAPITALS:
        text = text.lower()
    if rng.random() < DROPS_FULL_STOPS:
        # Fragments keep their separators: "growth: no. pain: yes" must not become "growth: no pain: yes".
        text = text.removesuffix(".") if fragments else text.replace(".", "")
    return text


def _misspelt(word: str, rng: Random) -> str:
    """One letter swapped, dropped or doubled; never the first, or "neither" could become "either"."""
    place = rng.randrange(1, len(word) - 1)
    before, letter, after = word[:place], word[place], word[place + 1 :]
    return rng.choice(
        (before + after[0] + letter + after[1:], before + after, before + letter + letter + after)
    )
