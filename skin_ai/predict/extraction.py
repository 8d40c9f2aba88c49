"""Finds facts in free words: each answer with its probability and its place in the text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, Final

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from skin_ai.predict.chain import EIGHT_BITS, SCALE, quantize, read_weights
from skin_ai.predict.language_detection import ENGLISH, language_of
from skin_ai.predict.narrative import AGE_LIMIT, Answer, Facts, clean_narrative
from skin_ai.vocabulary import ALL_SYMPTOMS, DURATIONS, ONES, SITES, TEENS, TENS

UNSAID: Final = "unsaid"
SYMPTOM_ANSWERS: Final = ("yes", "no", "unknown", UNSAID)
# Fact -> its answers, in the order of the head's rows. The age is a number of the text, not a class.
CLASSES: Final[dict[str, tuple[str, ...]]] = {
    **{symptom: SYMPTOM_ANSWERS for symptom in ALL_SYMPTOMS},
    "site": (*SITES, UNSAID),
    "duration": (*DURATIONS, UNSAID),
}
AGE: Final = "age"
FACT_NAMES: Final = (*CLASSES, AGE)
MAX_TOKENS: Final = 384
BATCH: Final = 32  # texts that are read together
# Marks of forms that the tokenizer does not know, each as one character that it knows.
_MARKS: Final = str.maketrans(
    dict.fromkeys("☑☒✓✔✅■●◉⦿◼⬛🗹👍", "√")
    | dict.fromkeys("☐□○◯✗✘✕✖❌◻⬜👎", "×")  # noqa: RUF001
    | dict.fromkeys("–—−‒", "-")  # noqa: RUF001
)
# A fast tokenizer keeps padding and truncation as its own state: two threads at once break it.
_TOKENIZING = Lock()


@dataclass(frozen=True)
class Found:
    """The answer to one fact in a text.

    answer: a class of CLASSES, for the age its years; "unsaid" where the text does not say. probability:
    calibrated, of this answer. span: the first and one past the last character in the text, None if unsaid.
    """

    answer: str | int
    probability: float
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class Extraction:
    """All facts of one text; `facts` holds each of FACT_NAMES.

    text: as it was cleaned; spans count in it. language: as `language_of` names it; a text that is not
    English is not read, and all its facts are unsaid. sure_from: below this probability a fact is uncertain.
    """

    text: str
    facts: Mapping[str, Found]
    language: str = ENGLISH
    sure_from: float = 0.0

    @property
    def uncertain(self) -> tuple[str, ...]:
        """Names of the facts that a clinician should check, least certain first."""
        names = [name for name, found in self.facts.items() if found.probability < self.sure_from]
        return tuple(sorted(names, key=lambda name: self.facts[name].probability))


def extract(text: str, model: Extractor) -> Extraction:
    """The facts in a narrative. Raises NarrativeError for a text that is too long."""
    (extraction,) = extract_all([text], model)
    return extraction


def extract_all(texts: Sequence[str], model: Extractor) -> list[Extraction]:
    """The same for several texts, read in batches."""
    cleaned = [clean_narrative(text) for text in texts]
    languages = [language_of(text) if text else ENGLISH for text in cleaned]
    read = [place for place, text in enumerate(cleaned) if text and languages[place] == ENGLISH]
    found: list[dict[str, Found]] = [dict.fromkeys(FACT_NAMES, Found(UNSAID, 1.0)) for _ in texts]
    # Texts of similar length together, so that little is padding.
    read.sort(key=lambda place: len(cleaned[place]))
    for start in range(0, len(read), BATCH):
        batch = read[start : start + BATCH]
        with torch.inference_mode():
            encoded = model.encode([cleaned[place] for place in batch])
            scores = model(encoded)
        for row, place in enumerate(batch):
            found[place] = _found(cleaned[place], row, encoded, scores, model.temperatures)
    return [
        Extraction(text, facts, language, model.sure_from)
        for text, facts, language in zip(cleaned, found, languages, strict=True)
    ]


def _found(
    text: str, row: int, encoded: Encoded, scores: Scores, temperatures: Mapping[str, float]
) -> dict[str, Found]:
    facts = {}
    for place, name in enumerate(CLASSES):
        probabilities = (scores.logits[name][row] / temperatures[name]).softmax(0)
        best = int(probabilities.argmax())
        answer = CLASSES[name][best]
        span = None
        if answer != UNSAID:
            before = 0 if name in ("site", "duration") else WORDS_BEFORE[answer == "yes"]
            span = told_in(text, encoded.offsets[row], scores.attention[row, place], before=before)
        facts[name] = Found(answer, probabilities[best].item(), span)
    return facts | {AGE: _age_found(row, encoded, scores, temperatures[AGE])}


def _age_found(row: int, encoded: Encoded, scores: Scores, temperature: float) -> Found:
    """The most probable value; a number that stands twice counts with both."""
    probabilities = (scores.age[row] / temperature).softmax(0).tolist()
    unsaid = probabilities[-1]
    numbers = encoded.numbers[row]
    values: dict[int, float] = {}
    for number, probability in zip(numbers, probabilities, strict=False):
        values[number.value] = values.get(number.value, 0.0) + probability
    value = max(values, key=values.__getitem__, default=None)
    if value is None or values[value] <= unsaid:
        return Found(UNSAID, unsaid)
    _, best = max(
        (probability, number)
        for probability, number in zip(probabilities, numbers, strict=False)
        if number.value == value
    )
    return Found(value, values[value], (best.start, best.end))


WORD: Final = re.compile(r"\S+")
CLAUSE_END: Final = re.compile(
    r"[.;:,!?|/]+(?=\s|$)|\s(?=(?:and|but|or|though|although|yet|because|so|while|which)\s)", re.IGNORECASE
)
SHARE_OF_PEAK: Final = 0.3
WORDS_BEFORE: Final = (3, 1)  # of a symptom that is denied or not known, and of one that is there


def told_in(text: str, offsets: Tensor, attention: Tensor, *, before: int = 0) -> tuple[int, int]:
    """Range of characters of the words that get attention, in the clause of the most attended word.

    offsets: (tokens, 2); attention: (tokens,). Words count from SHARE_OF_PEAK of the most attended one's
    attention; `before`: how many words before them are included, because a denial stands there.
    """
    words = [match for match in WORD.finditer(text) if any(map(str.isalnum, match.group()))]
    words = words or list(WORD.finditer(text))
    starts, ends = torch.tensor([word.span() for word in words]).unsqueeze(2).unbind(1)
    weights = (overlap(offsets, starts, ends) @ attention).tolist()
    peak = max(range(len(words)), key=weights.__getitem__)
    clauses = [0] + [match.end() for match in CLAUSE_END.finditer(text)]
    clause = max(start for start in clauses if start <= words[peak].start())
    end = min((start for start in clauses if start > words[peak].start()), default=len(text))
    inside = [place for place, word in enumerate(words) if clause <= word.start() < end]
    told = [place for place in inside if weights[place] >= SHARE_OF_PEAK * weights[peak]]
    first, last = words[max(inside[0], min(told) - before)], words[max(told)]
    stripped = text[first.start() : last.end()]
    left = len(stripped) - len(stripped.lstrip("(\"'.,;:!?"))
    return first.start() + left, first.start() + len(stripped.rstrip(".,;:!?)\"'"))


def to_facts(extraction: Extraction) -> Facts:
    """The facts as the symptom form holds them; an age above AGE_LIMIT is never found."""
    found = {name: fact.answer for name, fact in extraction.facts.items()}
    return Facts(
        age=None if found[AGE] == UNSAID else int(found[AGE]),
        site=None if found["site"] == UNSAID else str(found["site"]),
        duration=None if found["duration"] == UNSAID else str(found["duration"]),
        **{symptom: Answer(found[symptom]) for symptom in ALL_SYMPTOMS},  # type: ignore[arg-type]
    )


def as_json(extraction: Extraction) -> dict[str, Any]:
    """{"language": "en", "facts": {"itch": {"answer": "yes", "probability": 0.97, "span": [3, 10]}, ...}}."""
    return {
        "language": extraction.language,
        "facts": {
            name: {
                "answer": found.answer,
                "probability": round(found.probability, 4),
                "span": None if found.span is None else list(found.span),
            }
            for name, found in extraction.facts.items()
        },
    }


def to_keep(extraction: Extraction) -> dict[str, Any]:
    """What a database holds of an extraction: no words, and only facts that are told or uncertain."""
    found = as_json(extraction)
    facts = {
        name: fact
        for name, fact in found["facts"].items()
        if fact["answer"] != UNSAID or name in extraction.uncertain
    }
    return found | {"facts": facts, "sure_from": extraction.sure_from}


def from_kept(text: str, kept: Mapping[str, Any]) -> Extraction:
    """The extraction that `to_keep` was given, of the same text, as it was cleaned."""
    facts = dict.fromkeys(FACT_NAMES, Found(UNSAID, 1.0))
    for name, fact in kept["facts"].items():
        span = None if fact["span"] is None else (fact["span"][0], fact["span"][1])
        facts[name] = Found(fact["answer"], fact["probability"], span)
    return Extraction(text, facts, kept["language"], kept["sure_from"])


def corrected(extraction: Extraction, answers: Mapping[str, str | int]) -> Extraction:
    """With what a person said about some of the facts, which is certain."""
    certain = {name: Found(answer, 1.0) for name, answer in answers.items() if name in FACT_NAMES}
    return replace(extraction, facts={**extraction.facts, **certain})


@dataclass(frozen=True)
class Number:
    """A whole number in the text, in digits or words, that could be an age in years."""

    value: int
    start: int
    end: int


_ORDINAL_ONES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_BELOW_TWENTY = {word: value for value, word in enumerate((*ONES, *TEENS))}
_TENS = {word: 20 + 10 * place for place, word in enumerate(TENS)}
_UNITS = {word: 1 + place for place, word in enumerate(ONES[1:10])} | {
    word: 1 + place for place, word in enumerate(_ORDINAL_ONES)
}
_ORDINAL_TENS = {word.replace("ty", "tieth"): value for word, value in _TENS.items()}
_NUMBER = re.compile(
    r"(?<!\d)(?<!\d[.,/])(?P<digits>\d{1,3})(?![\d])(?!\.\d)"
    r"|\b(?P<tens>" + "|".join(_TENS) + r")(?:[\s-]?(?P<unit>" + "|".join(_UNITS) + r"))?\b"
    r"|\b(?P<tenth>" + "|".join(_ORDINAL_TENS) + r")\b"
    r"|\b(?P<hundred>(?:a|one) hundred)(?: and (?P<over>" + "|".join(ONES[1:10]) + r"))?\b"
    r"|\b(?P<below>" + "|".join(sorted(_BELOW_TWENTY, key=len, reverse=True)) + r")\b",
    re.IGNORECASE,
)


def numbers_in(text: str) -> tuple[Number, ...]:
    """The numbers from 0 to AGE_LIMIT in the text, in its order: "62", "67M", "forty-six", "eighty-first"."""
    found = []
    for match in _NUMBER.finditer(text):
        parts = {name: part.lower() for name, part in match.groupdict().items() if part}
        if "digits" in parts:
            value = int(parts["digits"])
        elif "tens" in parts:
            value = _TENS[parts["tens"]] + _UNITS.get(parts.get("unit", ""), 0)
        elif "tenth" in parts:
            value = _ORDINAL_TENS[parts["tenth"]]
        elif "hundred" in parts:
            value = 100 + _UNITS.get(parts.get("over", ""), 0)
        else:
            value = _BELOW_TWENTY[parts["below"]]
        if value <= AGE_LIMIT:
            found.append(Number(value, match.start(), match.end()))
    return tuple(found)


@dataclass(frozen=True)
class Encoded:
    """Texts as the encoder takes them.

    ids, mask: (n, tokens); offsets: (n, tokens, 2) characters of each token, (0, 0) for the model's own;
    numbers: the candidates for the age that were not cut off; number_tokens: (n, most numbers, tokens),
    each number's share of its tokens, which sum to 1, or to 0 where a text has fewer numbers.
    """

    ids: Tensor
    mask: Tensor
    offsets: Tensor
    numbers: tuple[tuple[Number, ...], ...]
    number_tokens: Tensor


@dataclass(frozen=True)
class Scores:
    """The model's output for n texts.

    logits: fact -> (n, classes); age: (n, most numbers + 1), the last one "unsaid", -inf where there is no
    number; attention: (n, facts, tokens) in the order of FACT_NAMES, each row sums to 1.
    """

    logits: dict[str, Tensor]
    age: Tensor
    attention: Tensor


class Extractor(nn.Module):
    """An encoder with one attention query a fact over its token vectors, and a linear layer a fact.

    Each fact's layer sees the vector that its query attends to beside the mean of all token vectors. The age
    is pointed at: each number of the text is scored, and "unsaid" beside them.
    """

    def __init__(self, encoder: nn.Module, tokenizer: PreTrainedTokenizerBase, width: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.tokenizer = tokenizer
        rows = sum(map(len, CLASSES.values()))
        self.queries = nn.Parameter(torch.randn(len(FACT_NAMES), width) * 0.02)
        self.attended = nn.Parameter(torch.randn(rows + 1, width) * 0.02)  # the last row: no age
        self.mean = nn.Linear(width, rows + 1)
        self.number = nn.Linear(width, 1)
        self.register_buffer(
            "fact_of_row",
            torch.tensor(
                [place for place, classes in enumerate(CLASSES.values()) for _ in classes] + [len(CLASSES)]
            ),
            persistent=False,
        )
        self.temperatures: dict[str, float] = dict.fromkeys(FACT_NAMES, 1.0)
        self.sure_from = 0.0

    def is_cut(self, text: str) -> bool:
        """Whether the end of a text is not read."""
        if len(text) <= MAX_TOKENS - 2:  # no token is shorter than a character; two mark both ends
            return False
        with _TOKENIZING:
            return len(self.tokenizer(text.translate(_MARKS))["input_ids"]) > MAX_TOKENS

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Tokens with their places; what is longer than MAX_TOKENS is cut at its end."""
        with _TOKENIZING:
            tokens = self.tokenizer(
                [text.translate(_MARKS) for text in texts],
                truncation=True,
                max_length=MAX_TOKENS,
                padding=True,
                return_offsets_mapping=True,
                return_tensors="pt",
            )
        offsets = tokens["offset_mapping"]
        ends = offsets[..., 1].amax(1).tolist()
        numbers = tuple(
            tuple(number for number in numbers_in(text) if number.end <= end)
            for text, end in zip(texts, ends, strict=True)
        )
        most = max(map(len, numbers))
        shares = torch.zeros(len(texts), most, offsets.shape[1])
        for row, found in enumerate(numbers):
            for place, number in enumerate(found):
                inside = overlap(offsets[row], number.start, number.end)
                shares[row, place] = inside / inside.sum().clamp_min(1)
        return Encoded(tokens["input_ids"], tokens["attention_mask"], offsets, numbers, shares)

    def forward(self, encoded: Encoded) -> Scores:
        """Logits before calibration, and the attention of each fact."""
        encoder: Any = self.encoder
        hidden = encoder(input_ids=encoded.ids, attention_mask=encoded.mask).last_hidden_state
        with torch.autocast(hidden.device.type, enabled=False):
            return self.heads(hidden.float(), encoded)

    def heads(self, hidden: Tensor, encoded: Encoded) -> Scores:
        """Output of the heads for the encoder's token vectors, (n, tokens, width)."""
        is_token = encoded.mask.bool()
        looked = torch.einsum("ntd,fd->nft", hidden, self.queries) / hidden.shape[-1] ** 0.5
        attention = looked.masked_fill(~is_token.unsqueeze(1), -torch.inf).softmax(-1)
        attended = attention @ hidden
        share = is_token.unsqueeze(-1) / is_token.sum(1).view(-1, 1, 1)
        mean = (hidden * share).sum(1)
        rows = torch.einsum("nrd,rd->nr", attended[:, self.fact_of_row], self.attended) + self.mean(mean)
        parts = rows[:, :-1].split([len(classes) for classes in CLASSES.values()], dim=1)
        numbers = self.number(encoded.number_tokens @ hidden).squeeze(-1)
        numbers = numbers.masked_fill(encoded.number_tokens.sum(-1) == 0, -torch.inf)
        age = torch.cat([numbers, rows[:, -1:]], dim=1)
        return Scores(dict(zip(CLASSES, parts, strict=True)), age, attention)


def overlap(offsets: Tensor, start: int | Tensor, end: int | Tensor) -> Tensor:
    """(tokens,) 1.0 where a token has characters of the text from `start` to `end`; (n, tokens) of (n, 1)."""
    return ((offsets[:, 0] < end) & (offsets[:, 1] > start) & (offsets[:, 1] > offsets[:, 0])).float()


def build_extractor(folder: Path) -> Extractor:
    """The architecture and tokenizer of a Hugging Face folder, weights not loaded."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    encoder = AutoModel.from_config(config, dtype=torch.float32, add_pooling_layer=False)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return Extractor(encoder, tokenizer, config.hidden_size)


def load_extractor(folder: Path, path: Path) -> Extractor:
    """What `save_extractor` wrote, ready to read. folder: configuration and tokenizer; path: the weights."""
    model = build_extractor(folder)
    model.load_state_dict(read_weights(path))
    with safe_open(path, "pt") as file:
        notes = file.metadata()
    model.temperatures = json.loads(notes["temperatures"])
    model.sure_from = json.loads(notes["sure_from"])
    return model.eval()


def save_extractor(model: Extractor, path: Path) -> None:
    """One file: matrices in 8 bits (`quantize`), vectors in half precision, calibration as metadata."""
    parts: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        plain = value.detach().cpu().float().contiguous()
        if plain.ndim == 2 and plain.numel() > 100_000:
            parts[f"{name}{EIGHT_BITS}"], parts[f"{name}{SCALE}"] = quantize(plain)
        else:
            parts[name] = plain.half()
    notes = {"temperatures": json.dumps(model.temperatures), "sure_from": json.dumps(model.sure_from)}
    save_file(parts, path, metadata=notes)
