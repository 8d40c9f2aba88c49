"""A bag of words: how likely each type is by the terms that occur in a narrative, in any order.

Few words say much in any order ("itchy ring, clear in the middle"). The language model gets this answer as a
second prior beside the photo's (`chain.LanguageModel`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

TOKEN: Final = re.compile(r"\w+")
# Added to each probability before the logarithm: where the bag is unsure it then says next to nothing, and no
# type loses more than `weight` · log(1.2 / 0.2) by it.
DOUBT: Final = 0.2
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


@dataclass(frozen=True)
class WordPrior:
    """A linear classifier on weighted terms (TF-IDF).

    terms: term -> its row; rarity: (V,) inverse document frequency; coefficients: (V, K); bias: (K,);
    weight: in the language model's logit.
    """

    terms: dict[str, int]
    rarity: Tensor
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
        said = (self.probabilities(narratives) + DOUBT).log()
        return self.weight * said * is_said.unsqueeze(1)

    def _evidence(self, narrative: str) -> Tensor:
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
    tensors = {"rarity": prior.rarity, "coefficients": prior.coefficients, "bias": prior.bias}
    halved = {name: value.half().contiguous() for name, value in tensors.items()}
    halved["weight"] = torch.tensor(prior.weight)
    save_file(halved, path, {"terms": json.dumps(list(prior.terms), ensure_ascii=False)})


def load_word_prior(path: Path, n_types: int) -> WordPrior:
    """Raises ValueError where the file's shapes do not fit each other or the number of types."""
    with safe_open(path, "pt") as file:
        terms = json.loads((file.metadata() or {}).get("terms", "[]"))
        rarity, coefficients, bias = (
            file.get_tensor(name).float() for name in ("rarity", "coefficients", "bias")
        )
        weight = float(file.get_tensor("weight"))
    shapes = (tuple(rarity.shape), tuple(coefficients.shape), tuple(bias.shape))
    if shapes != ((len(terms),), (len(terms), n_types), (n_types,)):
        raise ValueError(f"{len(terms)} terms and {n_types} types do not fit the shapes {shapes}")
    return WordPrior({term: row for row, term in enumerate(terms)}, rarity, coefficients, bias, weight)
