"""Several files as one: sorted by where the clock of each file stood, whatever the pieces they come in."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import accumulate, pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.views.merge import Merge

DAY_S = 86_400
Stamps = Sequence[int | None]

SHAPE: dict[str, pl.DataType | type[pl.DataType]] = {
    "time": pl.Datetime("us"),
    "zone": pl.Int16,
    "parsed": pl.Boolean,
    "name": pl.String,
}


def records(file: int, stamps: Stamps, first: int = 0) -> pl.DataFrame:
    """Lines with these seconds, or None for one that did not parse; each has a name of its own."""
    return pl.DataFrame(
        {
            "time": [None if stamp is None else stamp * 1_000_000 for stamp in stamps],
            "zone": [None if stamp is None else 0 for stamp in stamps],
            "parsed": [stamp is not None for stamp in stamps],
            "name": [f"{file}.{first + row}" for row in range(len(stamps))],
        },
        SHAPE,
    )


class File:
    """One file in pieces; ``handed_out`` counts the lines that were asked for."""

    def __init__(self, number: int, stamps: Stamps, cuts: Sequence[int]) -> None:
        edges = [0, *(edge for edge in accumulate(cuts) if edge < len(stamps)), len(stamps)]
        self.frames = [records(number, stamps[begin:end], begin) for begin, end in pairwise(edges)]
        self.handed_out = 0

    async def read(self) -> AsyncIterator[pl.DataFrame]:
        for frame in self.frames:
            self.handed_out += frame.height
            yield frame


def merged(files: Sequence[File]) -> tuple[list[str], Merge]:
    async def read() -> tuple[list[str], Merge]:
        merge = Merge([file.read() for file in files])
        async with asyncio.timeout(10):
            return [name for frame in [frame async for frame in merge] for name in frame["name"]], merge

    return asyncio.run(read())


def in_order(files: Sequence[Stamps]) -> list[str]:
    """Sort all lines by the newest time of their file so far; a line without time stands where the one before does."""
    lines = []
    for number, stamps in enumerate(files):
        newest = float("-inf")
        for row, stamp in enumerate(stamps):
            newest = max(newest, float("-inf") if stamp is None else stamp)
            lines.append((newest, number, row))
    return [f"{number}.{row}" for _, number, row in sorted(lines)]


STAMPS = st.lists(st.one_of(st.integers(0, 12), st.none()), max_size=12)
PIECES = st.lists(st.integers(0, 5), max_size=8)


@given(files=st.lists(st.tuples(STAMPS, PIECES), min_size=1, max_size=4))
def test_lines_are_sorted_by_the_clock_of_their_file_however_it_is_cut(
    files: list[tuple[list[int | None], list[int]]],
) -> None:
    names, _ = merged([File(number, *file) for number, file in enumerate(files)])

    assert names == in_order([stamps for stamps, _ in files])


FAR = st.lists(st.one_of(st.integers(0, 3), st.integers(2, 9).map(lambda days: days * DAY_S)), max_size=8)


@given(files=st.lists(st.tuples(FAR, PIECES), min_size=1, max_size=3))
def test_what_is_left_out_as_skewed_does_not_depend_on_the_pieces(files: list[tuple[list[int], list[int]]]) -> None:
    whole, of_whole = merged([File(number, stamps, ()) for number, (stamps, _) in enumerate(files)])
    pieces, of_pieces = merged([File(number, *file) for number, file in enumerate(files)])

    assert pieces == whole
    assert of_pieces.skewed == of_whole.skewed == sum(len(stamps) for stamps, _ in files) - len(whole)


@pytest.mark.parametrize(("last", "kept", "skewed"), [([9 * DAY_S], 2, 1), ([9 * DAY_S] * 2, 4, 0)])
def test_a_far_stamp_in_a_piece_of_its_own_is_waited_out(last: list[int], kept: int, skewed: int) -> None:
    """The last line of a file without a newline comes in a piece of its own, and there is nothing to confirm it."""
    names, merge = merged([File(0, [0], ()), File(1, [0, *last], (1, 1))])

    assert (len(names), merge.skewed) == (kept, skewed)


def test_lines_at_one_time_come_from_the_file_named_first() -> None:
    names, _ = merged([File(0, [5, 5, 5], (1, 1)), File(1, [5, 5], (1,)), File(2, [4, 5], ())])

    assert names == ["2.0", "0.0", "0.1", "0.2", "1.0", "1.1", "2.1"]


@pytest.mark.parametrize("stamps", [[7] * 600, list(range(600))], ids=["equal", "rising"])
def test_a_file_is_read_on_only_when_its_lines_can_come_next(stamps: list[int]) -> None:
    """Two files of the same times travel in step, and of a later one no more than a piece is held."""
    same, other, later = File(0, stamps, [10] * 60), File(1, stamps, [10] * 60), File(2, [10**6] * 600, [10] * 60)

    async def read() -> int:
        most = taken = 0
        merge = Merge([same.read(), other.read(), later.read()])
        async for frame in merge:
            most = max(most, same.handed_out + other.handed_out + later.handed_out - taken)
            taken += frame.height
        assert taken == 1800
        return most

    assert asyncio.run(read()) <= 40


def test_no_file_and_empty_files_are_an_empty_log() -> None:
    assert merged([])[0] == []
    assert merged([File(0, [], ()), File(1, [], (0, 0))])[0] == []
    assert merged([File(0, [], ()), File(1, [3], (0, 0))])[0] == ["1.0"]
