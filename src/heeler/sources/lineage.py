"""Which files of one path are read, in which order, and which comes after which: the decisions about rotation."""

from contextlib import suppress
from pathlib import Path

from heeler.sources import sentences as told
from heeler.sources.file_lines import OpenFile
from heeler.sources.file_position import KnownFiles, Place
from heeler.sources.generations import AnyFile, Generation, Rotations, Sought
from heeler.sources.row import Reading, Row, holds, is_begun_by
from heeler.sources.succession import Succession

MOST_REMEMBERED = 8
"""Rotated files of one path whose positions are kept although the files are gone. They may come back, compressed."""


class Lineage:
    """The row of files of one path, as it changes. The last one stands at the path, unless it is rotated."""

    def __init__(self, path: Path, known: KnownFiles, reading: Reading, *, from_start: bool) -> None:
        self.row = Row(known, reading)
        self._path = path
        self._reading = reading
        self._from_start = from_start
        self._is_found = not any(not place.done for place in known.places.values())
        """Whether it is known where the files are of which something was read; a disk may be mounted late."""

    @property
    def current(self) -> Generation | None:
        """The file that stands at the path."""
        newest = self.row.generations[-1] if self.row.generations else None
        return None if newest is None or newest.rotated else newest

    def stands(self) -> None:
        """Make the file at the path the newest generation. Raises `OSError` where it cannot be opened."""
        here = OpenFile(self._path, self._reading.descriptors)
        held = [one for one in self.row.generations if one.file.identity.may_be(here.identity)]
        if held:  # it was renamed away and back
            here.close()
            self._retire()
            held[0].rotated, held[0].file.path = False, self._path
            self.row.make_newest(held[0])
        elif self.row.known.discovered:
            self._succeed(here)
        else:
            if not self._from_start:
                here.skip(self._reading.longest)
            self.row.append(here)
        self._is_found = True

    def gone(self) -> None:
        """Take note that no file stands at the path: what comes is new, and what was there may still be written."""
        if self._is_found:
            if not self.row.known.discovered:
                self.row.known.discover(self._reading.clock.now_us() * 1000)
            self.look_before(is_here=False)
            self._retire()
        else:
            self._is_found = self._succeed(None)

    def revive(self) -> None:
        """Read on in rotated files that were let go and that somebody has written to."""
        held, known = self.row.parts, self.row.known.places.items()
        done = [(name, place) for name, place in known if place.done and name not in held]
        if not done:
            return
        rotations = self._rotations()
        for name, place in done:
            is_free = self.row.is_free(place.identity.device, place.identity.inode)  # not read under another name now
            if is_free and rotations.grown(place) and (file := rotations.moved(place)):
                self.row.resume(name, place, file)

    def _retire(self) -> None:
        if current := self.current:
            current.rotated, current.quiet_since = True, self._reading.clock.monotonic()

    def _rotations(self) -> Rotations:
        return Rotations(self._path, self.row.known, self._reading.listings, self._reading.descriptors)

    def _succeed(self, here: OpenFile | None) -> bool:
        """Put the file at the path behind all that came before; return False where nothing can be decided yet."""
        was_read = bool(self.row.generations)
        self._retire()
        rotations = self._rotations()
        if here:
            rotations.see(here)
        succession = Succession(self._path, self.row, rotations, here)
        if not succession.find_unread():
            return False
        self._forget_old(rotations)
        self.revive()
        succession.insert_missed()
        if here:
            is_new = succession.append_here()
            if was_read and is_new:
                self.row.generations[-1].events.append(told.rotated(self._path))
        succession.tell()
        return True

    def look_before(self, *, is_here: bool) -> None:
        """Find copies of a file of which nothing was read when it was truncated: nothing else tells of that.

        ``is_here`` says that the file stands at the path still.
        """
        current = self.current
        if current is None or current.file.offset or not isinstance(current.file, OpenFile):
            return
        here = current.file

        def skip(one: AnyFile) -> bool:
            # A copy of what is there still, perhaps one that is being made: the truncation is to come. Or it was
            # saved with more lines, and took its place.
            is_copy = one.end.offset > 0 and holds(here, one.end)
            return self.row.is_known(one) or is_copy or _goes_on(one, here.end)

        sought = Sought(skip, self.row.is_read, lambda one: is_begun_by(here, one))
        for one in self._rotations().before(current.place, sought, is_here=is_here):
            copy = self.row.append(one, rotated=True, before=current.number)
            if one.end.offset:
                self.row.tell_behind(copy.number, told.copied(self._path, one))

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
        size = file.size
        rotations, is_newest = self._rotations(), generation is self.row.generations[-1]
        copy = rotations.copy_of(was, self.row.is_other) if is_newest else None
        missed = self._missed_behind(rotations, was, copy, file) if is_newest else []
        later = [one.number for one in self.row.generations if one.number > generation.number]
        before = later[0] if later else None
        self.row.release(generation)
        if copy:
            self.row.resume(generation.part, was, copy).events = generation.events
        else:
            self.row.drop(generation.part)
        behind = [self.row.append(one, rotated=True, before=before) for one in missed]
        file.rewind()
        new = self.row.append(file, rotated=generation.rotated, before=before)
        new.quiet_since = generation.quiet_since
        first, *others = [*behind, new]
        first.events += [*([] if copy else generation.events), told.changed(self._path, size, was, copy)]
        for one, before_it in zip(others, missed, strict=True):
            one.events.append(told.copied(self._path, before_it))

    def _missed_behind(self, rotations: Rotations, was: Place, copy: AnyFile | None, here: OpenFile) -> list[AnyFile]:
        """Return what came between the content that was read and the one that is there now."""

        def skip(one: AnyFile) -> bool:
            is_copy = copy is not None and one.identity.may_be(copy.identity)
            return is_copy or self.row.is_known(one) or holds(here, one.end)  # perhaps a copy that is being made

        def ends(one: AnyFile) -> bool:
            return (copy is not None and one.identity.may_be(copy.identity)) or self.row.is_read(one)

        missed = rotations.after(was, Sought(skip, ends))
        older = [one for one in missed.files if rotations.is_older(one, here)]
        for one in [*missed.files, missed.copy]:
            if one and one not in older:
                one.close()
        return older

    def let_go(self, generation: Generation) -> None:
        """Stop reading a rotated file: it was read to its end, and nobody has written to it for a while."""
        self.row.finish(generation)

    def lose(self, generation: Generation, *, is_unread: bool) -> None:
        """Take note that a rotated file is not to be found any more."""
        self.row.finish(generation)
        if is_unread:
            self.row.tell_behind(generation.number, told.lost(self._path, None, generation.place))

    def find(self, generation: Generation) -> bool:
        """Find a rotated file that was closed for a while under its name of now."""
        file = self._rotations().moved(generation.place)
        if file is None:
            return False
        self.row.exchange(generation, file)
        return True

    def _forget_old(self, rotations: Rotations) -> None:
        """Forget files that are not there any more; but for the last rotated ones, which may come back compressed."""
        places = self.row.known.places
        done = sorted((part for part, place in places.items() if place.done), key=lambda one: places[one].generation)
        for part in done[:-MOST_REMEMBERED] if rotations.is_complete else ():
            if not rotations.has(places[part].identity):
                self.row.drop(part)


def _goes_on(file: AnyFile, place: Place) -> bool:
    return place.offset > 0 and file.holds(place)
