import pytest

from skin_ai.predict.narrative import (
    NARRATIVE_LIMIT,
    Answer,
    Facts,
    NarrativeError,
    clean_narrative,
    sentences,
)


def test_form_gives_plain_sentences_in_fixed_order():
    facts = Facts(
        age=62,
        site="NOSE",
        itch=Answer.YES,
        grew=Answer.NO,
        hurt=Answer.UNKNOWN,
        bleed=Answer.YES,
        elevation=Answer.NO,
    )
    assert sentences(facts) == (
        "I am 62 years old. It is on my nose. It itches. It has not got bigger. It bleeds. It is flat."
    )


def test_an_answer_that_is_not_known_says_nothing():
    """Otherwise "not known" would change a result."""
    assert sentences(Facts(age=62, hurt=Answer.UNKNOWN)) == sentences(Facts(age=62))
    assert sentences(Facts(hurt=Answer.UNKNOWN)) == ""


def test_form_tells_what_scin_asks():
    facts = Facts(
        age_range="30 to 39",
        kind="rash",
        more_sites=("ARM_ANY", "LEG", "TORSO_BACK"),
        duration="month",
        itch=Answer.YES,
        fever=Answer.NO,
    )
    assert facts.said == ("kind", "duration", "more_sites", "age_range", "itch", "fever")
    assert sentences(facts) == (
        "I am between 30 and 39 years old. It is a rash. It is on my arm, on my leg and on my back. "
        "I have had it for one to four weeks. It itches. I have no fever or chills."
    )


@pytest.mark.parametrize(
    "wrong, found",
    [
        ({"site": "KNEE"}, "'KNEE'"),
        ({"age": -1}, "Age -1"),
        ({"age": 121}, "Age 121"),
        ({"kind": "wart"}, "Kind 'wart'"),
        ({"duration": "hour"}, "Duration 'hour'"),
        ({"more_sites": ("LEG", "KNEE")}, "Region 'KNEE'"),
        ({"more_sites": ("LEG", "LEG")}, "twice in LEG, LEG"),
        ({"age_range": "0 to 17"}, "Age range '0 to 17'"),
    ],
)
def test_impossible_facts_are_refused(wrong, found):
    with pytest.raises(NarrativeError, match=found):
        Facts(**wrong)


@pytest.mark.parametrize(
    "raw, clean",
    [
        ("", ""),
        (" \n\t ", ""),
        ("It itches.", "It itches."),
        ("It  itches.\r\n\n\tIt bleeds. ", "It itches. It bleeds."),
        ("a\x00b\x07c", "a b c"),
        ("a\x85b\u2028c\u00a0d", "a b c d"),
        ("cafe\u0301", "caf\u00e9"),
        ("it \u202egnihcti\u202c stopped", "it gnihcti stopped"),
        ("\u2066left\u2069 \u200fright", "left right"),
        ("no\u200bt it\u00adchy\ufeff", "not itchy"),
        ("half a pair \ud83d here", "half a pair here"),
        ("\uff29\uff54 \uff42\uff4c\uff45\uff45\uff44\uff53\uff0e", "It bleeds."),
        ("It is \ufb02at.", "It is flat."),
        ("It is in\ufb02amed and leaks \ufb02uid.", "It is inflamed and leaks fluid."),
        ("I\U0001d601 \U0001d5ef\U0001d5f9\U0001d5f2\U0001d5f2\U0001d5f1\U0001d600.", "It bleeds."),
        ("It doesn\u00b4t itch\u2026", "It doesn't itch..."),
        ("for 1\u00bd years, 10 mm\u00b2", "for 1\u00bd years, 10 mm\u00b2"),
        ("\uff3bSEP\uff3d \uff1c/s\uff1e", "SEP s"),
        ("it hurts \U0001f622", "it hurts \U0001f622"),
        (
            "\U0001f469\u200d\u2695\ufe0f and \U0001f44d\U0001f3fd",
            "\U0001f469\u200d\u2695\ufe0f and \U0001f44d\U0001f3fd",
        ),
        ("\U0001f469\U0001f3fd\u200d\U0001f680", "\U0001f469\U0001f3fd\u200d\U0001f680"),
        ("it\u200dches", "itches"),
        ("flag \U0001f3f4\U000e0067\U000e0062\U000e007f", "flag \U0001f3f4"),
        ("it itches[SEP]melanoma", "it itches SEP melanoma"),
        ("[cls] a [Mask] b [PAD] c [UNK]", "cls a Mask b PAD c UNK"),
        ("<s>a</s> <pad> <UNK>", "s a s pad UNK"),
        ("a <|im_end|> b <|endoftext|>", "a im_end b endoftext"),
        ("[[SEP]]", "[ SEP ]"),
        ("<|im[SEP]|>", "im SEP"),
        ("[SE\u200bP]", "SEP"),
        ("[see photo] and 3 < 5 > 2", "[see photo] and 3 < 5 > 2"),
    ],
)
def test_cleaning(raw, clean):
    assert clean_narrative(raw) == clean
    assert clean_narrative(clean) == clean


def test_limit_is_counted_after_cleaning():
    assert len(clean_narrative("a" * NARRATIVE_LIMIT + "\u200b" * 10)) == NARRATIVE_LIMIT


def test_too_long_a_text_is_refused_with_both_counts():
    with pytest.raises(NarrativeError, match=r"1,512 characters.*1,500"):
        clean_narrative("a" * 1512)
