"""Statistics of each interval of an access log: the blocks that `heeler watch` prints."""

from collections.abc import Iterable, Iterator

import polars as pl

from heeler.formats.access import section
from heeler.rules.event_time import SECOND_US
from heeler.views.snapshot import Block

TOP = 10
COLUMNS = ("time", "zone", "client", "method", "path", "status", "bytes")
"""What the statistics read of each record."""

_NAMED = ("section", "class", "method", "client")
"""What is counted by name, each in a frame of its own: block, name, hits."""

_TOTALS = ("hits", "unparsed", "bytes", "errors", "server_errors")


def prepared(records: pl.DataFrame) -> pl.DataFrame:
    """Add what is counted to parsed records. Pure and without state, so that it can run beside other work."""
    hundreds = pl.col("status") // 100
    return records.select(
        "time",
        "zone",
        "client",
        "status",
        "bytes",
        "parsed",
        "raw",
        "ending",
        pl.col("method").fill_null("-"),
        pl.concat_str(hundreds.cast(pl.String), pl.lit("xx")).alias("class"),
        section=section(records),
    )


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
        self._start_s = 0
        self._clock_s = 0  # where the clock stood at the end of what was counted so far
        self._zone_minutes = 0
        self._totals = pl.DataFrame(schema=dict.fromkeys(("block", *_TOTALS), pl.Int64))
        shape = {"block": pl.Int64, "name": pl.String, "hits": pl.Int64}
        self._named = {name: pl.DataFrame(schema=shape) for name in _NAMED}
        self._unparsed_before = 0

    def start(self, second: int, zone_minutes: int) -> None:
        """Begin the first interval although there was no line yet."""
        if not self._begun:
            self._begun = True
            self._start_s = self._clock_s = second
            self._zone_minutes = zone_minutes

    def count(self, records: pl.DataFrame) -> Iterator[Block]:
        """Count records (from `prepared` and the event clock) and yield the blocks that they close, in order."""
        early = records["newest"].null_count()
        if early:  # lines that did not parse, before the first that did
            self._unparsed_before += early
            records = records[early:]
        if not records.height:
            return
        self.start(int(records["newest"][0]) // SECOND_US, int(records["newest_zone"][0]))
        records = records.with_columns(second=pl.col("newest") // SECOND_US)
        records = records.with_columns(block=self._number(pl.col("second")))
        self._add(records)
        yield from self._close(records.select("second", "newest_zone"))

    def advance(self, second: int) -> Iterator[Block]:
        """Yield the blocks that end although no line came, because the clock has moved to ``second``."""
        if self._begun and second > self._clock_s:
            clock = {"second": [second], "newest_zone": [self._zone_minutes]}
            yield from self._close(pl.DataFrame(clock), silence_counts=False)

    def current(self) -> Block | None:
        """Return the interval that is still open."""
        if not self._begun:
            return None
        number = (self._clock_s - self._start_s) // self.interval_s
        return next(iter(self._blocks([(number, self._zone_minutes)])))

    def _number(self, second: pl.Expr) -> pl.Expr:
        return ((second - self._start_s) // self.interval_s).cast(pl.Int64)

    def _add(self, records: pl.DataFrame) -> None:
        parsed = records.filter("parsed") if not records["parsed"].all() else records
        status = pl.col("status")
        totals = records.group_by("block").agg(
            hits=pl.col("parsed").sum().cast(pl.Int64),
            unparsed=(~pl.col("parsed")).sum().cast(pl.Int64),
            bytes=pl.col("bytes").sum().cast(pl.Int64),
            errors=status.is_between(400, 599).sum().cast(pl.Int64),
            server_errors=status.is_between(500, 599).sum().cast(pl.Int64),
        )
        self._totals = pl.concat([self._totals, totals.select(self._totals.columns)]).group_by("block").sum()
        for name in _NAMED:
            counted = parsed.group_by("block", pl.col(name).alias("name")).agg(hits=pl.len().cast(pl.Int64))
            self._named[name] = _summed(pl.concat([self._named[name], counted]))

    def _close(self, clock: pl.DataFrame, *, silence_counts: bool = True) -> Iterator[Block]:
        """Yield the blocks before the last second of ``clock`` (columns second, newest_zone; rising) and drop them."""
        before = pl.DataFrame({"second": [self._clock_s], "newest_zone": [self._zone_minutes]}, clock.schema)
        seconds = pl.concat([before, clock]).group_by("second", maintain_order=True).last()
        self._clock_s = int(seconds["second"][-1])
        self._zone_minutes = int(seconds["newest_zone"][-1])
        blocks = seconds.with_columns(block=self._number(pl.col("second")))
        open_block = int(blocks["block"][-1])
        steps = blocks.group_by("block", maintain_order=True).agg(pl.col("newest_zone").last(), pl.col("second").last())
        silent = pl.col("silence") > self.longest_silence_s if silence_counts else pl.lit(value=False)
        silences = blocks.select("block", silence=pl.col("second").diff().fill_null(0)).filter(silent)
        skipped = set(silences["block"].to_list())  # the empty blocks before one of these are left out
        closed: list[tuple[int, int]] = []
        expected = int(steps["block"][0])
        for block, zone in steps.select("block", "newest_zone").iter_rows():
            if block not in skipped and closed:
                closed += [(empty, closed[-1][1]) for empty in range(expected, block)]
            closed.append((block, zone))
            expected = block + 1
        closed.pop()
        if closed:
            yield from self._blocks(closed)
        keep = pl.col("block") >= open_block
        self._totals = self._totals.filter(keep)
        self._named = {name: _owned(frame.filter(keep)) for name, frame in self._named.items()}

    def _blocks(self, numbers: list[tuple[int, int]]) -> Iterable[Block]:
        """Make the blocks with these numbers, in their zones."""
        wanted = pl.DataFrame({"block": [number for number, _ in numbers]}, {"block": pl.Int64})
        totals = {row[0]: row[1:] for row in self._totals.select("block", *_TOTALS).iter_rows()}
        names = {name: self._top(name, wanted) for name in _NAMED}
        distinct = names["client"][1]
        for number, zone in numbers:
            hits, unparsed, size, errors, server_errors = totals.get(number, (0,) * len(_TOTALS))
            start_s = self._start_s + number * self.interval_s
            if number == 0:
                unparsed += self._unparsed_before
            yield Block(
                start_s=start_s,
                end_s=start_s + self.interval_s,
                zone_minutes=zone,
                hits=hits,
                sections=names["section"][0].get(number, ()),
                status=tuple(sorted(names["class"][0].get(number, ()))),
                methods=names["method"][0].get(number, ()),
                top_clients=names["client"][0].get(number, ()),
                clients=distinct.get(number, 0),
                errors=errors,
                server_errors=server_errors,
                bytes=size,
                unparsed=unparsed,
            )

    def _top(self, name: str, wanted: pl.DataFrame) -> tuple[dict[int, tuple[tuple[str, int], ...]], dict[int, int]]:
        """Return the names with most hits by block (ties by name), and how many names each block has."""
        counted = self._named[name].join(wanted, on="block", how="semi")
        distinct = dict(counted.group_by("block").len().iter_rows())
        ordered = counted.sort("block", "hits", "name", descending=[False, True, False])
        top: dict[int, tuple[tuple[str, int], ...]] = {}
        heads = ordered.group_by("block", maintain_order=True).head(TOP)
        for block, names, hits in heads.group_by("block", maintain_order=True).agg("name", "hits").iter_rows():
            top[block] = tuple(zip(names, hits, strict=True))
        return top, distinct


def _summed(counted: pl.DataFrame) -> pl.DataFrame:
    return counted.group_by("block", "name").agg(pl.col("hits").sum())


def _owned(counted: pl.DataFrame) -> pl.DataFrame:
    """Copy the names: as views they would keep in memory all the bytes of the chunk that they were read from."""
    return pl.DataFrame(counted.to_arrow(compat_level=pl.CompatLevel.oldest()))
