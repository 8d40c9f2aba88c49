"""Who may come in on a network: Streamlit's OpenID Connect sign-in, as its secrets.toml configures it.

On a laptop, where nothing is configured, everybody may.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final

import streamlit as st

STUDY_ROLE: Final = "SKIN_AI_STUDY_ROLE"
ROLE_CLAIMS: Final = ("roles", "groups")


def is_on() -> bool:
    """Whether people sign in: a provider is configured, or the study's role is named.

    The role's name is enough, so that a secrets.toml that cannot be read opens nothing.
    """
    return bool(os.environ.get(STUDY_ROLE)) or _has_provider()


def is_let_in() -> bool:
    return not is_on() or (_has_provider() and bool(st.user.get("is_logged_in")))


def ask() -> None:
    """What stands in the place of every page for whoever has not signed in."""
    st.title("Sign in")
    if _has_provider():
        st.markdown("This app is open to those who have an account here.")
        st.button("Sign in", type="primary", on_click=st.login)
    else:
        st.error(
            "Nobody can sign in: `secrets.toml` is missing, cannot be read or has no `[auth]`. "
            "Whoever runs this server finds what belongs there in docs/deployment.md."
        )


def bar() -> None:
    """Who is signed in, and the way out."""
    if not is_on():
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right"):
        name = next((str(st.user[claim]) for claim in ("name", "email", "sub") if st.user.get(claim)), "")
        st.text(f"Signed in as {name}", width="content")
        st.button("Sign out", icon=":material/logout:", type="tertiary", on_click=st.logout)


def has_study_role() -> bool:
    """Whether the provider says of whoever is signed in that the study's role is theirs."""
    role = os.environ.get(STUDY_ROLE)
    if not role or not is_let_in():
        return False
    said = (st.user.get(claim) for claim in ROLE_CLAIMS)
    return any(role == one or (isinstance(one, list) and role in one) for one in said)


def person() -> str:
    """What tells those who share a browser apart: hexadecimal digits, "" where nobody signs in."""
    if not is_on() or not is_let_in():
        return ""
    return hashlib.sha256(f"{st.user.get('iss')} {st.user.get('sub')}".encode()).hexdigest()[:16]


def _has_provider() -> bool:
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets
