"""All watched files: one source for those that are followed, and who is told of which chunk."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from heeler.clock import Clock
from heeler.errors import HeelerError
from heeler.formats import Format
from heeler.formats.choose import Formats
from heeler.formats.zones import Zone
from heeler.model import Chunk, Position
from heeler.sources.file import FileSource
from heeler.sources.file_names import Names
from heeler.views.watched_file import CHUNK_BYTES, WatchedFile

MOST_LOOKED_AT = 20
"""Files of patterns whose beginning is looked at first; of the others it is seen when lines come."""


class WatchedFiles:
    """The files that a watch follows: paths, directories, patterns of such, and ``-`` for standard input.

    Looking at them raises what `WatchedFile` raises. ``positions`` are those that were stored, by part. Files that a
    pattern matches later are added when their first lines come.
    """

    def __init__(
        self,
        paths: Sequence[str],
        given: Format | None,
        clock: Clock,
        *,
        known: Formats | None = None,
        zone: Zone | None = None,
        from_start: bool,
        positions: Mapping[str, Position] = {},
    ) -> None:
        self._given = given
        self._known = known
        self._zone = zone
        self._clock = clock
        self._from_start = from_start
        self._positions = dict(positions)
        self._followed = [path for path in paths if path != "-"]
        names = Names(self._followed)
        found = names.look().paths
        named = {path if path == "-" else str(Path(path).absolute()): path for path in paths}
        self._files = {key: self._look(path) for key, path in named.items() if key == "-" or key in names.plain}
        for path in [path for path in found if path not in names.plain][:MOST_LOOKED_AT]:
            with suppress(HeelerError):  # nobody named this one; what its lines are is seen when they come
                self._files.setdefault(path, self._look(path))
        self._empty = {pattern: Names([pattern]) for pattern in names.patterns if not Names([pattern]).look().paths}
        for pattern in self._empty:
            self._files[pattern] = waiting = self._unseen(pattern)
            waiting.message = waiting.beginning = f"waiting for files that are {waiting.shown_path}"

    def __iter__(self) -> Iterator[WatchedFile]:
        return iter(self._files.values())

    def sources(self) -> list[Callable[[], FileSource]]:
        """Return what makes each source; made again, it goes on where the last one was."""
        found: list[Callable[[], FileSource]] = [self._follow] if self._followed else []
        return [*found, *(self._files[path].read_once for path in ("-",) if path in self._files)]

    def of(self, chunk: Chunk) -> WatchedFile:
        """Return the file that a chunk is of."""
        key = chunk.path or "-"
        # That a pattern was matched is told under its name, and stored; it is no file to be shown.
        if key in self._empty or (key not in self._files and not chunk.data and not chunk.events):
            return self._unseen(key)
        if key in self._files:
            return self._files[key]
        for pattern in [pattern for pattern, names in self._empty.items() if names.may_match(key)]:
            self._files.pop(pattern)
            self._empty.pop(pattern)
        return self._files.setdefault(key, self._unseen(key))

    def end(self) -> None:
        """Take note that a source has ended: only standard input does."""
        self._files["-"].state = "ended"

    def note(self, chunk: Chunk) -> None:
        """Take note of how far it was read."""
        self._positions[chunk.part] = chunk.position

    def _unseen(self, path: str) -> WatchedFile:
        return self._watched(path, look=False)

    def _look(self, path: str) -> WatchedFile:
        return self._watched(path, look=True)

    def _watched(self, path: str, *, look: bool) -> WatchedFile:
        return WatchedFile(
            path,
            self._given,
            self._clock,
            known=self._known,
            zone=self._zone,
            replay=False,
            from_start=self._from_start,
            look=look,
        )

    def _follow(self) -> FileSource:
        return FileSource(
            *self._followed,
            clock=self._clock,
            follow=True,
            from_start=self._from_start,
            positions=self._positions,
            chunk_bytes=CHUNK_BYTES,
        )
