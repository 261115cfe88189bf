"""Searching a lake finds what one finds by looking at each line, in the order of time, wherever the records lie."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from query_oracle import Record, holds
from query_records import FORMATS, LINES, conditions

from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.lines import split
from heeler.query.language import parse
from heeler.query.tree import Condition, Query
from heeler.store import Batch, Tick, searching, summing
from heeler.store.following import Following
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.store.schema import RECORD_TABLES
from heeler.store.searching import LINE, Search, Wanted, neighbours
from heeler.store.upkeep import Upkeep

NOW_US = 1_764_100_000_000_000
STORED = {number: FORMATS[number] for number in (1, 2, 3, 4, 6)}
"""The formats of which a catalog knows how to make them again."""


@dataclass(frozen=True)
class Stored:
    folder: Path
    records: list[Record]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    """Make a lake of random lines of several formats, in segments, blobs and an unfinished line."""
    patch = pytest.MonkeyPatch()
    patch.setattr("heeler.store.plan.FEWEST_SEGMENT_ROWS", 30)
    patch.setattr("heeler.store.matching.ROW_GROUP_ROWS", 16)
    folder = tmp_path_factory.mktemp("lake")
    yield Stored(folder, filled(folder))
    patch.undo()


def filled(folder: Path) -> list[Record]:
    lines: list[tuple[bytes, str, str]] = []
    with closing(Lake(folder)) as lake:
        for round_, (number, known) in enumerate([*STORED.items()] * 3):
            some = examples(number, 60 if round_ < 8 else 12, seed=round_)
            name = f"stream{number}"
            data = b"".join(line + b"\n" for line in some)
            read = known.parse(split(data), {*known.columns, "section"})
            batch = Batch("file", name, {"offset": round_}, "app", name, known, read, NOW_US + round_, len(data))
            lake.commit(Tick((batch,)))
            lines += [(line, name, known.name) for line in some]
            if round_ == 5:
                list(Upkeep(lake).everything(NOW_US))
    return matched(folder, lines)


def examples(number: int, count: int, seed: int) -> list[bytes]:
    found: list[bytes] = []

    @settings(max_examples=count, derandomize=True, database=None)
    @given(LINES[number])
    def collect(line: bytes) -> None:
        if b"\n" not in line and not line.endswith(b"\r") and line:
            found.append(line)

    collect()
    return found[seed % 7 :] or [b"x"]


def matched(folder: Path, lines: list[tuple[bytes, str, str]]) -> list[Record]:
    """Join lines, in the order of storing, with the columns that the lake has of them."""
    with closing(LakeReader(folder)) as reader:
        frames = [piece.frame().collect() for piece in reader.pieces(list(RECORD_TABLES))]
    rows = pl.concat(frames, how="diagonal").sort("log_stream", "seq").to_dicts()
    by_stream: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_stream.setdefault(row["log_stream"], []).append(row)
    taken = {name: iter(some) for name, some in by_stream.items()}
    return [Record(line, next(taken[stream]), known) for line, stream, known in lines]


def keys(records: list[Record]) -> list[tuple[Any, ...]]:
    order = ("time", "log_group", "log_stream", "seq")
    return sorted((*(one.columns[name] for name in order), one.line + b"\n") for one in records)


def found_by(search: Iterator[pl.DataFrame]) -> list[tuple[Any, ...]]:
    frames = [frame.select("time", "log_group", "log_stream", "seq", LINE) for frame in search if frame.height]
    return [row for frame in frames for row in frame.iter_rows()]


@settings(max_examples=25)
@given(conditions, st.sampled_from([(1, 1), (50, 200), (10**6, 10**6)]), st.integers(1, 40))
def test_a_search_finds_what_one_finds_by_looking(
    stored: Stored, condition: Condition, sizes: tuple[int, int], limit: int
) -> None:
    patch = pytest.MonkeyPatch()
    patch.setattr(searching, "FIRST_WINDOW_ROWS", sizes[0] * 10)
    patch.setattr(searching, "WINDOW_ROWS", sizes[1] * 10)
    expected = keys([record for record in stored.records if holds(condition, record)])
    with closing(LakeReader(stored.folder)) as reader:
        wanted = Wanted(Query(condition), NOW_US)
        assert found_by(Search(reader, wanted).oldest_first()) == expected
        assert found_by(Search(reader, wanted).newest(limit)) == expected[-limit:]
        assert Search(reader, wanted).count() == len(expected)
        assert sorted(b"".join(reader.export(Query(condition))).splitlines(keepends=True)) == sorted(
            key[-1] for key in expected
        )
    patch.undo()


@settings(max_examples=25)
@given(conditions)
def test_what_is_counted_is_what_one_counts_by_looking(stored: Stored, condition: Condition) -> None:
    """By DuckDB over the segments where it can read them itself, else over what the search finds."""
    expected: dict[tuple[Any, Any], int] = {}
    for record in stored.records:
        if holds(condition, record):
            key = (record.columns.get("status"), record.columns["log_stream"])
            expected[key] = expected.get(key, 0) + 1
    query = Query(condition, parse("| count by status, stream").stages)
    with (
        closing(LakeReader(stored.folder)) as reader,
        summing.summary(Search(reader, Wanted(query, NOW_US)), query) as answer,
    ):
        assert {(status, stream): count for status, stream, count in answer.rows} == expected


def rows_of(stored: Stored, text: str) -> list[tuple[Any, ...]]:
    query = parse(text)
    with (
        closing(LakeReader(stored.folder)) as reader,
        summing.summary(Search(reader, Wanted(query, NOW_US)), query) as answer,
    ):
        return list(answer.rows)


def test_top_is_the_most_frequent(stored: Stored) -> None:
    counts: dict[Any, int] = {}
    for record in stored.records:
        path = record.columns.get("path")
        counts[path] = counts.get(path, 0) + 1
    expected = sorted(counts.values(), reverse=True)[:3]
    assert [count for _, count in rows_of(stored, "| top 3 path")] == expected


def test_a_stem_is_the_path_without_its_query(stored: Stored) -> None:
    paths = [record.columns.get("path") for record in stored.records]
    expected = Counter(path if path is None else path.partition("?")[0] for path in paths)

    assert dict(rows_of(stored, "| count by stem")) == expected
    assert any(path and "?" in path for path in paths)


def test_a_search_may_be_of_one_table(stored: Stored) -> None:
    with closing(LakeReader(stored.folder)) as reader:
        counts = [Search(reader, Wanted(Query(), NOW_US), tables=(table,)).count() for table in RECORD_TABLES]

    assert sum(counts) == len(stored.records)
    assert all(counts)


def test_measures_are_those_of_the_numbers(stored: Stored) -> None:
    sizes = [record.columns["bytes"] for record in stored.records if record.columns.get("bytes") is not None]
    assert rows_of(stored, "| max bytes")[0][0] == max(sizes)
    assert rows_of(stored, "| sum bytes")[0][0] == sum(sizes)
    assert rows_of(stored, "| avg bytes")[0][0] == pytest.approx(sum(sizes) / len(sizes))
    assert rows_of(stored, "| p50 bytes")[0][0] == pytest.approx(pl.Series(sizes).quantile(0.5, "linear"))


def test_records_are_sorted_by_a_field_nulls_last(stored: Stored) -> None:
    query = parse("parsed:true | sort -bytes | limit 50")
    with closing(LakeReader(stored.folder)) as reader:
        found = pl.concat(summing.sorted_records(Search(reader, Wanted(query, NOW_US)), query))
    sizes = {(r.columns["log_stream"], r.columns["seq"]): r.columns.get("bytes") for r in stored.records}
    sorted_sizes = [sizes[stream, seq] for stream, seq in found.select("log_stream", "seq").iter_rows()]
    assert sorted_sizes == sorted(sorted_sizes, key=lambda size: -1 if size is None else size, reverse=True)
    assert len(sorted_sizes) == 50


@pytest.mark.parametrize("count", [0, 1, 3])
def test_neighbours_are_the_records_beside_in_their_stream(stored: Stored, count: int) -> None:
    stream = [record for record in stored.records if record.columns["log_stream"] == "stream4"]
    seqs = [record.columns["seq"] for record in stream]
    places = [0, 7, 8, 30, len(seqs) - 1]
    with closing(LakeReader(stored.folder)) as reader:
        runs = neighbours(reader, ("app", "stream4"), [seqs[place] for place in places], count)
    found = sorted({seq for run in runs for seq in run["seq"]})
    expected = sorted(
        {seqs[at] for place in places for at in range(place - count, place + count + 1) if 0 <= at < len(seqs)}
    )
    assert found == expected


def test_what_is_new_is_followed_once_through_flush_and_merge(folder: Path) -> None:
    known = ACCESS_FORMATS["common"]

    def line(number: int) -> bytes:
        return b'192.0.2.7 - - [25/Nov/2026:10:00:40 +0000] "GET /%d HTTP/1.1" 200 1\n' % number

    def commit(lake: Lake, data: bytes, unfinished: int = 0) -> None:
        read = known.parse(split(data), {*known.columns, "section"})
        lake.commit(Tick((Batch("file", "f", {"o": 1}, "app", "web", known, read, NOW_US, len(data), unfinished),)))

    with closing(Lake(folder)) as lake:
        commit(lake, line(1) + line(2))
        with closing(LakeReader(folder)) as reader:
            following = Following(reader, parse("path:/*"), NOW_US)
            assert found_by(following.new()) == []
            commit(lake, line(3) + line(4)[:-1], unfinished=len(line(4)) - 1)
            assert [row[-1] for row in found_by(following.new())] == [line(3)]
            list(Upkeep(lake).everything(NOW_US))
            assert found_by(following.new()) == []
            commit(lake, line(4) + line(5))
            assert [row[-1] for row in found_by(following.new())] == [line(4), line(5)]
            list(Upkeep(lake).everything(NOW_US))
            assert found_by(following.new()) == []


def test_a_query_ends_when_its_time_is_over(stored: Stored) -> None:
    class OverError(Exception):
        pass

    def over() -> None:
        raise OverError

    with closing(LakeReader(stored.folder)) as reader:
        search = Search(reader, Wanted(parse("a"), NOW_US), over)
        with pytest.raises(OverError):
            search.count()
        with pytest.raises(OverError):
            list(search.oldest_first())
        for text in ("e | count", "| sort bytes"):
            query = parse(text)
            search = Search(reader, Wanted(query, NOW_US), over)
            with pytest.raises(OverError), summing.summary(search, query) as answer:
                list(answer.rows)
