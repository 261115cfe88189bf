"""Samples of formats: lines of which an entry says what becomes of them, and what really does.

``[[formats.NAME.samples]]`` has ``line``, and ``expect`` with columns of its record: ``time`` in UTC, ``duration`` in
seconds, and members of ``attributes`` as ``attributes.NAME``. ``received`` is when the line came in, for stamps that
leave out the year or the day.
"""

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from heeler.errors import UsageError
from heeler.formats import Format
from heeler.formats.definitions import Entry
from heeler.formats.lines import split
from heeler.formats.severity import graded
from heeler.formats.timestamps import Receipt

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A sample of which something else becomes than its entry says.

    ``number`` counts the samples of the format from 1; ``differences`` are sentences.
    """

    format: str
    number: int
    line: str
    differences: tuple[str, ...]


def disagreements(read: Mapping[str, Entry], known: Mapping[str, Format], now_us: int) -> Iterator[Disagreement]:
    """Yield the samples of entries that do not become what they say. ``now_us`` is when they come in, if nothing tells.

    Raises `UsageError` for what is no sample.
    """
    for name, entry in read.items():
        samples = entry.get("samples", [])
        if not isinstance(samples, list) or not all(_is_sample(sample) for sample in samples):
            raise UsageError(
                f"The samples of the format {name!r} need a line, and a table named expect of its columns."
            )
        for number, sample in enumerate(samples, 1):
            if found := _differences(known[name], sample, now_us):
                yield Disagreement(name, number, sample["line"], tuple(found))


def line_number(text: str, name: str, number: int) -> int | None:
    """Return in which line of a TOML text a sample of a format begins; None where it is written in another way."""
    header = re.compile(
        rf"^[ \t]*\[\[\s*formats\s*\.\s*[\"']?{re.escape(name)}[\"']?\s*\.\s*samples\s*\]\]", re.MULTILINE
    )
    places = [found.start() for found in header.finditer(text)]
    return text.count("\n", 0, places[number - 1]) + 1 if number <= len(places) else None


def _is_sample(sample: object) -> bool:
    return (
        isinstance(sample, dict)
        and isinstance(sample.get("line"), str)
        and isinstance(sample.get("expect", {}), dict)
        and isinstance(sample.get("received", _EPOCH), dt.datetime)
    )


def _differences(known: Format, sample: Mapping[str, Any], now_us: int) -> list[str]:
    received = sample.get("received")
    receipt = Receipt(now_us if received is None else _micros(received))
    lines = split(sample["line"].encode())
    if len(lines) != 1:
        return [f"It has {len(lines)} lines; a sample is one."]
    frame = graded(known.parse(lines, None, receipt))
    if not frame["parsed"][0]:
        return ["It does not parse."]
    if "continues" in frame.columns and frame["continues"][0]:
        return ["It goes on with the record before it, and is no record by itself."]
    return [
        f"{column} is {_shown(found)}, not {_shown(expected)}."
        for column, expected in sample.get("expect", {}).items()
        if (found := _value(frame, column)) != expected
    ]


def _value(frame: pl.DataFrame, column: str) -> object:
    """Return what a record has in a column, as TOML would say it; None for nothing."""
    name, _, member = column.partition(".")
    if member:
        text = frame[name][0] if name in frame.columns else None
        return json.loads(text).get(member) if text else None
    value = frame[column][0] if column in frame.columns else None
    return value.total_seconds() if isinstance(value, dt.timedelta) else value


def _micros(moment: dt.datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (aware - _EPOCH) // dt.timedelta(microseconds=1)


def _shown(value: object) -> str:
    return "empty" if value is None else value.isoformat() if isinstance(value, dt.datetime) else repr(value)
