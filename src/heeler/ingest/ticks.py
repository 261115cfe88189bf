"""Gathering parsed chunks to ticks, and committing them one after the other in a thread of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from heeler.clock import Clock
from heeler.errors import EnvironmentFailed
from heeler.model import Position
from heeler.store import AlertRow, Completed, Store, Tick
from heeler.store.lake import Lake
from heeler.store.upkeep import Upkeep

TICK_SECONDS = 1.0
"""How long lines wait for others before they are committed."""

AWAITED_SECONDS = 0.1
"""How long they wait when somebody waits for the commit: long enough that many senders share one."""

UPKEEP_SECONDS = 0.1
"""How long the lake is looked after between two ticks."""

PAUSE_SECONDS = 5.0
"""How often a full disk is looked at again, and a commit that failed is tried again."""

TICK_BYTES = 16 << 20
"""So many bytes of lines are committed at once: waits for the disk are few, and memory is for twice as many lines."""

Committed = Callable[[Mapping[str, Position]], Awaitable[None]]
"""Is told after each commit the positions, by part, that are durable now."""

Alerts = Sequence[AlertRow] | Callable[[], Sequence[AlertRow]]
"""Transitions, or what returns them; it is called in the moment in which the lines are sure to be committed."""


@dataclass(slots=True)
class _Waiting:
    """What the next tick is to commit."""

    ready: list[Completed] = field(default_factory=list)
    alerts: list[AlertRow] = field(default_factory=list)
    positions: dict[Committed, dict[str, Position]] = field(default_factory=dict)
    bytes: int = 0
    durable: asyncio.Event = field(default_factory=asyncio.Event)

    def __bool__(self) -> bool:
        return bool(self.ready or self.alerts)


class Ticks:
    """What waits to be committed to a store. One task writes; others hand over, and wait while there is no room.

    Between ticks, when nothing waits, a lake is looked after in short slices. While its disk is nearly full nothing
    is committed, so those who hand over wait. When a commit fails, `write` raises what it raised, and nothing of that
    tick or after it is stored; with ``retries`` the same tick is tried again until the end was said, and then once
    more; nor does the end wait for room on the disk then.
    """

    def __init__(
        self,
        store: Store,
        writer: Executor,
        clock: Clock,
        notice: Callable[[str], None],
        *,
        tick_bytes: int = TICK_BYTES,
        upkeep: Upkeep | None = None,
        retries: bool = False,
    ) -> None:
        """``writer`` is an executor of one thread, which alone uses ``store``; ``notice`` takes sentences for people.

        ``upkeep`` looks after a lake; without it one is made, where the store is a lake.
        """
        self._store = store
        self._upkeep = upkeep or (Upkeep(store) if isinstance(store, Lake) else None)
        self._notice = notice
        self._writer = writer
        self._clock = clock
        self._tick_bytes = tick_bytes
        self._retries = retries
        self._waiting = _Waiting()
        self._committing: _Waiting | None = None
        self._ended = asyncio.Event()
        self._some, self._full, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._awaited = asyncio.Event()

    @property
    def bytes(self) -> int:
        """How many bytes of lines wait."""
        return self._waiting.bytes

    async def put(
        self,
        ready: Sequence[Completed],
        alerts: Alerts = (),
        *,
        committed: Committed | None = None,
        awaited: bool = False,
    ) -> None:
        """Hand over what one tick is to commit together, as soon as there is room.

        ``committed`` is told when it is durable. ``awaited`` says that somebody waits for that.
        """
        while self._waiting.bytes >= self._tick_bytes:
            self._room.clear()
            await self._room.wait()
        waiting = self._waiting
        waiting.ready += ready
        waiting.alerts += alerts() if callable(alerts) else alerts
        waiting.bytes += sum(one.batch.bytes for one in ready)
        if committed is not None:
            positions = waiting.positions.setdefault(committed, {})
            positions.update((one.batch.part, one.batch.position) for one in ready)
        if waiting:
            self._some.set()
        if awaited:
            self._awaited.set()
        if waiting.bytes >= self._tick_bytes:
            self._full.set()

    async def settled(self) -> None:
        """Return when everything that was handed over before is durable, and whoever asked for that was told."""
        for one in (self._committing, self._waiting):
            if one:
                self._awaited.set()
                await one.durable.wait()

    def end(self) -> None:
        """Say that nothing more comes: `write` commits what is left, and returns."""
        self._ended.set()
        self._some.set()
        self._full.set()

    async def write(self) -> None:
        """Commit until the end, a tick about once a second or when enough has come."""
        loop = asyncio.get_running_loop()
        while await self._is_due():
            await self._wait_for_disk()
            due, is_busy = self._waiting, self._waiting.bytes >= self._tick_bytes
            self._waiting, self._committing = _Waiting(), due
            self._awaited.clear()
            if not self._ended.is_set():
                self._some.clear()
                self._full.clear()
            self._room.set()
            await self._commit(due)
            for committed, positions in due.positions.items():
                await committed(positions)
            due.durable.set()
            del due
            self._committing = None
            if self._upkeep and (self._ended.is_set() or not self._waiting):
                for note in await loop.run_in_executor(self._writer, self._look_after, is_busy or self._ended.is_set()):
                    self._notice(note)

    async def _commit(self, due: _Waiting) -> None:
        tick = Tick(tuple(one.batch for one in due.ready), tuple(due.alerts))
        while True:
            try:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._writer, self._store.commit, tick, due.ready)
            except EnvironmentFailed as error:
                if not self._retries or self._ended.is_set():
                    raise
                self._notice(f"{error} It is tried again every {PAUSE_SECONDS:.0f} s.")
                await self._pause()
            else:
                return

    async def _pause(self) -> None:
        """Wait before something is tried again; the end does not wait for that."""
        waits = {asyncio.ensure_future(self._clock.sleep(PAUSE_SECONDS)), asyncio.ensure_future(self._ended.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _wait_for_disk(self) -> None:
        """Wait until the disk has room beyond what must stay free, and say so when that begins and ends."""
        if self._upkeep is None or not (reason := self._upkeep.pause_reason()):
            return
        self._notice(reason)
        while self._upkeep.pause_reason():
            if not self._retries:
                await self._clock.sleep(PAUSE_SECONDS)
            elif self._ended.is_set():
                raise EnvironmentFailed(f"{reason} What waited is not stored; it is read again at the next start.")
            else:
                await self._pause()
        self._notice("The disk of the lake has room again; taking in goes on.")

    def _look_after(self, is_busy: bool) -> list[str]:  # noqa: FBT001 - an executor passes no names
        """Do a slice of upkeep and return what people should know; a failure loses nothing and is tried again."""
        if self._upkeep is None:
            return []
        try:
            self._upkeep.step(self._clock.now_us(), UPKEEP_SECONDS, is_busy=is_busy)
        except EnvironmentFailed as error:
            self._upkeep.notes.append(str(error))
        notes, self._upkeep.notes = self._upkeep.notes, []
        return notes

    async def _is_due(self) -> bool:
        """Wait until a tick is to be committed; return False when there is none left."""
        await self._some.wait()
        waits = {asyncio.ensure_future(self._clock.sleep(TICK_SECONDS)), asyncio.ensure_future(self._full.wait())}
        waits.add(asyncio.ensure_future(self._soon()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return bool(self._waiting)

    async def _soon(self) -> None:
        await self._awaited.wait()
        await self._clock.sleep(AWAITED_SECONDS)
