"""Messages of syslog are cut from a stream in one way only, however it arrives in pieces."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.model import SourceEvent
from heeler.sources.syslog_framing import Framer, one_line

LONGEST = 40


def framed(pieces: list[bytes], longest: int = LONGEST) -> list[bytes | int]:
    """Return the messages in pieces of a stream, and between them how many bytes a record tells to be lost."""
    framer = Framer(longest)
    given: list[bytes | SourceEvent] = []
    for piece in pieces:
        given += framer.feed(piece)
        assert len(framer._buffer) <= longest + 9, "more is held than a message and its count"
    given += framer.finish()
    found: list[bytes | int] = []
    for what in given:
        if isinstance(what, SourceEvent):
            assert what.is_kept
            found.append(what.lost_bytes or 0)
        else:
            assert what.endswith(b"\n")
            found += what[:-1].split(b"\n")
    assert framer.messages == sum(isinstance(part, bytes) for part in found), "a message holds a newline"
    return found


def oracle(stream: bytes, longest: int = LONGEST) -> list[bytes | int]:
    """Cut a whole stream, slowly: RFC 6587, with what this project decided."""
    found: list[bytes | int] = []
    while stream := stream.lstrip(b"\n\0"):
        if counted := re.match(rb"([1-9]\d{0,6}) (?=<)", stream):
            count, rest = int(counted[1]), stream[counted.end() :]
            message, stream = rest[:count], rest[count:]
            found.append(message[:longest].rstrip(b"\n\0").replace(b"\n", b"#012"))
            lost = count - len(message[:longest])
        else:
            message, _, stream = stream.partition(b"\n")
            found.append(message.rstrip(b"\0") if len(message) <= longest else message[:longest])
            lost = max(0, len(message) - longest)
        if lost:
            found.append(lost)
    return found


def pieces_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[begin:end] for begin, end in pairwise(at)]


counted = st.binary(max_size=60).map(lambda text: b"%d <%b" % (len(text) + 1, text))
lines = st.binary(max_size=60).map(lambda text: b"<13>" + text + b"\n")
anything = st.text("<0123 19\n\0ab\r", max_size=30).map(str.encode)
streams = st.lists(st.one_of(counted, lines, anything), max_size=12).map(b"".join)


@given(streams, st.lists(st.integers(0, 2000), max_size=20))
def test_messages_are_those_of_the_whole_stream_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    expected = oracle(stream)
    # An unfinished long line ends with the connection: that its rest is out is told there too.
    assert framed(pieces_of(stream, cuts)) == expected


@given(streams)
def test_messages_are_those_of_the_whole_stream_byte_for_byte(stream: bytes) -> None:
    assert framed([stream[at : at + 1] for at in range(len(stream))]) == oracle(stream)


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_counted_messages_come_back_as_they_were_sent(texts: list[bytes]) -> None:
    messages = [b"<13>" + text for text in texts]
    stream = b"".join(b"%d %b" % (len(message), message) for message in messages)
    assert framed([stream], 100) == [one_line(message) for message in messages]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"<1>a\n4 <2>b<3>c\n", [b"<1>a", b"<2>b", b"<3>c"]),  # framing is detected per message
        (b"6 <1>a\nb<2>c\n", [b"<1>a#012b", b"<2>c"]),  # an embedded newline makes no second record
        (b"5 <1>a\n<2>b\0\n\0<3>c\r\n", [b"<1>a", b"<2>b", b"<3>c\r"]),  # ends that belong to the framing
        (b"\n\n\n<1>\n", [b"<1>"]),  # empty lines are no messages
        (
            b"10 apples\n99999999999 <1>a\n007 <1>b\n0 <1>c\n",
            [b"10 apples", b"99999999999 <1>a", b"007 <1>b", b"0 <1>c"],
        ),
        (b"12", [b"12"]),
        (b"12 ", [b"12 "]),
        (b"12 <1>abc", [b"<1>abc", 6]),  # the connection ended within it
        (b"9999999 <" + b"x" * 50, [b"<" + b"x" * 39, 9999959]),
        (b"60 <" + b"x" * 59 + b"<1>a\n", [b"<" + b"x" * 39, 20, b"<1>a"]),
        (b"x" * 55 + b"\n4 <1>a", [b"x" * 40, 15, b"<1>a"]),  # the rest of a long line is no new message
        (b"x" * 40 + b"\n", [b"x" * 40]),
        (b"x" * 55, [b"x" * 40, 15]),
        (b"<1>a #012 b\n", [b"<1>a #012 b"]),
        (b"<1>aaaaaaaaaaaaaaaaaaaa\n12\n<1>b\n", [b"<1>aaaaaaaaaaaaaaaaaaaa", b"12", b"<1>b"]),
        (b"<1>a\0b\n", [b"<1>a\0b"]),  # a NUL within is kept
    ],
)
def test_messages_and_what_is_lost(stream: bytes, expected: list[bytes | int]) -> None:
    assert framed([stream]) == expected == oracle(stream)
    assert framed([stream[at : at + 1] for at in range(len(stream))]) == expected


def test_mutated_counts_are_bounded_and_lose_nothing_silently() -> None:
    for digits in range(1, 40):
        stream = b"9" * digits + b" <13>" + b"a" * 100 + b"\n<13>next\n"
        found = framed([stream])
        assert found == oracle(stream)
        assert sum(len(part) for part in found if isinstance(part, bytes)) < 3 * LONGEST


@given(st.binary())
def test_a_datagram_is_one_line(data: bytes) -> None:
    line = one_line(data)
    assert b"\n" not in line
    assert line == data.rstrip(b"\n\0").replace(b"\n", b"#012")
