"""The lake as other processes reach it while one collects: over the socket beside it."""

import itertools
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from heeler import __version__
from heeler.daemon.socket_path import connect
from heeler.daemon.wire import FormatKey, Head, Message, packed_tick, request
from heeler.formats import Format, members_of
from heeler.model import Position
from heeler.store import Batch, Completed, Tick
from heeler.store.records import complete


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
        """See `Store.commit`; returns when the other process has committed."""
        ready = [self.complete(batch) for batch in tick.batches] if completed_batches is None else completed_batches
        with self._lock:
            request(self._connection, packed_tick(ready, tick.alerts))

    def close(self) -> None:
        """See `Store.close`."""
        self._connection.close()

    def _ask(self, head: Head) -> Head:
        with self._lock:
            return request(self._connection, Message(head)).head

    def _id_of(self, known: Format) -> int:
        return self._ids.setdefault((known.name, known.table, known.text), next(self._count))
