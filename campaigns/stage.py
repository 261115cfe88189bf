"""A stage for followed files: things happen to them, one whenever the reader has nothing more to read.

Nobody waits for time: the waker runs the next action, the clock is moved by hand, and the reader that has seen the
last one is stopped. What it gave is stored as a lake would store it: lines together with the position behind them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from heeler.clock import FakeClock
from heeler.model import Chunk, Position
from heeler.sources.file import FileSource

Action = Callable[[], Awaitable[None] | object]
LONGEST_RUN_S = 60


async def perform(action: Action) -> None:
    """Let something happen."""
    done = action()
    if isinstance(done, Awaitable):
        await done


class Script:
    """A waker that lets the next thing happen whenever the source has nothing more to read, then closes it."""

    trouble = ""
    is_partial = False

    def __init__(self, actions: Iterable[Action]) -> None:
        self._actions = iter(actions)
        self.source: FileSource | None = None
        self.directories: set[str] = set()

    def watch(self, directories: Iterable[str], concerns: Callable[[str, bool], bool]) -> None:
        """Take note; nothing is told of them but that anything may have changed."""
        del concerns
        self.directories = set(directories)

    async def wait(self, seconds: float) -> frozenset[str] | None:
        """Let the next thing happen."""
        assert seconds == 1
        action = next(self._actions, None)
        if action is not None:
            await perform(action)
        elif self.source:
            await self.source.close()
        return None

    def told(self) -> frozenset[str] | None:
        """Tell nothing while there is something to read."""
        return frozenset()

    async def close(self) -> None:
        """Do nothing."""


class Stage:
    """Paths that are followed by one reader after the other, and what all of them gave."""

    def __init__(self, *paths: Path | str, clock: FakeClock | None = None, **options: Any) -> None:  # noqa: ANN401 - those of the source
        self.paths = paths
        self.clock = clock or FakeClock()
        self.options = {"from_start": True, "chunk_bytes": 1 << 16, **options}
        self.positions: dict[str, Position] = {}
        self.chunks: list[Chunk] = []

    def run(self, *actions: Action, most: int | None = None) -> list[Chunk]:
        """Start a reader where the one before ended, and return what it gives while the actions happen.

        It is killed after ``most`` chunks: what it read beyond them is not stored.
        """
        return asyncio.run(self._run(actions, most))

    def happens(self, *actions: Action, live: bool) -> list[Chunk]:
        """Let the actions happen, before the eyes of a reader or while there is none; return what is given then."""
        if live:
            return self.run(*actions)
        for action in actions:
            asyncio.run(perform(action))
        return self.run()

    def advance(self, seconds: float) -> Action:
        """Return an action that lets time pass."""
        return lambda: self.clock.advance(seconds)

    @property
    def data(self) -> bytes:
        """Everything that was given, in the order of giving."""
        return data(self.chunks)

    def of(self, path: Path | str) -> bytes:
        """Return what was given of one path."""
        return data(chunk for chunk in self.chunks if chunk.path == str(path))

    @property
    def events(self) -> list[str]:
        """What happened, as far as it was told."""
        return events(self.chunks)

    async def _run(self, actions: Sequence[Action], most: int | None) -> list[Chunk]:
        script = Script(actions)
        options = {"clock": self.clock, **self.options}
        script.source = FileSource(*self.paths, follow=True, positions=dict(self.positions), waker=script, **options)
        given: list[Chunk] = []
        async with asyncio.timeout(LONGEST_RUN_S):
            async for chunk in script.source.read():
                if most is not None and len(given) >= most:
                    await script.source.close()
                    break
                given.append(chunk)
                self.chunks.append(chunk)
                self.store(chunk)
        return given

    def store(self, chunk: Chunk) -> None:
        """Keep the position as a lake does."""
        if chunk.position:
            self.positions[chunk.part] = chunk.position
        else:
            self.positions.pop(chunk.part, None)


def data(chunks: Iterable[Chunk]) -> bytes:
    """Return the bytes of chunks."""
    return b"".join(chunk.data for chunk in chunks)


def events(chunks: Iterable[Chunk]) -> list[str]:
    """Return what happened, in a word each."""
    return [event.what for chunk in chunks for event in chunk.events]


def append(path: Path, text: bytes) -> Action:
    """Return an action that writes at the end of a file, and makes it where there is none."""

    def act() -> None:
        with path.open("ab") as file:
            file.write(text)

    return act


def rotate(path: Path, *, keep: int = 20, create: bool = True) -> Action:
    """Return an action that renames a file and those rotated before it, as logrotate does."""

    def act() -> None:
        shift(path, keep)
        path.rename(path.with_name(f"{path.name}.1"))
        if create:
            path.touch()

    return act


def copytruncate(path: Path, *, keep: int = 20) -> Action:
    """Return an action that copies a file and truncates it, as logrotate does with ``copytruncate``."""

    def act() -> None:
        shift(path, keep)
        path.with_name(f"{path.name}.1").write_bytes(path.read_bytes())
        with path.open("r+b") as file:
            file.truncate(0)

    return act


def shift(path: Path, keep: int) -> None:
    """Rename ``.1`` to ``.2`` and so on, compressed or not; what is older than ``keep`` goes."""
    for number in range(keep, 0, -1):
        for ending in ("", ".gz", ".zst"):
            old = path.with_name(f"{path.name}.{number}{ending}")
            if old.exists():
                old.rename(path.with_name(f"{path.name}.{number + 1}{ending}"))
    for ending in ("", ".gz", ".zst"):
        path.with_name(f"{path.name}.{keep + 1}{ending}").unlink(missing_ok=True)
