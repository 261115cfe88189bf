"""Whole files for a store: cut by their bytes alone, known again by device, inode and content."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.clock import FakeClock
from heeler.errors import EnvironmentFailed, UsageError
from heeler.model import Chunk, Position
from heeler.sources.file_lines import whole_lines
from heeler.sources.whole_file import WholeFile


def read(
    path: Path | str, positions: Mapping[str, Position] = {}, *, chunk_bytes: int = 64, longest: int = 1 << 20
) -> list[Chunk]:
    async def run() -> list[Chunk]:
        source = WholeFile(
            path,
            clock=FakeClock(now_us=7),
            prefix="g\0s\0",
            positions=positions,
            chunk_bytes=chunk_bytes,
            longest_line_bytes=longest,
        )
        async with asyncio.timeout(20):
            return [chunk async for chunk in source.read()]

    return asyncio.run(run())


@given(data=st.binary(max_size=300), chunk_bytes=st.integers(1, 50), longest=st.integers(1, 60))
def test_chunks_are_whole_lines_pieces_or_an_unfinished_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, chunk_bytes: int, longest: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "whole.log"
    path.write_bytes(data)

    chunks = read(path, chunk_bytes=chunk_bytes, longest=longest)

    assert b"".join(chunk.data for chunk in chunks) == data
    for chunk in chunks:
        assert sum((chunk.data.endswith(b"\n"), chunk.piece, chunk.unfinished_bytes > 0)) == 1
        assert not chunk.piece or len(chunk.data) == longest
        assert chunk.unfinished_bytes in {0, len(chunk.data)}
        assert all(len(line) <= longest for line in chunk.data.splitlines(keepends=True) if line.endswith(b"\n"))


@given(
    lines=st.lists(st.integers(0, 40).map(lambda size: b"x" * size + b"\n"), max_size=12),
    longest=st.integers(1, 30),
    chunks=st.tuples(st.integers(1, 100), st.integers(1, 100)),
)
def test_where_a_long_line_is_cut_depends_on_its_bytes_alone(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], longest: int, chunks: tuple[int, int]
) -> None:
    path = tmp_path_factory.getbasetemp() / "cuts.log"
    path.write_bytes(b"".join(lines))

    def rows(chunk_bytes: int) -> list[bytes]:
        return [
            row for chunk in read(path, chunk_bytes=chunk_bytes, longest=longest) for row in chunk.data.splitlines()
        ]

    assert rows(chunks[0]) == rows(chunks[1])


def test_reading_goes_on_after_each_position(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"1\n22\n333\n55555555\nunfinished")
    chunks = read(path, chunk_bytes=4, longest=5)

    assert [chunk.data for chunk in chunks] == [b"1\n22\n", b"333\n", b"55555", b"555\n", b"unfin", b"ished"]
    for number, chunk in enumerate(chunks, 1):
        rest = read(path, {chunk.part: chunk.position}, chunk_bytes=4, longest=5)
        assert [one.data for one in rest] == [one.data for one in chunks[number:]]


def test_an_unfinished_line_comes_again_when_it_has_grown(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntw")
    *_, last = read(path)
    assert (last.data, last.unfinished_bytes, last.position["offset"]) == (b"tw", 2, 4)

    assert read(path, {last.part: last.position}) == []
    path.write_bytes(b"one\ntwo")
    [grown] = read(path, {last.part: last.position})
    assert (grown.part, grown.data, grown.unfinished_bytes) == (last.part, b"two", 3)
    path.write_bytes(b"one\ntwo\n")
    [ended] = read(path, {last.part: grown.position})
    assert (ended.data, ended.unfinished_bytes, ended.position["offset"]) == (b"two\n", 0, 8)


def test_other_content_gets_a_part_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    status = path.stat()
    [first] = read(path)
    assert first.part == f"g\0s\0{status.st_dev}:{status.st_ino}:0"

    path.write_bytes(b"two\nthree\n")
    [second] = read(path, {first.part: first.position})
    assert (second.part, second.data) == (first.part[:-1] + "1", b"two\nthree\n")
    assert [event.what for event in second.events] == ["rewritten"]

    assert read(path, {first.part: first.position, second.part: second.position}) == []


@pytest.mark.parametrize("prefix", ["g\0s\0", "g\0other\0"])
def test_only_positions_of_the_same_group_stream_and_file_matter(tmp_path: Path, prefix: str) -> None:
    path, other = tmp_path / "a.log", tmp_path / "b.log"
    path.write_bytes(b"one\n")
    other.write_bytes(b"one\n")
    [chunk] = read(other)
    position = {prefix + chunk.part.removeprefix("g\0s\0"): chunk.position}

    assert [one.data for one in read(path, position)] == [b"one\n"]


def test_what_is_no_file_is_refused_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="is a directory"):
        read(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        read(tmp_path / "none.log")

    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(EnvironmentFailed, match=r"Reading .* failed: Input/output error\. .*start again"):
        read(path)


@pytest.mark.parametrize(
    ("data", "longest", "length"),
    [(b"", 3, 0), (b"ab", 3, 0), (b"ab\n", 3, 3), (b"abc\n", 3, 0), (b"a\nbc", 3, 2), (b"\n\nabc\n", 3, 2)],
)
def test_whole_lines_end_before_the_first_long_one(data: bytes, longest: int, length: int) -> None:
    assert whole_lines(data, longest) == length
