"""What came before the file that stands at a path now: decided once for each file that appears there."""

from pathlib import Path
from typing import TYPE_CHECKING

from heeler.sources import sentences as told
from heeler.sources.file_lines import OpenFile
from heeler.sources.file_position import Place
from heeler.sources.generations import AnyFile, Missed, Rotations, Sought
from heeler.sources.row import Row, holds, is_begun_by

if TYPE_CHECKING:
    from heeler.model import SourceEvent


class Succession:
    """Puts into a row what of it is unread, what nobody saw, and the file that is ``here`` now, if there is one."""

    def __init__(self, path: Path, row: Row, rotations: Rotations, here: OpenFile | None) -> None:
        self._path = path
        self._row = row
        self._rotations = rotations
        self._here = here
        self._part = self._part_of(here) if here else None
        self._is_lacking = False
        self._before: int | None = None
        self._since_ns = 0
        self._events: list[tuple[int, SourceEvent]] = []
        self._forgotten: dict[str, Place] = {}
        self._newest = self._forget_unread()

    def find_unread(self) -> bool:
        """Read on in the files that were being read, where they are now; return False where nothing can be decided yet.

        Those that are not to be found are told of. What stands in the place of one is read as something new.
        """
        gone: list[Place] = []
        for name, place in self._unread():
            if file := self._rotations.moved(place, self._here):
                self._row.resume(name, place, file)
            elif file := self._rotations.copy_of(place, self._row.is_other):
                if self._is_there(place):
                    self._events.append((place.generation, told.copied(self._path, file)))
                self._row.resume(name, place, file)
            elif place is self._newest and self._here is None:
                self._row.take_back(self._forgotten)
                return False  # the newest comes first, so nothing was found yet
            elif place is self._newest and self._part is None and self._is_the_same_here(place):
                self._part = name  # it was copied, or its disk came back under another name
            else:
                # Of a file of which nothing was read another part may say more.
                if place.offset or not self._is_there(place):
                    self._events.append((place.generation, told.lost(self._path, self._here, place)))
                self._row.drop(name)
                gone.append(place)
        for place in gone:
            # What stands in the place of the newest is among those that came after it.
            is_held = place is self._newest or self._row.is_held(place.identity)
            if not is_held and (file := self._rotations.rewritten(place, self._here)):
                self._row.append(file, rotated=True, before=place.generation + 1)
        return True

    def insert_missed(self) -> None:
        """Put the files into the row that stood at the path while nobody looked, behind the newest that is known."""
        newest, here = self._newest, self._row.known.places.get(self._part or "")
        if newest is None or (here is newest and newest.offset):
            return
        row, before = self._row, frozenset(place.identity for place in self._forgotten.values())
        sought = Sought(row.is_known, row.is_read, self._is_here_now, self._since_ns, before)
        missed = self._rotations.after(newest, sought)
        if missed.copy:
            self._go_on_in(missed.copy, newest)
        if self._lacks_some(missed, newest):
            self._events.append((newest.generation, told.removed(self._path)))
        # What is older than the file in which the newest was read is a copy of it, made before it was truncated.
        same = [at for at, file in enumerate(missed.files) if file.identity.may_be(newest.identity)]
        copies = len(missed.files) if _is_of(self._here, newest) else same[0] if same else 0
        for at, file in enumerate(missed.files):
            one = self._row.append(file, rotated=True, before=self._before)
            if at < copies:
                self._events.append((one.number, told.copied(self._path, file)))

    def append_here(self) -> bool:
        """Put the file at the path behind all others; tell whether it is a new one."""
        if self._here and self._part:
            place = self._row.known.places[self._part]
            self._row.make_newest(self._row.resume(self._part, place, self._here, rotated=False))
        elif self._here:
            self._row.append(self._here)
        return self._part is None

    def tell(self) -> None:
        """Say what was found, each in its place."""
        for number, event in self._events:
            self._row.tell_behind(number, event)

    def _part_of(self, here: OpenFile) -> str | None:
        """Return which part the file at the path is, gone on to where it was read; None for one that is new."""
        held = self._row.parts
        known = [(name, place) for name, place in self._row.known.of(here.identity) if name not in held]
        return next((name for name, place in known if here.resume(place)), None)

    def _forget_unread(self) -> Place | None:
        """Return what stood at the path last of which something was read, else the oldest that is known.

        A file of which nothing was read, and that is not where it was, is any of those that are there now. So it is
        forgotten and found among them, in its place.
        """
        known, held = self._row.known, self._row.parts
        unread: list[Place] = []
        for name, place in sorted(known.places.items(), key=lambda one: one[1].generation, reverse=True):
            self._since_ns = min(self._since_ns or place.identity.birth_ns, place.identity.birth_ns)
            if place.offset or place.done or name in held:
                return place
            unread.append(place)
            if name == self._part or self._rotations.is_elsewhere(place):
                self._before = place.generation
            else:
                self._is_lacking |= not self._is_there(place)
                self._forgotten[name] = place
                self._row.drop(name)
        unread += [known.origin] if known.origin else []
        oldest = min(unread, key=lambda one: (one.identity.birth_ns, one.written_ns), default=None)
        self._since_ns = oldest.identity.birth_ns if oldest else 0
        if oldest and not known.places:
            known.origin = oldest
        return oldest

    def _unread(self) -> list[tuple[str, Place]]:
        """Return the parts that were being read and are not open, the newest first: a copy is rather one of these."""
        held, places = {self._part, *self._row.parts}, self._row.known.places
        # Of several contents of one file only the newest can be there still; of the others nothing may have been read.
        # One that was forgotten and found anew has the number that it had before, if that was not stored as forgotten.
        newest_first = sorted(places.items(), key=lambda one: (one[1].generation, one[1].offset), reverse=True)
        last = {place.identity: name for name, place in newest_first[::-1]}
        active = [(name, place) for name, place in newest_first if name not in held and not place.done]
        for name, place in active:
            if not place.offset and last[place.identity] != name:
                self._row.drop(name)
        return [one for one in active if one[0] in places]

    def _is_there(self, place: Place) -> bool:
        return _is_of(self._here, place) or self._rotations.path_of(place) is not None

    def _is_the_same_here(self, place: Place) -> bool:
        here, was = self._here, place.identity
        if here is None or not place.offset:
            return False
        is_disk_back = (here.identity.inode, here.identity.birth_ns) == (was.inode, was.birth_ns)
        return (is_disk_back or here.tells(place)) and here.resume(place)

    def _is_here_now(self, file: AnyFile) -> bool:
        """Tell whether a rotated file is the one that is here, or a copy of it: it was rotated while we look.

        One that was written before that was born only begins it, as a file that holds nothing but a head.
        """
        here = self._here
        if here is None or file.identity.may_be(here.identity):
            return here is not None
        return file.written_ns >= here.identity.birth_ns and is_begun_by(here, file)

    def _lacks_some(self, missed: Missed, newest: Place) -> bool:
        """Tell whether files may have been removed of which nobody knows.

        That is so where one is not there of which nothing was read, and where there are files that came after the
        newest, but not this one: whoever removes files begins with the oldest.
        """
        is_there = missed.has_newest or _is_of(self._here, newest) or not newest.identity.inode
        is_told = any(number == newest.generation for number, _ in self._events)
        return self._is_lacking or missed.lacks_some or (bool(missed.files) and not is_there and not is_told)

    def _go_on_in(self, copy: AnyFile, newest: Place) -> None:
        """Read on in a copy of a file that is gone: what was added to the copy is unread.

        Not in one that was just compressed, as it was: whoever was not told of it still writes to the file itself.
        """
        held = [one for one in self._row.generations if one.number == newest.generation]
        let_go = [name for name, place in self._row.known.places.items() if place is newest and place.done]
        if self._row.is_other(copy.identity) or not (held[0].file.is_deleted if held else let_go):
            copy.close()
        elif not held:
            self._row.resume(let_go[0], newest, copy)
        elif not copy.grows and holds(held[0].file, copy.end):
            held[0].copy = copy.identity
            copy.close()
        else:
            self._row.exchange(held[0], copy)


def _is_of(here: OpenFile | None, place: Place) -> bool:
    return here is not None and here.identity.may_be(place.identity)
