"""Which files of one path are read, in which order, and which comes after which: the decisions about rotation."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from heeler.clock import Clock
from heeler.sources import sentences as told
from heeler.sources.claims import Claims
from heeler.sources.descriptors import Descriptors
from heeler.sources.file_identity import Identity
from heeler.sources.file_lines import OpenFile
from heeler.sources.file_position import KnownFiles, Place
from heeler.sources.generations import AnyFile, Generation, Rotations
from heeler.sources.rotated_files import Listings

if TYPE_CHECKING:
    from heeler.model import SourceEvent

MOST_REMEMBERED = 8
"""Rotated files of one path whose positions are kept although the files are gone. They may come back, compressed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are followed; the same for all of one source."""

    clock: Clock
    chunk_bytes: int
    longest: int
    grace_seconds: float
    descriptors: Descriptors
    listings: Listings
    claims: Claims


class Lineage:
    """The generations of one path that are being read, oldest first. The last one stands there, unless it is rotated.

    ``finished`` has parts and places of those that were let go, for whoever stores positions; None for one that can be
    forgotten.
    """

    def __init__(self, path: Path, known: KnownFiles, reading: Reading, *, from_start: bool) -> None:
        self.generations: list[Generation] = []
        self.finished: dict[str, Place | None] = {}
        self.known = known
        self._path = path
        self._reading = reading
        self._from_start = from_start
        self._is_found = not any(not place.done for place in known.places.values())
        """Whether it is known where the files are of which something was read; a disk may be mounted late."""

    @property
    def current(self) -> Generation | None:
        """The file that stands at the path."""
        newest = self.generations[-1] if self.generations else None
        return None if newest is None or newest.rotated else newest

    def close(self) -> None:
        """Let go of all files."""
        for generation in self.generations:
            self._close(generation)
        self.generations.clear()

    def stands(self) -> None:
        """Make the file at the path the newest generation. Raises `OSError` where it cannot be opened."""
        here = OpenFile(self._path, self._reading.descriptors)
        held = [one for one in self.generations if one.file.identity.may_be(here.identity)]
        if held:  # it was renamed away and back
            here.close()
            self._retire()
            self.generations.remove(held[0])
            self.generations.append(held[0])
            held[0].rotated, held[0].file.path = False, self._path
            self._make_newest(held[0])
        elif self.known.discovered:
            self._succeed(here)
        else:
            if not self._from_start:
                here.skip(self._reading.longest)
            self._append(here)
        self._is_found = True

    def gone(self) -> None:
        """Take note that no file stands at the path: what comes is new, and what was there may still be written."""
        if self._is_found:
            if not self.known.discovered:
                self.known.discover(self._reading.clock.now_us() * 1000)
            self.look_before(is_here=False)
            self._retire()
        else:
            self._is_found = self._succeed(None)

    def revive(self) -> None:
        """Read on in rotated files that were let go and that somebody has written to."""
        rotations, held = self._rotations(), {one.part for one in self.generations}
        done = [(name, place) for name, place in self.known.places.items() if place.done and name not in held]
        grown = [(name, place) for name, place in done if rotations.grown(place)]
        for name, place in grown:
            if file := rotations.moved(place):
                self._add(self._generation(name, place, file))

    def _retire(self) -> None:
        if current := self.current:
            current.rotated, current.quiet_since = True, self._reading.clock.monotonic()

    def _rotations(self) -> Rotations:
        return Rotations(self._path, self.known, self._reading.listings, self._reading.descriptors)

    def _succeed(self, here: OpenFile | None) -> bool:
        """Find what came before the file at the path and is unread; return False where nothing can be decided yet."""
        rotations, was_read = self._rotations(), bool(self.generations)
        self._retire()
        part = self._part_of(here) if here else None
        newest = self._newest(rotations, part)
        events: list[SourceEvent] = []
        gone: list[Place] = []
        # The newest first: where one content begins with another, a copy is one of the newer.
        for name, place in self._unread(part):
            is_newest = place is newest
            if file := rotations.moved(place, here) or rotations.copy_of(place, self._is_other):
                self._add(self._generation(name, place, file))
                events += [told.changed(self._path, here.size, place, file)] if here and _is_of(here, place) else []
            elif is_newest and here is None:
                # The newest comes first, so nothing was found yet.
                return False
            elif is_newest and part is None and here and place.offset and here.resume(place):
                part = name  # the same bytes in another file: copied, or its disk came back under another name
            else:
                # Of one of which nothing was read another part may say more.
                is_lost = place.offset > 0 or not rotations.has(place.identity)
                events += [told.lost(self._path, here, place)] if is_lost else []
                self._drop(name)
                gone.append(place)
        for place in gone:
            if not self._is_held(place.identity) and (file := rotations.rewritten(place, here)):
                self._append(file, rotated=True, before=place.generation + 1)
        self._forget_old(rotations)
        self.revive()
        is_same = part is not None and self.known.places[part] is newest
        if newest and not (is_same and newest.offset):
            missed = self._insert_missed(rotations, newest, here, newest.generation if is_same else None)
            is_told = any(one.lost_bytes for one in events)
            events += [told.removed(self._path)] if missed and not is_told else []
        if here:
            known = self._generation(part, self.known.places[part], here, rotated=False) if part else None
            self._make_newest(self._add(known) if known else self._append(here))
            events += [told.rotated(self._path)] if was_read and part is None else []
        if self.generations:
            self.generations[-1].events += events
        return True

    def _newest(self, rotations: Rotations, here: str | None) -> Place | None:
        """Return what stood at the path last.

        A file of which nothing was read and that is not where it was is any of those that are there now.
        """
        if (newest := self.known.newest) is None:
            return self.known.origin
        name, place = newest
        is_held = any(one.part == name for one in self.generations)
        if not (place.offset or place.done or is_held or name == here or rotations.is_elsewhere(place)):
            self.known.origin = place
            self._drop(name)
        return place

    def _drop(self, part: str) -> None:
        self.known.places.pop(part)
        self.finished[part] = None

    def _part_of(self, here: OpenFile) -> str | None:
        """Return which part the file at the path is, gone on to where it was read; None for one that is new."""
        held = {one.part for one in self.generations}
        known = [(name, place) for name, place in self.known.of(here.identity) if name not in held]
        return next((name for name, place in known if here.resume(place)), None)

    def _unread(self, here: str | None) -> list[tuple[str, Place]]:
        """Return the parts that were being read and are not open, oldest first."""
        held = {here, *(one.part for one in self.generations)}
        active = [(name, place) for name, place in self.known.places.items() if name not in held and not place.done]
        # Of several contents of one file only the newest can be there still; of the others nothing may have been read.
        last = {place.identity: name for name, place in sorted(self.known.places.items(), key=_generation)}
        for name, _ in [one for one in active if not one[1].offset and last[one[1].identity] != one[0]]:
            self._drop(name)
        return sorted((one for one in active if one[0] in self.known.places), key=_generation, reverse=True)

    def _insert_missed(self, rotations: Rotations, newest: Place, here: AnyFile | None, before: int | None) -> bool:
        """Put the files behind ``newest`` that stood at the path while nobody looked; tell whether others are gone.

        That is so where it is not there itself: whoever removes rotated files begins with the oldest.
        """
        skip = lambda one: _is_one(one, here) or self._is_known(one)  # noqa: E731 - said once, and short
        missed = rotations.after(newest, skip, self._is_read)
        if missed.copy:
            self._go_on_in(missed.copy, newest)
        for one in missed.files:
            self._append(one, rotated=True, before=before)
        is_there = missed.has_newest or _is_of(here, newest) or not newest.identity.inode
        return bool(missed.files) and not is_there and (newest.offset > 0 or missed.files[0].grows)

    def _go_on_in(self, copy: AnyFile, newest: Place) -> None:
        """Read on in a copy of a file that is gone: what was added to the copy is unread."""
        held = [one for one in self.generations if one.number == newest.generation and one.file.is_deleted]
        if not held or self._is_other(copy.identity):
            copy.close()
            return
        self._close(held[0])
        held[0].file = copy
        self._claim(held[0])

    def _is_known(self, file: AnyFile) -> bool:
        """Tell whether a rotated file is known, or a copy of one that is: the whole of it, as many begin alike.

        One that is open may have more: it was written to while it was copied or compressed.
        """
        if self._is_other(file.identity) or any(one.offset and file.is_copy(one) for one in self.known.places.values()):
            return True
        end = file.end
        return end.offset > 0 and any(_holds(one.file, end) for one in self.generations)

    def _is_read(self, file: AnyFile) -> bool:
        """Tell whether something of a rotated file was read: then all that are older were found before it."""
        known = [place for _, place in self.known.of(file.identity)] if file.grows else []
        return any(place.offset and _holds(file, place) for place in known) or any(
            place.done and place.offset and file.is_copy(place) for place in self.known.places.values()
        )

    def look_before(self, *, is_here: bool) -> None:
        """Find copies of a file of which nothing was read when it was truncated: nothing else tells of that.

        ``is_here`` says that the file stands at the path still.
        """
        current = self.current
        if current is None or current.file.offset or not isinstance(current.file, OpenFile):
            return
        here = current.file

        def skip(one: AnyFile) -> bool:
            # A copy of what is there still, perhaps one that is being made: the truncation is to come. Or that was
            # saved with more lines, and took its place.
            return self._is_known(one) or _holds(here, one.end) or _goes_on(one, here.end)

        copies = self._rotations().before(current.place, skip, self._is_read, is_here=is_here)
        for one in copies:
            self._append(one, rotated=True, before=current.number)

    def _is_other(self, identity: Identity) -> bool:
        """Tell whether a file is known, so that it is no missed one and no copy."""
        is_free = self._reading.claims.is_free(identity.device, identity.inode, self)
        return self._is_held(identity) or not is_free or bool(self.known.of(identity))

    def _is_held(self, identity: Identity) -> bool:
        return any(one.file.identity.may_be(identity) for one in self.generations)

    def _missed_behind(self, rotations: Rotations, was: Place, copy: AnyFile | None, now: Place) -> list[AnyFile]:
        """Return what came between the content that was read and the one that is there ``now``."""

        def skip(one: AnyFile) -> bool:
            return _is_one(one, copy) or self._is_known(one) or (now.offset > 0 and one.is_copy(now))

        missed = rotations.after(was, skip, lambda one: _is_one(one, copy) or self._is_read(one))
        if missed.copy:
            missed.copy.close()
        return missed.files

    def changed(self, generation: Generation) -> None:
        """Take note that the bytes before the offset are no longer those that were read: what is there now is new.

        A copy of what was there is read to its end first, and what came between.
        """
        file, was = generation.file, generation.place
        if not isinstance(file, OpenFile):
            return
        if not generation.rotated:
            with suppress(OSError):  # it is not there any more: what is open counts
                file.reopen()
            if file.same():
                return  # a network file system had shown something old
        rotations, size = self._rotations(), file.size
        is_newest = generation is self.generations[-1]
        copy = rotations.copy_of(was, self._is_other) if is_newest else None
        missed = self._missed_behind(rotations, was, copy, file.end) if is_newest else []
        behind = self.generations[self.generations.index(generation) + 1 :]
        before = behind[0].number if behind else None
        events, generation.events = generation.events, []
        self.generations.remove(generation)
        if copy:
            self._add(self._generation(generation.part, was, copy)).events = events
            events = []
        else:
            self._drop(generation.part)
        for one in missed:
            self._append(one, rotated=True, before=before)
        file.rewind()
        new = self._append(file, rotated=generation.rotated, before=before)
        new.quiet_since = generation.quiet_since
        new.events = [*events, told.changed(self._path, size, was, copy)]

    def let_go(self, generation: Generation) -> None:
        """Stop reading a rotated file: it was read to its end, and nobody has written to it for a while."""
        generation.done = True
        self._close(generation)
        self.generations.remove(generation)
        self._finish(generation.part, generation.place)

    def lose(self, generation: Generation, *, is_unread: bool) -> None:
        """Take note that a rotated file is not to be found any more."""
        self.generations.remove(generation)
        self._close(generation)
        if is_unread and self.generations:
            self.generations[-1].events.append(told.lost(self._path, None, generation.place))
        self._finish(generation.part, replace(generation.place, done=True))

    def find(self, generation: Generation) -> bool:
        """Find a rotated file that was closed for a while under its name of now."""
        file = self._rotations().moved(generation.place)
        if file is None:
            return False
        generation.file.close()
        generation.file = file
        return True

    def _finish(self, part: str, place: Place) -> None:
        # Kept also where the file is gone: a compressed copy of it may be there, or come.
        self.known.places[part] = self.finished[part] = place

    def _forget_old(self, rotations: Rotations) -> None:
        """Forget files that are not there any more; but for the last rotated ones, which may come back compressed."""
        done = sorted((one for one in self.known.places.items() if one[1].done), key=_generation)
        for part, place in done[:-MOST_REMEMBERED] if rotations.is_complete else ():
            if not rotations.has(place.identity):
                self._drop(part)

    def _append(self, file: AnyFile, *, rotated: bool = False, before: int | None = None) -> Generation:
        """Read a file of which nothing was read: the newest, or the one just ``before`` another."""
        part, number = self.known.add(file.identity, before)
        if isinstance(file, OpenFile) and not file.offset:
            self._reading.claims.go_on(file, self.known)
        now = self._reading.clock.monotonic()
        generation = Generation(part, number, file, rotated=rotated, quiet_since=now)
        self._claim(generation)
        return self._add(generation)

    def _add(self, generation: Generation) -> Generation:
        self.generations.append(generation)
        self.generations.sort(key=lambda one: one.number)
        return generation

    def _make_newest(self, generation: Generation) -> None:
        """Number the file at the path as the newest, whatever it was when it stood there before."""
        if generation.number < self.known.last_number:
            generation.number = self.known.number()
            self.known.places[generation.part] = replace(generation.place, done=False)
        self.generations.sort(key=lambda one: one.number)

    def _generation(self, part: str, place: Place, file: AnyFile, *, rotated: bool = True) -> Generation:
        """Return the generation of a file of which something was read."""
        now = self._reading.clock.monotonic()
        generation = Generation(part, place.generation, file, place, rotated=rotated, quiet_since=now)
        # A copy is another file; the one that it was made of is free for other content.
        self.known.places[part] = replace(place, identity=file.identity)
        self._claim(generation)
        return generation

    def _claim(self, generation: Generation) -> None:
        self._reading.claims.take(generation.file.identity, self)
        self._reading.claims.note(generation.file.identity, self.known)

    def _close(self, generation: Generation) -> None:
        self._reading.claims.release(generation.file.identity, self)
        generation.file.close()


def _is_one(one: AnyFile, other: AnyFile | None) -> bool:
    return other is not None and one.identity.may_be(other.identity)


def _holds(file: AnyFile, place: Place) -> bool:
    try:
        return isinstance(file, OpenFile) and file.holds(place)
    except OSError:
        return False  # it was closed for a while, and has moved


def _generation(known: tuple[str, Place]) -> int:
    return known[1].generation


def _goes_on(file: AnyFile, place: Place) -> bool:
    return place.offset > 0 and file.holds(place)


def _is_of(here: AnyFile | None, place: Place) -> bool:
    return here is not None and here.identity.may_be(place.identity)
