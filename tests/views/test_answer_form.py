"""The form for the clinician's own answer, by itself."""

import pytest
from streamlit.testing.v1 import AppTest

from skin_ai.diseases import DISEASES, find
from skin_ai.views.case.answer_form import choices


def form() -> None:
    from skin_ai.study.tables import Stage
    from skin_ai.views.case import answer_form
    from skin_ai.views.case.case_state import CaseState

    answer_form.ask(CaseState(id="one"), Stage.BEFORE)


def test_typing_error_is_answered_with_a_suggestion_and_never_taken():
    app = AppTest.from_function(form, default_timeout=60).run()
    app.multiselect[0].set_value(["melanoma", "basal cell carcinma", "*xyz*"]).run()
    assert not app.exception
    assert [text.value for text in app.text][1:] == [
        "“basal cell carcinma” is not a known diagnosis. Did you mean basal cell carcinoma?",
        "“*xyz*” is not a known diagnosis. It is kept as written.",
    ]
    assert app.multiselect[0].value == ["melanoma", "basal cell carcinma", "*xyz*"]


def listed(typed: str) -> list[str]:
    """The types of the entries that the list shows, which hold what was typed."""
    return [find(term).code for term, shown in choices().items() if typed.casefold() in shown.casefold()]


@pytest.mark.parametrize("code", DISEASES)
def test_standard_name_lists_its_type_once(code):
    name = DISEASES[code].name
    assert listed(name).count(code) == 1
    assert listed(name.split()[0]).count(code) == 1


@pytest.mark.parametrize(("typed", "code"), [("actinic", "ACK"), ("naevus", "NEV"), ("rodent", "BCC")])
def test_type_is_listed_once_however_it_is_called(typed, code):
    assert listed(typed).count(code) == 1


def test_every_synonym_is_listed_or_understood_where_it_is_typed():
    for code, disease in DISEASES.items():
        for term in disease.synonyms:
            assert code in listed(term) or find(term).code == code


def test_synonym_that_the_list_leaves_out_is_answered_with_its_type():
    app = AppTest.from_function(form, default_timeout=60).run()
    app.multiselect[0].set_value(["nodular melanoma"]).run()
    assert [text.value for text in app.text] == ["“nodular melanoma” is kept as melanoma."]


def test_synonym_that_the_list_offers_is_answered_with_its_type():
    app = AppTest.from_function(form, default_timeout=60).run()
    app.multiselect[0].set_value(["AK", "melanoma"]).run()
    assert [text.value for text in app.text] == [
        "1st AK, 2nd Melanoma",
        "“AK” is kept as actinic keratosis.",
    ]


def test_list_is_searched_by_what_it_shows_and_nothing_else():
    for shown in choices().values():
        assert shown.isprintable()  # no invisible characters
    first = [next(term for term, shown in choices().items() if "lentigo" in shown.casefold())]
    assert [find(term).code for term in first] == ["LENT"]  # not lentigo maligna: Enter takes the first one
