"""Readers' feedback beside their cases, for study staff."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from skin_ai.study import flow
from skin_ai.study.database import StoreError
from skin_ai.study.store import RANKS, SCALES, Store
from skin_ai.views import answers_download, local_time
from skin_ai.views.case import answer_form, feedback_form, outcome, pictures
from skin_ai.views.case.samples import find
from skin_ai.views.free_text import plain
from skin_ai.views.session import readers
from skin_ai.vocabulary import plural

ALL = "all"
ON_A_PAGE = 10
STAGES = {"before": "Before the AI", "after": "Final"}


def main() -> None:
    st.title("Feedback")
    st.markdown(
        "What readers say about the AI's results, beside their answers. Only study staff can read it."
    )
    if not readers.asks_to_see_each_reader():
        return
    store = readers.store()
    if store is None:
        return
    try:
        hidden = flow.hidden_decks(store, readers.current_reader(), is_staff=True)
        if hidden:
            names = ", ".join(plain(deck) for deck in sorted(hidden))
            st.markdown(f"Hidden until you have finished: {names}.")
        show(store, store.answers(except_decks=hidden))
    except StoreError as error:
        st.error(str(error))


def show(store: Store, answers: pd.DataFrame) -> None:
    if answers.empty:
        st.markdown("No answers yet.")
        return
    chosen = chosen_answers(answers_download.without_early_references(answers))
    feedback = chosen[(chosen["comment"] != "") | chosen[[*SCALES]].notna().any(axis=1)]
    readings = chosen.drop_duplicates(["reader", "case"])
    st.markdown(
        f"{plural(chosen['reader'].nunique(), 'reader')}, {plural(len(readings), 'reading')}: "
        f"{len(feedback)} with feedback, {(feedback['comment'] != '').sum()} with a comment."
    )
    show_scales(feedback)
    st.header("Download")
    st.markdown("All answers chosen above, one per row, with their feedback.")
    answers_download.offer(chosen, st.checkbox("Include the patient's words", key="with_words"))
    st.header("Individual readings")
    only_comments = st.toggle("Only those with a comment", key="only_comments")
    listed = feedback[feedback["comment"] != ""] if only_comments else feedback
    if listed.empty:
        st.markdown("No feedback matches these filters.")
        return
    pages = -(-len(listed) // ON_A_PAGE)
    page = st.number_input(f"Page (1 to {pages})", 1, pages, 1, key="page") if pages > 1 else 1
    newest_first = listed.iloc[::-1].iloc[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]
    for row in newest_first.to_dict("records"):
        show_reading(store, row, chosen)


def chosen_answers(answers: pd.DataFrame) -> pd.DataFrame:
    deck, role, blinding = st.columns(3)
    names = sorted(set(answers["deck"]) - {""})
    which = deck.selectbox("Deck", [ALL, "own cases and samples", *names], key="filter_deck")
    if which != ALL:
        answers = answers[answers["deck"] == ("" if which == "own cases and samples" else which)]
    who = role.selectbox("Role", [ALL, *sorted(set(answers["role"]) - {""})], key="filter_role")
    if who != ALL:
        answers = answers[answers["role"] == who]
    blind = blinding.selectbox("Blinding", [ALL, "blinded", "unblinded"], key="filter_blinding")
    return answers if blind == ALL else answers[answers["blinded"] == (blind == "blinded")]


def show_scales(feedback: pd.DataFrame) -> None:
    st.table(
        [
            {
                "": question,
                **{str(level): str(int((feedback[scale] == level).sum())) for level in feedback_form.ANSWERS},
                "Mean": f"{feedback[scale].mean():.1f}" if feedback[scale].notna().any() else "none",
            }
            for scale, question in feedback_form.QUESTIONS.items()
        ],
        hide_index=True,
        border="horizontal",
    )
    st.caption("Number of readings with each rating, from 1 (not at all) to 5 (fully).")


def show_reading(store: Store, row: dict[str, object], answers: pd.DataFrame) -> None:
    case = str(row["case"])
    mine = answers[(answers["case"] == case) & (answers["reader"] == row["reader"])]
    with st.container(border=True):
        photo_side, feedback_side = st.columns([1, 3], gap="medium")
        with photo_side:
            sample = find(str(row["sample"]))
            pixels = sample.pixels() if sample else flow.kept_photo(store, case)
            if pixels is not None:
                title = sample.caption if sample else "Photo"
                pictures.show(pictures.as_uri(pixels), title, "Photo of the case")
            else:
                st.caption("No photo kept")
        with feedback_side, st.container(gap="xsmall"):
            show_who(row)
            if row["comment"]:
                st.text(f"“{row['comment']}”")
            show_answers(row, mine)
            scales = [
                f"{feedback_form.QUESTIONS[scale]}: {row[scale]} of {max(feedback_form.ANSWERS)}"
                for scale in SCALES
                if not pd.isna(row[scale])
            ]
            st.caption(" · ".join(scales))
            with st.expander("The patient's words"):
                st.text(str(row["narrative"]) or "none")


def show_who(row: dict[str, object]) -> None:
    years = f"{row['years_of_practice']} years of practice" if row["years_of_practice"] else ""
    blinded = "" if row["blinded"] else "saw the AI first"
    answered = local_time.in_words(pd.Timestamp(row["answered_at"]), "%Y-%m-%d %H:%M")
    who = filter(None, (answered, row["reader"], row["role"], years, blinded))
    st.caption(" · ".join(plain(str(part)) for part in who))


def show_answers(row: dict[str, object], answers: pd.DataFrame) -> None:
    """What the reader and the AI said, with a tick or a cross where the reference may be known."""
    reference = str(row["truth"])
    if reference:
        st.text(f"Reference diagnosis: {answer_form.written(reference)}")
    for answer in answers.sort_values("stage", ascending=False).to_dict("records"):
        ranks = [answer[rank] for rank in RANKS if answer[rank]]
        malignancy = None if pd.isna(answer["malignancy"]) else int(answer["malignancy"])
        said = answer_form.in_words(ranks, answer["confidence"], answer["management"], malignancy)
        st.text(f"{outcome.mark(ranks[0], reference)}{STAGES[answer['stage']]}: {said}")
    if row["ai_answer"]:
        first = row["ai_answer"][0][0]  # type: ignore[index]
        is_undecided = bool(row["ai_undecided"])
        said = outcome.ai_in_words(first, is_undecided)
        st.text(f"{outcome.mark(first, reference, is_undecided)}AI: {said}")


main()
