"""Following one path for ever, whatever file stands there: seeing what happened, and reading on."""

from pathlib import Path

from heeler.model import Chunk, Position, SourceEvent
from heeler.sources.file_identity import NotRegular, Signature, signature_at, size_in
from heeler.sources.file_lines import Taken
from heeler.sources.file_position import KnownFiles, position_of
from heeler.sources.generations import Generation
from heeler.sources.lineage import Lineage
from heeler.sources.row import Reading

HOLD_SECONDS = 1.0
"""How long a rotated file's incomplete last line may rest before it is taken as it is. The new file waits for it."""

SETTLE_SECONDS = 2.0
"""So long after a change a file is compared again although size and times are the same: clocks of file systems are
coarse, and what was rewritten in the same instant looks untouched."""

MOST_ROTATED = 8
"""Rotated files of one path that are kept open after they were read to their end."""


class Follower:
    """Follows one path.

    The files are read oldest first. One that was rotated away is read to its end before the next is begun, and
    looked at for a grace time after that, because its writers may not have heard of the rotation. Everything here
    blocks: it is called in a thread, by one at a time.
    """

    def __init__(
        self, path: Path, known: KnownFiles, reading: Reading, *, from_start: bool, says_waiting: bool = True
    ) -> None:
        self.path = path
        self.is_queued = False
        """For whoever reads several: whether this one is to be read."""
        self._name = str(path)
        self._known = known
        self._reading = reading
        self._says_waiting = says_waiting
        self._lineage = Lineage(path, known, reading, from_start=from_start)
        self._row = self._lineage.row
        self._trouble = {"path": "", "file": ""}  # what was told of each, so that it is told once
        self._signature: Signature | None = None
        self._since = self._checked = 0.0
        self._is_behind = self._is_drained = False  # whether another file stands there; whether all before was read
        self._fresh = False  # whether the file at the path may have changed since it was read to its end
        self._origin = known.origin

    def close(self) -> None:
        """Let go of all files. May be called more than once."""
        self._row.close()

    @property
    def waits_for_time(self) -> bool:
        """Whether something is to be done when time has passed, although nothing changes."""
        return any(one.rotated for one in self._row.generations)

    @property
    def is_idle(self) -> bool:
        """Whether there is no file, and none that was."""
        return not self._row.generations and self._signature is None

    @property
    def sizes(self) -> tuple[int, int]:
        """How many bytes the file at the path had when it was last looked at, and how many of them are not read yet."""
        size = size_in(self._signature) if self._signature else 0
        newest = next((one for one in reversed(self._row.generations) if not one.rotated), None)
        return size, max(size - newest.file.offset, 0) if newest else 0

    def look(self) -> None:
        """See which file stands at the path now. What cannot be seen is not taken for gone."""
        try:
            signature = signature_at(self._name)
            self._stands(signature)
            self._trouble["path"] = ""
        except NotRegular:
            self._gone(f"{self.path} is not a regular file, so it is not read; waiting until it is one again.")
        except (FileNotFoundError, NotADirectoryError):
            self._gone(f"{self.path} does not exist; waiting for it.")
        except OSError as error:
            self._tell_unreadable("path", error)

    def look_behind(self) -> None:
        """See whether somebody writes to a rotated file that was let go."""
        self._lineage.revive()

    def next(self) -> Chunk | None:
        """Return what is new since the last call, or None. Call `look` before, when something may have happened."""
        while True:
            if chunk := self._announce() or self._read_on():
                return chunk
            if not self._is_behind:
                return self._tell()
            self._is_behind, self._is_drained = False, True
            self.look()
            self._is_drained = False

    def _announce(self, least: int = 2) -> Chunk | None:
        """Tell of new files before others are known to be elsewhere: whoever is killed in between must find all again.

        The newest comes first. A file that just follows another is found again by that one, so with less than the
        ``least`` number of files nothing is told.
        """
        new = [one for one in reversed(self._row.generations) if one.told is None]
        moved = [one for one in self._row.generations if one.told and one.told.identity != one.file.identity]
        if not new or len(new) + len(moved) < least:
            return None
        new[0].told = new[0].place
        return self._told(new[0].part, position_of(new[0].told))

    def _read_on(self) -> Chunk | None:
        """Return the next lines of any generation, oldest first."""
        at = 0
        while at < len(self._row.generations):
            generation = self._row.generations[at]
            count = len(self._row.generations)
            if chunk := self._read(generation):
                return chunk
            if generation.rotated and generation.pending:
                break  # the next file waits, so that lines stay in their order
            # What was let go, or had to make room for others, stands there no more.
            same = count == len(self._row.generations) and self._row.generations[at] is generation
            at = at + 1 if same else 0
        return None

    def _stands(self, signature: Signature) -> None:
        current, now = self._lineage.current, self._reading.clock.monotonic()
        device, inode, *_ = signature
        if current is None or (current.file.identity.device, current.file.identity.inode) != (device, inode):
            if not self._row.is_free(device, inode):
                self._gone("")  # the same file under another name, which is read there
                return
            if self._row.generations and not self._is_drained:
                # What stood there is read to its end first: then its content tells which file came after it.
                self._is_behind = self._fresh = True
                self._lineage.look_before(is_here=False)
                return
            self._lineage.stands()
            self._signature = None
        if signature != self._signature:
            if self._signature is not None:
                self._lineage.look_before(is_here=True)
            self._signature, self._since, self._fresh = signature, now, True
        elif self._checked < self._since + SETTLE_SECONDS and not self._is_old(signature):
            self._fresh = True

    def _is_old(self, signature: Signature) -> bool:
        """Tell whether a file was last changed long before now, so that another change would show."""
        return self._reading.clock.now_us() * 1000 - max(signature[3:]) > SETTLE_SECONDS * 1e9

    def _gone(self, message: str) -> None:
        self._signature = None
        self._lineage.gone()
        if message and self._says_waiting:
            self._tell_once("path", "waiting", message)

    def _tell_once(self, of: str, what: str, message: str) -> None:
        if message != self._trouble[of]:
            self._trouble[of] = message
            self._row.events.append(SourceEvent(what, message))

    def _tell_unreadable(self, of: str, error: OSError) -> None:
        message = f"{self.path} cannot be read ({error.strerror}); reading goes on where it ended once it can be."
        self._tell_once(of, "unreadable", message)

    def _read(self, generation: Generation) -> Chunk | None:
        """Read on in one file."""
        is_current = generation is self._lineage.current
        if is_current and not self._fresh:
            return None
        try:
            if not generation.file.same():
                self._lineage.changed(generation)
                chunk = self._announce()
                if chunk or generation not in self._row.generations:
                    return chunk
            taken = generation.file.take(self._reading.chunk_bytes, self._reading.longest)
            if not taken.data and not taken.hole_bytes and generation.rotated:
                taken = self._read_rotated(generation)
        except OSError as error:
            self._fail(generation, error)
            return None
        if taken.data or taken.hole_bytes:
            generation.quiet_since = self._reading.clock.monotonic()
            return self._chunk(generation, taken)
        if is_current:
            self._trouble["file"] = ""
            self._fresh, self._checked = False, self._reading.clock.monotonic()
        elif generation in self._row.generations and not generation.is_told:
            return self._chunk(generation, taken)  # before what comes after it, as somebody may write to it later
        return None

    def _fail(self, generation: Generation, error: OSError) -> None:
        """Look for a file that was closed for a while and has moved; everything else is tried again."""
        if generation.rotated and not self._lineage.find(generation):
            self._lineage.lose(generation, is_unread=not generation.file.at_end)
        elif not generation.rotated:
            self._signature = None
            if not isinstance(error, FileNotFoundError):
                self._tell_unreadable("file", error)

    def _read_rotated(self, generation: Generation) -> Taken:
        """Take the last line of a rotated file when it has rested, and let go of the file after the grace time."""
        file, now = generation.file, self._reading.clock.monotonic()
        if not file.grows:
            return self._read_packed(generation)
        pending = file.pending()
        if pending != generation.pending:
            generation.pending, generation.quiet_since = pending, now
        quiet = now - generation.quiet_since
        is_newest = generation is self._row.generations[-1]
        if pending and quiet >= (self._reading.grace_seconds if is_newest else HOLD_SECONDS):
            generation.pending = 0
            return file.take_rest(self._reading.longest)
        is_many = len(self._row.generations) > MOST_ROTATED + 1
        if not pending and (quiet >= self._reading.grace_seconds or is_many):
            self._lineage.let_go(generation)
        return Taken()

    def _read_packed(self, generation: Generation) -> Taken:
        """Take the last line of a compressed file, to which nobody writes, and let go of it."""
        file = generation.file
        if file.pending():
            return file.take_rest(self._reading.longest)
        if file.trouble:
            self._row.events.append(SourceEvent("damaged", file.trouble, lost_bytes=-1))
        self._lineage.let_go(generation)
        return Taken()

    def _chunk(self, generation: Generation, taken: Taken) -> Chunk:
        events = tuple(generation.events)
        generation.events.clear()
        if taken.hole_bytes:
            message = f"{self.path} has a hole of {taken.hole_bytes} bytes, to which nothing was written."
            events = (*events, SourceEvent("hole", message, lost_bytes=taken.hole_bytes))
        generation.told = generation.place
        self._known.places[generation.part] = generation.told
        return self._told(generation.part, position_of(generation.told), events, taken)

    def _told(
        self, part: str, position: Position, events: tuple[SourceEvent, ...] = (), taken: Taken | None = None
    ) -> Chunk:
        if self._row.events:
            events = (*self._row.events, *events)
            self._row.events.clear()
        data, piece = (taken.data, taken.piece) if taken else (b"", False)
        return Chunk(part, data, position, self._reading.clock.now_us(), events, piece=piece, path=self._name)

    def _tell(self) -> Chunk | None:
        """Return what must be known although there is no line: until it is stored, a restart would not know it.

        What takes the place of another comes before that is forgotten: somebody may die in between.
        """
        for generation in self._row.generations:
            if generation.events or not generation.is_told:
                return self._chunk(generation, Taken())
            if generation.rotated and generation.pending:
                # What happened behind it is told behind its last line; which files wait for that, at once.
                if chunk := self._announce(least=1):
                    return chunk
                break
        if chunk := self._tell_path():
            return chunk
        finished = self._row.finished
        is_waited_for = any(one.events for one in self._row.generations)
        for part in sorted(finished, key=lambda one: finished[one] is None):
            if finished[part] is None and is_waited_for:
                break  # what is told in its place waits for half a line, and would never be told after a restart
            place = finished.pop(part)
            return self._told(part, position_of(place) if place else {})
        return None

    def _tell_path(self) -> Chunk | None:
        """Return what happened to the path itself, and what stood there while nothing was read of anything."""
        known = self._known
        is_news = bool(known.origin) and not known.places and known.origin is not self._origin
        if not self._row.events and not is_news:
            return None
        if newest := known.newest:
            return self._told(newest[0], position_of(newest[1]))
        self._origin = known.origin
        return self._told(known.waiting, position_of(known.origin) if known.origin else {})
