"""Training texts with their facts: free narratives, contrast pairs, and generated texts."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final

from skin_ai.predict.extraction import AGE, UNSAID
from skin_ai.predict.narrative import Answer, Facts, clean_text
from skin_ai.training.extraction_charts import told_by_frames
from skin_ai.training.extraction_slips import with_many_slips
from skin_ai.training.stories import random_facts, random_more_facts
from skin_ai.training.telling import tell
from skin_ai.vocabulary import SYMPTOMS
from skin_ai.wordings import load_wordings

TEXTS: Final = Path(__file__).with_name("texts")
LONGEST: Final = 4000  # characters of a training text
WRITERS: Final = ("a", "b", "c", "d", "e", "f")


@dataclass(frozen=True)
class Example:
    """A text and the facts in it.

    answers: fact -> answer; a fact that is not in it is not asked. The age is years or UNSAID. spans: fact
    -> characters of the words that tell it, where they are known. patient, lesion, writer, kind: where it is
    from.
    """

    text: str
    answers: Mapping[str, str | int]
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    patient: str = ""
    lesion: str = ""
    writer: str = ""
    kind: str = ""


def cleaned(text: str) -> str:
    """The text as the app cleans it, with compatibility characters replaced (Unicode NFKC)."""
    return clean_text(unicodedata.normalize("NFKC", text), LONGEST)


# In free narratives and pairs only what PAD-UFES-20 asks is marked. A further symptom is unsaid there unless
# a word of it occurs; then it is not asked.
HINTS: Final = {
    "burn": re.compile(r"burn|sting|smart|hot|fire|scald|nip", re.I),
    "darken": re.compile(r"dark|black|brown|colou?r|shade|pale|hue|tan|chang|differen|look", re.I),
    "rough": re.compile(
        r"rough|flak|scal|crust|dry|sandpaper|peel|smooth|scab|chap|grit|barnacle|bark|slick", re.I
    ),
    "fluid": re.compile(r"fluid|liquid|weep|ooz|water|wet|leak|pus|blister|runny|juice|discharg|clear", re.I),
    "fever": re.compile(r"fever|chill|temperature|shiver", re.I),
    "tired": re.compile(r"tired|fatigue|exhaust|worn out|weary|energy", re.I),
    "joints": re.compile(r"joint|knee|ache|arthrit", re.I),
    "mouth": re.compile(r"mouth|tongue|gum|lip|ulcer", re.I),
    "breath": re.compile(r"breath|wheez|asthma|lung", re.I),
    "duration": re.compile(
        r"\d|\b(day|week|month|year|morning|yesterday|night|since|ago|summer|winter|spring|autumn|fall|always"
        r"|child|life|time|decade|christmas|easter|new|recent|when|term|season|birth|born|old|early|late"
        r"|january|february|march|april|may|june|july|august|september|october|november|december)",
        re.I,
    ),
}


def without_hint(text: str) -> dict[str, str | int]:
    """Further facts that the text certainly does not state."""
    return {fact: UNSAID for fact, hint in HINTS.items() if not hint.search(text)}


def load_narratives(path: Path) -> tuple[Example, ...]:
    """Rows of narratives.csv (texts/README.md); an empty site or age is one that the text does not state."""
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(
            Example(
                text := cleaned(row["text"]),
                {
                    **without_hint(text),
                    **{symptom: row[symptom] for symptom in SYMPTOMS},
                    "site": row["site"] or UNSAID,
                    AGE: int(row["age"]) if row["age"] else UNSAID,
                },
                patient=row["patient_id"],
                lesion=row["lesion_id"],
                writer=row["writer"],
                kind="narrative",
            )
            for row in csv.DictReader(file)
        )


def load_pairs(*paths: Path) -> tuple[Example, ...]:
    """Texts of contrast pairs; facts that `expected` does not name are unsaid."""
    examples = []
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            text = cleaned(row["text"])
            unsaid = dict.fromkeys((*SYMPTOMS, "site", AGE), UNSAID)
            answers = {**without_hint(text), **unsaid, **row["expected"]}
            examples.append(
                Example(text, answers, patient=row["pair"], writer=row["writer"], kind=row["kind"])
            )
    return tuple(examples)


def template(facts: Facts, rng: Random, *, held_out: bool = False) -> Example:
    """The facts as the generator words them; where one wording states two symptoms, only one is asked."""
    text = tell(facts, rng, held_out=held_out)
    answers: dict[str, str | int] = {
        **{symptom: answer.value for symptom, answer in facts.symptoms.items()},
        "site": facts.site or UNSAID,
        "duration": facts.duration or UNSAID,
        AGE: UNSAID if facts.age is None else facts.age,
    }
    if facts.burn is not Answer.UNSAID:  # burning is pain to whoever fills in PAD-UFES-20's form
        del answers["hurt"]
    if facts.darken is not Answer.UNSAID:
        del answers["changed"]
    if facts.more_sites:
        del answers["site"]
    spans = {} if not text else _wording_spans(text, facts)
    return Example(text or "No words.", answers, spans, kind="template")


def _wording_spans(text: str, facts: Facts) -> dict[str, tuple[int, int]]:
    """Places of the wordings of the stated symptoms, unless typing errors changed them."""
    lowered, spans = text.lower(), {}
    for symptom, answer in facts.symptoms.items():
        if answer is Answer.UNSAID:
            continue
        phrases = [*load_wordings().symptoms[symptom][answer].training]
        phrases += [phrase for form in load_wordings().forms.values() for phrase in form[symptom].training]
        for phrase in sorted(phrases, key=len, reverse=True):
            sought = phrase.lower().rstrip(".")
            if (start := lowered.find(sought)) >= 0:
                spans[symptom] = (start, start + len(sought))
                break
    return spans


def framed(rng: Random) -> Example:
    """A text made from frames; burning and darkening are not asked, as in free texts."""
    told = told_by_frames(rng)
    return Example(
        told.text, {**without_hint(told.text), **told.answers}, told.spans, kind=f"frames: {told.kind}"
    )


NOT_JOINED: Final = ("form", "two spots", "site")


def beside_other_facts(pair: Example, rng: Random) -> Example:
    """The text of a pair, before or after a generated text about other facts."""
    if pair.kind in NOT_JOINED:
        return pair
    facts = random_facts(rng)
    told = {fact for fact, answer in pair.answers.items() if answer != UNSAID}
    left = {symptom: Answer.UNSAID for symptom in SYMPTOMS if symptom in told or rng.random() < 0.5}
    facts = replace(facts, **left)  # type: ignore[arg-type]
    if "site" in told or AGE in told or rng.random() < 0.5:
        facts = replace(facts, site=None, age=None)
    other = template(facts, rng)
    if not facts.said:
        return pair
    texts = [pair.text, other.text]
    answers = dict(pair.answers)
    for fact, answer in other.answers.items():
        if fact in answers and answer != UNSAID:
            answers[fact] = answer
    rng.shuffle(texts)
    return Example(" ".join(texts), answers, kind=pair.kind)


DEVELOPMENT: Final = 8  # one pair in so many chooses between recipes and is never trained on


def split_pairs(pairs: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Pairs for training and for development, both texts of a pair on one side, by a checksum of its name."""
    parts: tuple[list[Example], list[Example]] = ([], [])
    for pair in pairs:
        name = pair.patient[:-1].encode()  # without the letter of the text within the pair
        parts[zlib.crc32(name) % DEVELOPMENT == 0].append(pair)
    return parts


def without_writer(narratives: Sequence[Example], writer: str) -> list[Example]:
    """The narratives of patients of whom this writer wrote nothing."""
    patients = {narrative.patient for narrative in narratives if narrative.writer == writer}
    return [narrative for narrative in narratives if narrative.patient not in patients]


@dataclass(frozen=True)
class Mixture:
    """How many texts of each kind an epoch has; pairs and narratives: how often each."""

    templates: int = 0
    more_templates: int = 0
    frames: int = 0
    pairs: int = 1
    narratives: int = 1
    slips: float = 0.2  # of all texts
    joined: float = 0.3  # of the pairs are told beside other facts


def epoch_examples(
    narratives: Sequence[Example], pairs: Sequence[Example], mixture: Mixture, rng: Random
) -> list[Example]:
    """The texts of one epoch; generated texts, typing errors and what is added to pairs are new each time."""
    examples = [template(random_facts(rng), rng) for _ in range(mixture.templates)]
    examples += [template(random_more_facts(rng), rng) for _ in range(mixture.more_templates)]
    examples += [framed(rng) for _ in range(mixture.frames)]
    for pair in [pair for _ in range(mixture.pairs) for pair in pairs]:
        examples.append(beside_other_facts(pair, rng) if rng.random() < mixture.joined else pair)
    examples += [narrative for _ in range(mixture.narratives) for narrative in narratives]
    return [
        replace(example, text=with_many_slips(example.text, rng), spans={})
        if rng.random() < mixture.slips
        else example
        for example in examples
    ]
