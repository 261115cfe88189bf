"""Upkeep changes how a lake lies on the disk and nothing of what it holds, wherever it is killed."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from heeler.errors import EnvironmentFailed
from heeler.store import Tick, merge, records
from heeler.store import upkeep as upkeep_module
from heeler.store.backup import copy_catalog
from heeler.store.lake import Lake
from heeler.store.ordered import metadata_of
from heeler.store.reading import LakeReader
from heeler.store.setting import number_of
from heeler.store.upkeep import Upkeep
from heeler.store.verify import collect

if TYPE_CHECKING:
    from tests.store.conftest import Feed

HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000

Contents = Callable[[Path], dict[str, pl.DataFrame]]
Equal = Callable[[dict[str, pl.DataFrame], dict[str, pl.DataFrame]], bool]
Drain = Callable[[Upkeep, int], None]


class Killed(Exception):
    """The process ended here."""


class KillAt:
    """Ends the process at the step of a number; counts them where there is none."""

    def __init__(self, number: int | None = None) -> None:
        self.steps: list[str] = []
        self.number = number
        self.armed = False

    def __call__(self, step: str) -> None:
        if not self.armed:
            return
        self.steps.append(step)
        if len(self.steps) - 1 == self.number:
            raise Killed(step)


def disk(_: Path) -> tuple[int, int, int]:
    return 10**12, 0, 10**12


def upkeep_of(lake: Lake) -> Upkeep:
    return Upkeep(lake, usage=disk, monotonic=lambda: 0.0)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "segments").rglob("*.parquet"))


@pytest.mark.usefixtures("small_segments")
def test_all_rows_and_columns_are_the_same_before_and_after(
    lake: Lake, feed: "Feed", contents: Contents, equal: Equal
) -> None:
    for size in (40, 100, 3, 500):
        for _ in range(4):
            feed.tick(lake, size, size // 8)
    before = contents(lake.folder)
    assert before["access"].height == sum((40, 100, 3, 500)) * 4
    list(upkeep_of(lake).everything(feed.now_us))
    assert equal(contents(lake.folder), before)
    feed.check(lake.folder)
    assert len(files(lake.folder)) == 4  # one for each table
    assert lake.catalog.execute("select count(*) from recent").fetchone() == (0,)


def test_records_lie_in_the_order_that_packs_best(lake: Lake, feed: "Feed") -> None:
    for _ in range(5):
        feed.tick(lake, 400, 0)
    list(upkeep_of(lake).everything(feed.now_us))
    rows = pl.read_parquet(lake.folder / "segments/access/*/*.parquet")
    expected = rows.sort(pl.col("time").dt.truncate("1h"), "client", "seq")
    assert rows.equals(expected)
    assert not rows["seq"].is_sorted()


@pytest.mark.usefixtures("small_segments")
def test_a_merged_segment_names_what_it_replaces_and_its_extents(lake: Lake, feed: "Feed") -> None:
    for _ in range(3):
        feed.tick(lake, 50, 0)
    before = [file.relative_to(lake.folder).as_posix() for file in files(lake.folder)]
    list(upkeep_of(lake).everything(feed.now_us))
    (file,) = (lake.folder / "segments/access").rglob("*.parquet")
    says = metadata_of(file)
    assert says["replaces"] == before
    assert says["streams"] == [["app", "web", 1, 150, 150]]
    assert lake.catalog.execute("select first_seq, last_seq, rows from extent").fetchall() == [(1, 150, 150)]


@pytest.mark.usefixtures("small_segments")
def test_a_lake_is_kept_small_by_small_slices(
    lake: Lake, feed: "Feed", contents: Contents, equal: Equal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "MOST_RECENT_ROWS", 400)
    upkeep = upkeep_of(lake)
    for number in range(120):
        feed.tick(lake, 20 + number % 3 * 20, 3, seconds=10)
        upkeep.step(feed.now_us, 0)  # no time at all: one bit of work each
    before = contents(lake.folder)
    for _ in range(200):
        feed.now_us += 10_000_000
        upkeep.step(feed.now_us, 0)
    assert equal(contents(lake.folder), before)
    feed.check(lake.folder)
    assert lake.catalog.execute("select count(*) from segment").fetchone()[0] < 40
    assert lake.catalog.execute("select count(*) from recent").fetchone() == (0,)


@pytest.mark.usefixtures("small_segments")
def test_nothing_is_merged_while_lines_come_as_fast_as_they_can_be_read_until_too_much_waits(
    lake: Lake, feed: "Feed", monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        feed.tick(lake, 50, 5)
    upkeep = upkeep_of(lake)

    def unmerged_after_a_day() -> int:
        feed.now_us += DAY_US
        while upkeep.step(feed.now_us, 0, is_busy=True):
            pass
        return int(lake.catalog.execute("select count(*) from segment where ordered = 0").fetchone()[0])

    assert unmerged_after_a_day() == 5
    monkeypatch.setattr(upkeep_module, "MOST_UNMERGED", 5)
    assert unmerged_after_a_day() == 0
    feed.check(lake.folder)


@pytest.mark.usefixtures("small_segments")
def test_a_day_that_is_over_becomes_one_segment_a_table(lake: Lake, feed: "Feed", drain: Drain) -> None:
    for _ in range(5):
        feed.tick(lake, 50, 5)
    upkeep = upkeep_of(lake)
    drain(upkeep, feed.now_us + DAY_US)
    found = lake.catalog.execute('select "table", count(*) from segment group by "table" order by 1').fetchall()
    assert found == [("access", 1), ("hits", 1), ("log", 1), ("rollup", 1)]


def test_an_unfinished_line_stays_where_it_can_be_joined(lake: Lake, feed: "Feed") -> None:
    lake.commit(Tick((feed.batch("app", 3, b"half"),)))
    list(upkeep_of(lake).everything(feed.now_us))
    assert lake.catalog.execute("select rows from recent where unfinished is not null").fetchall() == [(1,)]
    feed.written["app"] = feed.written["app"].removesuffix(b"half")
    batch = feed.batch("app", 0, b"half a line\n")
    lake.commit(Tick((replace(batch, unfinished_bytes=0),)))
    list(upkeep_of(lake).everything(feed.now_us))
    feed.check(lake.folder)


def test_what_was_counted_is_summed_and_capped(lake: Lake, feed: "Feed", monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(6):
        feed.tick(lake, 7, 0)  # 42 lines of six seconds, with nine sections: each tick is below the cap
    monkeypatch.setattr(records, "MOST_SECTIONS", 5)
    list(upkeep_of(lake).everything(feed.now_us))
    (file,) = (lake.folder / "segments/rollup").rglob("*.parquet")
    rows = pl.read_parquet(file)
    assert rows["hits"].sum() == 38  # four of the lines do not parse
    assert rows["section"].n_unique() == 6
    assert rows.filter(pl.col("section") == "(other)")["hits"].sum() > 0


def steps_of_upkeep(folder: Path, feed: "Feed") -> list[str]:
    kill = KillAt()
    lake = filled(folder, feed, kill)
    list(upkeep_of(lake).everything(feed.now_us))
    lake.close()
    return kill.steps


def filled(folder: Path, feed: "Feed", kill: KillAt) -> Lake:
    lake = Lake(folder, kill)
    for _ in range(4):
        feed.tick(lake, 40, 4)
    (folder / "segments/access/unknown.parquet").write_bytes(b"?")
    os.utime(folder / "segments/access/unknown.parquet", (0, 0))
    kill.armed = True
    return lake


@pytest.mark.usefixtures("small_segments")
def test_killed_between_any_two_steps_nothing_is_lost_or_doubled(
    tmp_path: Path, feed: "Feed", contents: Contents, equal: Equal
) -> None:
    steps = steps_of_upkeep(tmp_path / "all", feed)
    assert {
        "upkeep segment begins",
        "upkeep segment written",
        "upkeep transaction begins",
        "upkeep transaction ends",
        "upkeep merged",
        "upkeep check begins",
        "upkeep copy written",
        "upkeep copy noted",
        "upkeep unlinked",
        "upkeep garbage forgotten",
        "upkeep unknown unlinked",
    } <= set(steps)
    for number, step in enumerate(steps):
        fed = type(feed)()
        folder = tmp_path / str(number)
        lake = filled(folder, fed, KillAt(number))
        before = contents(folder)
        with pytest.raises(Killed, match=step):
            list(upkeep_of(lake).everything(fed.now_us))
        lake.close()
        assert equal(contents(folder), before), step
        lake = Lake(folder)
        assert lake.recovered == ()
        assert equal(contents(folder), before), step
        fed.tick(lake)
        before = contents(folder)
        list(upkeep_of(lake).everything(fed.now_us))
        assert equal(contents(folder), before), step
        fed.check(folder)
        listed = {row[0] for row in lake.catalog.execute("select path from segment")}
        left = [file for file in files(folder) if file.relative_to(folder).as_posix() not in listed]
        assert all(file.name.startswith("m") for file in left), step  # what a killed merge wrote waits a day
        lake.close()


@pytest.mark.usefixtures("small_segments")
def test_a_replaced_file_waits_an_hour_and_for_a_copy_that_knows(lake: Lake, feed: "Feed", drain: Drain) -> None:
    for _ in range(12):
        feed.tick(lake, 40, 0)
    upkeep = upkeep_of(lake)
    drain(upkeep, feed.now_us)  # a copy is made before anything is replaced
    replaced = files(lake.folder)
    feed.now_us += 6 * 60_000_000
    drain(upkeep, feed.now_us)
    listed = {row[0] for row in lake.catalog.execute("select path from garbage where copied = 0")}
    assert listed
    assert set(files(lake.folder)) > set(replaced)
    feed.now_us += HOUR_US - 7 * 60_000_000
    drain(upkeep, feed.now_us)
    assert set(files(lake.folder)) > set(replaced)
    feed.now_us += 30 * 60_000_000  # older than an hour, and the copy knows
    drain(upkeep, feed.now_us)
    assert not set(files(lake.folder)) & set(replaced)
    assert lake.catalog.execute("select count(*) from garbage").fetchone() == (0,)
    feed.check(lake.folder)


@pytest.mark.usefixtures("small_segments")
def test_a_replaced_file_that_a_copy_knows_of_stays_an_hour(lake: Lake, feed: "Feed") -> None:
    for _ in range(3):
        feed.tick(lake, 2500, 0)
    before = files(lake.folder)
    list(merge.flush(lake, feed.now_us))
    chosen = [one for one in merge.segments(lake.catalog) if one.table == "access"]
    list(merge.merge(lake, chosen, feed.now_us))
    copy_catalog(lake, feed.now_us)
    list(collect(lake, feed.now_us + HOUR_US - 1))
    assert set(before) <= set(files(lake.folder))
    list(collect(lake, feed.now_us + HOUR_US))
    assert not set(before) & set(files(lake.folder))
    feed.check(lake.folder)


def test_a_replaced_file_stays_while_no_copy_knows(lake: Lake, feed: "Feed") -> None:
    for _ in range(3):
        feed.tick(lake, 40, 0)
    before = files(lake.folder)
    list(merge.flush(lake, feed.now_us))
    chosen = [one for one in merge.segments(lake.catalog) if one.table == "access"]
    list(merge.merge(lake, chosen, feed.now_us))
    from_long_ago = feed.now_us + 30 * DAY_US
    list(collect(lake, from_long_ago))
    assert set(before) <= set(files(lake.folder))


@pytest.mark.usefixtures("small_segments")
def test_garbage_that_is_gone_already_is_fine(lake: Lake, feed: "Feed") -> None:
    feed.tick(lake, 40, 0)
    lake.catalog.execute("insert into garbage values ('segments/access/1970-01-01/gone.parquet', 0, 0, 1)")
    list(upkeep_of(lake).everything(feed.now_us))
    assert lake.catalog.execute("select count(*) from garbage").fetchone() == (0,)


@pytest.mark.usefixtures("small_segments")
def test_an_unknown_file_is_told_once_and_removed_when_it_is_a_day_old(lake: Lake, feed: "Feed", drain: Drain) -> None:
    feed.tick(lake, 40, 0)
    unknown = files(lake.folder)[0].with_name("unknown.parquet")
    unknown.write_bytes(b"?")
    os.utime(unknown, (feed.now_us / 1e6, feed.now_us / 1e6))
    upkeep = upkeep_of(lake)
    for hour in range(24):
        drain(upkeep, feed.now_us + hour * HOUR_US)
        assert unknown.exists()
    assert sum("does not know" in note and str(unknown) in note for note in upkeep.notes) == 1
    drain(upkeep, feed.now_us + 24 * HOUR_US)
    assert not unknown.exists()
    assert "was removed" in upkeep.notes[-1]


@pytest.mark.usefixtures("small_segments")
def test_a_reader_goes_on_with_what_was_replaced_meanwhile(lake: Lake, feed: "Feed", drain: Drain) -> None:
    for _ in range(12):
        feed.tick(lake, 40, 0)
    reader = LakeReader(lake.folder)
    pieces = reader.pieces(["access"])
    drain(upkeep_of(lake), feed.now_us + 40 * 60_000_000)
    assert sum(piece.frame().collect().height for piece in pieces) == 480
    reader.close()


@pytest.mark.usefixtures("small_segments")
def test_what_is_merged_and_changed_meanwhile_is_left_alone(lake: Lake, feed: "Feed") -> None:
    for _ in range(3):
        feed.tick(lake, 40, 0)
    list(merge.flush(lake, feed.now_us))
    chosen = [one for one in merge.segments(lake.catalog) if one.table == "access"]
    work = merge.merge(lake, chosen, feed.now_us)
    next(work)
    lake.catalog.execute("update segment set damage = 'so' where id = ?", (chosen[1].id,))
    before = files(lake.folder)
    list(work)
    assert files(lake.folder) == before
    assert lake.catalog.execute('select count(*) from segment where "table" = ?', ("access",)).fetchone() == (3,)


def test_ids_that_are_given_again_are_not_taken_for_what_was_chosen(lake: Lake, feed: "Feed") -> None:
    """The catalog gives the ids of forgotten blobs again; a flush that waited meanwhile has not read the new ones."""
    for _ in range(3):
        feed.tick(lake, 5, 0)
    late = merge.flush(lake, feed.now_us)
    for _ in ("hits", "rollup", "access"):
        next(late)  # has read the blobs of one more table
    list(merge.flush(lake, feed.now_us))
    for _ in range(3):
        feed.tick(lake, 5, 0)
    assert lake.catalog.execute("select min(id) from recent").fetchone() == (1,)
    list(late)
    feed.check(lake.folder)


def test_what_a_step_had_begun_is_given_up_when_everything_is_done_at_once(
    lake: Lake, feed: "Feed", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "MOST_RECENT_ROWS", 10)
    upkeep = upkeep_of(lake)
    for _ in range(3):
        feed.tick(lake, 5, 0)
    for _ in range(6):  # each begins a chore or goes on with one; the copy of the catalog and others come first
        upkeep.step(feed.now_us, 0)
    list(upkeep.everything(feed.now_us))
    for _ in range(30):
        feed.tick(lake, 5, 0)
        upkeep.step(feed.now_us, 0)
        feed.check(lake.folder)


def test_a_failing_disk_is_told_and_tried_again_a_minute_later(
    lake: Lake, feed: "Feed", drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.tick(lake)
    upkeep = upkeep_of(lake)

    def fails(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(upkeep_module, "copy_catalog", fails)
        with pytest.raises(EnvironmentFailed, match=r"No space left.*tried again"):
            upkeep.step(feed.now_us)
        assert not upkeep.step(feed.now_us + 59_000_000)
    drain(upkeep, feed.now_us + 60_000_000)
    assert len(list((lake.folder / "backup").iterdir())) == 1


def test_a_full_disk_is_not_filled_by_merging(lake: Lake, feed: "Feed", drain: Drain) -> None:
    feed.tick(lake)
    upkeep = Upkeep(lake, usage=lambda _: (10**12, 10**12, 1000))
    drain(upkeep, feed.now_us + DAY_US)
    assert "1,000 MB must stay so" in upkeep.pause_reason()
    assert lake.catalog.execute("select count(*) from recent").fetchone()[0] > 0
    assert Upkeep(lake, usage=disk).pause_reason() == ""


def test_copies_are_made_hourly_and_the_last_few_stay(lake: Lake, feed: "Feed", drain: Drain) -> None:
    feed.tick(lake)
    upkeep = upkeep_of(lake)
    for half_hours in range(20):
        drain(upkeep, feed.now_us + half_hours * HOUR_US // 2)
    copies = sorted((lake.folder / "backup").iterdir())
    assert len(copies) == 4
    assert number_of(lake.catalog, "copied") == feed.now_us + 9 * HOUR_US


def test_the_catalog_stays_small_over_a_day_of_quiet_ticks(lake: Lake, feed: "Feed", drain: Drain) -> None:
    """Minutes with a tick every second, then a day of hours with a tick every two minutes: each bound is met."""
    lake.catalog.execute("pragma synchronous = off")  # nobody pulls the plug here, and waiting for the disk takes long
    upkeep = upkeep_of(lake)
    largest = 0
    for seconds in [1] * 400 + [300] * 24 * 6:
        feed.tick(lake, 20, 20, seconds=seconds)
        drain(upkeep, feed.now_us)
        largest = max(largest, (lake.folder / "catalog.sqlite").stat().st_size)
    assert largest < 6_000_000
    assert lake.catalog.execute("select count(*) from segment").fetchone()[0] < 120
    feed.check(lake.folder)
