"""What was understood of the words: chips, corrections, what the AI is told and what is kept."""

import pytest
from app_at_work import (
    APP,
    LATER,
    TIMEOUT,
    answer,
    button,
    case,
    deck_zip,
    finish,
    give,
    open_symptom_form,
    texts,
    type_words,
    upload,
    use_sample,
)
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from skin_ai.predict.narrative import AGE_LIMIT, Answer, Facts, sentences
from skin_ai.study.store import Store
from skin_ai.study.tables import Case
from skin_ai.views.case import bundle_choice
from skin_ai.views.case import facts as chips
from skin_ai.views.case.symptom_form import ALSO, CHIPS, OTHER_FACTS, in_words
from skin_ai.views.case.understood import Understood, asked

HUSBAND = (
    "My husband is 78. The spot on his back has got bigger since spring, you can feel it. He says it doesn't "
    "itch or hurt, never bled."
)
TOLD = Facts(
    age=78,
    site="BACK",
    itch=Answer.NO,
    grew=Answer.YES,
    hurt=Answer.NO,
    bleed=Answer.NO,
    elevation=Answer.YES,
)
GERMAN = "Ich bin 70. Der Fleck am Rücken juckt seit drei Wochen und blutet."
# Whether it hurts is left unsure.
FORM_STYLE = "age 54, site: nose\n- itch: y\n- bleed: n\n- pain: only if pressed"
PECULIAR = "My skin has been peculiar lately."
MARKUP = "1) It *itches* <b>a lot</b>, cost $5 or $10, **Bleeds** :red[x] [l](http://a.b) on my nose."


def shown(app: AppTest) -> list[str]:
    """The chips as they read, in their order."""
    return [button.label for button in app.button if (button.key or "").startswith("chip_")]


def chip(app: AppTest, fact: str):
    return app.button(key=f"chip_{fact}_{case(app).id}")


def click(app: AppTest, fact: str, times: int = 1) -> AppTest:
    for _ in range(times):
        chip(app, fact).click().run()
    assert not app.exception
    return app


def field(app: AppTest, kind: str, fact: str):
    return getattr(app, kind)(key=f"{fact}_{case(app).id}_{case(app).facts.changes[fact]}")


def kept(store: Store) -> Case:
    """The only case that is kept."""
    with store.reading() as session:
        return session.scalars(select(Case)).one()


# Chips


def test_facts_of_the_words_are_chips(app):
    type_words(app, HUSBAND)
    assert shown(app) == [
        "Does not itch", "Has grown", "Not painful", "Has not bled", "Raised", "Back", "78 years",
    ]  # fmt: skip
    assert not [button for button in app.button if button.icon == chips.UNCERTAIN]


def test_every_fact_and_answer_has_its_words():
    assert {*CHIPS, *OTHER_FACTS} == set(asked(True))
    labels = [in_words(fact, answer) for fact in CHIPS for answer in Answer]
    assert len(set(labels)) == len(labels)


def test_uncertain_facts_come_first_with_a_mark_that_is_no_colour(app):
    type_words(app, FORM_STYLE)
    assert shown(app)[0] == "Painful?"
    assert chip(app, "hurt").icon == chips.UNCERTAIN
    assert "Please check:" in texts(app)
    assert [label for label in shown(app) if label.endswith("?")] == ["Painful?"]


def test_click_leads_from_yes_to_no_to_not_known_to_not_said_and_the_chip_stays_in_its_place(app):
    type_words(app, HUSBAND)
    place = shown(app).index("Has grown")
    for expected in ("Has not grown", "Growth: not known", "Growth: not stated", "Has grown"):
        assert shown(click(app, "grew"))[place] == expected


@pytest.mark.parametrize(("fact", "label"), [("age", "78 years"), ("site", "Back")])
def test_click_takes_age_or_site_back_and_the_next_one_restores_it(app, fact, label):
    type_words(app, HUSBAND)
    assert label not in shown(click(app, fact))
    assert label in shown(click(app, fact))


def test_place_of_the_clicked_fact_is_marked_in_the_words(app):
    click(type_words(app, HUSBAND), "bleed")
    assert ":orange-background[**never bled**]" in texts(app)
    assert "\N{LEFT DOUBLE QUOTATION MARK}My husband is 78" in texts(app)


def test_markup_in_the_words_is_shown_as_typed(app):
    click(type_words(app, MARKUP), "bleed")
    [marked] = [element.value for element in app.markdown if "orange-background" in element.value]
    for typed in ("<b>", "*itches*", "$5 or $10", "[l](", ":red["):
        assert typed not in marked
    assert r"\<b\>a lot\</b\>" in marked
    assert "://" not in marked


def test_words_without_facts_and_words_that_are_not_english_are_said_to_be_so(app):
    type_words(app, "Good morning doctor, thank you for seeing me.")
    assert chips.NOTHING_FOUND in texts(app)
    type_words(app, GERMAN)
    assert shown(app) == []
    assert chips.NOT_ENGLISH in [info.value for info in app.info]


def test_nothing_is_asked_or_said_where_there_are_no_words(app):
    assert shown(app) == []
    assert "What we understood" not in texts(app)


# The form is the chips, opened


def test_form_and_chips_are_one_thing(app):
    open_symptom_form(type_words(app, HUSBAND))
    assert field(app, "number_input", "age").value == 78
    assert field(app, "selectbox", "site").value == "BACK"
    assert field(app, "segmented_control", "itch").value == "no"
    field(app, "segmented_control", "itch").set_value("yes").run()
    assert "Itches" in shown(app)
    click(app, "itch")
    assert field(app, "segmented_control", "itch").value == "no"
    field(app, "number_input", "age").set_value(79).run()
    assert "79 years" in shown(app)
    field(app, "segmented_control", "changed").set_value("unknown").run()
    assert "Change of appearance: not known" in shown(app)


def test_form_closed_and_opened_holds_what_was_set(app):
    open_symptom_form(app)
    field(app, "segmented_control", "bleed").set_value("yes").run()
    open_symptom_form(app, is_open=False)
    assert shown(app) == ["Has bled"]
    assert field(open_symptom_form(app), "segmented_control", "bleed").value == "yes"


def test_facts_by_hand_alone_make_a_case(app, store):
    open_symptom_form(app)
    field(app, "number_input", "age").set_value(66).run()
    field(app, "selectbox", "site").set_value("NOSE").run()
    field(app, "segmented_control", "bleed").set_value("yes").run()
    answer(app)
    told = Facts(age=66, site="NOSE", bleed=Answer.YES)
    assert case(app).diagnosis.narrative == sentences(told)
    assert (kept(store).narrative, kept(store).age_band, kept(store).body_site) == ("", "60-79", "NOSE")
    assert kept(store).facts_extracted is None
    assert "66 years" in texts(app)


def test_form_takes_no_impossible_age(app):
    open_symptom_form(app)
    assert (field(app, "number_input", "age").min, field(app, "number_input", "age").max) == (0, AGE_LIMIT)


# Editing the words


def test_correction_stays_when_the_words_are_edited(app):
    click(type_words(app, HUSBAND), "bleed")
    assert "Bleeding: not known" in shown(app)
    type_words(app, f"{HUSBAND} He is a farmer.")
    assert "Bleeding: not known" in shown(app)
    assert not [label for label in shown(app) if label.endswith("?")]


def test_correction_that_the_edited_words_contradict_stays_and_stands_out(app):
    click(type_words(app, HUSBAND), "grew")
    type_words(app, HUSBAND.replace("has got bigger since spring", "is the same size as ever"))
    assert "Has not grown" in shown(app)  # it agrees with the words now
    click(app, "elevation", 3)
    assert "Raised" in shown(click(app, "elevation"))
    type_words(app, "A flat spot on my back. It is not raised at all. It itches.")
    assert shown(app)[0] == "Raised?"
    assert shown(click(app, "elevation"))[0] == "Not raised"


def test_fact_taken_back_keeps_its_chip_when_the_words_are_edited(app):
    click(type_words(app, HUSBAND), "bleed", 2)
    type_words(app, f"{HUSBAND} He is a farmer.")
    assert "Bleeding: not stated" in shown(app)


def test_words_deleted_leave_what_was_set_by_hand(app):
    click(type_words(app, HUSBAND), "bleed")
    assert shown(type_words(app, "")) == ["Bleeding: not known"]


# What the AI is told, and what is kept


def test_going_on_confirms_and_the_ai_is_told_the_facts(app, store):
    answer(use_sample_with(app, HUSBAND))
    assert case(app).diagnosis.narrative == sentences(TOLD)
    row = kept(store)
    assert row.facts_extracted["facts"]["bleed"]["answer"] == "no"
    assert row.facts_confirmed == {
        "age": 78, "site": "BACK", "itch": "no", "grew": "yes", "hurt": "no", "changed": "unsaid",
        "bleed": "no", "elevation": "yes",
    }  # fmt: skip
    assert (row.age_band, row.body_site) == ("60-79", "BACK")


def use_sample_with(app: AppTest, words: str) -> AppTest:
    return type_words(use_sample(app), words)


def test_corrected_fact_is_told_and_both_answers_are_kept(app, store):
    click(use_sample_with(app, HUSBAND), "bleed", 3)
    answer(app)
    assert "Has bled" in texts(app)
    assert sentences(Facts(bleed=Answer.YES)) in case(app).diagnosis.narrative
    assert kept(store).facts_extracted["facts"]["bleed"]["answer"] == "no"
    assert kept(store).facts_confirmed["bleed"] == "yes"
    [row] = store.answers().to_dict("records")
    assert row["facts_confirmed"]["bleed"] == "yes"


def test_facts_that_were_never_on_screen_are_not_confirmed(app, store):
    """The words come with the click itself: what is uncertain in them stays so, what was set by hand not."""
    open_symptom_form(use_sample_with(app, ""))
    field(app, "segmented_control", "changed").set_value("yes").run()
    give(app, ["melanoma"])
    app.text_area[0].set_value(FORM_STYLE)
    button(app, "Save my diagnosis and show the AI's").click().run()
    assert kept(store).facts_confirmed == {"changed": "yes"}
    assert kept(store).facts_extracted["facts"]["bleed"]["answer"] == "no"
    read = case(app).diagnosis.narrative
    for fact in (Facts(changed=Answer.YES), Facts(bleed=Answer.NO), Facts(age=54), Facts(site="NOSE")):
        assert sentences(fact) in read


def test_words_that_are_not_english_leave_the_facts_set_by_hand(app, store):
    open_symptom_form(use_sample_with(app, GERMAN))
    field(app, "segmented_control", "itch").set_value("yes").run()
    answer(app)
    assert case(app).diagnosis.narrative == sentences(Facts(itch=Answer.YES))
    assert kept(store).narrative == GERMAN


@pytest.mark.parametrize("noise", ["asdf", "<b>x</b>", "123 456"])
def test_what_is_no_language_is_not_called_foreign(app, noise):
    type_words(app, noise)
    said = [info.value for info in app.info]
    assert chips.NO_WORDS in said
    assert chips.NOT_ENGLISH not in said


def said_to_add(app: AppTest) -> str:
    return "".join(info.value for info in app.info if "So few words" in info.value)


def test_few_words_without_a_photo_get_a_hint_what_to_add_and_hold_nobody_up(app):
    type_words(app, "rash")
    for what in ("what it looks like", "where it is", "since when", "how old the patient is"):
        assert what in said_to_add(app)
    type_words(app, "itchy rash")
    assert "itches" not in said_to_add(app)
    assert "where it is" in said_to_add(app)
    answer(app)
    assert case(app).diagnosis is not None


@pytest.mark.parametrize("words", ["itchy ring on arm, 3 weeks", "", HUSBAND], ids=["enough", "none", "long"])
def test_words_that_say_enough_get_no_hint(app, words):
    type_words(app, words)
    assert not said_to_add(app)


def test_few_words_beside_a_photo_get_no_hint(app):
    type_words(use_sample(app), "spot")
    assert not said_to_add(app)


def test_bundle_that_reads_words_is_told_what_was_set_by_hand_beside_them(app):
    open_symptom_form(type_words(app, PECULIAR))
    field(app, "selectbox", "kind").set_value("rash")
    field(app, "selectbox", "duration").set_value("month")
    field(app, "multiselect", "more_sites").set_value(["LEG", "TORSO_BACK"])
    app.multiselect(key=f"{ALSO}_{case(app).id}_0").set_value(["burn", "fever"]).run()
    expected = {"A rash", "Duration: one to four weeks", "All affected sites: leg, back", "Burns"}
    assert set(shown(app)) >= expected | {"Fever or chills"}
    answer(app)
    assert case(app).diagnosis.bundle == "skin-26"
    read = case(app).diagnosis.narrative
    for part in (PECULIAR, "rash", "my back", "one to four weeks", "burn", "fever"):
        assert part in read


def test_bundle_that_reads_words_gets_them_as_they_are_where_nothing_was_corrected(app):
    answer(type_words(app, HUSBAND))
    assert case(app).diagnosis.bundle == "skin-26"
    assert case(app).diagnosis.narrative == HUSBAND


def test_case_put_away_keeps_its_corrections(app, store):
    click(type_words(app, HUSBAND), "bleed", 3)
    button(app, LATER).click().run()
    assert shown(app) == []
    button(app, "Continue").click().run()
    assert "Has bled" in shown(app)
    fresh = AppTest.from_file(APP, default_timeout=TIMEOUT)
    fresh.session_state["reader"] = app.session_state["reader"]
    fresh.query_params["case"] = case(app).id
    assert "Has bled" in shown(fresh.run())
    answer(fresh)
    assert kept(store).facts_confirmed["bleed"] == "yes"


def test_words_and_facts_are_in_no_log(app, caplog, capfd):
    with caplog.at_level(0):
        click(type_words(app, HUSBAND), "bleed")
        answer(app)
    written = caplog.text + "".join(capfd.readouterr())
    assert "husband" not in written
    assert "never bled" not in written


# Decks


def test_facts_of_a_deck_are_fixed_when_it_is_loaded_and_cannot_be_changed(app, store, monkeypatch):
    app.switch_page("skin_ai/pages/deck.py").run()
    upload(
        app, "One.zip", deck_zip([{"narrative": FORM_STYLE.replace("\n", " ")}], photos={}), "application/zip"
    )
    button(app, "Check and load").click().run()
    assert not app.exception
    row = kept(store)
    assert (row.age_band, row.body_site) == ("40-59", "NOSE")
    assert row.facts_extracted["facts"]["bleed"]["answer"] == "no"
    assert row.facts_confirmed is None
    button(app, "Begin").click().run()
    app.switch_page("skin_ai/pages/case.py").run()
    assert shown(app) == []
    assert ":gray-badge[Nose]" in texts(app)
    assert "Painful?]" in texts(app)
    assert "Symptom form" not in [expander.label for expander in app.expander]
    bundle_choice.models("pad-ufes-20")  # which reads a few words once
    monkeypatch.setattr("skin_ai.predict.words.extract", lambda *_: pytest.fail("The words were read again."))
    monkeypatch.setattr("skin_ai.views.case.understood.load_extraction", lambda: pytest.fail("Read again."))
    app.radio(key="bundle_choice").set_value("pad-ufes-20").run()
    answer(app)
    assert not app.exception
    assert sentences(Facts(bleed=Answer.NO)) in case(app).diagnosis.narrative


# The figure for whoever runs the study


def test_compare_shows_how_often_facts_were_corrected(app):
    click(use_sample_with(app, HUSBAND), "bleed")
    open_symptom_form(app)
    field(app, "segmented_control", "changed").set_value("yes").run()
    finish(answer(app))
    app.switch_page("skin_ai/pages/compare.py").run()
    [table] = [table.value for table in app.table if "Corrected" in table.value]
    rows = {row["Fact"]: tuple(row.values())[1:] for row in table.to_dict("records")}
    assert rows["Bleeding"] == ("1", "1 (100%)", "0")
    assert rows["Change of appearance"] == ("0", "0", "1")
    assert rows["All"] == ("7", "1 (14%)", "1")


def test_compare_shows_the_corrections_to_nobody_else(app, monkeypatch):
    finish(answer(type_words(app, HUSBAND)))
    monkeypatch.setenv("SKIN_AI_STUDY_PASSPHRASE", "a fig on the sill")
    app.switch_page("skin_ai/pages/compare.py").run()
    assert not [table for table in app.table if "Corrected" in table.value]


# The state alone


def test_own_field_of_a_fact_is_not_replaced_when_it_sets_the_fact():
    facts = Understood()
    facts.set("itch", "yes")
    assert facts.changes["itch"] == 0
    facts.go_on("itch")
    assert facts.changes["itch"] == 1
    assert facts.answer("itch") == "no"
