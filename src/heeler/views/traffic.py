"""Statistics of each interval of an access log: the blocks that `heeler watch` prints."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from heeler.runs import Integers
from heeler.units import SECOND_US
from heeler.views.snapshot import Block

TOP = 10
COLUMNS = frozenset(("time", "zone", "client", "method", "section", "status", "bytes"))
"""What the statistics read of each record."""

_NAMED = ("section", "method", "client")
"""What is counted by name."""

_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_TOTALS = ("hits", "unparsed", "bytes", *_CLASSES)


class Traffic:
    """Counts records into intervals that follow each other without a gap from the second of the first line on.

    Records come with the event clock (`heeler.rules.event_time.EventClock`) and count in the interval where the clock
    stands when they are read, so a late line counts in the open one. An interval is closed when the clock reaches
    its end. Of a silence longer than ``longest_silence_s`` the empty intervals are left out.
    """

    def __init__(self, interval_s: int, longest_silence_s: int) -> None:
        self.interval_s = interval_s
        self.longest_silence_s = longest_silence_s
        self._begun = False
        self.start_s = 0
        self._clock_s = 0  # where the clock stood at the end of what was counted so far
        self._zone_minutes = 0
        # Of intervals that are still open: totals by number, and hits by number, kind and name.
        self._totals: dict[int, Integers] = {}
        self._names = pl.DataFrame(schema={"block": pl.Int64, "kind": pl.String, "name": pl.String, "hits": pl.UInt32})
        self._unparsed_before = 0

    def start(self, second: int, zone_minutes: int) -> None:
        """Begin the first interval although there was no line yet."""
        if not self._begun:
            self._begun = True
            self.start_s = self._clock_s = second
            self._zone_minutes = zone_minutes

    def count(self, records: pl.DataFrame) -> Iterator[Block]:
        """Count records (with `COLUMNS`, from the event clock) and yield the blocks that they close, in order."""
        early = records["newest"].null_count()
        if early:  # lines that did not parse, before the first that did
            self._unparsed_before += early
            records = records[early:]
        if not records.height:
            return
        seconds = records["newest"].to_numpy() // SECOND_US
        self.start(int(seconds[0]), int(records["newest_zone"][0]))
        blocks = (seconds - self.start_s) // self.interval_s
        self._add_totals(records, blocks)
        self._add_names(records, blocks)
        changes = np.flatnonzero(np.diff(seconds, append=seconds[-1] + 1))  # the last line of each second
        yield from self._close(seconds[changes], records["newest_zone"].to_numpy()[changes])
        self._names = _owned(self._names)

    def advance(self, second: int) -> Iterator[Block]:
        """Yield the blocks that end although no line came, because the clock has moved to ``second``."""
        if self._begun and second > self._clock_s:
            yield from self._close(np.array([second]), np.array([self._zone_minutes]), silence_counts=False)

    def current(self) -> Block | None:
        """Return the interval that is still open."""
        if not self._begun:
            return None
        number = (self._clock_s - self.start_s) // self.interval_s
        return next(iter(self._blocks([(number, self._zone_minutes)])))

    def _add_totals(self, records: pl.DataFrame, blocks: Integers) -> None:
        begins = np.flatnonzero(np.diff(blocks, prepend=blocks[0] - 1))
        status = records["status"].fill_null(0).to_numpy()
        parsed = records["parsed"].to_numpy()
        columns = [parsed, ~parsed, records["bytes"].fill_null(0).to_numpy()]
        columns += [status // 100 == hundreds for hundreds in range(1, 6)]
        sums = np.stack([np.add.reduceat(column.astype(np.int64), begins) for column in columns], axis=1)
        for block, row in zip(blocks[begins].tolist(), sums, strict=True):
            self._totals[block] = self._totals[block] + row if block in self._totals else row

    def _add_names(self, records: pl.DataFrame, blocks: Integers) -> None:
        numbered = records.select(*_NAMED, "parsed").hstack([pl.Series("block", blocks)]).lazy()
        if not records["parsed"].all():
            numbered = numbered.filter("parsed")
        counted = pl.collect_all(
            [
                numbered.group_by("block", pl.col(kind).fill_null("-").alias("name"))
                .agg(hits=pl.len())
                .select("block", pl.lit(kind).alias("kind"), "name", "hits")
                for kind in _NAMED
            ]
        )
        # Only in the interval that was open before can a name have been counted before.
        new = pl.concat(counted)
        opened = new["block"] == blocks[0]
        again = pl.concat([self._names, new.filter(opened)]).group_by("block", "kind", "name").agg(pl.col("hits").sum())
        self._names = pl.concat([again, new.filter(~opened)])

    def _close(self, seconds: Integers, zones: Integers, *, silence_counts: bool = True) -> Iterator[Block]:
        """Yield the blocks before the last of ``seconds``, at which the clock stood in turn, and drop them.

        Between two of the seconds the empty blocks are made up, unless that is a silence.
        """
        closed: list[tuple[int, int]] = []
        number = (self._clock_s - self.start_s) // self.interval_s
        for second, zone in zip(seconds.tolist(), zones.tolist(), strict=True):
            block = (second - self.start_s) // self.interval_s
            if block > number:
                is_silence = silence_counts and second - self._clock_s > self.longest_silence_s
                empty = range(number + 1, number + 1 if is_silence else block)
                closed += [(one, self._zone_minutes) for one in (number, *empty)]
                number = block
            self._clock_s, self._zone_minutes = second, zone
        if closed:
            yield from self._blocks(closed)
            self._totals = {block: row for block, row in self._totals.items() if block >= number}
            self._names = self._names.filter(pl.col("block") >= number)

    def _blocks(self, numbers: list[tuple[int, int]]) -> Iterator[Block]:
        """Make the blocks with these numbers, in their zones. They are the oldest ones, or the only one."""
        top, distinct = self._top(numbers[-1][0]) if self._names.height else ({}, {})
        nothing = np.zeros(len(_TOTALS), np.int64)
        for number, zone in numbers:
            hits, unparsed, size, *classes = self._totals.get(number, nothing).tolist()
            start_s = self.start_s + number * self.interval_s
            if number == 0:
                unparsed += self._unparsed_before
            yield Block(
                start_s=start_s,
                end_s=start_s + self.interval_s,
                zone_minutes=zone,
                hits=hits,
                sections=top.get((number, "section"), ()),
                status=tuple((name, count) for name, count in zip(_CLASSES, classes, strict=True) if count),
                methods=top.get((number, "method"), ()),
                top_clients=top.get((number, "client"), ()),
                clients=distinct.get(number, 0),
                errors=classes[3] + classes[4],
                server_errors=classes[4],
                bytes=size,
                unparsed=unparsed,
            )

    def _top(self, last: int) -> tuple[dict[tuple[int, str], tuple[tuple[str, int], ...]], dict[int, int]]:
        """Return the names with most hits (ties by name) by block and kind, and how many clients each block has."""
        names = self._names.lazy().filter(pl.col("block") <= last)
        ordered = names.sort("block", "kind", "hits", "name", descending=[False, False, True, False])
        heads = ordered.group_by("block", "kind", maintain_order=True).agg(pl.col("name", "hits").head(TOP), pl.len())
        top: dict[tuple[int, str], tuple[tuple[str, int], ...]] = {}
        distinct: dict[int, int] = {}
        for block, kind, found, hits, count in heads.collect().iter_rows():
            top[block, kind] = tuple(zip(found, hits, strict=True))
            if kind == "client":
                distinct[block] = count
        return top, distinct


def _owned(counted: pl.DataFrame) -> pl.DataFrame:
    """Copy the names: as views they would keep in memory all the bytes of the chunk that they were read from."""
    return pl.DataFrame(counted.to_arrow(compat_level=pl.CompatLevel.oldest()))
