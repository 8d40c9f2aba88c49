"""Adds typing errors: in haste, on a phone, spelt by ear."""

from __future__ import annotations

import re
from random import Random
from typing import Final

# Words that turn a meaning stay as they are when slips are made on purpose; so do numbers, digits or words.
KEPT_WORDS: Final = re.compile(
    r"^(no|not|never|none|nor|nil|non|neither|nothing|nobody|without|yes|if|my|mine|his|hers|her|their|yours?"
    r"|\w*n't|.*\d.*|[\w-]*(teen|ty|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)[\w-]*)$",
    re.I,
)
SOUNDS: Final = (
    ("ea", "ee"), ("ee", "ea"), ("tch", "ch"), ("ck", "k"), ("ight", "ite"), ("igh", "i"), ("ph", "f"),
    ("wh", "w"), ("th", "f"), ("th", "d"), ("ing", "in"), ("er", "a"), ("ou", "u"), ("ai", "a"), ("ie", "ei"),
    ("kn", "n"), ("wr", "r"), ("ur", "er"), ("ed", "d"), ("ge", "j"), ("gg", "g"), ("tt", "t"), ("ll", "l"),
    ("ss", "s"), ("ows", "oes"), ("se", "z"), ("qu", "kw"), ("gh", "f"), ("y", "ey"), ("le", "el"),
)  # fmt: skip
SHORT_FORMS: Final = {
    "you": "u", "are": "r", "and": "nd", "with": "wiv", "to": "2", "for": "4", "my": "mi", "the": "da",
    "that": "dat", "this": "dis", "it's": "its", "doesn't": "dosnt", "isn't": "isnt", "hasn't": "hasnt",
    "don't": "dont", "didn't": "didnt", "because": "cos", "since": "sins", "have": "hav", "has": "haz",
    "something": "sumfin", "but": "bt", "been": "bin", "when": "wen", "what": "wot", "really": "rly",
    "before": "b4", "does": "dus", "please": "pls", "about": "abt", "i'm": "im", "i've": "ive", "was": "woz",
}  # fmt: skip
NEIGHBOURS: Final = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo",
    "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "r": "et", "s": "ad", "t": "ry",
    "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x", "j": "hk", "q": "w",
}  # fmt: skip


def with_many_slips(text: str, rng: Random) -> str:
    """The text as typed in haste, on a phone or by ear; words that turn its meaning stay readable."""
    rate = rng.choice((0.08, 0.2, 0.4))
    short_forms = rng.random() < 0.4
    words = []
    for word in text.split(" "):
        bare = word.lower().strip(".,;:!?")
        if short_forms and bare in SHORT_FORMS and rng.random() < 0.6:
            words.append(word.lower().replace(bare, SHORT_FORMS[bare]))
        elif len(bare) < 4 or rng.random() >= rate or KEPT_WORDS.match(bare):
            words.append(word)
        else:
            words.append(_slipped(word, rng))
    text = " ".join(words)
    if rng.random() < 0.5:
        text = text.replace("'", "")
    if rng.random() < 0.5:
        text = text.lower()
    if rng.random() < 0.3:
        text = re.sub(r"(?<!\d)[.,;!](?=\s|$)", "", text)
    return text


def _slipped(word: str, rng: Random) -> str:
    sounds = [(old, new) for old, new in SOUNDS if old in word.lower()[1:]]
    if sounds and rng.random() < 0.5:
        old, new = rng.choice(sounds)
        return word[0] + re.sub(old, new, word[1:], count=1, flags=re.I)
    letters = [place for place in range(1, len(word)) if word[place].isalpha()]
    if len(letters) < 3:
        return word
    place = rng.choice(letters[:-1])
    letter = word[place]
    return word[:place] + rng.choice(
        (
            word[place + 1] + letter + word[place + 2 :],
            word[place + 1 :],
            letter + letter + word[place + 1 :],
            rng.choice(NEIGHBOURS.get(letter.lower(), letter)) + word[place + 1 :],
        )
    )
