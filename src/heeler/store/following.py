"""Following a lake: what is committed after a moment, found by asking the catalog again and again."""

from collections.abc import Iterator

import polars as pl

from heeler.query.tree import Compare, Condition, Equal, Query, all_of, any_of
from heeler.store.matching import Matcher, taken
from heeler.store.reading import LakeReader, StreamInfo, lines_of
from heeler.store.schema import RECORD_TABLES
from heeler.store.searching import LINE, ORDER


class Following:
    """Records that match a query and are committed after this was made. A line is shown when it is finished.

    What has been seen is known by stream and seq, so it does not matter when records move into segments.
    """

    def __init__(self, reader: LakeReader, query: Query, now_us: int) -> None:
        self._reader = reader
        self._query = query
        self._now_us = now_us
        self._next: dict[int, int] = {}
        self._unfinished: dict[int, set[int]] = {}
        for stream in reader.streams():
            self._look(stream)

    def _look(self, stream: StreamInfo) -> int:
        """Note how far a stream goes; return the seq that came next when it was last looked at."""
        before = self._next.get(stream.id, 0)
        finished = self._reader.pieces(list(RECORD_TABLES), stream.id, finished=True)
        everything = self._reader.pieces(list(RECORD_TABLES), stream.id)
        known = {(piece.table, piece.first_seq, piece.last_seq) for piece in finished}
        growing = [one for one in everything if (one.table, one.first_seq, one.last_seq) not in known]
        self._unfinished[stream.id] = {piece.first_seq for piece in growing}
        self._next[stream.id] = max([before, *(piece.last_seq + 1 for piece in finished)])
        return before

    def is_new(self, records: pl.DataFrame) -> pl.Series:
        """Tell which records this will find later, because they were not there, or not finished, when it was made."""
        ids = {(one.group, one.stream): one.id for one in self._reader.streams()}
        rows = records.select("log_group", "log_stream", "seq").iter_rows()
        flags = [
            seq >= self._next.get(ids.get((group, stream), -1), 0)
            or seq in self._unfinished.get(ids.get((group, stream), -1), ())
            for group, stream, seq in rows
        ]
        return pl.Series(flags, dtype=pl.Boolean)

    def new(self) -> Iterator[pl.DataFrame]:
        """Yield what was committed since the last call, with all columns and `LINE`, by stream and time."""
        for stream in self._reader.streams():
            pending = set(self._unfinished.get(stream.id, ()))
            begin = self._look(stream)
            ready = pending - self._unfinished[stream.id]
            if self._next[stream.id] > begin or ready:
                yield from self._of_stream(stream, begin, ready)

    def _of_stream(self, stream: StreamInfo, begin: int, ready: set[int]) -> Iterator[pl.DataFrame]:
        seqs: list[Condition] = [Compare("seq", ">=", str(begin)), *(Equal("seq", str(seq)) for seq in sorted(ready))]
        own = [Equal("group", stream.group), Equal("stream", stream.stream), any_of(seqs), self._query.where]
        pieces = self._reader.pieces(list(RECORD_TABLES), stream.id, finished=True)
        formats = self._reader.formats()
        matcher = Matcher(all_of(own), formats, now_us=self._now_us)
        first = min([begin, *ready])
        for piece in sorted(pieces, key=lambda piece: piece.first_seq):
            if piece.last_seq >= first and matcher.may_hold(piece):
                for frame in taken(piece, matcher.rows(piece), list(RECORD_TABLES[piece.table])):
                    lines = pl.Series(LINE, lines_of(frame, formats), pl.Binary)
                    yield frame.with_columns(lines, table=pl.lit(piece.table)).sort(ORDER)
