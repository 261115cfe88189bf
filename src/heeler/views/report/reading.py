"""Making a report of what the store holds.

Traffic, classes and sections come from what is counted while storing where that is enough (`heeler.views.stats`). The
rest is counted by DuckDB over the records, which goes to the disk where memory does not suffice, and of that no more
than the leading rows are kept. So memory does not grow with the number of records, paths or clients.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from heeler.errors import UsageError
from heeler.query.tree import ALL, Compare, Condition, Equal, Exists, Grouping, Limit, Measure, Query, Top, all_of
from heeler.store.reading import LakeReader
from heeler.store.searching import LINE, Keep, Search, Wanted
from heeler.store.summing import summary
from heeler.units import SECOND_US
from heeler.views.report.model import CLASSES, TABLES, Report
from heeler.views.stats import StatsQuestion, stats

ROWS = 10
"""Rows of each list."""

MOST_BUCKETS = 120
"""The chart has no more columns."""

STEPS_S = (10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400)
"""Lengths of a bucket; longer ones are whole days."""

_ALL = Query()
_SERVER_ERROR = Compare("status", ">=", "500")
_LOGGED_ERROR = Compare("severity", ">=", "error")
_PERCENTILES = ("p50", "p95", "p99")
_LONGEST_SAMPLE = 2_000


@dataclass(frozen=True, slots=True)
class ReportQuestion:
    """What is asked for. Without ``since_us`` or ``until_us`` the period is as long as there are records.

    ``rows`` is how long each list is, and ``tables`` are those that are wanted; ``traffic`` is always there. Times in
    the query count from ``now_us``.
    """

    query: Query = _ALL
    since_us: int | None = None
    until_us: int | None = None
    rows: int = ROWS
    now_us: int = 0
    tables: Collection[str] = tuple(TABLES)


def read_report(reader: LakeReader, question: ReportQuestion, going_on: Keep = lambda: None) -> Report:
    """Return the report. ``going_on`` is called now and then, and raises when time is over.

    Raises `UsageError` for a query that counts or asks for what no request has, and what `stats` and `summary` raise.
    """
    if question.query.stages:
        raise UsageError("A report counts by itself: give it a query without |.")
    return _Reading(reader, question, going_on).report()


class _Reading:
    def __init__(self, reader: LakeReader, question: ReportQuestion, going_on: Keep) -> None:
        self._reader = reader
        self._question = question
        self._going_on = going_on
        where = question.query.where
        if question.query.value_of("parsed") is None:
            where = all_of((where, Equal("parsed", "true")))
        self._requests = self._search(where, "access")

    def _search(self, where: Condition, table: str) -> Search:
        asked = self._question
        return Search(
            self._reader, Wanted(Query(where), asked.now_us, asked.since_us, asked.until_us), self._going_on, (table,)
        )

    def report(self) -> Report:
        every_s = self._every_s()
        counted = self._stats(by=("class",), every_s=every_s)
        traffic = self._traffic(counted, every_s)
        makers: Mapping[str, Callable[[], pl.DataFrame]] = {
            "traffic": lambda: traffic,
            "sections": lambda: self._stats(by=("section",)),
            "classes": lambda: _classes(traffic),
            "codes": lambda: self._counted(Grouping(Measure("count"), ("status",)), {"status": pl.Int64}),
            "paths": lambda: self._top("stem", "path"),
            "slowest": self._slowest,
            "clients": lambda: self._top("client"),
            "agents": lambda: self._top("agent"),
            "errors": self._errors,
            "samples": self._samples,
            "alerts": self._alerts,
        }
        since_us, until_us = self._period(traffic, every_s)
        return Report(
            query=str(self._question.query),
            since_us=since_us,
            until_us=until_us,
            every_s=every_s,
            requests=int(traffic["requests"].sum()),
            bytes=int(traffic["bytes"].sum()),
            errors=int(traffic["4xx"].sum()) + int(traffic["5xx"].sum()),
            tables={name: makers[name]() for name in TABLES if name in ("traffic", *self._question.tables)},
        )

    def _stats(self, *, by: tuple[str, ...], every_s: int | None = None) -> pl.DataFrame:
        self._going_on()
        asked = self._question
        top = asked.rows if every_s is None else 0
        question = StatsQuestion(asked.query, by, every_s, top, asked.since_us, asked.until_us, now_us=asked.now_us)
        return stats(self._reader, question).rows.rename({"hits": "requests"})

    # --- time ---

    def _every_s(self) -> int:
        """Return the length of a bucket, by the first and last time of what may be asked for."""
        times = [time for piece in self._requests.pieces for time in piece.times_us]
        first_us = self._question.since_us if self._question.since_us is not None else min(times, default=0)
        last_us = self._question.until_us if self._question.until_us is not None else max(times, default=0) + 1
        least_s = max(last_us - first_us, 0) / SECOND_US / MOST_BUCKETS
        days = STEPS_S[-1]
        return next((step for step in STEPS_S if step >= least_s), int(-(-least_s // days)) * days)

    def _traffic(self, counted: pl.DataFrame, every_s: int) -> pl.DataFrame:
        """Return a row for each bucket in the order of time, empty ones too, with the requests of each class."""
        step_us = every_s * SECOND_US
        starts = counted["time"].to_physical().to_numpy()
        first, end = self._edges(starts, step_us)
        sums = np.zeros((len(CLASSES), end - first), np.int64)
        sizes = np.zeros(end - first, np.int64)
        at = starts // step_us - first
        for number, name in enumerate(CLASSES):
            here = (counted["class"] == name).to_numpy()
            np.add.at(sums[number], at[here], counted["requests"].to_numpy()[here])
        np.add.at(sizes, at, counted["bytes"].fill_null(0).to_numpy())
        hits = sums.sum(axis=0)
        errors = sums[CLASSES.index("4xx")] + sums[CLASSES.index("5xx")]
        return pl.DataFrame(
            {
                "time": pl.Series(np.arange(first, end) * step_us, dtype=pl.Int64).cast(pl.Datetime("us")),
                "requests": hits,
                "requests_per_s": hits / every_s,
                "bytes": sizes,
                "error_rate": np.round(errors / np.maximum(hits, 1), 4),
                **{name: sums[number] for number, name in enumerate(CLASSES)},
            }
        )

    def _edges(self, starts: "np.ndarray[tuple[int], np.dtype[np.int64]]", step_us: int) -> tuple[int, int]:
        """Return the numbers of the first bucket and of the one behind the last."""
        asked = self._question
        if asked.since_us is not None:
            first = asked.since_us // step_us
        else:
            first = int(starts.min()) // step_us if len(starts) else (asked.until_us or 0) // step_us
        if asked.until_us is not None:
            end = -(-asked.until_us // step_us)
        else:
            end = int(starts.max()) // step_us + 1 if len(starts) else first
        return first, max(first, end)

    def _period(self, traffic: pl.DataFrame, every_s: int) -> tuple[int, int]:
        asked = self._question
        starts = traffic["time"].to_physical().to_list() or [asked.now_us]
        since_us = starts[0] if asked.since_us is None else asked.since_us
        end_us = starts[-1] + every_s * SECOND_US if traffic.height else max(since_us, asked.now_us)
        return since_us, end_us if asked.until_us is None else asked.until_us

    # --- lists ---

    def _rows(self, search: Search, *stages: Grouping | Top | Limit) -> Iterator[tuple[Any, ...]]:
        self._going_on()
        with summary(search, Query(ALL, stages)) as answer:
            yield from answer.rows

    def _counted(self, grouping: Grouping | Top, keys: dict[str, type[pl.DataType]]) -> pl.DataFrame:
        rows = list(islice(self._rows(self._requests, grouping), 1_000))
        return pl.DataFrame(rows, schema={**keys, "requests": pl.Int64}, orient="row")

    def _top(self, field: str, called: str = "") -> pl.DataFrame:
        return self._counted(Top(self._question.rows, (field,)), {called or field: pl.String})

    def _slowest(self) -> pl.DataFrame:
        """Return the paths of which one in twenty answers took longest, with percentiles of all their answers."""
        search = self._search(all_of((self._requests.wanted.query.where, Exists("duration"))), "access")
        by = ("stem",)
        slow = dict(
            self._rows(search, Grouping(Measure("p95", "duration"), by), Limit(self._question.rows))
            if search.pieces
            else ()
        )
        columns: dict[str, dict[str | None, Any]] = {"p95": slow}
        if slow:
            for measure in (Measure("count"), Measure("p50", "duration"), Measure("p99", "duration")):
                columns[measure.name] = _picked(self._rows(search, Grouping(measure, by)), slow)
        rows = [
            (path, columns["count"].get(path, 0), *(columns[name].get(path) for name in _PERCENTILES)) for path in slow
        ]
        seconds = {f"duration_{name}": pl.Float64 for name in _PERCENTILES}
        return pl.DataFrame(rows, schema={"path": pl.String, "requests": pl.Int64, **seconds}, orient="row")

    def _failures(self) -> tuple[Search, Search]:
        """Return what finds answers of 500 and above, and messages that tell of an error."""
        return (
            self._search(all_of((self._requests.wanted.query.where, _SERVER_ERROR)), "access"),
            self._search(all_of((self._question.query.where, _LOGGED_ERROR)), "log"),
        )

    def _errors(self) -> pl.DataFrame:
        """Return the most frequent of each kind: answers by status and path, messages by program and text."""
        requests, messages = self._failures()
        rows = self._question.rows
        found = [
            ("request", f"{status} {path or '-'}", count)
            for status, path, count in self._rows(requests, Top(rows, ("status", "stem")))
        ]
        found += [
            ("message", f"{program}: {message}" if program else message or "", count)
            for program, message, count in self._rows(messages, Top(rows, ("program", "message")))
        ]
        found.sort(key=lambda row: (-row[2], row))
        schema = {"kind": pl.String, "error": pl.String, "count": pl.Int64}
        return pl.DataFrame([(kind, _short(text), count) for kind, text, count in found], schema, orient="row")

    def _samples(self) -> pl.DataFrame:
        """Return the lines of the newest errors of each kind, the newest last."""
        found = []
        for search in self._failures():
            for frame in search.newest(self._question.rows):
                if frame.height:
                    found += frame.select("time", "log_group", "log_stream", LINE).rows()
        found.sort(key=lambda row: row[:3])
        texts = dict.fromkeys(("group", "stream", "line"), pl.String)
        lines = [(time, group, stream, _text(line)) for time, group, stream, line in found]
        return pl.DataFrame(lines, {"time": pl.Datetime("us"), **texts}, orient="row")

    def _alerts(self) -> pl.DataFrame:
        """Return the transitions of the period, of all rules, in the order of their times."""
        rows = [
            (one.time_us, one.rule, one.key, one.state, one.hits)
            for one in self._reader.alerts(self._question.since_us, self._question.until_us)
        ]
        schema = {"time": pl.Int64, "rule": pl.String, "key": pl.String, "state": pl.String, "hits": pl.Int64}
        return pl.DataFrame(rows, schema, orient="row").cast({"time": pl.Datetime("us")})


def _classes(traffic: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame({"class": CLASSES, "requests": [int(traffic[name].sum()) for name in CLASSES]})


def _picked(rows: Iterator[tuple[Any, ...]], keys: Collection[str | None]) -> dict[str | None, Any]:
    """Return by their keys those of many rows that are asked for."""
    return {key: value for key, value in rows if key in keys}


def _text(line: bytes) -> str:
    return _short(line.rstrip(b"\r\n").decode("utf-8", "backslashreplace"))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SAMPLE else text[: _LONGEST_SAMPLE - 1] + "…"
