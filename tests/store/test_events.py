"""What happened to a part is found among its lines, and counts as none of them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from heeler.formats.access import ACCESS_FORMATS
from heeler.model import SourceEvent
from heeler.query.language import parse
from heeler.store import Batch, Tick
from heeler.store.deleting import Deletion
from heeler.store.events import WARNING
from heeler.store.lake import Lake
from heeler.store.reading import LakeReader
from heeler.store.schema import RECORD_TABLES
from heeler.store.upkeep import Upkeep

LINE = b'192.0.2.1 - - [22/Nov/2026:10:15:%02d +0000] "GET / HTTP/1.1" 200 5 "-" "a"\n'
GAP = SourceEvent("truncated", "a.log was truncated.", lost_bytes=-1)
HOLE = SourceEvent("hole", "a.log has a hole.", lost_bytes=4096)

Batches = Callable[..., Batch]


def rows_of(folder: Path) -> pl.DataFrame:
    reader = LakeReader(folder)
    try:
        frames = [piece.frame().collect() for piece in reader.pieces(list(RECORD_TABLES))]
        return pl.concat(frames, how="diagonal").sort("log_stream", "seq")
    finally:
        reader.close()


def test_an_event_stands_between_the_lines_and_the_export_stays_exact(
    lake: Lake, batch: Batches, export: Callable[..., bytes]
) -> None:
    before = batch(LINE % 1, format=ACCESS_FORMATS["combined"])
    after = replace(batch(LINE % 2, format=ACCESS_FORMATS["combined"]), events=(GAP, HOLE))
    lake.commit(Tick((before, after)))

    rows = rows_of(lake.folder)
    assert rows["seq"].to_list() == [1, 2, 3, 4]
    assert rows["message"].to_list() == [None, GAP.message, HOLE.message, None]
    assert rows["severity"].to_list() == [9, WARNING, WARNING, 9]
    told = [json.loads(text) for text in rows["attributes"].drop_nulls()]
    assert told == [{"event": "truncated", "lost_bytes": None}, {"event": "hole", "lost_bytes": 4096}]
    assert export(lake.folder) == LINE % 1 + LINE % 2


def test_an_event_is_no_line_of_its_stream(lake: Lake, batch: Batches) -> None:
    lake.commit(Tick((replace(batch(LINE % 1, format=ACCESS_FORMATS["combined"]), events=(GAP,)),)))

    reader = LakeReader(lake.folder)
    (info,) = reader.streams()
    reader.close()
    assert (info.lines, info.bytes, info.first_time_us) == (1, len(LINE % 1), info.last_time_us)


def test_an_event_without_lines_is_committed_with_its_position(lake: Lake, batch: Batches) -> None:
    lake.commit(Tick((replace(batch(b"", offset=7), events=(GAP,)),)))

    assert rows_of(lake.folder)["message"].to_list() == [GAP.message]
    assert lake.positions("file") == {"/var/log/app.log": {"offset": 7}}


@pytest.mark.parametrize("restarts", [False, True])
def test_a_line_that_tells_no_time_has_that_of_the_line_before_the_event(
    lake: Lake, folder: Path, batch: Batches, *, restarts: bool
) -> None:
    lake.commit(Tick((batch(LINE % 1, format=ACCESS_FORMATS["combined"]),)))
    lake.commit(Tick((replace(batch(b""), events=(GAP, GAP)),)))
    if restarts:
        lake.close()
        lake = Lake(folder)
    lake.commit(Tick((batch(b"torn\n", format=ACCESS_FORMATS["combined"]),)))

    rows = rows_of(folder)
    assert rows["seq"].to_list() == [1, 2, 3, 4]
    assert rows["time"][3] == rows["time"][0]


@pytest.mark.usefixtures("small_segments")
def test_events_survive_merging_and_the_loss_of_the_catalog(
    lake: Lake, folder: Path, batch: Batches, drain: Callable[[Upkeep, int], None], export: Callable[..., bytes]
) -> None:
    data = b"".join(LINE % (number % 60) for number in range(100))
    one = batch(data, format=ACCESS_FORMATS["combined"])
    lake.commit(Tick((one, replace(one, events=(GAP,)))))
    before = rows_of(folder)
    drain(Upkeep(lake), one.received_us + 10**13)
    lake.close()
    for file in folder.glob("catalog.sqlite*"):
        file.unlink()
    for file in (folder / "backup").glob("*"):
        file.unlink()

    recovered = Lake(folder)
    recovered.close()

    rows = rows_of(folder).filter(log_group="app")
    assert rows.select(before.columns).equals(before)
    assert export(folder) == data * 2


def test_events_are_deleted_with_their_stream_and_counted_as_no_lines(lake: Lake, batch: Batches) -> None:
    lake.commit(Tick((replace(batch(b"one\n"), events=(GAP,)), batch(b"two\n", stream="other"))))
    deletion = Deletion(lake, parse("stream:web.1"))

    assert deletion.count() == 2
    assert deletion.run(2_000_000_000_000_000).records == 2
    reader = LakeReader(lake.folder)
    assert [(one.stream, one.lines, one.bytes) for one in reader.streams()] == [("other", 1, 4), ("web.1", 0, 0)]
    reader.close()
