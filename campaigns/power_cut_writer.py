"""The process whose machine loses power: it commits ticks of numbered lines to a lake, with upkeep in between.

    python campaigns/power_cut_writer.py LAKE TICKS SEED [--break NAME]

After each commit it says so: from then on the tick must be there, whatever happens. With ``--break`` it leaves out
what makes that true, so that the campaign can be seen to find it.
"""

import argparse
import os
import random
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

import numbered
from heeler.formats.lines import split
from heeler.store import Batch, Tick, backup, lake, ordered, plan, segment
from heeler.store.retention import Keep
from heeler.store.segment import WrittenSegment
from heeler.store.upkeep import Upkeep

RECEIVED_US = 1_800_000_000_000_000
HOUR_US = 3_600_000_000
FEWEST_SEGMENT_ROWS = 20
EVERYTHING_EVERY = 10


def main() -> None:
    """Commit ticks, and say each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("lake", type=Path)
    parser.add_argument("ticks", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--break", dest="broken", choices=BREAKS)
    options = parser.parse_args()
    plan.FEWEST_SEGMENT_ROWS = FEWEST_SEGMENT_ROWS
    chance = random.Random(options.seed)
    store = lake.Lake(options.lake)
    if options.broken:
        BREAKS[options.broken](store)
    upkeep = Upkeep(store, Keep(age_us=0, bytes=0))
    last = 0
    for tick in range(1, options.ticks + 1):
        first, last = last + 1, last + chance.choice([1, 5, 20, 40])
        store.commit(Tick((batch_of(first, last, tick),)))
        sys.stdout.write(f"stored {last}\n")
        sys.stdout.flush()
        upkeep.step(RECEIVED_US + tick * 2 * HOUR_US, budget_s=0.0)
        if tick % EVERYTHING_EVERY == 0:
            for _ in upkeep.everything(RECEIVED_US + tick * 2 * HOUR_US):
                pass


def batch_of(first: int, last: int, tick: int) -> Batch:
    """Return the lines from ``first`` to ``last`` as a batch."""
    data = numbered.lines(first, last)
    records = numbered.FORMAT.parse(split(data), {*numbered.FORMAT.columns, "section"})
    place = ("file", "log", {"offset": last}, numbered.GROUP, numbered.STREAM)
    return Batch(*place, numbered.FORMAT, records, RECEIVED_US + tick, len(data))


def _sync_only(kind: Callable[[int], bool]) -> Callable[[lake.Lake], None]:
    """Return a break that syncs only what is of one kind."""
    whole = segment.sync

    def sync(path: Path) -> None:
        if kind(path.stat().st_mode):
            whole(path)

    def install(_: lake.Lake) -> None:
        for module in (segment, ordered, backup):
            vars(module)["sync"] = sync

    return install


def _list_first(store: lake.Lake) -> None:
    """Make the catalog list a segment before that is durable; it is so before anybody is told of the tick."""
    whole, waiting = segment.sync, list[Path]()

    def write_segment(root: Path, path: str, rows: pl.DataFrame, metadata: Mapping[str, object]) -> WrittenSegment:
        vars(segment)["sync"] = waiting.append
        try:
            return segment.write_segment(root, path, rows, metadata)
        finally:
            vars(segment)["sync"] = whole

    def at_step(name: str) -> None:
        while name == "commit ended" and waiting:
            whole(waiting.pop())

    vars(lake)["write_segment"] = write_segment
    store.at_step = at_step


def _trust_the_cache(store: lake.Lake) -> None:
    """Let SQLite end a transaction before it is on the disk."""
    store.catalog.execute("pragma synchronous = off")


BREAKS: Mapping[str, Callable[[lake.Lake], None]] = {
    "no fsync of segments": _sync_only(stat.S_ISDIR),
    "no fsync of folders": _sync_only(stat.S_ISREG),
    "segment listed first": _list_first,
    "no fsync of the catalog": _trust_the_cache,
}


if __name__ == "__main__":
    main()
    os._exit(0)  # as a machine that stops: nothing is closed, and SQLite does not tidy up
