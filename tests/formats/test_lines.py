"""Splitting bytes into lines: nothing lost, nothing changed, nothing imagined."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.formats.lines import CRLF, LF, NO_ENDING, Lines, split

OCTETS = st.one_of(
    st.binary(max_size=80),
    st.lists(
        st.sampled_from([b"\n", b"\r", b"\r\n", b"\0", b"a", b"\xef\xbb\xbf", b"\xff", b"\xc3", b"\xa9", "é".encode()])
    ).map(b"".join),
)
"""Any bytes, and bytes of which nearly all matter."""


def pieces(lines: Lines) -> list[tuple[bytes, int]]:
    """Return each line without its ending, and its ending."""
    return [
        (lines.data[start:end], int(ending))
        for start, end, ending in zip(lines.starts, lines.ends, lines.ending, strict=True)
    ]


def with_endings(lines: Lines) -> list[bytes]:
    return [lines.data[start:stop] for start, stop in zip(lines.starts, lines.stops, strict=True)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"\n", [(b"", LF)], id="one empty line"),
        pytest.param(b"\n\n", [(b"", LF), (b"", LF)], id="two empty lines"),
        pytest.param(b"a\n", [(b"a", LF)], id="a newline"),
        pytest.param(b"a", [(b"a", NO_ENDING)], id="no newline at the end"),
        pytest.param(b"a\r\n", [(b"a", CRLF)], id="a carriage return and a newline"),
        pytest.param(b"\r\n", [(b"", CRLF)], id="an empty line of a CRLF file"),
        pytest.param(b"\n\r\n", [(b"", LF), (b"", CRLF)], id="an empty line before an empty CRLF line"),
        pytest.param(b"a\r", [(b"a\r", NO_ENDING)], id="a carriage return alone at the end is text"),
        pytest.param(b"a\rb\n", [(b"a\rb", LF)], id="a carriage return within a line is text"),
        pytest.param(b"a\r\r\n", [(b"a\r", CRLF)], id="only the last carriage return belongs to the ending"),
        pytest.param(b"a\r\nb\nc", [(b"a", CRLF), (b"b", LF), (b"c", NO_ENDING)], id="all three endings"),
        pytest.param(b"a\0b\n\0\n", [(b"a\0b", LF), (b"\0", LF)], id="NUL is text"),
        pytest.param(b"\xef\xbb\xbfa\n", [(b"\xef\xbb\xbfa", LF)], id="a byte order mark is text"),
        pytest.param("a\x0bb\x0cc\x85d\u2028e\n".encode(), [("a\x0bb\x0cc\x85d\u2028e".encode(), LF)], id="only LF"),
    ],
)
def test_a_line_ends_at_a_newline_and_nowhere_else(data: bytes, expected: list[tuple[bytes, int]]) -> None:
    assert pieces(split(data)) == expected


@given(data=OCTETS)
def test_the_lines_joined_are_the_data(data: bytes) -> None:
    lines = split(data)
    assert b"".join(with_endings(lines)) == data
    assert all(before == start for before, start in zip([0, *lines.stops], lines.starts, strict=False))
    assert with_endings(lines) == re.findall(rb"[^\n]*\n|[^\n]+\Z", data)
    written = {LF: b"\n", CRLF: b"\r\n", NO_ENDING: b""}
    assert b"".join(text + written[ending] for text, ending in pieces(lines)) == data
    assert not any(ending == LF and text.endswith(b"\r") for text, ending in pieces(lines))


@given(data=OCTETS, choice=st.lists(st.booleans(), max_size=80))
def test_taken_lines_are_the_chosen_ones(data: bytes, choice: list[bool]) -> None:
    lines = split(data)
    rows = np.array((choice + [False] * len(lines))[: len(lines)], np.bool_)
    assert pieces(lines.take(rows)) == [piece for piece, taken in zip(pieces(lines), rows, strict=True) if taken]


@given(data=OCTETS)
def test_readable_lines_are_the_same_lines_decoded_one_by_one(data: bytes) -> None:
    lines = split(data)
    readable = lines.readable()
    expected = [(text.decode("utf-8", "replace").encode(), ending) for text, ending in pieces(lines)]
    assert pieces(readable) == expected


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_valid_text_is_not_copied(text: str) -> None:
    lines = split(text.encode())
    assert lines.readable() is lines


@pytest.mark.parametrize("bad", [b"\xff", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80", b"ok \x80"])
def test_every_other_line_bad_keeps_the_good_ones(bad: bytes) -> None:
    lines = split(b"".join(b"good %d \xc3\xa9\n%b\r\n" % (number, bad) for number in range(5000)))
    readable = pieces(lines.readable())
    assert readable[::2] == pieces(lines)[::2]
    assert readable[1::2] == [(bad.decode("utf-8", "replace").encode(), CRLF)] * 5000


def test_a_character_cut_by_a_line_end_does_not_join_two_lines() -> None:
    lines = split(b"a\xc3\n\xa9b\n").readable()
    assert pieces(lines) == [("a\ufffd".encode(), LF), ("\ufffdb".encode(), LF)]
