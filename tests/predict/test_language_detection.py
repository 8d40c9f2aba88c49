"""Whether a text is English, for charts, slips, dialects, short and mixed texts."""

import pytest

from skin_ai.predict.language_detection import ENGLISH, NO_LANGUAGE, is_noise, language_of

IN_OTHER_LANGUAGES = {
    "de": "Es juckt und blutet, auf der Nase, ich bin 62.",
    "it": "Prude e sanguina, sul naso, ho 62 anni.",
    "pt": "Coça e sangra, no nariz, tenho 62 anos.",
    "es": "Me pica y sangra, en la nariz, tengo 62 años.",
    "fr": "Ça gratte et ça saigne, sur le nez, j'ai 62 ans.",
    "nl": "Het jeukt en bloedt, op de neus, ik ben 62.",
    "pl": "Swędzi i krwawi, na nosie, mam 62 lata.",
    "sv": "Det kliar och blöder, på näsan, jag är 62.",
    "tr": "Kaşınıyor ve kanıyor, burnumda, 62 yaşındayım.",  # noqa: RUF001
    "ru": "Чешется и кровоточит, на носу, мне 62 года.",
    "ja": "かゆくて出血します。鼻にあります。62歳です。",
    "ar": "حكة ونزيف، على الأنف، عمري 62",
}


@pytest.mark.parametrize(("language", "text"), IN_OTHER_LANGUAGES.items())
def test_another_language_is_named(language: str, text: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text", ["Es juckt.", "Prude.", "No me duele.", "Blutet", "Ngứa", "Gatal sekali", "很痒"]
)
def test_few_words_of_another_language_are_not_english(text: str) -> None:
    assert language_of(text) != ENGLISH


@pytest.mark.parametrize(
    "text", ["It itches, y sangra a veces.", "Tengo 62, bleeding", "Grüße, it itches. Danke!"]
)
def test_mixed_text_is_not_taken_for_english(text: str) -> None:
    assert language_of(text) != ENGLISH


@pytest.mark.parametrize(
    "text",
    [
        "",
        "62",
        "62!",
        "bleeding",
        "Bleeding (-).",
        "Non-pruritic.",
        "itch: y, bleed: n",
        "Itching ✔ bleeding ✘",
        "67M, L ear. Pruritus +, NKDA.",
        "BCC?",
        "O/E volar forearm, c/o tenderness",
        "its ichy af on my nek ngl",
        "dosnt hert but it bleads lol",
        "It's gey sair, this thing on ma lug.",
        "E dey scratch me well well for my back.",
        "it dinnae itch",
        "my abuela says it grew",
    ],
)
def test_slips_dialects_charts_and_single_words_are_english(text: str) -> None:
    assert language_of(text) == ENGLISH


NO_WORDS = {
    "keys side by side": ["asdf", "qwerty", "qwertz", "lkjhg", "asdf jkl", "zxcvbnm"],
    "consonants": ["dfgdfg", "ghjghj", "sdfsdf sdf", "kjshdf kjhsdf kjhsdf", "jfkdls fjdksl"],
    "the same again": ["aaaa", "xxx", "qweqwe", "blabla", "asdfasdf", "aaaaaaa bbbb"],
    "markup": ["<b>x</b>", "<div><p></p></div>", "<br/>", '<img src="a.jpg">'],
    "numbers": ["123 456", "0171 2345678", "1234"],
    "emoji and marks": ["\N{THUMBS UP SIGN}\N{THUMBS UP SIGN}", "...", "☑ ☐", "???", "-"],
    "a letter": ["x", "x y"],
}


@pytest.mark.parametrize("text", [text for texts in NO_WORDS.values() for text in texts])
def test_what_is_no_language_is_not_taken_for_a_foreign_one(text: str) -> None:
    assert language_of(text) == NO_LANGUAGE


@pytest.mark.parametrize(
    "text",
    ["痒", "Prst", "Vlk", "Strč prst skrz krk.", "Poire", "Popo", "Retter", "Gatal-gatal", "<b>Juckt</b>"],
)
def test_short_words_of_other_languages_are_no_noise(text: str) -> None:
    assert language_of(text) not in (ENGLISH, NO_LANGUAGE)


def test_noise_beside_english_words_hides_nothing() -> None:
    assert language_of("It itches and bleeds asdf") == ENGLISH
    assert not any(is_noise(word) for word in ("itches", "rhythm", "skin", "nevus", "crust"))
