"""Chain of Options: a language model eliminates types step by step (arXiv 2411.13855, our reading)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedTokenizerBase,
)

from skin_ai.diseases import DISEASES

# The photo's recommendations stand beside the options that they speak of, so that no name is read twice.
PROMPT_WITH_PHOTO = "photo and options: {options}"
PROMPT_WITHOUT_PHOTO = "no photo, options: {options}"
NO_WORDS = "no words"
PROMPTS = (PROMPT_WITH_PHOTO, PROMPT_WITHOUT_PHOTO, NO_WORDS)
MAX_TOKENS = 384
# A fast tokenizer keeps padding and truncation as its own state: two threads at once break it.
_TOKENIZING = Lock()


@dataclass(frozen=True)
class Question:
    """One asking: what is known, and which types are still options.

    photo: (K,) probabilities of the image model, or None; options: indices into the label set.
    """

    narrative: str
    photo: Tensor | None
    options: tuple[int, ...]

    def prompt(self, types: Sequence[str]) -> tuple[str, str]:
        """Narrative and rest, as the two segments of the language model's input."""
        names = [DISEASES[types[option]].name for option in self.options]
        if self.photo is None:
            return self.narrative or NO_WORDS, PROMPT_WITHOUT_PHOTO.format(options=", ".join(names))
        shares = [round(100 * self.photo[option].item()) for option in self.options]
        options = ", ".join(f"{name} {share}%" for name, share in zip(names, shares, strict=True))
        return self.narrative or NO_WORDS, PROMPT_WITH_PHOTO.format(options=options)


class LanguageModel(nn.Module):
    """A sequence classifier over the label set, with the photo's log probabilities as a head start.

    logit(o) = z(o | prompt) + w · log p_photo(o), with w learned; types that are no options get -inf.
    """

    def __init__(
        self, classifier: nn.Module, tokenizer: PreTrainedTokenizerBase, types: tuple[str, ...]
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.tokenizer = tokenizer
        self.types = types
        self.photo_weight = nn.Parameter(torch.ones(()))

    def encode(self, questions: Sequence[Question]) -> dict[str, Tensor]:
        """The prompts as padded token ids; what is too long is cut in the narrative only."""
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

    def token_count(self, question: Question) -> int:
        """Tokens of the whole prompt before anything is cut."""
        narrative, rest = question.prompt(self.types)
        with _TOKENIZING:
            return len(self.tokenizer(narrative, rest)["input_ids"])

    def forward(self, questions: Sequence[Question]) -> Tensor:
        """(n, K) logits, -inf outside the options."""
        device = self.photo_weight.device
        inputs = {name: value.to(device) for name, value in self.encode(questions).items()}
        logits = self.classifier(**inputs).logits.float()
        uniform = torch.full((len(self.types),), 1 / len(self.types))
        photos = torch.stack(
            [uniform if question.photo is None else question.photo for question in questions]
        )
        logits = logits + self.photo_weight * photos.to(device).clamp_min(1e-4).log()
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

    probability: among the options of the step; words, photo: by how much the narrative and the
    photo moved its calibrated logit relative to the other options (0 where there is none). They say what
    the model used, not what is true.
    """

    type: str
    probability: float
    kept: bool
    words: float
    photo: float


@dataclass(frozen=True)
class Step:
    """One round of elimination: options in, best first, and which are kept."""

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
) -> tuple[Step, ...]:
    """Asks with all options, keeps the most probable, asks again with only these, until one is left.

    ask: questions -> (n, K) logits; photo: (K,) probabilities or None; schedule: options in play
    at each step, from K to 1, e.g. (6, 3, 2, 1); temperatures: one a step, len(schedule) - 1.
    Each step also asks with the words and with the photo blanked, in the same batch, for the shares;
    without `shares` it does not, and they are 0.
    """
    options = tuple(range(len(types)))
    steps = []
    for keep, temperature in zip(schedule[1:], temperatures, strict=True):
        questions = [Question(narrative, photo, options)]
        if shares and narrative and photo is not None:
            questions += [Question("", photo, options), Question(narrative, None, options)]
        logits = ask(questions)[:, list(options)] / temperature
        probabilities = logits[0].softmax(0).tolist()
        relative = logits - logits.mean(dim=1, keepdim=True)
        if len(questions) == 3:
            words, seen = (relative[0] - relative[1]).tolist(), (relative[0] - relative[2]).tolist()
        elif not shares:
            words = seen = [0.0] * len(options)
        else:
            # With one input only, all that sets the options apart comes from it.
            whole, nothing = relative[0].tolist(), [0.0] * len(options)
            words, seen = (whole, nothing) if narrative else (nothing, whole)
        order = sorted(range(len(options)), key=lambda place: -probabilities[place])
        step = Step(
            tuple(
                Option(types[options[place]], probabilities[place], rank < keep, words[place], seen[place])
                for rank, place in enumerate(order)
            )
        )
        steps.append(step)
        options = tuple(sorted(options[place] for place in order[:keep]))
    return tuple(steps)


def answer(steps: Sequence[Step]) -> tuple[Probability, ...]:
    """The types with probabilities that sum to 1, best first.

    An option dropped at step k gets the mass that had reached step k times its probability there.
    The option that is left always comes first: at each step the kept ones have at least the mean
    mass. Lower ranks may cross where a later step turns against an option that an earlier one kept.
    """
    ranked, mass = [], 1.0
    for step in steps:
        ranked += [Probability(option.type, mass * option.probability) for option in step.dropped]
        mass *= sum(option.probability for option in step.kept)
    ranked += [Probability(option.type, mass) for option in steps[-1].kept]
    return tuple(sorted(ranked[::-1], key=lambda item: -item.probability))


def single_pass(steps: Sequence[Step]) -> tuple[Probability, ...]:
    """The first asking alone, with all options: best first."""
    return tuple(Probability(option.type, option.probability) for option in steps[0].options)


def build_language_model(folder: Path, types: tuple[str, ...]) -> LanguageModel:
    """The architecture and tokenizer of a Hugging Face folder with a fresh head, weights not loaded."""
    config = AutoConfig.from_pretrained(folder, num_labels=len(types), local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    set_padding(tokenizer, config)
    classifier = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    return LanguageModel(classifier, tokenizer, types)


def set_padding(tokenizer: PreTrainedTokenizerBase, config: PretrainedConfig) -> None:
    """Prompts are asked in batches: what has no padding token (Llama, Mistral, Falcon) pads with its end."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    config.pad_token_id = tokenizer.pad_token_id


def save_language_model(model: LanguageModel, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """All weights, the photo's weight included, as one safetensors file."""
    state = {name: value.detach().cpu().to(dtype).contiguous() for name, value in model.state_dict().items()}
    save_file(state, path)


def load_language_weights(model: LanguageModel, path: Path) -> None:
    """Reads what `save_language_model` wrote; every name and shape must fit."""
    with safe_open(path, "pt") as file:
        state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    model.load_state_dict(state)
