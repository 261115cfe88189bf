"""The text filter: which texts have it, and where. Case is folded for ASCII only, so lengths never change."""

import string
from typing import Final

from heeler.views.tui.rows import Ink, Row, Span

_FOLD: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def found(text: str, wanted: str) -> bool:
    """Tell whether ``text`` has ``wanted``; every text has an empty one."""
    return wanted.translate(_FOLD) in text.translate(_FOLD)


def marked(text: str, wanted: str, ink: Ink = "plain") -> Row:
    """Return ``text`` with each place of ``wanted`` in the ink of a match."""
    if not wanted:
        return ((text, ink),)
    spans: list[Span] = []
    folded, wanted = text.translate(_FOLD), wanted.translate(_FOLD)
    at = 0
    while (place := folded.find(wanted, at)) >= 0:
        spans += [(text[at:place], ink), (text[place : place + len(wanted)], "match")]
        at = place + len(wanted)
    spans.append((text[at:], ink))
    return tuple(span for span in spans if span[0])
