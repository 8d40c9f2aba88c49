"""Who may use the app on a network: Streamlit's OpenID Connect sign-in, configured in its secrets.toml.

Without that configuration, as on a laptop, everybody may.
"""

from __future__ import annotations

import hashlib
from typing import Final

import streamlit as st

from skin_ai import settings

ROLE_CLAIMS: Final = ("roles", "groups")


def is_on() -> bool:
    """Whether people sign in: a provider is configured, or the study's role is named.

    The role's name is enough, so that a secrets.toml that cannot be read opens nothing.
    """
    return bool(settings.current().study_role) or _has_provider()


def is_let_in() -> bool:
    return not is_on() or (_has_provider() and bool(st.user.get("is_logged_in")))


def ask() -> None:
    st.title("Sign in")
    if _has_provider():
        st.markdown("You need an account to use this app.")
        st.button("Sign in", type="primary", on_click=st.login)
    else:
        st.error(
            "Sign-in is not configured: `secrets.toml` is missing, cannot be read or has no `[auth]`. "
            "Administrators: see docs/deployment.md."
        )


def bar() -> None:
    if not is_on():
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right"):
        name = next((str(st.user[claim]) for claim in ("name", "email", "sub") if st.user.get(claim)), "")
        st.text(f"Signed in as {name}", width="content")
        st.button("Sign out", icon=":material/logout:", type="tertiary", on_click=st.logout)


def has_study_role() -> bool:
    role = settings.current().study_role
    if not role or not is_let_in():
        return False
    claims = (st.user.get(claim) for claim in ROLE_CLAIMS)
    return any(role == claim or (isinstance(claim, list) and role in claim) for claim in claims)


def person() -> str:
    """Hexadecimal digits that tell people who share a browser apart; "" without sign-in."""
    if not is_on() or not is_let_in():
        return ""
    return hashlib.sha256(f"{st.user.get('iss')} {st.user.get('sub')}".encode()).hexdigest()[:16]


def _has_provider() -> bool:
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets
