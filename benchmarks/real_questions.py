"""Runs a bundle on real questions: `python -m benchmarks.real_questions FOLDER [--bundle NAME]`.

FOLDER holds DermaVQA's iiyi_train.json (Yim et al. 2024): posts with dermatologists' replies. A post counts
as named when a reply has a name or synonym of one of the model's first five types. A reply is an opinion
without examination, and most posts concern none of our types: the share is a comparison, no accuracy.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.machine import machine
from skin_ai.diseases import DISEASES
from skin_ai.predict.bundle import DEFAULT_BUNDLE, load_bundle
from skin_ai.predict.diagnose import diagnose
from skin_ai.predict.narrative import NARRATIVE_LIMIT

POSTS, FIRST = 200, 5
LONGEST_ABBREVIATION = 4  # "PR" and the like mean too much else: only longer synonyms are matched


def main() -> None:
    """Prints the share of posts, beside that of the five types that replies name most often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", default=DEFAULT_BUNDLE)
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    posts = json.loads((options.folder / "iiyi_train.json").read_text(encoding="utf-8"))[:POSTS]
    named = [types_named(post["replies"], bundle.types) for post in posts]
    firsts, seconds = [], []
    for post in posts:
        words = f"{post['title']}. {post['content']}"[:NARRATIVE_LIMIT]
        start = time.perf_counter()
        result = diagnose(None, words, bundle)
        seconds.append(time.perf_counter() - start)
        firsts.append({item.type for item in result.answer[:FIRST]})
    counts = Counter(type_ for types in named for type_ in types)
    frequent = {type_ for type_, _ in counts.most_common(FIRST)}
    ours = [place for place, types in enumerate(named) if types]
    print(f"machine: {machine()}; slowest of {len(posts)} diagnoses: {max(seconds):.2f} s")
    print(f"{len(ours)} of {len(posts)} posts have a reply that names one of the {len(bundle.types)} types")
    for name, hits in (
        (f"the model's first {FIRST}", sum(bool(firsts[place] & named[place]) for place in ours)),
        (f"the {FIRST} most frequent in replies", sum(bool(frequent & named[place]) for place in ours)),
    ):
        print(f"{name}: {hits} ({hits / len(posts):.3f} of all, {hits / len(ours):.3f} of these)")


def types_named(texts: Iterable[str], types: Iterable[str]) -> set[str]:
    """Codes of the types that one of the texts has by name or synonym."""
    text = " ".join(texts).casefold()
    return {
        type_
        for type_ in types
        if any(
            re.search(rf"\b{re.escape(term.casefold())}\b", text)
            for term in (DISEASES[type_].name, *DISEASES[type_].synonyms)
            if len(term) > LONGEST_ABBREVIATION
        )
    }


if __name__ == "__main__":
    main()
