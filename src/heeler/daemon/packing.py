"""Ticks as messages: what a command has parsed, packed for the process that commits it, and unpacked there.

Whoever unpacks trusts nothing: what fits no table, or could not be written, must not come as far as the lake, where it
would fail for everybody whose lines are in the same tick.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from heeler.daemon.wire import Head, Message
from heeler.formats import Format
from heeler.model import SourceEvent
from heeler.store import AlertRow, Batch, Completed
from heeler.store.catalog import stored_format
from heeler.store.schema import RECORD_TABLES, ROLLUP_TABLES, Schema

COUNTED, UNFINISHED = "counted ", "unfinished "
"""What the names of frames begin with that count by table."""

LARGEST_INTEGER = 2**63 - 1

_Types = Mapping[str, type | tuple[type, ...]]
_BATCH: _Types = {
    **dict.fromkeys(("source", "part", "group", "stream"), str),
    **dict.fromkeys(("received_us", "bytes", "unfinished_bytes"), int),
    "position": dict,
    "piece": bool,
}
_EVENT: _Types = {"what": str, "message": str, "lost_bytes": (int, type(None)), "repeated": bool}
_ALERT: _Types = {"rule": str, "state": str, "hits": int, "time_us": int, "zone_minutes": int}
_KEY: _Types = {"key": str}

FormatKey = tuple[str, str, str]
"""Name, table and definition of a format."""


def packed_tick(ready: Sequence[Completed], alerts: Sequence[AlertRow]) -> Message:
    """Return a request to commit. The ids of formats are those of the sender; their definitions go along."""
    batches, blobs = [], list[bytes]()
    for one in ready:
        batch = one.batch
        frames = {"rows": one.rows}
        frames |= {COUNTED + table: frame for table, frame in one.counted.items()}
        frames |= {UNFINISHED + table: frame for table, frame in one.counted_unfinished.items()}
        batches.append(
            {
                "source": batch.source,
                "part": batch.part,
                "position": dict(batch.position),
                "group": batch.group,
                "stream": batch.stream,
                "received_us": batch.received_us,
                "bytes": batch.bytes,
                "unfinished_bytes": batch.unfinished_bytes,
                "piece": batch.piece,
                "events": [asdict(event) for event in batch.events],
                "keys": list(batch.keys),
                "formats": [[id_, known.name, known.table, known.text] for id_, known in one.formats.items()],
                "frames": list(frames),
            }
        )
        blobs += [_ipc(frame) for frame in frames.values()]
    # What a command takes in is history: nobody follows it, and nobody is told.
    rows = [{name: getattr(row, name) for name in _ALERT} for row in alerts]
    return Message({"do": "commit", "batches": batches, "alerts": rows}, tuple(blobs))


def formats_in(message: Message) -> dict[FormatKey, Format]:
    """Return the formats that a request to commit names."""
    keys = {(name, table, text) for batch in message.head["batches"] for _, name, table, text in batch["formats"]}
    return {key: stored_format(*key) for key in keys}


def unpacked_tick(
    message: Message, formats: Mapping[FormatKey, Format], ids: Mapping[FormatKey, int]
) -> tuple[list[Completed], list[AlertRow]]:
    """Return what `packed_tick` packed. ``formats`` are those of `formats_in`, ``ids`` what the lake calls them.

    Raises `ValueError`, `KeyError` or `TypeError` for what it cannot have packed.
    """
    blobs = iter(message.blobs)
    ready = [_completed(_storable(_typed(batch, _BATCH)), blobs, formats, ids) for batch in message.head["batches"]]
    rows = [_storable(_typed(row, _ALERT)) for row in message.head["alerts"]]
    return ready, [AlertRow(**{name: row[name] for name in _ALERT}) for row in rows]


def _typed(values: Any, types: _Types) -> Any:  # noqa: ANN401 - what JSON holds is whatever it holds
    """Return ``values`` where those that ``types`` names are of them."""
    for name, right in types.items():
        if not isinstance(values[name], right):
            raise TypeError(f"{name} is {values[name]!r}")
    return values


def _storable(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return a value that every column of the catalog takes: no half of a character, no number of any length."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise ValueError(f"{value} is too large a number")
    elif isinstance(value, dict):
        for item in value.items():
            _storable(list(item))
    elif isinstance(value, list):
        for one in value:
            _storable(one)
    return value


def _completed(
    head: Head, blobs: Iterator[bytes], formats: Mapping[FormatKey, Format], ids: Mapping[FormatKey, int]
) -> Completed:
    names = head["frames"]
    frames = {name: _frame(blob) for name, blob in zip(names, blobs, strict=False)}
    if len(frames) < len(names):
        raise ValueError("there are fewer blobs than frames")
    theirs = {id_: (name, table, text) for id_, name, table, text in head["formats"]}
    ours = {id_: ids[key] for id_, key in theirs.items()}
    members = {ids[key]: formats[key] for key in theirs.values()}
    columns = {name: dtype for one in members.values() for name, dtype in RECORD_TABLES[one.table].items()}
    rows = _fitting(frames["rows"], {**columns, "continues": pl.Boolean})
    rows = rows.with_columns(pl.col("format").replace_strict(ours, return_dtype=pl.Int32))
    batch = Batch(
        head["source"],
        head["part"],
        head["position"],
        head["group"],
        head["stream"],
        next(iter(members.values())),
        pl.DataFrame(),
        head["received_us"],
        head["bytes"],
        head["unfinished_bytes"],
        head["piece"],
        tuple(SourceEvent(**_typed(event, _EVENT)) for event in head["events"]),
        tuple(_typed({"key": key}, _KEY)["key"] for key in head["keys"]),
    )
    if not rows.height and (batch.unfinished_bytes or batch.piece):
        raise ValueError("no row is the line that is not finished")
    return Completed(batch, rows, _counts(frames, COUNTED), _counts(frames, UNFINISHED), members)


def _counts(frames: Mapping[str, pl.DataFrame], begin: str) -> dict[str, pl.DataFrame]:
    mine = {name.removeprefix(begin): one for name, one in frames.items() if name.startswith(begin)}
    return {table: _fitting(one, ROLLUP_TABLES[table]) for table, one in mine.items()}


def _frame(blob: bytes) -> pl.DataFrame:
    try:
        return pl.read_ipc_stream(blob)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"a frame cannot be read: {error}") from error


def _fitting(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    if dict(frame.schema) != schema:
        raise ValueError(f"a frame has the columns {frame.schema}")
    return frame


def _ipc(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_ipc_stream(target, compression="uncompressed")
    return target.getvalue()
