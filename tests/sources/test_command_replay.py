"""Which lines of a new life are known: against an oracle, and a server that repeats what it likes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.sources.command_replay import Overlap, Tail, hash_of, overlap, stamp_of, tail_of

LETTERS = st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=9)


def naive(known: list[bytes], new: list[bytes]) -> int:
    """Say how many of ``new`` are repeated, by laying them over ``known`` line by line in every way."""
    ways = []
    for start in range(-len(new), len(known) + 1):
        pairs = [(known[start + at], line) for at, line in enumerate(new) if 0 <= start + at < len(known)]
        if pairs and all(one == other for one, other in pairs):
            ways.append((len(pairs), -sum(start + at < len(known) for at in range(len(new)))))
    return -max(ways)[1] if ways else 0


@given(known=LETTERS, new=LETTERS)
def test_the_overlap_is_that_of_an_oracle(known: list[bytes], new: list[bytes]) -> None:
    assert overlap(known, new).repeated == naive(known, new)


@given(known=st.lists(st.binary(max_size=2), unique=True, min_size=1, max_size=30), data=st.data())
def test_of_different_lines_exactly_those_that_are_known_are_repeated(known: list[bytes], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(known) - 1))
    fresh = [b"new %d" % number for number in range(data.draw(st.integers(0, 5)))]

    assert overlap(known, [*known[first:], *fresh]).repeated == len(known) - first
    assert overlap(known, fresh).repeated == 0
    assert overlap(known, [b"older", *known, *fresh]) == Overlap(len(known) + 1, is_open=False, is_whole=True)


@pytest.mark.parametrize(
    ("known", "new", "expected"),
    [
        (b"", b"ab", Overlap(0, is_open=False, is_whole=False)),
        (b"ab", b"", Overlap(0, is_open=False, is_whole=False)),
        (b"abc", b"bcd", Overlap(2, is_open=False, is_whole=False)),
        (b"abc", b"xyz", Overlap(0, is_open=False, is_whole=False)),
        (b"abc", b"b", Overlap(1, is_open=True, is_whole=False)),  # it was cut short, or goes on with c
        (b"abc", b"ab", Overlap(2, is_open=True, is_whole=False)),
        (b"aaa", b"aaaaa", Overlap(3, is_open=True, is_whole=True)),  # the program said it twice more
        (b"abab", b"abab", Overlap(4, is_open=True, is_whole=True)),
        (b"abab", b"ababab", Overlap(4, is_open=True, is_whole=True)),
        (b"abc", b"cabc", Overlap(4, is_open=False, is_whole=True)),  # it repeats more than is remembered
        (b"abc", b"ac", Overlap(0, is_open=False, is_whole=False)),
    ],
)
def test_examples(known: bytes, new: bytes, expected: Overlap) -> None:
    assert overlap([bytes([one]) for one in known], [bytes([one]) for one in new]) == expected


@given(lines=st.lists(st.binary(max_size=8), max_size=20), most=st.integers(0, 8))
def test_a_tail_is_read_back_from_its_position_as_json(lines: list[bytes], most: int) -> None:
    tail = Tail()
    for line in lines:
        tail = tail.after([line], 1, most, "now")

    assert tail_of(json.loads(json.dumps(tail.position))) == tail
    assert tail.hashes == tuple(map(hash_of, lines[-most:] if most else []))
    assert len(tail.hashes) == min(most, len(lines))
    assert tail.lines == len(lines)


@pytest.mark.parametrize("position", [{}, {"offset": 7}, {"tail": "no hash", "lines": 3}, {"tail": None, "lines": "x"}])
def test_a_position_of_something_else_is_none(position: dict[str, int | str | None]) -> None:
    assert tail_of(position) == Tail()


@pytest.mark.parametrize(
    ("line", "stamp"),
    [
        (b"2026-11-25T10:00:00.123456+00:00 app[web.1]: x\n", "2026-11-25T10:00:00.123456+00:00"),
        (b"2026-11-25T10:00:00Z x", "2026-11-25T10:00:00Z"),
        (b"x 2026-11-25T10:00:00Z", "then"),
        (b"\xff\n", "then"),
    ],
)
def test_the_time_of_a_line_is_its_own_or_that_of_its_receipt(line: bytes, stamp: str) -> None:
    assert stamp_of(line, "then") == stamp
