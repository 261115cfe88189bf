"""Where the rows of a tick go, and what its segments say of it."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from heeler.formats.access import ACCESS_FORMATS
from heeler.store import Batch, Tick
from heeler.store.lake import Lake
from heeler.store.plan import FEWEST_SEGMENT_ROWS, MOST_BLOB_BYTES, Plan

Batches = Callable[..., Batch]
REQUEST = b'::1 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 2326\n'


def planned(lake: Lake, *batches: Batch) -> Plan:
    for one in batches:
        lake.register(one.format)
    return Plan(lake.catalog, [lake.complete(one) for one in batches])


@pytest.mark.parametrize(("rows", "place"), [(FEWEST_SEGMENT_ROWS - 1, "recent"), (FEWEST_SEGMENT_ROWS, "segment")])
def test_few_rows_go_into_the_catalog_and_many_become_a_segment(
    lake: Lake, batch: Batches, rows: int, place: str
) -> None:
    (part,) = planned(lake, batch(b"a\n" * rows)).parts
    assert part.place == place
    lake.close()


@pytest.mark.parametrize(("extra", "place"), [(0, "recent"), (1, "segment")])
def test_few_rows_of_many_bytes_do_not_go_through_the_catalog(
    lake: Lake, batch: Batches, extra: int, place: str
) -> None:
    half = b"a" * (MOST_BLOB_BYTES // 2 - 1) + b"\n"
    (part,) = planned(lake, batch(half), batch(b"a" * extra + half)).parts
    assert (part.place, part.rows.height) == (place, 2)
    lake.close()


def test_an_unfinished_line_never_becomes_a_segment(lake: Lake, batch: Batches) -> None:
    lines, last = planned(lake, batch(b"a\n" * FEWEST_SEGMENT_ROWS + b"b", unfinished_bytes=1)).parts
    assert (lines.place, lines.rows.height) == ("segment", FEWEST_SEGMENT_ROWS)
    assert (last.place, last.rows.height, last.unfinished_bytes) == ("unfinished", 1, 1)
    lake.close()


def test_a_tick_is_worked_out_without_changing_anything(lake: Lake, batch: Batches) -> None:
    before = list(lake.catalog.iterdump())
    planned(lake, batch(REQUEST, format=ACCESS_FORMATS["common"]), batch(b"a", unfinished_bytes=1, part="q"))
    assert list(lake.catalog.iterdump()) == before
    lake.close()


def test_batches_of_one_tick_follow_each_other_in_their_stream(lake: Lake, batch: Batches) -> None:
    (part,) = planned(lake, batch(b"a\nb\n"), batch(b"x\n", stream="2"), batch(b"c\n")).parts
    assert part.rows.select("log_stream", "seq", "message").rows() == [
        ("web.1", 1, "a"),
        ("web.1", 2, "b"),
        ("2", 1, "x"),
        ("web.1", 3, "c"),
    ]
    assert part.named_extents() == [("app", "web.1", 1, 3, 3), ("app", "2", 1, 1, 1)]
    lake.close()


def test_a_segment_is_kept_by_the_day_it_was_received_whatever_its_lines_claim(
    lake: Lake, folder: Path, batch: Batches
) -> None:
    line = REQUEST.replace(b"2000", b"9999")
    lake.commit(Tick((batch(line * FEWEST_SEGMENT_ROWS, format=ACCESS_FORMATS["common"]),)))
    lake.close()
    (segment,) = folder.rglob("*.parquet")
    assert segment.relative_to(folder).as_posix() == "segments/access/2025-06-15/0000000001-2.parquet"


def test_a_segment_says_what_it_takes_to_take_it_in_again(lake: Lake, folder: Path, batch: Batches) -> None:
    lake.commit(Tick((batch(b"a\n", offset=2),)))
    lake.commit(Tick((batch(b"b\n" * FEWEST_SEGMENT_ROWS, offset=9), batch(b"x", part="q", unfinished_bytes=1))))
    lake.close()
    (segment,) = folder.rglob("*.parquet")
    told = json.loads(pl.read_parquet_metadata(segment)["heeler"])
    rows = FEWEST_SEGMENT_ROWS
    assert (told["tick"], told["table"], told["replaces"]) == (2, "log", [])
    assert told["tables"] == [["log", rows, "segment"], ["log", 1, "unfinished"]]
    assert told["streams"] == [["app", "web.1", 2, rows + 1, rows]]
    assert told["formats"] == [[1, "plain", "log", "{message}"]]
    assert [one[:3] for one in told["positions"]] == [
        ["file", "/var/log/app.log", '{"offset": 9}'],
        ["file", "q", '{"offset": 0}'],
    ]
