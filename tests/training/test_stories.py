from random import Random

from skin_ai.training.stories import SENTENCE_END, load_stories, random_facts, varied


def test_random_facts_keep_to_those_of_pad_ufes_20():
    rng = Random(1)
    said = {name for _ in range(300) for name in random_facts(rng).said}
    assert said == {"age", "site", "itch", "grew", "hurt", "changed", "bleed", "elevation"}


def test_retold_story_is_the_same_for_a_seed_and_loses_one_sentence_at_most():
    for number, story in enumerate(load_stories()[::25]):
        text = varied(story.text, Random(number))
        assert text == varied(story.text, Random(number))
        sentences = SENTENCE_END.split(story.text)
        shortest = sum(map(len, sentences)) - max(map(len, sentences))
        assert 0.8 * shortest <= len(text) <= 1.1 * len(story.text)


def test_short_story_keeps_all_its_sentences():
    assert all(varied("It itches. It bleeds.", Random(seed)).count("t") >= 2 for seed in range(50))
