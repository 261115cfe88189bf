"""What travels over the socket between a command and the process that writes to the lake.

A message is the length of its head (4 bytes, big-endian), the head as JSON, then blobs whose lengths the head tells
under ``blobs``. A reply has ``error`` where it failed. Both ends are the same version on one machine, so there is
nothing here for other programs; `heeler status --json` is.
"""

import asyncio
import io
import json
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from heeler.errors import EnvironmentFailed
from heeler.formats import Format
from heeler.model import SourceEvent
from heeler.store import AlertRow, Batch, Completed
from heeler.store.catalog import stored_format

LONGEST_HEAD_BYTES = 64 << 20
LONGEST_BLOBS_BYTES = 1 << 30
"""More is no message of ours."""

COUNTED, UNFINISHED = "counted ", "unfinished "
"""What the names of frames begin with that count by table."""

_LENGTH = struct.Struct(">I")

Head = dict[str, Any]
FormatKey = tuple[str, str, str]
"""Name, table and definition of a format."""


@dataclass(frozen=True, slots=True)
class Message:
    """A head and its blobs."""

    head: Head
    blobs: tuple[bytes, ...] = ()

    def packed(self) -> bytes:
        """Return the bytes that travel."""
        head = json.dumps(self.head | {"blobs": [len(blob) for blob in self.blobs]}).encode()
        return b"".join((_LENGTH.pack(len(head)), head, *self.blobs))


async def receive(reader: asyncio.StreamReader) -> Message | None:
    """Read a message; None where the other end has closed. Raises `EnvironmentFailed` for what is none."""
    try:
        head = _head(await reader.readexactly(_length(await reader.readexactly(_LENGTH.size))))
        return Message(head, tuple([await reader.readexactly(size) for size in head["blobs"]]))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def request(connection: socket.socket, message: Message) -> Message:
    """Send a message and return the reply. Blocks. Raises `EnvironmentFailed` where that cannot be, or it failed."""
    try:
        connection.sendall(message.packed())
        head = _head(_exactly(connection, _length(_exactly(connection, _LENGTH.size))))
        reply = Message(head, tuple(_exactly(connection, size) for size in head["blobs"]))
    except OSError as error:
        raise EnvironmentFailed(
            f"The process that writes to the lake went away: {error}. What it had not answered may not be stored; run "
            "this again, it goes on where it was."
        ) from error
    if "error" in reply.head:
        raise EnvironmentFailed(str(reply.head["error"]))
    return reply


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise ConnectionResetError("the connection was closed")
        parts += part
    return bytes(parts)


def _length(packed: bytes) -> int:
    size: int = _LENGTH.unpack(packed)[0]
    if size > LONGEST_HEAD_BYTES:
        raise EnvironmentFailed(f"A message with a head of {size:,} bytes is none of Heeler's.")
    return size


def _head(packed: bytes) -> Head:
    try:
        head = json.loads(packed)
        sizes = head["blobs"]
        right = all(type(size) is int and size >= 0 for size in sizes) and sum(sizes) <= LONGEST_BLOBS_BYTES
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise EnvironmentFailed("What came over the socket is no message of Heeler's.") from error
    if not right or not isinstance(head, dict):
        raise EnvironmentFailed("What came over the socket is no message of Heeler's.")
    return head


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
    rows = [asdict(row) for row in alerts]
    return Message({"do": "commit", "batches": batches, "alerts": rows}, tuple(blobs))


def formats_in(message: Message) -> dict[FormatKey, Format]:
    """Return the formats that a request to commit names."""
    keys = {(name, table, text) for batch in message.head["batches"] for _, name, table, text in batch["formats"]}
    return {key: stored_format(*key) for key in keys}


def unpacked_tick(
    message: Message, formats: Mapping[FormatKey, Format], ids: Mapping[FormatKey, int]
) -> tuple[list[Completed], list[AlertRow]]:
    """Return what `packed_tick` packed. ``formats`` are those of `formats_in`, ``ids`` what the lake calls them."""
    blobs = iter(message.blobs)
    ready = [_completed(batch, blobs, formats, ids) for batch in message.head["batches"]]
    return ready, [AlertRow(**row) for row in message.head["alerts"]]


def _completed(
    head: Head, blobs: Iterator[bytes], formats: Mapping[FormatKey, Format], ids: Mapping[FormatKey, int]
) -> Completed:
    frames = {name: pl.read_ipc_stream(next(blobs)) for name in head["frames"]}
    theirs = {id_: (name, table, text) for id_, name, table, text in head["formats"]}
    ours = {id_: ids[key] for id_, key in theirs.items()}
    rows = frames["rows"].with_columns(pl.col("format").replace_strict(ours, return_dtype=pl.Int32))
    members = {ids[key]: formats[key] for key in theirs.values()}
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
        tuple(SourceEvent(**event) for event in head["events"]),
        tuple(head["keys"]),
    )
    counted = {name.removeprefix(COUNTED): one for name, one in frames.items() if name.startswith(COUNTED)}
    unfinished = {name.removeprefix(UNFINISHED): one for name, one in frames.items() if name.startswith(UNFINISHED)}
    return Completed(batch, rows, counted, unfinished, members)


def _ipc(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_ipc_stream(target, compression="uncompressed")
    return target.getvalue()
