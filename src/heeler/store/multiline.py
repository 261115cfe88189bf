"""Records of several lines, whole: the lines that were found, each with those that belong to the same record.

A stack trace, a statement, or a line so long that it was stored in pieces: ``head`` of each line that goes on is the
``seq`` of the first one in its stream. Lines are found by themselves; here they come together.
"""

from collections.abc import Iterator

import polars as pl

from heeler.store.reading import LakeReader, lines_of
from heeler.store.records import LONGEST_RECORD
from heeler.store.schema import RECORD_TABLES
from heeler.store.searching import LINE

MORE = "more"
"""The column with the lines of a record behind its first one: a list of binary, each with its ending."""

RECORDS_AT_ONCE = 1_000
"""So many records are put together at once; each may have `LONGEST_RECORD` lines."""

FIRST = "first"
"""The column with the seq of the first line of the record that a line belongs to."""

_STREAM = ("log_group", "log_stream")


def with_first(records: pl.DataFrame) -> pl.DataFrame:
    """Return lines with the seq of the first line of their record as `FIRST`."""
    return records.with_columns(pl.coalesce("head", "seq").alias(FIRST))


def one_of_each(records: pl.DataFrame) -> pl.DataFrame:
    """Return the first of the lines of each record, in their order."""
    return with_first(records).unique([*_STREAM, FIRST], keep="first", maintain_order=True).drop(FIRST)


class WholeRecords:
    """Puts records together, and remembers the newest of each stream, which may go on: no line comes twice."""

    def __init__(self, reader: LakeReader) -> None:
        self._reader = reader
        self._newest: dict[tuple[str, str], tuple[int, int]] = {}

    def of(self, found: pl.DataFrame, *, finished: bool = False) -> Iterator[pl.DataFrame]:
        """Yield the records that these lines with `LINE` are of, each once, where its first line that was found stood.

        A row is the first line of a record, with `LINE` and the lines behind it in `MORE`. With ``finished`` lines that
        still grow are left out. Of a record that was yielded before only the lines that have come since are.
        """
        if not found.height:
            return
        found = with_first(found)
        # Most lines are records of their own; that costs one look for all of them.
        if not (found["head"].is_not_null().any() or any(self._going_on(found, finished=finished))):
            found = found.join(self._known(), on=[*_STREAM, FIRST], how="anti", maintain_order="left")
            self._remember(found.with_columns(last="seq"))
            yield found.drop(FIRST)
            return
        for start in range(0, found.height, RECORDS_AT_ONCE):
            some = found[start : start + RECORDS_AT_ONCE]
            lines = [some]
            for table, rows in self._going_on(some, finished=finished, whole=True):
                written = pl.Series(LINE, lines_of(rows, self._reader.formats()), pl.Binary)
                lines.append(with_first(rows).with_columns(written, table=pl.lit(table)))
            yield self._put_together(some, pl.concat(lines, how="diagonal"))

    def _going_on(
        self, found: pl.DataFrame, *, finished: bool, whole: bool = False
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the lines that go on with these, or what tells that there are any; ``whole`` for all columns.

        With ``whole`` the first lines as well, where they were not found themselves. Each frame with its table.
        """
        ids = {(one.group, one.stream): one.id for one in self._reader.streams()}
        for (group, stream), some in found.partition_by(_STREAM, as_dict=True).items():
            firsts = some[FIRST].unique().sort()
            low, high = int(firsts[0]), int(firsts[-1]) + LONGEST_RECORD
            own = (pl.col("log_group") == group) & (pl.col("log_stream") == stream)
            near = own & pl.col("seq").is_between(low, high, closed="left")
            # A segment without any head is passed over by its statistics.
            wanted = pl.col("head").is_not_null() & pl.col("head").is_in(firsts.implode())
            wanted = wanted | pl.col("seq").is_in(firsts.implode()) if whole else wanted
            for piece in self._reader.pieces(list(RECORD_TABLES), ids[str(group), str(stream)], finished=finished):
                if piece.last_seq >= low and piece.first_seq < high:
                    asked = piece.frame().filter(near & wanted)
                    rows = (asked if whole else asked.select("seq")).collect()
                    if rows.height:
                        yield piece.table, rows

    def _known(self) -> pl.DataFrame:
        newest = [(*stream, first, last) for stream, (first, last) in self._newest.items()]
        schema = {"log_group": pl.String, "log_stream": pl.String, FIRST: pl.Int64, "last": pl.Int64}
        return pl.DataFrame(newest, schema, orient="row")

    def _remember(self, records: pl.DataFrame) -> None:
        for group, stream, first, last in records.select(*_STREAM, FIRST, "last").iter_rows():
            self._newest[group, stream] = max(self._newest.get((group, stream), (0, 0)), (first, last))

    def _put_together(self, found: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
        key = [*_STREAM, FIRST]
        lines = lines.unique([*_STREAM, "seq"], keep="first").sort("seq")
        lines = lines.join(self._known(), on=key, how="left", maintain_order="left")
        lines = lines.filter(pl.col("last").is_null() | (pl.col("seq") > pl.col("last"))).drop("last")
        records = lines.group_by(key, maintain_order=True).agg(
            pl.exclude(key).first(), pl.col(LINE).slice(1).alias(MORE), pl.col("seq").last().alias("last")
        )
        order = found.select(key).unique(keep="first", maintain_order=True)
        records = order.join(records, on=key, how="inner", maintain_order="left")
        self._remember(records)
        return records.drop(FIRST, "last")
