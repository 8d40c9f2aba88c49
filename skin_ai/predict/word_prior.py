"""How likely each type is by the terms of a narrative, each on its own: a second prior beside the photo's.

Of free words the terms are words in any order, a bag of words: few words say much in any order ("itchy ring,
clear in the middle"). Of the form's sentences they are the facts. `chain.LanguageModel` adds it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from skin_ai.wordings import load_wordings

TOKEN: Final = re.compile(r"\w+")
# Added to each probability of a bag of words before the logarithm: where the bag is unsure it then says next
# to nothing, and no type loses more than `weight` · log(1.2 / 0.2) by it.
DOUBT: Final = 0.2
SENTENCE_END: Final = re.compile(r"(?<=[.?!]) ")
DECADES: Final = range(20, 100, 10)
PIECES: Final = range(3, 6)  # letters of a part of a word, its ends marked; they survive typing errors


def terms_of(text: str) -> Iterator[str]:
    """Words, pairs of neighbours, and parts of words."""
    words = TOKEN.findall(text.lower())
    yield from words
    yield from (f"{first} {second}" for first, second in pairwise(words))
    for word in words:
        marked = f"<{word}>"
        for n in PIECES:
            yield from (f"#{marked[start : start + n]}" for start in range(len(marked) - n + 1))


def facts_of(form: str) -> Iterator[str]:
    """The sentences of `narrative.sentences`; of an age, every decade that the patient is past."""
    for sentence in SENTENCE_END.split(form):
        if age := _age_sentence().fullmatch(sentence):
            yield "age told"
            yield from (f"older than {decade}" for decade in DECADES if int(age[1]) > decade)
        elif sentence:
            yield sentence


@cache
def _age_sentence() -> re.Pattern[str]:
    before, after = load_wordings().age.plain[0].split("{age}")
    return re.compile(rf"{re.escape(before)}(\d+){re.escape(after)}")


@dataclass(frozen=True)
class WordPrior:
    """A linear classifier on the terms of a narrative.

    terms: term -> its row; rarity: (V,) inverse document frequency of a bag of words (TF-IDF), None where the
    terms are facts, which count 1 each; coefficients: (V, K); bias: (K,); weight: in the language model's
    logit.
    """

    terms: dict[str, int]
    rarity: Tensor | None
    coefficients: Tensor
    bias: Tensor
    weight: float

    def probabilities(self, narratives: Sequence[str]) -> Tensor:
        """(n, K) of equally frequent types."""
        rows = [self.bias + self._evidence(narrative) for narrative in narratives]
        return torch.stack(rows).softmax(1)

    def logits(self, narratives: Sequence[str]) -> Tensor:
        """(n, K) what is added to the language model's logits; 0 without words."""
        is_said = torch.tensor([bool(narrative) for narrative in narratives])
        doubt = 0.0 if self.rarity is None else DOUBT
        said = (self.probabilities(narratives) + doubt).log()
        return self.weight * said * is_said.unsqueeze(1)

    def _evidence(self, narrative: str) -> Tensor:
        if self.rarity is None:
            facts = [self.terms[fact] for fact in facts_of(narrative) if fact in self.terms]
            return self.coefficients[facts].sum(0)
        rows, values = weighted(narrative, self.terms, self.rarity)
        return values @ self.coefficients[rows]


def weighted(text: str, terms: dict[str, int], rarity: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of the known terms of a text, and their weights (1 + log count) · rarity, of length 1."""
    counts = Counter(terms[term] for term in terms_of(text) if term in terms)
    rows = torch.tensor(list(counts), dtype=torch.long)
    values = (1 + torch.tensor(list(counts.values()), dtype=torch.float32).log()) * rarity[rows]
    return rows, values / values.norm().clamp_min(1e-9)


def save_word_prior(prior: WordPrior, path: Path) -> None:
    """One safetensors file in half precision; the terms are JSON in its metadata."""
    tensors = {"coefficients": prior.coefficients, "bias": prior.bias}
    if prior.rarity is not None:
        tensors["rarity"] = prior.rarity
    halved = {name: value.half().contiguous() for name, value in tensors.items()}
    halved["weight"] = torch.tensor(prior.weight)
    save_file(halved, path, {"terms": json.dumps(list(prior.terms), ensure_ascii=False)})


def load_word_prior(path: Path, n_types: int) -> WordPrior:
    """Raises ValueError where the file's shapes do not fit each other or the number of types."""
    with safe_open(path, "pt") as file:
        terms = json.loads((file.metadata() or {}).get("terms", "[]"))
        coefficients, bias = (file.get_tensor(name).float() for name in ("coefficients", "bias"))
        rarity = file.get_tensor("rarity").float() if "rarity" in file.keys() else None  # noqa: SIM118
        weight = float(file.get_tensor("weight"))
    shapes = (tuple(coefficients.shape), tuple(bias.shape))
    is_rarity_right = rarity is None or tuple(rarity.shape) == (len(terms),)
    if shapes != ((len(terms), n_types), (n_types,)) or not is_rarity_right:
        raise ValueError(f"{len(terms)} terms and {n_types} types do not fit the shapes {shapes}")
    return WordPrior({term: row for row, term in enumerate(terms)}, rarity, coefficients, bias, weight)
