"""Typed text inside Markdown; where it stands alone, st.text is better."""

import re

# Not the point within a number: "0.74" stays one word for a screen reader.
MARKDOWN = re.compile(r"[\\`*_\[\]<>#~$:&|!]|(?<!\d)\.|\.(?!\d)|^[+-](?=\s)")


def plain(text: str) -> str:
    """The text escaped, so that Markdown shows it as typed."""
    return MARKDOWN.sub(r"\\\g<0>", text)
