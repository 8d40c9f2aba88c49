"""The form for the clinician's own answer, by itself."""

from streamlit.testing.v1 import AppTest


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
