"""The lake as other processes reach it while one collects: over the socket beside it."""

import itertools
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from heeler import __version__
from heeler.daemon.packing import FormatKey, packed_tick
from heeler.daemon.socket_path import connect
from heeler.daemon.wire import Head, Message, request
from heeler.formats import Format, members_of
from heeler.model import Position
from heeler.store import Batch, Completed, Tick
from heeler.store.records import complete

PIECE_BYTES = 64 << 20
"""So much of a tick goes with one message: the other process has room for several."""


class RemoteStore:
    """A lake that another process writes to. Implements `heeler.store.Store`: lines are parsed here, committed there.

    Raises `ConnectionRefusedError` where nobody listens, and `EnvironmentFailed` where who does is of another version.
    """

    def __init__(self, folder: Path, who: str) -> None:
        """``folder`` is the lake, ``who`` says to the other process who writes: ``heeler ingest``."""
        self.folder = folder
        self._connection = connect(folder)
        self._lock = threading.Lock()
        self._ids: dict[FormatKey, int] = {}
        self._count = itertools.count(1)
        try:
            hello = self._ask({"do": "hello", "who": f"`{who}` (process {os.getpid()})", "version": __version__})
        except BaseException:
            self.close()
            raise
        self.pid = int(hello["pid"])

    def positions(self, source: str) -> dict[str, Position]:
        """See `Store.positions`."""
        positions: dict[str, Position] = self._ask({"do": "positions", "source": source})["positions"]
        return positions

    def seen(self, source: str, keys: Sequence[str]) -> frozenset[str]:
        """See `Store.seen`."""
        return frozenset(self._ask({"do": "seen", "source": source, "keys": list(keys)})["seen"])

    def register(self, known: Format) -> int:
        """See `Store.register`; the ids are those of this process alone."""
        ids = [self._id_of(member) for member in members_of(known)]
        return ids[0]

    def complete(self, batch: Batch) -> Completed:
        """See `Store.complete`."""
        return complete(batch, [self._id_of(member) for member in members_of(batch.format)])

    def commit(self, tick: Tick, completed_batches: Sequence[Completed] | None = None) -> None:
        """See `Store.commit`; returns when the other process has committed.

        What is too large for one message is committed in pieces, which the positions of each make no worse: when this
        raises, some of them may be stored, and reading goes on behind those.
        """
        ready = [self.complete(batch) for batch in tick.batches] if completed_batches is None else completed_batches
        alerts = tick.alerts
        for piece in _pieces(ready):
            with self._lock:
                request(self._connection, packed_tick(piece, alerts))
            alerts = ()

    def close(self) -> None:
        """See `Store.close`."""
        self._connection.close()

    def _ask(self, head: Head) -> Head:
        with self._lock:
            return request(self._connection, Message(head)).head

    def _id_of(self, known: Format) -> int:
        return self._ids.setdefault((known.name, known.table, known.text), next(self._count))


def _pieces(ready: Sequence[Completed]) -> Iterator[Sequence[Completed]]:
    """Yield all of it in order, as few messages as can be; at least one, as alerts may go alone."""
    piece: list[Completed] = []
    size = 0
    for one in ready:
        own = int(one.rows.estimated_size())
        if piece and size + own > PIECE_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(one)
        size += own
    yield piece
