"""Log text is hostile wherever it is shown. Nothing reaches a terminal without passing here.

A line of a log may carry escape sequences that retitle a window, write to the clipboard, hide text or forge further
lines (CWE-150). Everything that is not plainly printable is written as Python would write it; the bytes themselves
stay as they are in the store.
"""

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f"  # C0 without tab, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # marks and fillers that show nothing
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidi
    "\ufe00-\ufe0f\ufeff\ufff0-\ufffb"  # variation selectors, BOM, interlinear marks
    "\ud800-\udfff"  # lone surrogates: bytes that were no UTF-8
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # joiners of hieroglyphs, shorthand, music
    "\U000e0000-\U000e0fff]"  # tags
)


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # what `surrogateescape` made of a byte
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def printable(text: str | bytes) -> str:
    r"""Return ``text`` with everything that could act on a terminal, or hide, written out.

    Bytes are read as UTF-8, and what is none is shown as ``\xNN``. Tabs become one blank. A newline at the very end
    is dropped; any other is written out, so one record is one row.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    return _HIDDEN.sub(_shown, text.removesuffix("\n").removesuffix("\r")).replace("\t", " ")
