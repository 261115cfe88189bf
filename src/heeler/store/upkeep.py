"""What keeps a lake small, whole and in order, done between ticks in short slices.

A chore is a generator that pauses after each bit of work; every change that it makes is one transaction, after the
files that it lists are durable. So upkeep may be killed anywhere, and what it had begun is begun again.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator

import polars as pl

from heeler.clock import SystemClock
from heeler.errors import EnvironmentFailed
from heeler.store.backup import copy_catalog
from heeler.store.lake import Lake
from heeler.store.merge import Input, flush, merge, segments
from heeler.store.plan import day_of
from heeler.store.retention import Keep, Usage, forget_seen, pause_reason, retain
from heeler.store.setting import number_of
from heeler.store.verify import CHECK_EVERY_US, HOUR_US, check, collect, is_old, to_check, unknown

TARGET_ROWS = 500_000
"""A merged segment has about so many rows: few files to open, and its merge still fits the memory."""

FULL_ROWS = TARGET_ROWS // 2
"""A segment of so many rows is left alone once it is ordered; two of them would be too much for one."""

MOST_RECENT_ROWS = 20_000
MOST_RECENT_BYTES = 4_000_000
LONGEST_RECENT_US = 5 * 60_000_000
"""Recent blobs become segments when they are as many, or one of them is as old: what a lost catalog may cost."""

MERGED_AT_ONCE = 12
"""So many segments of about one size become one; each record is rewritten a few times in all, not each time."""

MOST_UNMERGED = 500
"""While lines come as fast as they can be read, merging waits: it would take a core and half of the memory from them.
With so many segments to merge it waits no longer, since questions open each of them."""

LOOK_EVERY_US = 1_000_000
MERGE_EVERY_US = 30_000_000
CHECK_ONE_EVERY_US = 10_000_000
COLLECT_EVERY_US = 60_000_000
RETRY_AFTER_US = 60_000_000
COPY_EVERY_US = HOUR_US

FREE_PAGES = 500
"""With more pages of the catalog free than this, they are given back, so many in a slice."""


class Upkeep:
    """Looks after the lake of one writer, on its thread. Call `step` between ticks.

    ``notes`` collects a sentence for whatever people should know; whoever calls `step` takes them out and shows them.
    """

    def __init__(
        self,
        lake: Lake,
        keep: Keep | None = None,
        usage: Usage = shutil.disk_usage,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self.notes: list[str] = []
        self._lake = lake
        self._keep = keep or Keep()
        self._usage = usage
        self._monotonic = monotonic or SystemClock().monotonic
        self._work: Iterator[object] | None = None
        self._last: dict[str, int] = {}
        self._unknown_told: set[str] = set()

    def step(self, now_us: int, budget_s: float = 0.1, *, is_busy: bool = False) -> bool:
        """Work for about ``budget_s``, and tell whether there is more to do right now.

        ``is_busy`` says that lines come as fast as they can be read; what may wait is not begun then.
        One bit of work is never cut, so a call can take some tenths of a second. Raises `EnvironmentFailed` where the
        disk or the catalog fails; nothing is lost then, and a later call tries again.
        """
        until = self._monotonic() + budget_s
        try:
            while True:
                is_new = self._work is None
                if self._work is None:
                    self._work = self._next(now_us, is_busy=is_busy)
                    if self._work is None:
                        return False
                if next(self._work, self) is self:
                    self._work = None
                    if is_new:
                        continue  # there was nothing to do; no turn is lost for that
                if self._monotonic() >= until:
                    return True
        except (OSError, sqlite3.Error, pl.exceptions.PolarsError) as error:
            self._work = None
            self._last["failed"] = now_us
            raise EnvironmentFailed(
                f"The upkeep of the lake in {self._lake.folder} failed: {error}. It is tried again; free some space or "
                "mend the disk."
            ) from error

    def everything(self, now_us: int) -> Iterator[str]:
        """Flush, merge, order, check, drop, copy and unlink all there is, now; yield what is being done, often.

        Nobody may be reading: replaced files are unlinked at once. What `step` had begun is given up.
        """
        self._work = None
        lake, before = self._lake, _bytes_of(self._lake)
        yield from _saying("making segments", flush(lake, now_us))
        while chosen := self._to_merge(now_us, closed=True):
            yield from _saying("merging", self._merge(chosen, now_us))
        for listed in to_check(lake.catalog, now_us):
            self._note(check(lake, listed, now_us))
            yield f"checking {listed.path}"
        yield from _saying("dropping", self._retain(now_us))
        yield from _saying("looking for unknown files", self._look_for_unknown(now_us))
        yield "copying the catalog"
        copy_catalog(lake, now_us)
        yield from _saying("unlinking", collect(lake, now_us, 0))
        yield from _saying("shrinking", self._shrink())
        lake.catalog.execute("pragma wal_checkpoint(truncate)")
        self.notes.append(f"The segments took {before / 1e6:,.1f} MB and take {_bytes_of(lake) / 1e6:,.1f} MB now.")

    def pause_reason(self) -> str:
        """Return why ingest must pause, as a sentence; empty while there is room."""
        return pause_reason(self._lake.folder, self._usage)

    def _next(self, now_us: int, *, is_busy: bool) -> Iterator[object] | None:
        if "failed" in self._last and not self._is_due("failed", RETRY_AFTER_US, now_us):
            return None
        self._last.pop("failed", None)
        if not self._is_due("look", LOOK_EVERY_US, now_us):
            return None
        chore = self._by_the_clock(now_us) or self._by_what_there_is(now_us, is_busy=is_busy)
        if chore is not None:
            self._last.pop("look")  # there may be more, so the next call looks again
        return chore

    def _by_the_clock(self, now_us: int) -> Iterator[object] | None:
        copied_us = number_of(self._lake.catalog, "copied")
        if copied_us > now_us or now_us - copied_us >= COPY_EVERY_US:
            return self._copy(now_us)
        if self._is_due("retention", HOUR_US, now_us):
            return self._retain(now_us)
        if self._is_due("garbage", COLLECT_EVERY_US, now_us):
            return collect(self._lake, now_us)
        if self._is_due("unknown", HOUR_US, now_us):
            return self._look_for_unknown(now_us)
        return None

    def _by_what_there_is(self, now_us: int, *, is_busy: bool) -> Iterator[object] | None:
        if not self.pause_reason():
            if self._flush_is_due(now_us):
                return flush(self._lake, now_us)
            waits = is_busy and self._unmerged() < MOST_UNMERGED
            if not waits and self._is_due("merge", MERGE_EVERY_US, now_us) and (chosen := self._to_merge(now_us)):
                self._last.pop("merge")
                return self._merge(chosen, now_us)
        if self._free_pages() > FREE_PAGES:
            return self._shrink()
        if self._is_due("check", CHECK_ONE_EVERY_US, now_us):
            for due in to_check(self._lake.catalog, now_us - CHECK_EVERY_US, 1):
                return self._check(due.id, now_us)
        return None

    def _unmerged(self) -> int:
        row = self._lake.catalog.execute("select count(*) from segment where ordered = 0 and damage is null").fetchone()
        return int(row[0])

    def _is_due(self, what: str, every_us: int, now_us: int) -> bool:
        last = self._last.get(what)
        if last is not None and last <= now_us < last + every_us:
            return False
        self._last[what] = now_us
        return True

    def _flush_is_due(self, now_us: int) -> bool:
        catalog = self._lake.catalog
        rows, size, oldest = catalog.execute(
            "select max(rows), sum(size), min(oldest) from (select sum(rows) as rows, sum(length(data)) as size, "
            'min(min_received) as oldest from recent where unfinished is null group by "table")'
        ).fetchone()
        if rows is None:
            return False
        return bool(
            rows >= MOST_RECENT_ROWS or size >= MOST_RECENT_BYTES or not 0 <= now_us - oldest < LONGEST_RECENT_US
        )

    def _to_merge(self, now_us: int, *, closed: bool = False) -> list[Input] | None:
        """Return segments of one table and day that shall become one, in the order in which their rows came."""
        whole_to = number_of(self._lake.catalog, "flush")
        by_day: dict[tuple[str, str], list[Input]] = {}
        for one in segments(self._lake.catalog):
            if one.tick <= whole_to and (one.rows < FULL_ROWS or not one.ordered):
                by_day.setdefault((one.table, one.day), []).append(one)
        today = day_of(now_us)
        for (_, day), group in by_day.items():
            chosen = _all_of(group) if closed or day < today else _of_one_size(group)
            if chosen:
                return chosen
        return None

    def _merge(self, chosen: list[Input], now_us: int) -> Iterator[None]:
        bad = yield from merge(self._lake, chosen, now_us)
        if bad is not None:
            yield from self._check(bad.id, now_us)

    def _check(self, segment: int, now_us: int) -> Iterator[None]:
        for listed in to_check(self._lake.catalog, now_us):
            if listed.id == segment:
                self._note(check(self._lake, listed, now_us))
                yield

    def _copy(self, now_us: int) -> Iterator[None]:
        copy_catalog(self._lake, now_us)
        yield

    def _retain(self, now_us: int) -> Iterator[None]:
        for why in retain(self._lake, self._keep, now_us, self._usage):
            self.notes.append(why)
            yield
        yield from forget_seen(self._lake, now_us)

    def _look_for_unknown(self, now_us: int) -> Iterator[None]:
        for file in unknown(self._lake):
            yield
            if is_old(file, now_us):
                file.unlink(missing_ok=True)
                self._lake.at_step("upkeep unknown unlinked")
                self.notes.append(f"The file {file}, which the catalog does not know, was removed: it is a day old.")
            elif str(file) not in self._unknown_told:
                self._unknown_told.add(str(file))
                self.notes.append(f"The catalog does not know the file {file}; it is removed when it is a day old.")

    def _free_pages(self) -> int:
        return int(self._lake.catalog.execute("pragma freelist_count").fetchone()[0])

    def _shrink(self) -> Iterator[None]:
        while self._free_pages():
            before = self._free_pages()
            # It works a page a step, so the rows that it does not give have to be asked for.
            self._lake.catalog.execute(f"pragma incremental_vacuum({FREE_PAGES})").fetchall()
            if self._free_pages() == before:
                return  # a catalog made without it
            yield

    def _note(self, sentence: str) -> None:
        if sentence:
            self.notes.append(sentence)


def _all_of(group: list[Input]) -> list[Input]:
    """Choose from a day that is over: up to a large segment, or one that only wants order."""
    chosen: list[Input] = []
    total = 0
    for one in group:
        if chosen and total + one.rows > TARGET_ROWS:
            if len(chosen) > 1 or not chosen[0].ordered:
                return chosen
            chosen, total = [], 0
        chosen.append(one)
        total += one.rows
    return chosen if chosen and (len(chosen) > 1 or not chosen[0].ordered) else []


def _of_one_size(group: list[Input]) -> list[Input]:
    """Choose from a day that goes on: enough segments of about one size, or enough rows for a large one."""
    sizes: dict[int, list[Input]] = {}
    for one in group:
        sizes.setdefault(one.rows.bit_length() // 3, []).append(one)
    for same in sizes.values():
        total = 0
        for count, one in enumerate(same, 1):
            total += one.rows
            if count >= MERGED_AT_ONCE or total >= TARGET_ROWS * 4 // 5:
                return same[:count]
    return []


def _saying(what: str, work: Iterator[object]) -> Iterator[str]:
    for _ in work:
        yield what
    yield what


def _bytes_of(lake: Lake) -> int:
    row = lake.catalog.execute("select coalesce(sum(bytes), 0) from segment").fetchone()
    return int(row[0])
