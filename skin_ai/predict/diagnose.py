"""A prepared photo and the patient's words -> one frozen Diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Self

import numpy as np
import torch
from torch import Tensor

from skin_ai.diseases import DISEASES, Nature
from skin_ai.predict import gate, ink, quality
from skin_ai.predict.bundle import Bundle
from skin_ai.predict.chain import (
    Option,
    Probability,
    Question,
    Step,
    answer,
    eliminate,
    eliminate_all,
    eliminate_photo,
    over_label_set,
    single_pass,
    undecided,
)
from skin_ai.predict.extraction import Extraction
from skin_ai.predict.heatmap import class_activation_maps
from skin_ai.predict.narrative import Facts, clean_narrative
from skin_ai.predict.prepared_photo import PreparedPhoto, timed
from skin_ai.predict.stability import unstable
from skin_ai.predict.words import NO_FACTS, NO_WORDS, NOT_ENGLISH, Read, read


class NothingToDiagnose(ValueError):
    """Neither words nor a photo were given."""


@dataclass(frozen=True)
class Diagnosis:
    """One run of a case.

    recommendations: of the image model, best first, of the types that it knows; () without a photo.
    is_foreign: the photo is unlike those that the image model was trained on. undecided: the types that
    are left where going on would have been a guess, () where the answer is sure. unstable: the variants of
    `stability.py` under which another type would come first, with that type; None until `marked`. matters:
    facts that were found with little certainty and on which the first type depends. flags: keys of FLAGS.
    narrative: what the language model read: the facts as the form's sentences, or the words; "" where it was
    not asked.

    The other fields are not part of the JSON. photo_probabilities: type ->
    the photo's probabilities in the prompt, over the whole label set; None if there were none.
    square: (s, s, 3), the photo as the model saw it. feature_map: (C, h, w), the image model's last one.
    heatmaps: type -> (h, w) evidence on the scale of the logit, positive for and negative against, of the
    types that the image model knows; {} without a photo, and until `with_maps` where the run was kept.
    """

    bundle: str
    recommendations: tuple[Probability, ...]
    steps: tuple[Step, ...]
    answer: tuple[Probability, ...]
    single_pass: tuple[Probability, ...]
    is_foreign: bool
    undecided: tuple[str, ...]
    unstable: dict[str, str] | None
    flags: tuple[str, ...]
    timings_ms: dict[str, float]
    matters: tuple[str, ...] = ()
    narrative: str = field(default="", repr=False)
    photo_probabilities: dict[str, float] | None = field(default=None, repr=False)
    square: np.ndarray | None = field(default=None, repr=False)
    feature_map: np.ndarray | None = field(default=None, repr=False)
    heatmaps: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def photo_over(self, types: Sequence[str]) -> Tensor | None:
        """(K,) probabilities of the photo as the language model was given them; None without a photo."""
        seen = self.photo_probabilities
        return None if seen is None else torch.tensor([seen[type_] for type_ in types])

    def as_json(self) -> dict[str, Any]:
        """What a database and `--json` hold; types as codes with their names."""
        return {
            "bundle": self.bundle,
            "recommendations": _named(self.recommendations),
            "chain": [
                {"step": number, "options": [asdict(option) for option in step.options]}
                for number, step in enumerate(self.steps, start=1)
            ],
            "answer": _named(self.answer),
            "single_pass": _named(self.single_pass),
            "undecided": list(self.undecided),
            "unstable": self.unstable,
            "matters": list(self.matters),
            "words_read": self.narrative,
            "flags": list(self.flags),
            "timings_ms": {name: round(value, 1) for name, value in self.timings_ms.items()},
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], narrative: str) -> Self:
        """The diagnosis that `as_json` wrote, of the same narrative, which older versions read as it was.

        Keys that an older version did not write are empty: it knew no "undecided" or "unstable", and an
        imported run has its "answer" only.
        """
        steps = tuple(
            Step(tuple(Option(**option) for option in step["options"])) for step in kept.get("chain", ())
        )
        flags = tuple(flag for flag in kept.get("flags", ()) if flag in FLAGS)
        recommendations = _probabilities(kept, "recommendations")
        return cls(
            bundle=kept.get("bundle", ""),
            recommendations=recommendations,
            steps=steps,
            answer=_probabilities(kept, "answer"),
            single_pass=_probabilities(kept, "single_pass") or (single_pass(steps) if steps else ()),
            is_foreign=not {UNLIKE, UNLIKE_ALONE}.isdisjoint(flags),
            undecided=tuple(kept.get("undecided", ())),
            unstable=kept.get("unstable", {}),
            flags=flags,
            timings_ms=dict(kept.get("timings_ms", {})),
            matters=tuple(kept.get("matters", ())),
            narrative=kept.get("words_read", narrative),
            photo_probabilities=_seen_by_language_model(recommendations, steps, flags),
        )


def _named(items: tuple[Probability, ...]) -> list[dict[str, Any]]:
    return [
        {"type": item.type, "name": DISEASES[item.type].name, "probability": item.probability}
        for item in items
    ]


def _probabilities(kept: Mapping[str, Any], key: str) -> tuple[Probability, ...]:
    return tuple(Probability(item["type"], item["probability"]) for item in kept.get(key, ()))


def _seen_by_language_model(
    recommendations: tuple[Probability, ...], steps: tuple[Step, ...], flags: tuple[str, ...]
) -> dict[str, float] | None:
    """`Diagnosis.photo_probabilities` of a kept run; step 1 asks about the whole label set."""
    if not recommendations or not steps or UNLIKE in flags:
        return None
    types = sorted(option.type for option in steps[0].options)
    return dict(zip(types, _over(types, recommendations).tolist(), strict=True))


def _over(types: Sequence[str], recommendations: tuple[Probability, ...]) -> Tensor:
    """(K,) probabilities over the label set, from recommendations of some of its types."""
    found = {item.type: item.probability for item in recommendations}
    image_types = [type_ for type_ in types if type_ in found]
    return over_label_set(torch.tensor([found[type_] for type_ in image_types]), image_types, types)


UNLIKE, UNLIKE_ALONE = "photo_unlike", "photo_unlike_alone"
FEW_TYPES = "photo_knows_few_types"
FLAGS = {
    "no_photo": "No photo was given: the answer is based on the words alone.",
    "no_words": "No words were given: the answer is based on the photo alone.",
    UNLIKE: "The photo is unlike those that the image model was trained on, so it was ignored: the answer "
    "is based on the words alone.",
    UNLIKE_ALONE: "The photo is unlike those that the image model was trained on, and there are no words. "
    "Any answer is a guess.",
    NOT_ENGLISH: "The words do not seem to be English, so they were ignored. Answer the symptom questions "
    "instead.",
    NO_WORDS: "The text holds no words that the AI can read, so it was ignored. Answer the symptom questions "
    "instead.",
    NO_FACTS: "No symptom, body site or age was recognised in the words, so they were ignored. Answer the "
    "symptom questions instead.",
    FEW_TYPES: "The photo model knows only six tumours. Add the patient's words to consider all types.",
    "words_cut": "The words are too long for the language model: their end was ignored.",
    "disagree": "Elimination and single pass give different first types.",
    "ink": ink.SEEN,
    **{f"photo_{kind}": advice for kind, advice in quality.ADVICE.items()},
}


def diagnose(
    photo: PreparedPhoto | None, narrative: str, bundle: Bundle, facts: Facts | Extraction | None = None
) -> Diagnosis:
    """Asks both models of `bundle` about one case: `verdict` and `marked`."""
    return marked(verdict(photo, narrative, bundle, facts), bundle)


def verdict(
    photo: PreparedPhoto | None,
    narrative: str,
    bundle: Bundle,
    facts: Facts | Extraction | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """All that a clinician waits for: everything but `unstable`, which is None where there are words.

    facts: what a person confirmed, or what was found in the narrative earlier; by default they are found now.
    tell: called with what is done next, for who waits.
    Raises NarrativeError with one clear sentence, and NothingToDiagnose when all inputs are missing. The
    recommendations of a foreign photo reach the language model only where there are no words. Without words
    the photo answers alone.
    """
    words = clean_narrative(narrative)
    if photo is None and not words and not (isinstance(facts, Facts) and facts.known.said):
        raise NothingToDiagnose("Give a photo, the patient's words, or both.")
    timings: dict[str, float] = {} if photo is None else dict(photo.timings_ms)
    if words:
        tell("Reading the words")
    with timed(timings, "words"):
        reading = read(words, bundle.extractor, facts)
    prompt = reading.prompt
    flags = ["no_photo"] * (photo is None)
    flags += [reading.flag] if reading.flag else ["no_words"] * (not prompt)
    recommendations: tuple[Probability, ...] = ()
    features: Tensor | None = None
    heatmaps: dict[str, np.ndarray] = {}
    seen, is_foreign = None, False
    with torch.inference_mode():
        if photo is not None:
            tell("Photo model")
            flags += [f"photo_{kind}" for kind in photo.problems(bundle.quality_limits)]
            flags += ["ink"] * photo.has_ink
            with timed(timings, "preprocessing"):
                inputs = bundle.preprocessing(photo.square)
            with timed(timings, "image_model"):
                features, early = bundle.image_model.feature_map_and_stage(inputs, bundle.views, gate.STAGE)
                logits = bundle.image_model.logits(features)[0]
                probabilities = (logits / bundle.photo_temperature).softmax(0)
            recommendations = _ranked(bundle.image_types, probabilities.tolist())
            with timed(timings, "heatmaps"):
                heatmaps = _heatmaps(features, bundle)
            with timed(timings, "gate"):
                is_foreign = not bundle.gate.is_familiar(gate.of_stage(early)[0])
            if is_foreign:
                flags.append(UNLIKE if prompt else UNLIKE_ALONE)
            if not (is_foreign and prompt):
                seen = over_label_set(probabilities, bundle.image_types, bundle.types)
        everything = Question(prompt, seen, tuple(range(len(bundle.types))))
        with timed(timings, "language_model"):
            steps = _eliminated(prompt, seen, bundle, tell)
            ranked, single = answer(steps), single_pass(steps)
            others = _depends_on(reading, everything, ranked[0].type, bundle)
        if reading.is_cut or (prompt and bundle.language_model.is_cut(everything)):
            flags.append("words_cut")
    if ranked[0].type != single[0].type:
        flags.append("disagree")
    if seen is not None and not prompt and bundle.image_types != bundle.types:
        flags.append(FEW_TYPES)
    timings["total"] = sum(timings.values())
    return Diagnosis(
        bundle=bundle.name,
        recommendations=recommendations,
        steps=steps,
        answer=ranked,
        single_pass=single,
        is_foreign=is_foreign,
        undecided=_undecided(steps, bundle, flags, recommendations, others),
        unstable=None if prompt else {},
        flags=tuple(flags),
        timings_ms=timings,
        matters=tuple(others),
        narrative=prompt,
        photo_probabilities=None if seen is None else dict(zip(bundle.types, seen.tolist(), strict=True)),
        square=None if photo is None else photo.square,
        feature_map=None if features is None else features[0].numpy(),
        heatmaps=heatmaps,
    )


def marked(diagnosis: Diagnosis, bundle: Bundle) -> Diagnosis:
    """The diagnosis with `unstable`, which nothing else depends on."""
    if diagnosis.unstable is not None:
        return diagnosis
    timings = dict(diagnosis.timings_ms)
    timings.pop("total", None)
    with timed(timings, "stability"):
        would_be = _unstable(diagnosis, bundle)
    return replace(diagnosis, unstable=would_be, timings_ms=timings | {"total": sum(timings.values())})


def _unstable(diagnosis: Diagnosis, bundle: Bundle) -> dict[str, str]:
    seen = None if diagnosis.is_foreign else diagnosis.photo_over(bundle.types)
    question = Question(diagnosis.narrative, seen, tuple(range(len(bundle.types))))
    how = (bundle.types, bundle.schedule, bundle.chain_temperatures)
    with torch.inference_mode():
        return unstable(bundle.language_model, question, diagnosis.answer[0].type, *how)


def by_photo_alone(diagnosis: Diagnosis, bundle: Bundle) -> tuple[Probability, ...]:
    """The answer to the same photo without words, from its recommendations."""
    seen = _over(bundle.types, diagnosis.recommendations)
    return answer(eliminate_photo(seen, bundle.types, bundle.schedule))


def _eliminated(
    prompt: str, seen: Tensor | None, bundle: Bundle, tell: Callable[[str], None]
) -> tuple[Step, ...]:
    """By both models; by the photo alone without words; with nothing to go by, all types stay alike."""
    if prompt:
        steps = len(bundle.schedule) - 1
        how = (bundle.types, bundle.schedule, bundle.chain_temperatures)

        def tell_step(number: int) -> None:
            tell(f"Elimination, step {number} of {steps}")

        return eliminate(bundle.language_model, prompt, seen, *how, tell_step=tell_step)
    alike = torch.full((len(bundle.types),), 1 / len(bundle.types))
    return eliminate_photo(alike if seen is None else seen, bundle.types, bundle.schedule)


def _depends_on(reading: Read, question: Question, first: str, bundle: Bundle) -> dict[str, tuple[str, ...]]:
    """Uncertain fact -> the types that would come first with another answer to it, where there are any."""
    prompts = [(name, prompt) for name, found in reading.alternatives.items() for prompt in found]
    if not prompts:
        return {}
    asked = [replace(question, narrative=prompt) for _, prompt in prompts]
    how = (bundle.types, bundle.schedule, bundle.chain_temperatures)
    chains = eliminate_all(bundle.language_model, asked, *how, shares=False)
    found: dict[str, tuple[str, ...]] = {}
    for (name, _), steps in zip(prompts, chains, strict=True):
        other = answer(steps)[0].type
        if other != first:
            found[name] = (*found.get(name, ()), other)
    return found


def _undecided(
    steps: tuple[Step, ...],
    bundle: Bundle,
    flags: list[str],
    recommendations: tuple[Probability, ...],
    others: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """The types between which the answer is open: by its probability, and by what it rests on."""
    is_set_aside = not {NOT_ENGLISH, NO_WORDS, NO_FACTS}.isdisjoint(flags)
    if UNLIKE_ALONE in flags or ("no_photo" in flags and is_set_aside):
        return tuple(option.type for option in steps[0].options)
    if FEW_TYPES in flags:
        return tuple(item.type for item in recommendations)
    ranked = answer(steps)
    found = list(undecided(steps, bundle.least_probability))
    if others:
        found += [ranked[0].type, *(type_ for types in others.values() for type_ in types)]
    is_of_words = not {"no_photo", UNLIKE}.isdisjoint(flags)
    if is_of_words and (suspects := suspected(ranked, bundle.least_suspicion)):
        found += [ranked[0].type, *suspects]
    return tuple(dict.fromkeys(found))


def suspected(ranked: Sequence[Probability], least: float | None) -> tuple[str, ...]:
    """The malignant types behind the first that have at least this probability; none where it is None.

    A few words seldom exclude them: an answer that rests on words alone is not sure while one is suspected.
    """
    if least is None:
        return ()
    return tuple(
        item.type
        for item in ranked[1:]
        if item.probability >= least and DISEASES[item.type].nature is Nature.MALIGNANT
    )


def with_maps(diagnosis: Diagnosis, square: np.ndarray, bundle: Bundle) -> Diagnosis:
    """A kept diagnosis with its photo and the photo's maps, which are not kept."""
    with torch.inference_mode():
        features = bundle.image_model.feature_map_of_views(bundle.preprocessing(square), bundle.views)
        maps = _heatmaps(features, bundle)
    return replace(diagnosis, square=square, feature_map=features[0].numpy(), heatmaps=maps)


OF_WORDS: Final = ("no_words", NOT_ENGLISH, NO_WORDS, NO_FACTS, FEW_TYPES, "words_cut", "disagree")


def with_words(diagnosis: Diagnosis, prompt: str, bundle: Bundle) -> Diagnosis:
    """The diagnosis of the same photo with other words, which are certain; maps stay as they are.

    prompt: not empty, as the language model gets it.
    """
    seen = None if diagnosis.is_foreign else diagnosis.photo_over(bundle.types)
    how = (bundle.types, bundle.schedule, bundle.chain_temperatures)
    with torch.inference_mode():
        steps = eliminate(bundle.language_model, prompt, seen, *how)
    ranked, single = answer(steps), single_pass(steps)
    flags = [flag for flag in diagnosis.flags if flag not in OF_WORDS]
    flags += ["disagree"] * (ranked[0].type != single[0].type)
    changed = replace(
        diagnosis,
        steps=steps,
        answer=ranked,
        single_pass=single,
        undecided=_undecided(steps, bundle, flags, diagnosis.recommendations, {}),
        unstable=None,
        flags=tuple(flags),
        matters=(),
        narrative=prompt,
    )
    return replace(changed, unstable=_unstable(changed, bundle))


def _heatmaps(features: Tensor, bundle: Bundle) -> dict[str, np.ndarray]:
    maps = class_activation_maps(features[0], bundle.image_model.head.weight).numpy()
    return dict(zip(bundle.image_types, maps, strict=True))


def _ranked(types: tuple[str, ...], probabilities: list[float]) -> tuple[Probability, ...]:
    pairs = [Probability(type_, value) for type_, value in zip(types, probabilities, strict=True)]
    return tuple(sorted(pairs, key=lambda item: -item.probability))
