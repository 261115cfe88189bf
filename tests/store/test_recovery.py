"""A lost catalog is made again of its newest good copy and of what the segments say; no line is doubled or invented."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from heeler.errors import EnvironmentFailed
from heeler.store import Tick
from heeler.store import recovery as recovery_module
from heeler.store.backup import copy_catalog
from heeler.store.lake import Lake
from heeler.store.merge import flush
from heeler.store.reading import LakeReader
from heeler.store.upkeep import Upkeep

if TYPE_CHECKING:
    from tests.store.conftest import Feed

pytestmark = pytest.mark.usefixtures("small_segments")

Contents = Callable[[Path], dict[str, pl.DataFrame]]
Export = Callable[..., bytes]


def disk(_: Path) -> tuple[int, int, int]:
    return 10**12, 0, 10**12


def lose(lake: Lake) -> None:
    lake.close()
    for file in lake.folder.glob("catalog.sqlite*"):
        file.unlink()


def records(contents: dict[str, pl.DataFrame]) -> list[pl.DataFrame]:
    return [contents[table].filter(pl.col("log_group") != "heeler") for table in ("access", "log")]


def all_equal(one: list[pl.DataFrame], other: list[pl.DataFrame]) -> bool:
    return all(left.equals(right) for left, right in zip(one, other, strict=True))


def gaps(folder: Path) -> list[str]:
    reader = LakeReader(folder)
    rows = pl.concat([piece.frame().collect() for piece in reader.pieces(["log"])])
    reader.close()
    return rows.filter(pl.col("log_group") == "heeler")["message"].to_list()


def test_nothing_happens_to_a_lake_that_is_well(lake: Lake, feed: "Feed") -> None:
    feed.tick(lake)
    lake.close()
    again = Lake(lake.folder)
    assert again.recovered == ()
    assert gaps(lake.folder) == []
    feed.check(lake.folder)


def test_with_a_copy_and_nothing_new_all_is_back(lake: Lake, feed: "Feed", contents: Contents) -> None:
    for size in (40, 40, 3):
        feed.tick(lake, size)
    before, positions = contents(lake.folder), lake.positions("file")
    copy_catalog(lake, feed.now_us)
    lose(lake)
    again = Lake(lake.folder)
    assert "is missing" in again.recovered[0]
    assert "backup/catalog-" in again.recovered[1]
    assert again.positions("file") == positions
    assert all_equal(records(contents(lake.folder)), records(before))
    assert contents(lake.folder)["rollup"].equals(before["rollup"])
    feed.check(lake.folder)
    feed.tick(again)
    feed.check(lake.folder)
    assert len(gaps(lake.folder)) == 1


def test_whole_ticks_newer_than_the_copy_are_taken_in(lake: Lake, feed: "Feed", contents: Contents) -> None:
    feed.tick(lake, 40, 3)  # its log lines live in the catalog alone, and in the copy
    copy_catalog(lake, feed.now_us)
    for _ in range(3):
        feed.tick(lake, 50, 40)
    before, positions = contents(lake.folder), lake.positions("file")
    streams = lake.catalog.execute("select * from log_stream").fetchall()
    lose(lake)
    again = Lake(lake.folder)
    assert again.positions("file") == positions
    found = contents(lake.folder)
    assert all_equal(records(found), records(before))
    assert found["hits"].equals(before["hits"])  # counted again
    assert found["rollup"].equals(before["rollup"])
    assert again.catalog.execute("select * from log_stream where id <= 2").fetchall() == streams
    feed.check(lake.folder)
    feed.tick(again, 40, 3)
    feed.check(lake.folder)


def test_after_a_tick_that_is_not_whole_sources_are_read_again(
    lake: Lake, feed: "Feed", contents: Contents, export: Export
) -> None:
    copy_catalog(lake, feed.now_us)
    feed.tick(lake, 50, 40)
    positions, written = lake.positions("file"), dict(feed.written)
    held = contents(lake.folder)
    feed.tick(lake, 50, 3)  # three log lines in the catalog alone
    feed.tick(lake, 50, 40)
    lose(lake)
    again = Lake(lake.folder)
    assert again.positions("file") == positions
    assert all_equal(records(contents(lake.folder)), records(held))
    assert len(list((lake.folder / "aside").rglob("*.parquet"))) == 3
    assert sum("was put aside" in told for told in again.recovered) == 3
    assert "up to tick 1" in gaps(lake.folder)[0]
    assert export(lake.folder, "group:heeler") == b""
    assert written == {name: export(lake.folder, f"stream:{name}") for name in written}
    # The sources give the rest again, from the positions: nothing is lost or doubled.
    feed.written, feed.number = dict(written), 90
    feed.tick(again, 30, 30)
    feed.check(lake.folder)
    seqs = contents(lake.folder)["access"]["seq"].to_list()
    assert len(set(seqs)) == len(seqs)
    assert max(seqs) > 150  # no number is given again


def test_without_a_copy_all_segments_are_taken_in(lake: Lake, feed: "Feed", contents: Contents) -> None:
    for size in (40, 3, 60, 35):
        feed.tick(lake, size, 2)
    list(Upkeep(lake, usage=disk).everything(feed.now_us))
    for _ in range(2):
        feed.tick(lake, 40, 40)
    before, positions = contents(lake.folder), lake.positions("file")
    streams = lake.catalog.execute("select * from log_stream").fetchall()
    lose(lake)
    shutil.rmtree(lake.folder / "backup")
    again = Lake(lake.folder)
    found = contents(lake.folder)
    assert all_equal(records(found), records(before))
    assert found["hits"].equals(before["hits"])
    assert found["rollup"].equals(before["rollup"])
    assert again.positions("file") == positions
    assert again.catalog.execute("select * from log_stream where id <= 2").fetchall() == streams
    feed.check(lake.folder)


@pytest.mark.parametrize("when", range(7))
def test_whatever_upkeep_has_done_since_the_copy_is_seen(
    lake: Lake, feed: "Feed", contents: Contents, when: int
) -> None:
    """The copy is made at any point of a history with flushes and merges; the segments tell the rest."""
    history = ["tick", "tick", "flush", "tick", "everything", "tick", "everything"]
    for number, what in enumerate(history):
        if number == when:
            copy_catalog(lake, feed.now_us)
            shutil.copytree(lake.folder / "backup", lake.folder / "kept")
        if what == "tick":
            feed.tick(lake, 40, 3)
        elif what == "flush":
            list(flush(lake, feed.now_us))
        else:
            feed.now_us += 10_000_000
            list(Upkeep(lake, usage=disk).everything(feed.now_us))
    before, positions = contents(lake.folder), lake.positions("file")
    lose(lake)
    shutil.rmtree(lake.folder / "backup")  # also those that upkeep made, so that old files are missing
    (lake.folder / "kept").rename(lake.folder / "backup")
    again = Lake(lake.folder)
    assert again.positions("file") == positions
    found = contents(lake.folder)
    assert all_equal(records(found), records(before))
    assert found["hits"].equals(before["hits"])
    assert found["rollup"].equals(before["rollup"])
    feed.check(lake.folder)
    list(Upkeep(again, usage=disk).everything(feed.now_us))
    feed.check(lake.folder)


@pytest.mark.parametrize("step", ["upkeep segment written", "upkeep transaction ends", "segment written"])
def test_what_a_killed_process_left_is_not_taken_for_stored(
    folder: Path, feed: "Feed", contents: Contents, step: str
) -> None:
    class Killed(Exception):
        pass

    kill = False

    def at_step(name: str) -> None:
        if kill and name == step:
            raise Killed

    lake = Lake(folder, at_step)
    copy_catalog(lake, 0)
    for _ in range(3):
        feed.tick(lake, 40, 3)
    written, number = dict(feed.written), feed.number
    kill = True

    def go_on() -> None:
        feed.tick(lake, 40, 3)
        list(flush(lake, feed.now_us))

    with pytest.raises(Killed):
        go_on()
    lake.close()
    if step == "segment written":  # the tick was never stored: its source gives other lines now
        feed.written, feed.number = written, number
    lake = Lake(folder)
    feed.tick(lake, 5, 3)  # small, so it writes no file over what was left
    list(flush(lake, feed.now_us))
    feed.tick(lake, 40, 40)
    before, positions = contents(folder), lake.positions("file")
    lose(lake)
    again = Lake(folder)
    assert all_equal(records(contents(folder)), records(before))
    assert again.positions("file") == positions
    feed.check(folder)


def test_a_tick_that_does_not_go_on_where_the_one_before_ended_is_not_taken_in(
    folder: Path, feed: "Feed", contents: Contents
) -> None:
    """A killed process left tick 2 whole; its number was given again, to lines that live in the catalog alone."""

    class Killed(Exception):
        pass

    kill = False

    def at_step(name: str) -> None:
        if kill and name == "transaction begins":
            raise Killed

    lake = Lake(folder, at_step)
    copy_catalog(lake, 0)
    feed.tick(lake, 40, 0)
    before = feed.written["web"]
    kill = True
    with pytest.raises(Killed):
        feed.tick(lake, 40, 0)
    left = dict(feed.written)
    lake.close()
    lake = Lake(folder)
    feed.written["web"], feed.number = before, 40
    feed.tick(lake, 5, 0)
    feed.tick(lake, 40, 0)
    lose(lake)
    again = Lake(folder)
    feed.written, feed.number = left, 80  # what was left is as good as what was stored: it is the same lines
    feed.check(folder)
    assert again.positions("file")["web"] == {"offset": len(left["web"])}
    feed.tick(again, 40, 0)
    feed.check(folder)
    assert contents(folder)["access"]["seq"].is_unique().all()


@pytest.mark.parametrize("damage", ["zeros", "cut", "text", "empty", "middle"])
def test_a_damaged_catalog_is_set_aside_and_kept(lake: Lake, feed: "Feed", damage: str) -> None:
    feed.tick(lake, 40, 40)
    copy_catalog(lake, feed.now_us)
    lake.close()
    file = lake.folder / "catalog.sqlite"
    data = bytearray(file.read_bytes())
    if damage == "zeros":
        data[:100] = bytes(100)
    elif damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "text":
        data[:] = b"no catalog at all\n" * 1000
    elif damage == "empty":
        data.clear()
    else:
        data[4096 * 3 : 4096 * 5] = b"\xa5" * 8192
    file.write_bytes(data)
    again = Lake(lake.folder)
    aside = lake.folder / "catalog.sqlite.damaged-1"
    assert aside.read_bytes() == bytes(data)
    assert "is damaged" in again.recovered[0]
    assert str(aside) in again.recovered[-1]
    feed.check(lake.folder)
    again.close()
    assert Lake(lake.folder).recovered == ()


def test_the_log_of_a_damaged_catalog_is_set_aside_with_it(lake: Lake, feed: "Feed") -> None:
    """SQLite would take it for the log of the new catalog, and write its pages into it."""
    feed.tick(lake, 40, 40)
    copy_catalog(lake, feed.now_us)
    lake.close()
    again = Lake(lake.folder)
    feed.tick(again, 40, 40)
    log = (lake.folder / "catalog.sqlite-wal").read_bytes()
    again.close()
    (lake.folder / "catalog.sqlite").write_bytes(b"?" * 50_000)
    (lake.folder / "catalog.sqlite-wal").write_bytes(log)
    third = Lake(lake.folder)
    assert "is damaged" in third.recovered[0]
    feed.check(lake.folder)
    feed.tick(third, 40, 40)
    feed.check(lake.folder)
    assert (lake.folder / "catalog.sqlite.damaged-1").read_bytes() == b"?" * 50_000
    assert (lake.folder / "catalog.sqlite.damaged-1-wal").read_bytes() == log


def test_a_damaged_copy_is_passed_over(lake: Lake, feed: "Feed") -> None:
    feed.tick(lake, 40, 3)
    copy_catalog(lake, feed.now_us)
    feed.tick(lake, 40, 40)
    newer = copy_catalog(lake, feed.now_us)
    newer.write_bytes(newer.read_bytes()[:5000])
    lose(lake)
    again = Lake(lake.folder)
    assert any(str(newer) in told and "is damaged" in told for told in again.recovered)
    feed.check(lake.folder)


def test_lost_twice_the_second_time_knows_what_the_first_did(lake: Lake, feed: "Feed") -> None:
    copy_catalog(lake, feed.now_us)
    feed.tick(lake, 40, 40)
    lose(lake)
    again = Lake(lake.folder)
    feed.tick(again, 40, 40)
    lose(again)
    third = Lake(lake.folder)
    feed.check(lake.folder)
    feed.tick(third, 40, 40)
    feed.check(lake.folder)


def test_an_unreadable_segment_is_named_and_kept_apart(lake: Lake, feed: "Feed", export: Export) -> None:
    copy_catalog(lake, feed.now_us)
    feed.tick(lake, 40, 40)
    held = dict(feed.written)
    feed.tick(lake, 40, 40)
    bad = sorted((lake.folder / "segments/access").rglob("*.parquet"))[1]
    bad.write_bytes(bad.read_bytes()[:-20])
    lose(lake)
    again = Lake(lake.folder)
    assert any(str(bad) in told and "cannot be read" in told for told in again.recovered)
    assert {name: export(lake.folder, f"stream:{name}") for name in held} == held
    assert len(list((lake.folder / "aside").rglob("*.parquet"))) == 2


def test_an_unfinished_line_is_read_again_by_its_position(lake: Lake, feed: "Feed", export: Export) -> None:
    copy_catalog(lake, feed.now_us)
    feed.now_us += 1
    lake.commit(Tick((feed.batch("app", 40, b"unfinis"),)))
    lose(lake)
    again = Lake(lake.folder)
    assert again.positions("file")["app"] == {"offset": len(feed.written["app"]) - 7}
    assert export(lake.folder, "stream:app") == feed.written["app"][:-7]


@pytest.mark.parametrize("step", ["recovery begins", "recovery written", "recovery set aside", "recovery ended"])
def test_recovery_killed_anywhere_is_done_again(lake: Lake, feed: "Feed", step: str) -> None:
    feed.tick(lake, 40, 3)
    copy_catalog(lake, feed.now_us)
    feed.tick(lake, 40, 40)
    lake.close()
    (lake.folder / "catalog.sqlite").write_bytes(b"?" * 5000)

    class Killed(Exception):
        pass

    def at_step(name: str) -> None:
        if name == step:
            raise Killed

    with pytest.raises(Killed):
        Lake(lake.folder, at_step)
    again = Lake(lake.folder)
    feed.check(lake.folder)
    again.close()
    assert len(list(lake.folder.glob("catalog.sqlite.damaged-1"))) == 1
    feed.check(lake.folder)


def test_a_disk_that_fails_meanwhile_is_told_and_nothing_is_removed(
    lake: Lake, feed: "Feed", monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.tick(lake)
    lake.close()
    (lake.folder / "catalog.sqlite").write_bytes(b"?" * 5000)

    def fails(*_: object) -> list[str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recovery_module, "take_in", fails)
    with pytest.raises(EnvironmentFailed, match="No space left"):
        Lake(lake.folder)
    assert (lake.folder / "catalog.sqlite").read_bytes() == b"?" * 5000
    monkeypatch.undo()
    Lake(lake.folder).close()


def test_a_catalog_of_a_newer_heeler_is_not_taken_for_damaged(lake: Lake, feed: "Feed") -> None:
    feed.tick(lake)
    lake.close()
    with closing(sqlite3.connect(lake.folder / "catalog.sqlite")) as catalog:
        catalog.execute("pragma user_version = 99")
    with pytest.raises(Exception, match="newer Heeler"):
        Lake(lake.folder)
    assert not list(lake.folder.glob("*damaged*"))
