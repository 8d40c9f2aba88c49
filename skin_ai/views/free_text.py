"""What people typed, where a page has only Markdown to show it in; st.text is better where it can be used."""

import re

# Not the point within a number, which Markdown leaves alone: "0.74" stays one word for a screen reader.
MARKDOWN = re.compile(r"[\\`*_\[\]<>#~$:&|!]|(?<!\d)\.|\.(?!\d)|^[+-](?=\s)")


def plain(text: str) -> str:
    """A text that Markdown shows as it was written."""
    return MARKDOWN.sub(r"\\\g<0>", text)
