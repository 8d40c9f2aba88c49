"""Chain of Options: a language model rules out types step by step (after arXiv 2411.13855)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerBase,
)

from skin_ai.diseases import DISEASES
from skin_ai.predict.prompt_format import load_tokenizer
from skin_ai.predict.word_prior import WordPrior

# Each option is followed by the photo's probability for it, so that no name is read twice.
PROMPT_WITH_PHOTO = "photo and options: {options}"
PROMPT_WITHOUT_PHOTO = "no photo, options: {options}"
NO_WORDS = "no words"
# With many options only those that the photo model considers likely are named, to keep the prompt short.
ALL_NAMED = 13
LEAST_NAMED = 0.02  # probability by the photo model
OTHERS, ALL = "{n} others", "all {n}"
PROMPTS = (PROMPT_WITH_PHOTO, PROMPT_WITHOUT_PHOTO, NO_WORDS, OTHERS, ALL)
# Probability that all types unknown to the image model share.
UNKNOWN_TO_PHOTO = 0.2
LEAST_PHOTO = 1e-4  # its smallest probability in an option's logit
MAX_TOKENS = 384
# Of the prompts in one batch, padding included, to bound memory. Larger batches are no faster on a processor
# (100 cases, one thread: one by one 9.0 s, 2,000 characters 6.5 s, 4,000 and 8,000 each 6.0 s).
BATCH_CHARACTERS = 4_000
OWN_POOLING, WORDS_POOLING = "own", "words"
# Fast tokenizers store padding and truncation as state, so two threads at once would break them.
_TOKENIZING = Lock()


@dataclass(frozen=True)
class Question:
    """One question to the language model: what is known, and which types are still options.

    photo: (K,) probabilities of the image model, or None; options: indices into the label set.
    """

    narrative: str
    photo: Tensor | None
    options: tuple[int, ...]

    def prompt(self, types: Sequence[str]) -> tuple[str, str]:
        """The two segments of the language model's input: the narrative, and the options."""
        named = [option for option in self.options if self._is_named(option)]
        names = [DISEASES[types[option]].name for option in named]
        template = PROMPT_WITHOUT_PHOTO
        if self.photo is not None:
            template = PROMPT_WITH_PHOTO
            shares = [round(100 * self.photo[option].item()) for option in named]
            names = [f"{name} {share}%" for name, share in zip(names, shares, strict=True)]
        if len(named) < len(self.options):
            names.append((OTHERS if named else ALL).format(n=len(self.options) - len(named)))
        return self.narrative or NO_WORDS, template.format(options=", ".join(names))

    def _is_named(self, option: int) -> bool:
        if len(self.options) <= ALL_NAMED:
            return True
        return self.photo is not None and self.photo[option].item() >= LEAST_NAMED


def over_label_set(photo: Tensor, image_types: Sequence[str], types: Sequence[str]) -> Tensor:
    """(K,) probabilities over the label set, from an image model that knows only `image_types`.

    photo: (image types,) its probabilities. The types it does not know share UNKNOWN_TO_PHOTO equally.
    """
    if tuple(image_types) == tuple(types):
        return photo
    unknown = len(types) - len(image_types)
    spread = torch.full((len(types),), UNKNOWN_TO_PHOTO / unknown)
    spread[[types.index(type_) for type_ in image_types]] = (1 - UNKNOWN_TO_PHOTO) * photo.float()
    return spread


class LanguageModel(nn.Module):
    """A sequence classifier over the label set, with the log probabilities of two priors added.

    logit(o) = z(o | prompt) + w · log p_photo(o) + w₂ · log(p_words(o) + doubt); types that are not options
    get -inf. w is learned; where p_words is a regression on facts it stands here while z is trained, with
    w₂ = 1. Both weights are then fitted again to patients that the model has not seen
    (`evaluation.temperatures`). p_words and doubt are of `word_prior`; a model without one reads the prompt
    alone.
    pooling: OWN_POOLING uses the classifier as it is (an encoder: its first token); WORDS_POOLING gives an
    encoder's head the mean of the narrative's token vectors, similar to how MiniLM was trained (Reimers and
    Gurevych 2019).
    """

    def __init__(
        self,
        classifier: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        types: tuple[str, ...],
        pooling: str = OWN_POOLING,
    ) -> None:
        super().__init__()
        if pooling not in (OWN_POOLING, WORDS_POOLING):
            raise ValueError(f"Unknown pooling {pooling!r}.")
        self.pooling = pooling
        self.classifier = classifier
        self.tokenizer = tokenizer
        self.types = types
        self.photo_weight = nn.Parameter(torch.ones(()))
        self.word_prior: WordPrior | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> LanguageModel:
        """With weights of its own; they share the tokenizer, which is slow to copy."""
        memo[id(self.tokenizer)] = self.tokenizer
        copied = memo[id(self)] = type(self).__new__(type(self))
        copied.__dict__ = copy.deepcopy(self.__dict__, memo)
        return copied

    def encode(self, questions: Sequence[Question]) -> dict[str, Tensor]:
        """The prompts as padded token ids; of a prompt that is too long, only the narrative is cut."""
        narratives, rests = zip(*(question.prompt(self.types) for question in questions), strict=True)
        with _TOKENIZING:
            return dict(
                self.tokenizer(
                    list(narratives),
                    list(rests),
                    truncation="only_first",
                    max_length=MAX_TOKENS,
                    padding=True,
                    return_tensors="pt",
                )
            )

    def is_cut(self, question: Question) -> bool:
        """Whether the whole prompt has more than MAX_TOKENS."""
        narrative, rest = question.prompt(self.types)
        marks = self.tokenizer.num_special_tokens_to_add(pair=True)
        if len(f"{narrative}{rest}".encode()) <= MAX_TOKENS - marks:  # no token is shorter than a byte
            return False
        with _TOKENIZING:
            return len(self.tokenizer(narrative, rest)["input_ids"]) > MAX_TOKENS

    def scores(self, questions: Sequence[Question]) -> Tensor:
        """(n, outputs) of the classification head, without the priors and the mask of the options."""
        device = self.photo_weight.device
        inputs = {name: value.to(device) for name, value in self.encode(questions).items()}
        classifier: Any = self.classifier
        if self.pooling == OWN_POOLING:
            logits: Tensor = classifier(**inputs).logits
        else:
            tokens = classifier.base_model(**inputs).last_hidden_state
            is_word = (inputs["attention_mask"] * (1 - inputs["token_type_ids"])).unsqueeze(-1)
            mean = (tokens * is_word).sum(1) / is_word.sum(1)
            logits = classifier.classifier(classifier.dropout(mean))
        return logits.float()

    def forward(self, questions: Sequence[Question]) -> Tensor:
        """(n, K) logits, -inf outside the options."""
        logits = self.scores(questions)
        device = logits.device
        uniform = torch.full((len(self.types),), 1 / len(self.types))
        photos = torch.stack(
            [uniform if question.photo is None else question.photo for question in questions]
        )
        logits = logits + self.photo_weight * photos.to(device).clamp_min(LEAST_PHOTO).log()
        if self.word_prior is not None:
            logits = logits + self.word_prior.logits([question.narrative for question in questions]).to(
                device
            )
        return logits.masked_fill(~option_mask(questions, len(self.types)).to(device), -torch.inf)


def option_mask(questions: Sequence[Question], n_types: int) -> Tensor:
    """(n, K) True where a type is an option."""
    mask = torch.zeros(len(questions), n_types, dtype=torch.bool)
    for row, question in enumerate(questions):
        mask[row, list(question.options)] = True
    return mask


@dataclass(frozen=True)
class Option:
    """One type at one step.

    probability: among the options of the step; words, photo: how far the narrative and the photo moved its
    calibrated logit relative to the other options (0 without one). They say what the model used, not what is
    true.
    """

    type: str
    probability: float
    kept: bool
    words: float
    photo: float


@dataclass(frozen=True)
class Step:
    """One round of elimination: its options, most probable first, and which are kept."""

    options: tuple[Option, ...]

    @property
    def kept(self) -> tuple[Option, ...]:
        return tuple(option for option in self.options if option.kept)

    @property
    def dropped(self) -> tuple[Option, ...]:
        return tuple(option for option in self.options if not option.kept)


@dataclass(frozen=True)
class Probability:
    """A type and its probability."""

    type: str
    probability: float


Ask = Callable[[Sequence[Question]], Tensor]


def eliminate(
    ask: Ask,
    narrative: str,
    photo: Tensor | None,
    types: tuple[str, ...],
    schedule: tuple[int, ...],
    temperatures: tuple[float, ...],
    *,
    shares: bool = True,
    tell_step: Callable[[int], None] = lambda _: None,
) -> tuple[Step, ...]:
    """Asks about all options, keeps the most probable, asks again about these, until one is left.

    photo: (K,) probabilities or None; the other arguments as in `eliminate_all`.
    """
    case = Question(narrative, photo, tuple(range(len(types))))
    (steps,) = eliminate_all(ask, [case], types, schedule, temperatures, shares=shares, tell_step=tell_step)
    return steps


def eliminate_photo(photo: Tensor, types: tuple[str, ...], schedule: tuple[int, ...]) -> tuple[Step, ...]:
    """The elimination of a photo without words, on its own calibrated probabilities, photo: (K,).

    The answer has exactly these probabilities. The language model is not asked: without words it has nothing
    to add, and on held-out patients it made the answer worse (balanced accuracy 0.61 instead of 0.644).
    """
    return eliminate(ask_photo, "", photo, types, schedule, (1.0,) * (len(schedule) - 1))


def ask_photo(questions: Sequence[Question]) -> Tensor:
    """(n, K) log probabilities of the photos, -inf outside the options."""
    photos = torch.stack([question.photo for question in questions if question.photo is not None])
    return photos.log().masked_fill(~option_mask(questions, photos.shape[1]), -torch.inf)


def eliminate_all(
    ask: Ask,
    cases: Sequence[Question],
    types: tuple[str, ...],
    schedule: tuple[int, ...],
    temperatures: tuple[float, ...],
    *,
    shares: bool = True,
    tell_step: Callable[[int], None] = lambda _: None,
) -> list[tuple[Step, ...]]:
    """`eliminate` for many cases at once, so that prompts are asked in batches.

    ask: questions -> (n, K) logits; cases: the first question of each, with any options in any order (the
    order is kept); schedule: number of options at each step, from K to 1, e.g. (6, 3, 2, 1); temperatures:
    one per step, len(schedule) - 1. A step that would rule out nothing, because a case starts with fewer
    options, is left out.
    shares: also ask without the words and without the photo, for `Option.words` and `Option.photo`; otherwise
    they are 0. tell_step: called with the number of each step, from 1, before it is asked.
    """
    left = [case.options for case in cases]
    steps: list[list[Step]] = [[] for _ in cases]
    for number, (keep, temperature) in enumerate(zip(schedule[1:], temperatures, strict=True), start=1):
        in_play = [place for place, options in enumerate(left) if len(options) > keep]
        if not in_play:
            continue
        tell_step(number)
        askings = [_askings(replace(cases[place], options=left[place]), shares) for place in in_play]
        logits = _ask_in_batches(ask, [question for asking in askings for question in asking], types)
        for place, asking, rows in zip(
            in_play, askings, logits.split([len(asking) for asking in askings]), strict=True
        ):
            step = _step(asking, rows / temperature, types, keep, shares)
            kept = {option.type for option in step.kept}
            steps[place].append(step)
            left[place] = tuple(option for option in left[place] if types[option] in kept)
    return [tuple(chain) for chain in steps]


def _askings(question: Question, shares: bool) -> list[Question]:
    """The question; with both words and photo, also without the words and without the photo."""
    if not shares or not question.narrative or question.photo is None:
        return [question]
    return [question, replace(question, narrative=""), replace(question, photo=None)]


def _step(
    asking: Sequence[Question], logits: Tensor, types: tuple[str, ...], keep: int, shares: bool
) -> Step:
    """logits: (askings, K), divided by the temperature."""
    options = asking[0].options
    logits = logits[:, list(options)]
    probabilities = logits[0].softmax(0).tolist()
    relative = logits - logits.mean(dim=1, keepdim=True)
    words = seen = [0.0] * len(options)
    if len(asking) == 3:
        words, seen = (relative[0] - relative[1]).tolist(), (relative[0] - relative[2]).tolist()
    elif shares and asking[0].narrative:
        # With only one input, all differences between the options come from it.
        words = relative[0].tolist()
    elif shares:
        seen = relative[0].tolist()
    order = sorted(range(len(options)), key=lambda place: -probabilities[place])
    return Step(
        tuple(
            Option(types[options[place]], probabilities[place], rank < keep, words[place], seen[place])
            for rank, place in enumerate(order)
        )
    )


def _ask_in_batches(ask: Ask, questions: Sequence[Question], types: Sequence[str]) -> Tensor:
    """(n, K) logits; questions of similar length share a batch of up to BATCH_CHARACTERS."""
    lengths = [sum(map(len, question.prompt(types))) for question in questions]
    batches: list[list[int]] = [[]]
    for place in sorted(range(len(questions)), key=lengths.__getitem__):
        if batches[-1] and lengths[place] * (len(batches[-1]) + 1) > BATCH_CHARACTERS:
            batches.append([])
        batches[-1].append(place)
    answers = torch.cat([ask([questions[place] for place in batch]).cpu() for batch in batches])
    return answers[torch.tensor([place for batch in batches for place in batch]).argsort()]


def answer(steps: Sequence[Step]) -> tuple[Probability, ...]:
    """The types with probabilities that sum to 1, most probable first.

    A type ruled out at step k gets its probability there times the probability that had reached step k. The
    type that is left always comes first, because the kept options have at least the mean probability at each
    step. A type ruled out later can still rank below one ruled out earlier.
    """
    ranked, mass = [], 1.0
    for step in steps:
        ranked += [Probability(option.type, mass * option.probability) for option in step.dropped]
        mass *= sum(option.probability for option in step.kept)
    ranked += [Probability(option.type, mass) for option in steps[-1].kept]
    return tuple(sorted(ranked[::-1], key=lambda item: -item.probability))


def undecided(steps: Sequence[Step], least_probability: float) -> tuple[str, ...]:
    """The types between which the answer is not sure, most probable first; () where it is sure.

    The probability that reaches the remaining options falls with every step; at the end it is that of the
    answer's first type. The elimination stops before the first step that would leave less than
    `least_probability`, so it stops exactly where the answer's first type has less than that.
    """
    mass = 1.0
    for step in steps:
        mass *= sum(option.probability for option in step.kept)
        if mass < least_probability:
            return tuple(option.type for option in step.options)
    return ()


def taken(steps: Sequence[Step], undecided: Collection[str] = ()) -> tuple[Step, ...]:
    """The steps before the first that would rule out one of the undecided types; all where there are none."""
    for number, step in enumerate(steps):
        if undecided and not set(undecided) <= {option.type for option in step.kept}:
            return tuple(steps[:number])
    return tuple(steps)


def single_pass(steps: Sequence[Step]) -> tuple[Probability, ...]:
    """The first step alone, with all options, most probable first."""
    return tuple(Probability(option.type, option.probability) for option in steps[0].options)


def build_language_model(folder: Path, types: tuple[str, ...], pooling: str = OWN_POOLING) -> LanguageModel:
    """Architecture and tokenizer of a Hugging Face folder, with random weights and a new head."""
    config = AutoConfig.from_pretrained(folder, num_labels=len(types), local_files_only=True)
    tokenizer = load_tokenizer(folder, config)
    classifier = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    return LanguageModel(classifier, tokenizer, types, pooling)


def save_language_model(model: LanguageModel, path: Path) -> None:
    """Writes all weights, the photo's weight included, as one safetensors file."""
    save_file({name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}, path)


def save_in_parts(model: LanguageModel, base: Path, own: Path, frozen_layers: int) -> None:
    """Writes the bundle's two files: the frozen weights that bundles share, and its own.

    base: word embeddings and the encoder's first `frozen_layers`; own: the rest. Matrices are in 8 bits
    (`quantize`), vectors in half precision.
    """
    shared: dict[str, Tensor] = {}
    rest: dict[str, Tensor] = {}
    of_base = base_names(model, frozen_layers)
    for name, value in model.state_dict().items():
        plain = value.detach().cpu().float().contiguous()
        part = shared if name in of_base else rest
        if plain.ndim == 2:
            part[f"{name}{EIGHT_BITS}"], part[f"{name}{SCALE}"] = quantize(plain)
        else:
            part[name] = plain.half()
    save_file(shared, base)
    save_file(rest, own)


EIGHT_BITS, SCALE = ".int8", ".scale"


def quantize(rows: Tensor) -> tuple[Tensor, Tensor]:
    """(n, d) -> (n, d) 8-bit integers, and (n, 1) scales to multiply the rows with."""
    scale = (rows.abs().amax(dim=1, keepdim=True) / 127).clamp_min(1e-8)
    return (rows / scale).round().to(torch.int8), scale


def base_names(model: LanguageModel, frozen_layers: int) -> set[str]:
    """Names of the weights that are frozen after the reading stage: embeddings and lower layers."""
    classifier: Any = model.classifier
    base = classifier.base_model
    stack = next(module for module in base.modules() if isinstance(module, nn.ModuleList))
    parts = [base.get_input_embeddings(), *stack[:frozen_layers]]
    fixed = {id(parameter) for part in parts for parameter in part.parameters()}
    return {name for name, parameter in model.named_parameters() if id(parameter) in fixed}


def read_weights(*paths: Path) -> dict[str, Tensor]:
    """Weights written by the `save_...` functions, in single precision."""
    state = {}
    for path in paths:
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118
                if name.endswith(EIGHT_BITS):
                    plain = name.removesuffix(EIGHT_BITS)
                    state[plain] = file.get_tensor(name).float() * file.get_tensor(plain + SCALE)
                elif not name.endswith(SCALE):
                    state[name] = file.get_tensor(name).float()
    return state


def load_language_weights(model: LanguageModel, *paths: Path) -> None:
    """Loads all weights of a model; every name and shape must match."""
    model.load_state_dict(read_weights(*paths))
