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
from heeler.store.events import IS_EVENT
from heeler.store.multiline import MORE
from heeler.store.searching import LINE
from heeler.views.escape import printable

_MATCH, _DIM, _END = "\x1b[1;31m", "\x1b[2m", "\x1b[0m"
_INDENT = "    "
_MOST_LINES = 100
"""So many lines of a record are shown to people; its number of lines tells of the rest."""

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
        """Yield a row for each record, time with the zone, group and stream, and its line; then those that go on.

        All is escaped. Of a record of very many lines the first are shown.
        """
        wholes = [
            [told] if told else _lines(record) for told, record in zip(_told(records), _records(records), strict=True)
        ]
        shown = iter(self._shown([line for whole in wholes for line in whole[:_MOST_LINES]]))
        origins = records.select("time", "log_group", "log_stream").iter_rows()
        for (time, group, stream), whole in zip(origins, wholes, strict=True):
            where = f"{_moment(time)} {printable(group)}/{printable(stream)}"
            where = f"{_DIM}{where}{_END}" if self._colours else where
            yield f"{where} {next(shown)}\n"
            for _ in whole[1:_MOST_LINES]:
                yield f"{_INDENT}{next(shown)}\n"
            if len(whole) > _MOST_LINES:
                yield f"{_INDENT}… and {len(whole) - _MOST_LINES:,} lines more; --raw shows all\n"

    def _shown(self, originals: Sequence[bytes]) -> Iterator[str]:
        """Yield lines escaped, with what was looked for marked in them."""
        lines = [_text(line) for line in originals]
        found: Sequence[Sequence[str]] = [()] * len(lines)
        if self._marks:
            found = pl.Series(lines, dtype=pl.String).str.extract_all(self._marks).to_list()
        for original, line, parts in zip(originals, lines, found, strict=True):
            # What is no UTF-8 is shown byte for byte, and nothing can be marked in it.
            yield printable(original.removesuffix(b"\r")) if "\ufffd" in line else _highlighted(line, parts)

    def as_json(self, records: pl.DataFrame) -> Iterator[str]:
        """Yield a JSON object for each record: where it is from, its line, and the fields that it has.

        A record of several lines has all of them as ``lines``, the first as ``line``.
        """
        for row, record in zip(records.iter_rows(named=True), _records(records), strict=True):
            lines = [line.rstrip(b"\r").decode("utf-8", "backslashreplace") for line in _lines(record)]
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
                "line": lines[0],
            }
            if len(lines) > 1:
                said["lines"] = lines
            said |= {name: value for name, value in _fields(row) if value is not None}
            yield json.dumps(said) + "\n"

    @staticmethod
    def as_bytes(records: pl.DataFrame) -> bytes:
        """Return the lines exactly as they came."""
        return b"".join(_records(records))


def _told(records: pl.DataFrame) -> list[bytes | None]:
    """Return what each record tells that is no line but an event: a gap, a restart; None for lines."""
    if not {"ending", "raw", "message"} <= set(records.columns):
        return [None] * records.height
    told = pl.when(IS_EVENT).then(pl.lit("-- ") + pl.col("message")).cast(pl.Binary)
    return records.select(told=told)["told"].to_list()


def _records(records: pl.DataFrame) -> list[bytes]:
    """Return all lines of each record as one text; one line where no more were put together."""
    first: list[bytes] = records[LINE].to_list()
    if MORE not in records.columns:
        return first
    return [line + b"".join(more) for line, more in zip(first, records[MORE].to_list(), strict=True)]


def _lines(record: bytes) -> list[bytes]:
    return record.removesuffix(b"\n").split(b"\n")


def _fields(row: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, field in FIELDS.items():
        if name not in _NOT_TOLD and field.kind is not Kind.ATTRIBUTE:
            value = row.get(field.column)
            yield name, value.total_seconds() if isinstance(value, timedelta) else value


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace")


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
