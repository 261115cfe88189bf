"""Records that were found, as text for people, as JSON lines, and as the bytes they were."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from heeler.formats import Format
from heeler.query import regex, tree
from heeler.query.conditions import token_pattern
from heeler.query.fields import FIELDS, Kind
from heeler.query.tree import Condition
from heeler.store.searching import LINE
from heeler.views.escape import printable

_MATCH, _DIM, _END = "\x1b[1;31m", "\x1b[2m", "\x1b[0m"
_NOT_TOLD = frozenset({"group", "stream", "seq", "format"})
"""Fields that stand elsewhere in a JSON object."""


class Found:
    """Writes records. ``marks`` is the condition whose matches stand out where ``colours`` are wanted."""

    def __init__(self, formats: Mapping[int, Format], marks: Condition, *, colours: bool) -> None:
        self._formats = formats
        self._colours = colours
        parts = list(_marked(marks))
        self._marks = regex.for_rust("|".join(f"(?:{part})" for part in parts)) if parts and colours else ""

    def as_text(self, records: pl.DataFrame) -> Iterator[str]:
        """Yield a row for each record: its time with the zone, group and stream, and its line, all escaped."""
        originals: list[bytes] = records[LINE].to_list()
        lines = [_text(line) for line in originals]
        found: Sequence[Sequence[str]] = [()] * len(lines)
        if self._marks:
            found = pl.Series(lines, dtype=pl.String).str.extract_all(self._marks).to_list()
        origins = records.select("time", "log_group", "log_stream").iter_rows()
        for (time, group, stream), original, line, parts in zip(origins, originals, lines, found, strict=True):
            where = f"{_moment(time)} {printable(group)}/{printable(stream)}"
            where = f"{_DIM}{where}{_END}" if self._colours else where
            # What is no UTF-8 is shown byte for byte, and nothing can be marked in it.
            shown = printable(original) if "\ufffd" in line else _highlighted(line, parts)
            yield f"{where} {shown}\n"

    def as_json(self, records: pl.DataFrame) -> Iterator[str]:
        """Yield a JSON object for each record: where it is from, its line, and the fields that it has."""
        for row in records.iter_rows(named=True):
            identity = [
                tree.Equal("group", row["log_group"]),
                tree.Equal("stream", row["log_stream"]),
                tree.Equal("seq", str(row["seq"])),
            ]
            said: dict[str, object] = {
                "time": f"{row['time'].isoformat()}+00:00",
                "group": row["log_group"],
                "stream": row["log_stream"],
                "seq": row["seq"],
                "link": str(tree.all_of(identity)),
                "format": self._formats[row["format"]].name,
                "line": row[LINE].rstrip(b"\r\n").decode("utf-8", "backslashreplace"),
            }
            said |= {name: value for name, value in _fields(row) if value is not None}
            yield json.dumps(said) + "\n"

    @staticmethod
    def as_bytes(records: pl.DataFrame) -> bytes:
        """Return the lines exactly as they came."""
        return b"".join(records[LINE].to_list())


def _fields(row: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, field in FIELDS.items():
        if name not in _NOT_TOLD and field.kind is not Kind.ATTRIBUTE:
            value = row.get(field.column)
            yield name, value.total_seconds() if isinstance(value, timedelta) else value


def _text(line: bytes) -> str:
    return line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace")


def _moment(time: datetime) -> str:
    return f"{time.isoformat(timespec='milliseconds')}+00:00"


def _highlighted(line: str, parts: Sequence[str]) -> str:
    """Escape a line, and mark these parts of it, which stand in it in this order."""
    shown, done = "", 0
    for part in parts:
        at = line.find(part, done)
        if part and at >= 0:
            shown += printable(line[done:at] + "|")[:-1] + _MATCH + printable(part + "|")[:-1] + _END
            done = at + len(part)
    return shown + printable(line[done:])


def _marked(condition: Condition) -> Iterator[str]:
    """Yield a regex for each thing that a record was found by."""
    if isinstance(condition, tree.And | tree.Or):
        for part in condition.parts:
            yield from _marked(part)
    elif isinstance(condition, tree.Text):
        yield regex.literal(condition.value, folds=True)
    elif isinstance(condition, tree.Token):
        yield token_pattern(condition.value).engine
    elif isinstance(condition, tree.Regex):
        yield regex.read(condition.pattern).engine
    elif isinstance(condition, tree.Equal | tree.Prefix) and condition.value and condition.field not in _NOT_TOLD:
        yield regex.literal(condition.value, folds=True)
