"""Deleting records: what is left is the rest, byte for byte and count for count, wherever the process dies."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.errors import EnvironmentFailed
from heeler.formats import Format
from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.choose import PLAIN
from heeler.formats.lines import split
from heeler.query.language import parse
from heeler.query.tree import Query
from heeler.store import Batch, Tick
from heeler.store.deleting import Deleted, Deletion
from heeler.store.lake import Lake
from heeler.store.ordered import metadata_of
from heeler.store.reading import LakeReader
from heeler.store.records import MOST_SECTIONS, OTHER, hits_of, rollup_of
from heeler.store.recovery import COPIES, recover
from heeler.store.upkeep import Upkeep

NOW_US = 1_790_000_000_000_000
LINE = b'10.0.0.%d - - [22/Nov/2026:10:%02d:%02d +0100] "GET /%d/x HTTP/1.1" %d %d\n'
COMMON = ACCESS_FORMATS["common"]


def requests(count: int, first: int = 0) -> list[bytes]:
    return [
        LINE % (n % 7, n // 60 % 60, n % 60, n % 5, 500 if n % 11 == 0 else 200, n) for n in range(first, first + count)
    ]


def batch(
    lines: list[bytes], known: Format = COMMON, *, group: str = "web", stream: str = "s1", unfinished: int = 0
) -> Batch:
    data = b"".join(lines)
    wanted = set(known.columns) | ({"section"} if known.table == "access" else set())
    records = known.parse(split(data), wanted)
    return Batch("file", stream, {"at": len(data)}, group, stream, known, records, NOW_US, len(data), unfinished)


STREAMS = {
    ("web", "s1"): [*requests(2500), b"no request at all\n"],
    ("web", "s10"): requests(300, 2500),
    ("shop", "s1"): requests(40, 2800),
    ("app", "s1"): [b"one\n", b"two\n", b"one\r\n", b"\xff\xfe\n"],
}


def fill(folder: Path) -> None:
    """Make a lake with a segment, several blobs, four streams and two tables."""
    with closing(Lake(folder)) as lake:
        for (group, stream), lines in STREAMS.items():
            known = PLAIN if group == "app" else COMMON
            for start in range(0, len(lines), 2501):
                lake.commit(Tick((batch(lines[start : start + 2501], known, group=group, stream=stream),)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path / "lake")
    return tmp_path / "lake"


def exported(folder: Path, query: str = "") -> bytes:
    with closing(LakeReader(folder)) as reader:
        return b"".join(reader.export(parse(query)))


def delete(folder: Path, query: str) -> Deleted:
    with closing(Lake(folder)) as lake:
        return Deletion(lake, parse(query)).run(NOW_US)


def everything(matches: Callable[[str, str, bytes], bool]) -> bytes:
    """Return the bytes of all lines but those that match, in the order of export."""
    return b"".join(
        line for (group, stream), lines in sorted(STREAMS.items()) for line in lines if not matches(group, stream, line)
    )


def rows_of(folder: Path, table: str) -> pl.DataFrame:
    with closing(LakeReader(folder)) as reader:
        return pl.concat([piece.frame().collect() for piece in reader.pieces([table])] or [pl.DataFrame()])


def counted(folder: Path, table: str) -> pl.DataFrame:
    """Return what a table of counts adds up to."""
    rows = rows_of(folder, table)
    counts = [name for name in ("hits", "bytes") if name in rows.columns]
    keys = [name for name in rows.columns if name not in counts]
    return rows.group_by(keys).agg(pl.col(counts).sum()).filter(pl.any_horizontal(pl.col(counts) != 0)).sort(keys)


def counts_are_right(folder: Path) -> None:
    """Count all records again and compare."""
    records = rows_of(folder, "access")
    parts = records.partition_by("log_group", as_dict=True)
    for table, count in (("hits", hits_of), ("rollup", rollup_of)):
        again = pl.concat(
            [count(str(group), part) for (group,), part in parts.items()] or [rows_of(folder, table).clear()]
        )
        keys = [name for name in again.columns if name not in {"hits", "bytes"}]
        assert counted(folder, table).equals(again.sort(keys)), table


def streams_are_right(folder: Path) -> None:
    with closing(LakeReader(folder)) as reader:
        for stream in reader.streams():
            if (stream.group, stream.stream) not in STREAMS and not stream.bytes:
                continue  # a record of Heeler itself, such as that of a lost catalog, renders to nothing
            whole = exported(folder, f"group:{stream.group} stream:{stream.stream}")
            assert (stream.lines, stream.bytes) == (whole.count(b"\n"), len(whole))


CASES: dict[str, Callable[[str, str, bytes], bool]] = {
    "status:500": lambda _g, _s, line: b'" 500 ' in line,
    "client:10.0.0.3": lambda _g, _s, line: line.startswith(b"10.0.0.3 "),
    "stream:s1": lambda _g, stream, _l: stream == "s1",
    "stream:s10": lambda _g, stream, _l: stream == "s10",
    "group:app": lambda group, _s, _l: group == "app",
    "group:web stream:s1 status:200": lambda group, stream, line: (
        (group, stream) == ("web", "s1") and b'" 200 ' in line
    ),
    "message:one": lambda _g, _s, line: line.startswith(b"one"),
    "parsed:false": lambda _g, _s, line: line.startswith(b"no request"),
    "parsed:true": lambda _g, _s, line: not line.startswith(b"no request"),
    "message:none": lambda _g, _s, _l: False,
}


@pytest.mark.parametrize("query", CASES)
def test_what_is_left_is_the_rest(folder: Path, query: str) -> None:
    matches = CASES[query]
    gone = sum(matches(*key, line) for key, lines in STREAMS.items() for line in lines)
    with closing(Lake(folder)) as lake:
        assert Deletion(lake, parse(query)).count() == gone
    assert delete(folder, query).records == gone
    assert exported(folder) == everything(matches)
    counts_are_right(folder)
    streams_are_right(folder)
    assert delete(folder, query).records == 0


def test_records_keep_their_numbers(folder: Path) -> None:
    before = rows_of(folder, "access").filter(pl.col("status") == 200).sort("log_group", "log_stream", "seq")
    delete(folder, "status:500")
    after = rows_of(folder, "access").filter(pl.col("status") == 200).sort("log_group", "log_stream", "seq")
    assert after.equals(before)


def test_new_lines_come_behind_the_old_numbers(folder: Path) -> None:
    delete(folder, "group:shop")
    with closing(Lake(folder)) as lake:
        lake.commit(Tick((batch(requests(1), group="shop"),)))
    assert rows_of(folder, "access").filter(pl.col("log_group") == "shop")["seq"].to_list() == [41]


def test_a_segment_says_what_it_replaces(folder: Path) -> None:
    delete(folder, "status:500")
    with closing(Lake(folder)) as lake:
        garbage = {row[0] for row in lake.catalog.execute("select path from garbage")}
        new = [row[0] for row in lake.catalog.execute("select path from segment")]
    replaced = {path for one in new for path in metadata_of(folder / one)["replaces"]}
    assert garbage
    assert garbage <= replaced
    assert all((folder / path).exists() for path in garbage)


def test_what_was_deleted_lies_in_no_segment_that_is_served_and_goes_with_upkeep(folder: Path) -> None:
    delete(folder, "client:10.0.0.3")
    with closing(Lake(folder)) as lake:
        upkeep = Upkeep(lake)
        for _ in upkeep.everything(NOW_US):
            pass
    assert exported(folder) == everything(CASES["client:10.0.0.3"])
    counts_are_right(folder)
    left = pl.concat([pl.read_parquet(file) for file in folder.glob("segments/access/*/*.parquet")], how="diagonal")
    assert "10.0.0.3" not in left["client"].to_list()


class Killed(BaseException):
    """What the process dies of."""


def steps_of(folder: Path, query: Query) -> list[str]:
    steps: list[str] = []
    with closing(Lake(folder, steps.append)) as lake:
        Deletion(lake, query).run(NOW_US)
    return steps


def test_killed_at_any_step_all_or_nothing_is_deleted(tmp_path: Path) -> None:
    query = parse("status:500")
    fill(tmp_path / "whole")
    steps = steps_of(tmp_path / "whole", query)
    assert {"delete begins", "delete segment written", "delete transaction ends", "delete ended"} <= set(steps)
    before, after = everything(lambda *_: False), everything(CASES["status:500"])
    seen = set()
    for at in range(len(steps)):
        folder = tmp_path / str(at)
        fill(folder)
        left = at

        def die(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        lake = Lake(folder, die)
        with closing(lake), pytest.raises(Killed):
            Deletion(lake, query).run(NOW_US)
        found = exported(folder)
        assert found in (before, after), steps[at]
        seen.add(found == after)
        counts_are_right(folder)
        streams_are_right(folder)
        delete(folder, "status:500")
        assert exported(folder) == after, steps[at]
        counts_are_right(folder)
        streams_are_right(folder)
    assert seen == {False, True}


@pytest.mark.parametrize("query", [query for query in CASES if query != "message:none"])
def test_what_was_deleted_does_not_come_back_when_the_catalog_is_lost(folder: Path, query: str) -> None:
    delete(folder, query)
    for file in folder.glob("catalog.sqlite*"):
        file.unlink()
    recover(folder)
    assert exported(folder) == everything(CASES[query])
    counts_are_right(folder)
    streams_are_right(folder)


@pytest.mark.parametrize("query", ["status:500", "client:10.0.0.3", "group:web stream:s1 status:200"])
def test_nor_when_its_copies_are_lost_too(folder: Path, query: str) -> None:
    delete(folder, query)
    for file in (*folder.glob("catalog.sqlite*"), *folder.glob(f"{COPIES}/*")):
        file.unlink()
    recover(folder)
    assert exported(folder) == everything(CASES[query])
    counts_are_right(folder)


def test_an_unfinished_line_is_deleted_too(tmp_path: Path) -> None:
    with closing(Lake(tmp_path)) as lake:
        lines = [*requests(3), b'10.0.0.9 - - [22/Nov/2026:10:00:05 +0100] "GET /u HTTP/1.1" 500 7']
        lake.commit(Tick((batch(lines, unfinished=len(lines[-1])),)))
        assert Deletion(lake, parse("client:10.0.0.9")).run(NOW_US).records == 1
    assert exported(tmp_path) == b"".join(requests(3))
    counts_are_right(tmp_path)
    streams_are_right(tmp_path)


def test_an_unfinished_line_that_does_not_match_stays(tmp_path: Path) -> None:
    with closing(Lake(tmp_path)) as lake:
        lines = [*requests(3), b'10.0.0.9 - - [22/Nov/2026:10:00:05 +0100] "GET /u HTTP/1.1" 500 7']
        lake.commit(Tick((batch(lines, unfinished=len(lines[-1])),)))
        assert Deletion(lake, parse("client:10.0.0.1")).run(NOW_US).records == 1
        grown = [lines[-1] + b"7\n"]
        lake.commit(Tick((batch(grown),)))
    assert exported(tmp_path) == b"".join([lines[0], lines[2], *grown])
    counts_are_right(tmp_path)
    streams_are_right(tmp_path)


def test_sections_that_were_counted_as_others_are_taken_back_from_them(tmp_path: Path) -> None:
    line = b'10.0.0.%d - - [22/Nov/2026:10:00:00 +0100] "GET /%d HTTP/1.1" 200 1\n'
    lines = [line % (n % 2, n) for n in range(MOST_SECTIONS + 500)] + [line % (2, n) for n in range(MOST_SECTIONS)]
    with closing(Lake(tmp_path)) as lake:
        lake.commit(Tick((batch(lines),)))
        assert Deletion(lake, parse("client:10.0.0.1")).run(NOW_US).records == 750
    left = counted(tmp_path, "rollup")
    assert left["hits"].sum() == left["bytes"].sum() == 1750
    assert left["hits"].min() == 1
    # The flush before puts one more section to the others, because these count as one of the most frequent then.
    assert left.filter(pl.col("section") == OTHER)["hits"].to_list() == [251]
    assert counted(tmp_path, "hits")["hits"].sum() == 1750


def test_a_disk_that_fails_deletes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Iterator[None]:
        raise OSError(28, "No space left on device")

    with closing(Lake(folder)) as lake:
        monkeypatch.setattr("heeler.store.deleting.write_ordered", full)
        with pytest.raises(EnvironmentFailed, match=r"No space left on device.*Nothing was deleted"):
            Deletion(lake, parse("status:500")).run(NOW_US)
    assert exported(folder) == everything(lambda *_: False)
    counts_are_right(folder)


def test_a_damaged_segment_is_named_and_not_searched(folder: Path) -> None:
    with closing(Lake(folder)) as lake:
        lake.catalog.execute("update segment set damage = 'broken' where \"table\" = 'access'")
        assert Deletion(lake, parse("status:500")).run(NOW_US).damaged == 1


words = st.sampled_from(["a", "b", "c"])


@given(
    st.lists(st.lists(st.tuples(words, st.integers(0, 2)), max_size=5), max_size=4),
    words,
    st.sampled_from(["", "flushed"]),
)
def test_any_lines_but_those_that_match_are_left(
    tmp_path_factory: pytest.TempPathFactory, ticks: list[list[tuple[str, int]]], word: str, upkeep: str
) -> None:
    folder = tmp_path_factory.mktemp("lake")
    with closing(Lake(folder)) as lake:
        for tick in ticks:
            for stream in range(3):
                lines = [message.encode() + b"\n" for message, of in tick if of == stream]
                if lines:
                    lake.commit(Tick((batch(lines, PLAIN, stream=f"s{stream}"),)))
        if upkeep:
            for _ in Upkeep(lake).everything(NOW_US):
                pass
        Deletion(lake, parse(f"message:{word} stream:s1")).run(NOW_US)
    lines_left = [
        message
        for wanted in range(3)
        for tick in ticks
        for message, of in tick
        if of == wanted and not (of == 1 and message == word)
    ]
    assert exported(folder).decode().split() == lines_left
    streams_are_right(folder)
