from random import Random

from skin_ai.narrative import ALL_SYMPTOMS, PARTICULARS
from skin_ai.training.stories import random_facts, random_wide_facts


def test_wide_facts_are_about_nine_and_name_every_fact():
    rng = Random(0)
    facts = [random_wide_facts(rng) for _ in range(2000)]
    assert 8.5 < sum(len(fact.said) for fact in facts) / len(facts) < 9.5
    assert {name for fact in facts for name in fact.said} == {*PARTICULARS, *ALL_SYMPTOMS}
    like_scin = [fact for fact in facts if fact.more_sites]
    assert 0.45 < len(like_scin) / len(facts) < 0.55
    assert all(fact.age is None and fact.site is None and len(fact.more_sites) <= 3 for fact in like_scin)


def test_random_facts_keep_to_those_of_pad_ufes_20():
    rng = Random(1)
    said = {name for _ in range(300) for name in random_facts(rng).said}
    assert said == {"age", "site", "itch", "grew", "hurt", "changed", "bleed", "elevation"}
