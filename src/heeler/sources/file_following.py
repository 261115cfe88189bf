"""What happens to a followed path in the course of time: it is written, rotated, truncated, deleted, replaced."""

import os
from dataclasses import dataclass
from pathlib import Path

from heeler.clock import Clock
from heeler.model import Chunk, Position, SourceEvent
from heeler.sources.file_lines import (
    BEGINNING,
    Identity,
    NotRegular,
    OpenFile,
    Place,
    identity_at,
    places_of,
    position_of,
)

HOLD_SECONDS = 1.0
"""How long a rotated file's incomplete last line may rest before it is taken as it is. The new file waits for it."""

MOST_ROTATED = 8
"""Rotated files that are kept open after they were read to their end. More would exhaust file descriptors."""


@dataclass(slots=True)
class _Generation:
    """One of the files that have stood at the path."""

    file: OpenFile
    rotated: bool = False
    quiet_since: float = 0.0
    pending: int = 0


class Follower:
    """Follows one path for ever, whatever file stands there.

    The files are read oldest first. One that was rotated away is read to its end before the next is begun, and
    looked at for a grace time after that, because its writers may not have heard of the rotation. Everything here
    blocks: it is called in a thread, by one at a time.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        position: Position | None,
        from_start: bool,
        chunk_bytes: int,
        longest: int,
        grace_seconds: float,
    ) -> None:
        self.ended = False
        self._path = path
        self._clock = clock
        # A stored position stays until it is known which file it speaks of: a disk may be mounted late.
        self._stored = position or None
        self._from_start = from_start
        self._chunk_bytes = chunk_bytes
        self._longest = longest
        self._grace_seconds = grace_seconds
        self._generations: list[_Generation] = []
        self._trouble = ""
        self._events: list[SourceEvent] = []
        self._told = position or {}

    def close(self) -> None:
        """Let go of all files. May be called more than once."""
        for generation in self._generations:
            generation.file.close()
        self._generations.clear()

    def next(self) -> Chunk | None:
        """Return what is new since the last call, or None."""
        self._look()
        data = self._read()
        position = self._position()
        # A position without lines is told too. Until it is stored, a restart would begin at a later end, and a
        # rotation while nobody looks would take away a file that nobody knows of.
        if not (data or self._events) and position == self._told:
            return None
        events, self._events, self._told = tuple(self._events), [], position
        return Chunk(str(self._path), data, position, self._clock.now_us(), events)

    def _position(self) -> Position:
        if self._stored is not None:
            return self._stored
        if self._generations:
            return position_of([generation.file.place for generation in self._generations])
        return BEGINNING if self._from_start else {}

    def _look(self) -> None:
        """See which file stands at the path now. What cannot be seen is not taken for gone."""
        try:
            self._stands(identity_at(self._path))
            self._trouble = ""
        except NotRegular:
            self._gone()
            self._tell_once(
                "waiting", f"{self._path} is not a regular file, so it is not read; waiting until it is one again."
            )
        except (FileNotFoundError, NotADirectoryError):
            self._gone()
            self._tell_once("waiting", f"{self._path} does not exist; waiting for it.")
        except OSError as error:
            self._tell_once(
                "unreadable",
                f"{self._path} cannot be opened ({error.strerror}); reading goes on where it ended once it can be.",
            )

    def _tell_once(self, what: str, message: str) -> None:
        if message != self._trouble:
            self._trouble = message
            self._events.append(SourceEvent(what, message))

    def _stands(self, identity: Identity) -> None:
        """Make the file at the path the newest generation."""
        newest = self._generations[-1] if self._generations else None
        if newest and newest.file.identity == identity:
            newest.rotated = False
            return
        known = [generation for generation in self._generations if generation.file.identity == identity]
        if known:  # it was renamed away and back
            self._rotate()
            self._generations.remove(known[0])
            self._generations.append(known[0])
            known[0].rotated = False
            return
        file = OpenFile(self._path)
        if self._stored is not None:
            self._resume(self._stored, file)
            return
        if newest:
            self._rotate()
            self._events.append(
                SourceEvent("rotated", f"Another file stands at {self._path} now; it is read from its start.")
            )
        elif not self._from_start:
            file.skip(self._longest)
        self._from_start = True
        self._generations.append(_Generation(file))

    def _gone(self) -> None:
        """No file stands at the path: what comes is new, and what was there may still be written."""
        if self._stored is not None:
            self._resume(self._stored, None)
        else:
            self._from_start = True
            self._rotate()

    def _rotate(self) -> None:
        if self._generations and not self._generations[-1].rotated:
            self._generations[-1].rotated = True
            self._generations[-1].quiet_since = self._clock.monotonic()

    def _resume(self, stored: Position, here: OpenFile | None) -> None:
        """Find the files that the stored position speaks of; rotation may have moved them while nobody looked.

        ``here`` is the file at the path. Without one, and without the newest file elsewhere, nothing is decided.
        """
        places = places_of(stored)
        siblings = self._siblings()
        files: list[OpenFile] = []
        events: list[SourceEvent] = []
        for place in places:
            newest = place is places[-1]
            if here and here.identity == place.identity and here.resume(place):
                files.append(here)
            elif moved := self._open_sibling(siblings.get(place.identity), place):
                files.append(moved)
            elif newest and here and place.offset and here.resume(place):
                files.append(here)  # the same bytes in another file: copied, or its disk came back under another name
            elif newest and here is None:
                for file in files:
                    file.close()
                return
            else:
                events.append(self._lost(place, here))
        if here and here not in files:
            files.append(here)
        self._stored = None
        self._from_start = True
        now = self._clock.monotonic()
        self._generations = [_Generation(file, rotated=file is not here, quiet_since=now) for file in files]
        self._events += events

    def _lost(self, place: Place, here: OpenFile | None) -> SourceEvent:
        if here and here.identity == place.identity:
            return _changed(self._path, here, place.offset)
        return SourceEvent(
            "replaced",
            f"The file that {self._path} was up to byte {place.offset} cannot be found; what was written to it after"
            " that is not known. The file that stands there now is read from its start.",
            lost_bytes=-1,
        )

    def _siblings(self) -> dict[Identity, Path]:
        """Return the names of the files beside the path, and beside its target, by what they are."""
        found: dict[Identity, Path] = {}
        for directory in {self._path.parent, self._path.resolve().parent}:
            try:
                with os.scandir(directory) as entries:
                    for entry in entries:
                        status = entry.stat(follow_symlinks=False)
                        found[status.st_dev, status.st_ino] = Path(entry.path)
            except OSError:
                continue  # one that vanished, or may not be listed, holds nothing that can be read
        return found

    def _open_sibling(self, path: Path | None, place: Place) -> OpenFile | None:
        if path is None:
            return None
        try:
            file = OpenFile(path)
        except OSError:
            return None
        if file.identity == place.identity and file.resume(place):
            return file
        file.close()
        return None

    def _read(self) -> bytes:
        now = self._clock.monotonic()
        for generation in list(self._generations):
            file = generation.file
            if not file.same():
                self._events.append(_changed(self._path, file, file.offset))
                file.rewind()
            data = file.take(self._chunk_bytes, self._longest)
            if not data and generation.rotated:
                data = self._read_rotated(generation, now)
            if data:
                generation.quiet_since = now
                return data
            if generation.rotated and generation.pending:
                break  # the next file waits, so that lines stay in their order
        return b""

    def _read_rotated(self, generation: _Generation, now: float) -> bytes:
        """Take the last line of a rotated file when it has rested, and let go of the file after the grace time."""
        pending = generation.file.pending()
        if pending != generation.pending:
            generation.pending, generation.quiet_since = pending, now
        quiet = now - generation.quiet_since
        newest = generation is self._generations[-1]
        if pending and quiet >= (self._grace_seconds if newest else HOLD_SECONDS):
            generation.pending = 0
            return generation.file.take_rest(self._longest)
        if not pending and (quiet >= self._grace_seconds or len(self._generations) > MOST_ROTATED + 1):
            generation.file.close()
            self._generations.remove(generation)
        return b""


def _changed(path: Path, file: OpenFile, offset: int) -> SourceEvent:
    """Say that the bytes before ``offset`` are no longer those that were read."""
    if file.size < offset:
        message = f"{path} was truncated from {offset} bytes or more to {file.size}; it is read from its start."
        return SourceEvent("truncated", message, lost_bytes=-1)
    message = f"{path} was rewritten: the bytes before byte {offset} are not those that were read; read from its start."
    return SourceEvent("rewritten", message, lost_bytes=-1)
