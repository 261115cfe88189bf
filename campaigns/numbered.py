"""Numbered lines, and the oracle that compares a lake with them in every column.

Line ``n`` is the same whoever makes it: most are requests, some are malformed requests, some are no requests at all
and hold bytes that are no UTF-8. So what a lake must hold follows from how many lines there are, and from nothing
that the code under test has said.
"""

import re
from collections import Counter
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl

from heeler.formats import render
from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.lines import CRLF, LF
from heeler.store.reading import LakeReader
from heeler.store.schema import FROM_LINE, FROM_LINE_BEFORE, RECORD_TABLES

FORMAT = ACCESS_FORMATS["combined"]
GROUP, STREAM = "campaign", "numbered"
START = datetime(2026, 3, 1, tzinfo=UTC)
ZONES = (UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=7)))
STATUSES = (200, 200, 404, 500)
NUMBER = re.compile(rb'numbered (\d+) |" \d{3} (\d+) "')


@dataclass(slots=True)
class Faults:
    """How a lake differs from the lines that were written. All zero is right."""

    lost: int = 0
    doubled: int = 0
    invented: int = 0
    reordered: int = 0
    altered: int = 0
    miscounted: int = 0

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, one.name)} {one.name}" for one in fields(self))


def line(number: int) -> bytes:
    """Return line ``number``, with its ending; the first is 1."""
    ending = b"\r\n" if number % 13 == 0 else b"\n"
    if number % 17 == 0:
        return b"numbered %d \xff is no request" % number + ending
    row = columns(number)
    stamp = (START + timedelta(seconds=number // 20)).astimezone(zone(number)).strftime("%d/%b/%Y:%H:%M:%S %z")
    request = row["path"] if row["method"] is None else f"{row['method']} {row['path']} {row['protocol']}"
    text = f'{row["client"]} - {row["remote_user"]} [{stamp}] "{request}" {row["status"]} {number} "-" "{row["agent"]}"'
    return text.encode() + ending


def lines(first: int, last: int) -> bytes:
    """Return the lines from ``first`` to ``last``."""
    return b"".join(map(line, range(first, last + 1)))


def zone(number: int) -> timezone:
    """Return the zone in which line ``number`` tells its time."""
    return ZONES[number // 100 % len(ZONES)]


def columns(number: int) -> dict[str, Any]:
    """Return what is to be stored of line ``number``, but for what the lake gives: seq, received and format."""
    own = number % 17 != 0
    time = START + timedelta(seconds=(number if own else number - 1) // 20)
    row: dict[str, Any] = dict.fromkeys(
        name for name in RECORD_TABLES["access"] if name not in ("seq", "received", "format")
    )
    row |= {"time": time.replace(tzinfo=None), "time_from": FROM_LINE if own else FROM_LINE_BEFORE, "parsed": own}
    row |= {"log_group": GROUP, "log_stream": STREAM, "ending": CRLF if number % 13 == 0 else LF}
    if not own:
        return row | {"raw": b"numbered %d \xff is no request" % number}
    row["zone"] = int(zone(number).utcoffset(None).total_seconds() // 60)
    row |= {"client": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", "ident": "-"}
    row |= {"remote_user": "frank" if number % 3 == 0 else "-", "status": STATUSES[number % 4], "bytes": number}
    row |= {"referer": "-", "agent": f"agent/{number % 5}", "path": "-"}
    row["severity"] = 9 if row["status"] < 400 else 17 if row["status"] < 500 else 18  # as heeler.formats.severity says
    if number % 11 == 0:  # no request line came, as when a scanner connects
        return row
    return row | {"method": "GET", "path": f"/s{number % 7}/{number}?q", "protocol": "HTTP/1.1"}


def section(row: dict[str, Any]) -> str:
    """Return the section that a row counts for."""
    return "(invalid)" if row["method"] is None else "/" + row["path"].split("/")[1]


def compare(folder: Path, count: int) -> Faults:
    """Compare the lake in ``folder`` with the lines from 1 to ``count``."""
    reader = LakeReader(folder)
    try:
        faults, seen = Faults(), list[int]()
        for records in _in_order(reader):
            seen += _numbers(reader, records, count, faults)
        counts = Counter(seen)
        faults.lost += count - len(counts)
        faults.doubled += len(seen) - len(counts)
        newest = 0
        for number in dict.fromkeys(seen):
            faults.reordered += number < newest
            newest = max(newest, number)
        faults.miscounted += _miscounted(reader, count)
        return faults
    finally:
        reader.close()


def count_of(folder: Path) -> int:
    """Return how many records the lake in ``folder`` holds, by reading them."""
    reader = LakeReader(folder)
    try:
        return sum(records.height for records in _in_order(reader))
    finally:
        reader.close()


def _in_order(reader: LakeReader) -> list[pl.DataFrame]:
    found = [piece.frame().collect() for piece in reader.pieces(list(RECORD_TABLES))]
    return [pl.concat(found, how="diagonal_relaxed").sort("seq")] if found else []


def _numbers(reader: LakeReader, records: pl.DataFrame, count: int, faults: Faults) -> list[int]:
    """Return the numbers of the lines that records are, and note those that are none or not what they were."""
    formats = reader.formats()
    if records["seq"].n_unique() < records.height:
        faults.doubled += records.height - records["seq"].n_unique()
    ids = records["format"].unique().to_list()
    if any(formats[one].text != FORMAT.text for one in ids):
        faults.altered += records.height
        return []
    rendered = render(formats[ids[0]], records).to_list()
    matches = [NUMBER.search(text) for text in rendered]
    numbers = [int(match[1] or match[2]) if match else 0 for match in matches]
    invented = [not 1 <= number <= count for number in numbers]
    faults.invented += sum(invented)
    known = [number for number, wrong in zip(numbers, invented, strict=True) if not wrong]
    changed = [text != line(n) for text, n in zip(rendered, numbers, strict=True) if 1 <= n <= count]
    stored = records.filter(~pl.Series(invented, dtype=pl.Boolean))
    wanted = pl.DataFrame([columns(number) for number in known], schema_overrides=dict(RECORD_TABLES["access"]))
    differs = [stored[name].ne_missing(wanted[name].cast(stored.schema[name])) for name in wanted.columns]
    differs.append(pl.Series(changed, dtype=pl.Boolean))
    faults.altered += pl.select(pl.any_horizontal(*differs)).to_series().to_list().count(True)
    return known


def _miscounted(reader: LakeReader, count: int) -> int:
    """Return how many of the counters that are kept beside the records are wrong."""
    hits, rollup = Counter[Any](), Counter[Any]()
    for number in range(1, count + 1):
        row = columns(number)
        if row["parsed"]:
            ten = row["time"].replace(second=row["time"].second // 10 * 10)
            hits[row["time"]] += 1
            rollup[ten, section(row), row["status"] // 100] += 1
            rollup[ten, section(row), row["status"] // 100, "bytes"] += number
    stored_hits, stored_rollup = Counter[Any](), Counter[Any]()
    for piece in reader.pieces(["hits"]):
        for row in piece.frame().collect().iter_rows(named=True):
            stored_hits[row["time"]] += row["hits"]
    for piece in reader.pieces(["rollup"]):
        for row in piece.frame().collect().iter_rows(named=True):
            stored_rollup[row["time"], row["section"], row["class"]] += row["hits"]
            stored_rollup[row["time"], row["section"], row["class"], "bytes"] += row["bytes"]
    streams = [(one.lines, one.bytes) for one in reader.streams()]
    right = [(count, len(lines(1, count)))] if count else []
    wrong = [1 for one, other in ((hits, stored_hits), (rollup, stored_rollup)) if +one != +other]
    return len(wrong) + (streams != right)
