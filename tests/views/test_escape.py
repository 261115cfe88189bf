"""Nothing that a log holds can act on a terminal, or hide in it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.views.escape import printable

VISIBLE_FORMAT = {*range(0x0600, 0x0606), 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD}
"""Characters of the category "format" that are drawn: number and verse signs."""

INVISIBLE = {
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),
    *(
        *range(0x180B, 0x1810),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xFFF0, 0xFFF9),
        *range(0xE0000, 0xE1000),
    ),
}
"""Letters and marks that are drawn as nothing: Unicode's Default_Ignorable_Code_Point."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("GET /café?a=1 HTTP/1.1", "GET /café?a=1 HTTP/1.1"),
        ("日本語 ελληνικά 🐕", "日本語 ελληνικά 🐕"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("one\ntwo", "one\\x0atwo"),
        ("one\rtwo", "one\\x0dtwo"),
        ("line\n", "line"),
        ("line\r\n", "line"),
        ("line\n\n", "line\\x0a"),
        ("a\tb", "a b"),
        ("a\0b", "a\\x00b"),
        ("a\x7f", "a\\x7f"),
        ("safe\u202etxt.exe", "safe\\u202etxt.exe"),
        ("a\u2028b", "a\\u2028b"),
        ("a\u200bb", "a\\u200bb"),
        ("\ufeffa", "\\ufeffa"),
        (b"caf\xc3\xa9", "café"),
        (b"caf\xe9", "caf\\xe9"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        (b"\x1b\xff\n", "\\x1b\\xff"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_is_shown_of_a_text(text: str | bytes, expected: str) -> None:
    assert printable(text) == expected


def hidden(code: int) -> bool:
    category = unicodedata.category(chr(code))
    return (category in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in VISIBLE_FORMAT) or code in INVISIBLE


def test_every_character_that_acts_or_hides_is_written_out_and_no_other() -> None:
    """Python's Unicode tables grow with its releases, so this also tells when the list has to; what they do not have
    yet may go either way.
    """
    acting = "".join(chr(code) for code in range(0x110000) if hidden(code) and chr(code) != "\t")
    plain = "".join(
        chr(code) for code in range(0x110000) if not hidden(code) and unicodedata.category(chr(code)) != "Cn"
    )
    assert [f"U+{ord(char):04X}" for char in printable(acting + ".") if not char.isascii()] == []
    assert [f"U+{ord(char):04X}" for char in set(plain) - set(printable(plain))] == []


@given(text=st.text() | st.binary())
def test_one_record_is_one_row_of_harmless_characters(text: str | bytes) -> None:
    shown = printable(text)
    assert not any(hidden(ord(char)) for char in shown)
    assert len(shown.splitlines()) <= 1
    assert printable(shown) == shown
    shown.encode()
