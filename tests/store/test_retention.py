"""What is kept is decided by when and how much was received, never by what a line says of its time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from heeler.store import Tick, retention
from heeler.store.lake import Lake
from heeler.store.plan import day_of
from heeler.store.retention import DAY_US, SEEN_US, Keep, forget_seen, pause_reason, retain
from heeler.store.upkeep import Upkeep

if TYPE_CHECKING:
    from tests.store.conftest import Feed

pytestmark = pytest.mark.usefixtures("small_segments")

Contents = Callable[[Path], dict[str, pl.DataFrame]]
Drain = Callable[[Upkeep, int], None]


def disk(_: Path) -> tuple[int, int, int]:
    return 10**12, 0, 10**12


@pytest.fixture
def days(lake: Lake, feed: "Feed") -> Lake:
    """Six days with a segment or more each, all with lines of one day in 2025."""
    feed.now_us = feed.now_us // DAY_US * DAY_US
    for _ in range(6):
        feed.tick(lake, 40, 4)
        feed.tick(lake, 40, 4, seconds=86_400 - 1)
        list(Upkeep(lake, usage=disk, keep=Keep(0, 0)).everything(feed.now_us - 1))
    return lake


def received_days(lake: Lake) -> list[str]:
    rows = lake.catalog.execute("select distinct min_received from segment order by 1").fetchall()
    return sorted({day_of(row[0]) for row in rows})


def test_whole_days_that_are_too_old_go(days: Lake, feed: "Feed", contents: Contents) -> None:
    before = contents(days.folder)
    all_days = received_days(days)
    told = list(retain(days, Keep(3 * DAY_US, 0), feed.now_us, disk))
    assert received_days(days) == all_days[3:]
    after = contents(days.folder)
    assert after["access"].equals(before["access"].filter(pl.col("seq") > 240))
    assert all_days[3] in told[0]
    assert len(told) == 1


def test_a_day_goes_only_when_its_last_record_is_old_enough(days: Lake, feed: "Feed") -> None:
    assert list(retain(days, Keep(6 * DAY_US, 0), feed.now_us, disk)) == []
    assert list(retain(days, Keep(6 * DAY_US, 0), feed.now_us + DAY_US - 1, disk)) == []
    assert len(list(retain(days, Keep(6 * DAY_US, 0), feed.now_us + DAY_US, disk))) == 1
    assert len(received_days(days)) == 5


def test_old_lines_received_today_stay(lake: Lake, feed: "Feed", contents: Contents) -> None:
    feed.now_us += 400 * DAY_US  # the lines tell of 2025
    feed.tick(lake, 40, 40)
    list(Upkeep(lake, usage=disk).everything(feed.now_us))
    assert contents(lake.folder)["access"].height == 40
    feed.check(lake.folder)


def test_what_was_counted_goes_with_the_records_it_counts(days: Lake, feed: "Feed", contents: Contents) -> None:
    list(retain(days, Keep(2 * DAY_US, 0), feed.now_us, disk))
    found = contents(days.folder)
    assert found["hits"]["hits"].sum() == found["access"]["parsed"].sum()
    assert found["rollup"]["bytes"].sum() == found["access"]["bytes"].sum()


def test_the_oldest_days_go_until_the_rest_is_little_enough(days: Lake, feed: "Feed") -> None:
    total = days.catalog.execute("select sum(bytes) from segment").fetchone()[0]
    all_days = received_days(days)
    told = list(retain(days, Keep(0, total // 2), feed.now_us, disk))
    kept = days.catalog.execute("select sum(bytes) from segment").fetchone()[0]
    assert total // 4 < kept <= total // 2
    assert received_days(days) == all_days[-len(received_days(days)) :]
    assert len(told) == 6 - len(received_days(days))
    assert all_days[0] in told[0]


def test_a_single_day_that_is_too_much_loses_what_came_first(lake: Lake, feed: "Feed", contents: Contents) -> None:
    for _ in range(10):
        feed.tick(lake, 40, 0)
    total = lake.catalog.execute("select sum(bytes) from segment").fetchone()[0]
    list(retain(lake, Keep(0, total // 2), feed.now_us, disk))
    seqs = contents(lake.folder)["access"]["seq"]
    assert seqs.max() == 400
    assert 0 < seqs.len() < 400
    assert seqs.to_list() == list(range(401 - seqs.len(), 401))


@pytest.mark.parametrize(("total", "kept"), [(10**9, 200_000_000), (10**12, 10**10)])
def test_by_default_a_fifth_of_the_disk_is_kept_or_10_gb(lake: Lake, feed: "Feed", total: int, kept: int) -> None:
    feed.tick(lake, 40, 0)
    lake.catalog.execute("update segment set bytes = ?", (kept,))
    assert list(retain(lake, Keep(), feed.now_us, lambda _: (total, 0, total))) == []
    lake.catalog.execute("update segment set bytes = ?", (kept + 1,))
    assert len(list(retain(lake, Keep(), feed.now_us, lambda _: (total, 0, total)))) == 1


def test_dropped_files_are_garbage_like_all_others(days: Lake, feed: "Feed", drain: Drain) -> None:
    upkeep = Upkeep(days, keep=Keep(3 * DAY_US, 0), usage=disk)
    drain(upkeep, feed.now_us)
    files = {file.parent.name for file in (days.folder / "segments").rglob("*.parquet")}
    assert len(files) == 6
    drain(upkeep, feed.now_us + 2 * 3_600_000_000)
    files = {file.parent.name for file in (days.folder / "segments").rglob("*.parquet")}
    assert len(files) == 3


@pytest.mark.parametrize(
    ("total", "free", "paused"),
    [
        (10**12, 10**9, False),
        (10**12, 10**9 - 1, True),
        (10**9, 50_000_000, False),
        (10**9, 50_000_000 - 1, True),
    ],
)
def test_ingest_must_pause_below_1_gb_or_a_twentieth(tmp_path: Path, total: int, free: int, *, paused: bool) -> None:
    reason = pause_reason(tmp_path, lambda _: (total, total - free, free))
    assert bool(reason) is paused
    assert not paused or str(tmp_path) in reason


def sent(lake: Lake, feed: "Feed", source: str, *keys: str) -> None:
    """Commit one line that was sent as ``keys``, a second after the one before."""
    lake.commit(Tick((replace(feed.batch("app", 1), source=source, keys=keys),)))
    feed.now_us += 1_000_000


def test_what_was_sent_is_known_again_for_a_week_and_by_its_own_source_alone(lake: Lake, feed: "Feed") -> None:
    sent(lake, feed, "drain", "a", "b")
    sent(lake, feed, "drain", "a")  # a sender that was not heard sends again; the source would have left it out
    sent(lake, feed, "drain", "c")
    first_us = feed.now_us - 3_000_000
    assert lake.seen("drain", ["a", "b", "c", "d"]) == {"a", "b", "c"}
    assert lake.seen("other", ["a"]) == frozenset()
    list(forget_seen(lake, first_us + SEEN_US))
    assert lake.seen("drain", ["a", "b", "c"]) == {"a", "b", "c"}
    list(forget_seen(lake, first_us + SEEN_US + 1))
    assert lake.seen("drain", ["a", "b", "c"]) == {"c"}


def test_of_each_source_the_newest_keys_are_kept(lake: Lake, feed: "Feed", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MOST_SEEN", 3)
    monkeypatch.setattr(retention, "FORGOTTEN_AT_ONCE", 2)
    for number in range(9):
        sent(lake, feed, "drain", f"key {number}")
    sent(lake, feed, "other", "key 0")
    list(forget_seen(lake, feed.now_us))
    assert lake.seen("drain", [f"key {number}" for number in range(9)]) == {"key 6", "key 7", "key 8"}
    assert lake.seen("other", ["key 0"]) == {"key 0"}
