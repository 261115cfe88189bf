"""Printing what a search finds: records as text, JSON or bytes, their neighbours, what is new; and what is counted."""

import asyncio
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import polars as pl

from heeler.cli.screens import notice
from heeler.clock import Clock, SystemClock
from heeler.errors import Exit, NothingFound
from heeler.query.tree import Query
from heeler.store.following import Following
from heeler.store.multiline import WholeRecords, one_of_each
from heeler.store.reading import LakeReader
from heeler.store.searching import Search, neighbours
from heeler.views.found import Found

POLL_S = 0.5
"""A lake that is followed is looked at so often."""

BETWEEN_NEIGHBOURS = "--"

As = Literal["text", "json", "raw"]
Table = Literal["table", "json", "csv"]


@dataclass(frozen=True, slots=True)
class How:
    """How records are printed. ``limit`` 0 means all; ``context`` counts neighbours."""

    form: As = "text"
    limit: int = 0
    context: int = 0
    follow: bool = False


def print_records(reader: LakeReader, found: Search, how: How, timeout_s: float) -> int:
    """Print the records that a search finds, in the order of their times, and go on with what comes if asked to."""
    query = found.wanted.query
    following = Following(reader, query, found.wanted.now_us) if how.follow else None
    whole = WholeRecords(reader)
    by_line = bool(query.stages or how.context)
    number = 0
    for frame in _frames(found, query, how, timeout_s):
        lines = frame if following is None else frame.filter(~following.is_new(frame))
        if how.context:
            _print_with_neighbours(reader, found, lines, how, first=not number)
        for records in [lines] if by_line else whole.of(lines, finished=how.follow):
            if not how.context:
                _print(_writer(reader, found), records, how.form)
            number += records.height
    if following is not None:
        asyncio.run(_follow(following, whole, _writer(reader, found), how.form, SystemClock()))
    if how.limit and number == how.limit and sys.stdout.isatty():
        notice(f"These are the newest {number:,}; there may be more. --limit 0 shows all.")
    if not number:
        raise NothingFound("No record matches.")
    return Exit.DONE


def print_summary(found: Search, query: Query, how: Table, timeout_s: float) -> int:
    """Print what the stages of a query make of the records that a search finds."""
    # The engine takes a while to import, and a search needs none of it.
    from heeler.store.summing import summary  # noqa: PLC0415 - see above
    from heeler.views import results  # noqa: PLC0415 - see above

    number = 0
    with summary(found, query, timeout_s=timeout_s) as answer:
        rows = ([results.zoned(value) for value in row] for row in answer.rows)
        for number, line in enumerate(  # noqa: B007 - counts the rows, not the header
            results.written(how, answer.columns, rows, for_terminal=sys.stdout.isatty()), 1 if how == "json" else 0
        ):
            sys.stdout.write(line)
    if not number:
        raise NothingFound("No record matches.")
    return Exit.DONE


def _frames(found: Search, query: Query, how: How, timeout_s: float) -> Iterator[pl.DataFrame]:
    if query.stages:
        from heeler.store.summing import sorted_records  # noqa: PLC0415 - as above

        return sorted_records(found, query, limit=how.limit, timeout_s=timeout_s)
    if not how.limit:
        return found.oldest_first()
    return found.newest(how.limit, None if how.context else one_of_each)


def _writer(reader: LakeReader, found: Search) -> Found:
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return Found(reader.formats(), found.wanted.query.where, colours=colours)


def _print(write: Found, records: pl.DataFrame, form: As) -> None:
    if form == "raw":
        sys.stdout.buffer.write(write.as_bytes(records))
    else:
        sys.stdout.writelines(write.as_json(records) if form == "json" else write.as_text(records))
    sys.stdout.flush()


def _print_with_neighbours(reader: LakeReader, found: Search, records: pl.DataFrame, how: How, *, first: bool) -> None:
    """Print each match with its neighbours; matches of a stream that are near share them."""
    write = _writer(reader, found)
    for (group, stream), some in records.partition_by(
        "log_group", "log_stream", as_dict=True, maintain_order=True
    ).items():
        near = neighbours(reader, (str(group), str(stream)), some["seq"].sort().to_list(), how.context)
        for run in near:
            if not first and how.form == "text":
                print(BETWEEN_NEIGHBOURS)
            first = False
            _print(write, run, how.form)


async def _follow(following: Following, whole: WholeRecords, write: Found, form: As, clock: Clock) -> None:
    while True:
        for lines in following.new():
            for records in whole.of(lines, finished=True):
                _print(write, records, form)
        await clock.sleep(POLL_S)
