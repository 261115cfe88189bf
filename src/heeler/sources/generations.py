"""The files that have stood at one followed path: each with how far it was read, and where it is now."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from heeler.model import SourceEvent
from heeler.sources.descriptors import Descriptors
from heeler.sources.file_identity import Identity
from heeler.sources.file_lines import OpenFile
from heeler.sources.file_position import KnownFiles, Place
from heeler.sources.packed_file import PackedFile
from heeler.sources.rotated_files import MOST_LISTINGS, Listings, Rotated, is_packed

AnyFile = OpenFile | PackedFile

Test = Callable[[AnyFile], bool]
"""Tells something of a file, which stays where it is."""


@dataclass(slots=True)
class Generation:
    """One of the files that have stood at the path, while it is read.

    ``told`` is the place that was handed out last, None before the first. ``events`` happened before what is read next.
    ``copy`` is what it was compressed to, where it was deleted and is read on all the same.
    """

    part: str
    number: int
    file: AnyFile
    told: Place | None = None
    rotated: bool = False
    done: bool = False
    quiet_since: float = 0.0
    pending: int = 0
    copy: Identity | None = None
    events: list[SourceEvent] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """How far it has been read."""
        return replace(self.file.place, generation=self.number, done=self.done)

    @property
    def is_told(self) -> bool:
        """Whether somebody knows how far it has been read."""
        told, now = self.told, (self.file.offset, self.file.identity, self.number, self.done)
        return told is not None and (told.offset, told.identity, told.generation, told.done) == now


@dataclass(frozen=True, slots=True)
class Sought:
    """Which rotated files are missed ones: none that ``skips`` names, and none older than one that ``ends`` the search.

    ``is_here`` knows the file that stood at the path when the search began. None is sought that was born before
    ``since_ns``; 0 stands for the birth of the newest that is known, which may be a copy and younger than its original.
    What was found ``before`` is found again, whatever its times are.
    """

    skips: Test
    ends: Test
    is_here: Test = lambda _: False
    since_ns: int = 0
    before: frozenset[Identity] = frozenset()

    def may_follow(self, newest: Place, file: AnyFile) -> bool:
        """Tell by times whether a file came after the newest."""
        return file.identity in self.before or newest.precedes(
            file.identity, file.written_ns, self.since_ns or newest.identity.birth_ns
        )


@dataclass(frozen=True, slots=True)
class Missed:
    """The files that stood at a path after the newest of which it is known, oldest first.

    ``has_newest`` says that this one was found beside them, and ``copy`` is a copy of it, gone on to where it was read.
    ``lacks_some`` says that one could not be opened, or was renamed each time.
    """

    files: list[AnyFile]
    copy: AnyFile | None
    has_newest: bool
    lacks_some: bool = False


class Rotations:
    """Finds the files of one path among those beside it, and beside its target where it is a symbolic link."""

    def __init__(self, path: Path, known: KnownFiles, listings: Listings, descriptors: Descriptors) -> None:
        self._path = path
        self._files = known
        self._descriptors = descriptors
        self._known = listings
        self._list()

    def _list(self) -> None:
        # A link is resolved anew each time: it may lead elsewhere now.
        self._ways = dict.fromkeys([self._path, self._path.resolve()])
        self._listings = {way: self._known.of(way.parent) for way in self._ways}
        self._is_stale = False

    def _list_again(self) -> bool:
        """List the directories anew if a file was renamed since; tell whether."""
        if not self._is_stale:
            return False
        before = self._listings
        self._known.forget()
        self._list()
        return self._listings != before

    def see(self, here: AnyFile) -> None:
        """List the directories anew if they were listed before ``here`` stood there: another may have stood between."""
        if not any(listing.has(way.name, here.identity) for way, listing in self._listings.items()):
            self._is_stale = True
            self._list_again()

    @property
    def is_complete(self) -> bool:
        """Whether every directory could be listed: what is not found then is not there."""
        return all(one.is_known for one in self._listings.values())

    def has(self, identity: Identity) -> bool:
        """Tell whether a file with this inode is there, under whatever name."""
        return any(one.of(identity) for one in self._listings.values())

    def rotated(self) -> list[Rotated]:
        """Return what looks like rotated files of the path, oldest first."""
        found = [one for way, listing in self._listings.items() for one in listing.rotated(way.name)]
        return list({one.inode: one for one in found}.values())

    def is_older(self, file: AnyFile, other: AnyFile) -> bool:
        """Tell whether a rotated file came before another; each did where that is none, but stands at the path."""
        inodes = [one.inode for one in self.rotated()]
        if other.identity.inode not in inodes:
            return True
        return file.identity.inode in inodes[: inodes.index(other.identity.inode)]

    def grown(self, place: Place) -> bool:
        """Tell whether somebody has written to a rotated file after it was read to its end."""
        for listing in self._listings.values():
            for path in listing.of(place.identity):
                try:
                    if not is_packed(path.name) and path.lstat().st_size > place.offset:
                        return True
                except OSError:
                    continue  # gone in this moment
        return False

    def path_of(self, place: Place) -> Path | None:
        """Return under which name the file of ``place`` is there now, whatever it holds."""
        for listing in self._listings.values():
            for path in listing.of(place.identity):
                if file := self._open(path, place.identity):
                    file.close()
                    return path
        return None

    def is_elsewhere(self, place: Place) -> bool:
        """Tell whether a file is there under a name that rotation does not give."""
        path = self.path_of(place)
        return path is not None and path not in {*self._ways, *(one.path for one in self.rotated())}

    def moved(self, place: Place, here: AnyFile | None = None) -> AnyFile | None:
        """Return the file of ``place`` under whatever name it has now, gone on to there, unless it is ``here``."""
        if here and here.identity.may_be(place.identity):
            return None
        for _ in range(MOST_LISTINGS):
            if (file := self._moved(place)) or not self._list_again():
                return file
        return None

    def rewritten(self, place: Place, here: AnyFile | None) -> AnyFile | None:
        """Return the rotated file of ``place`` where it holds something else now."""
        if here and here.identity.may_be(place.identity):
            return None
        paths = [path for listing in self._listings.values() for path in listing.of(place.identity)]
        return next((file for path in paths if (file := self._open(path, place.identity))), None)

    def _moved(self, place: Place) -> AnyFile | None:
        for listing in self._listings.values():
            for path in listing.of(place.identity):
                if file := self._open(path, place.identity):
                    same = [one for one in self._files.longer(place) if one.identity.may_be(place.identity)]
                    if not _holds_any(file, same) and file.resume(place):
                        return file
                    file.close()
        return None

    def copy_of(self, place: Place, apart_from: Callable[[Identity], bool]) -> AnyFile | None:
        """Return a rotated file that holds what ``place`` held, gone on to there: a copy, or compressed.

        The content decides, so nothing is found for a place before which there is none. Files ``apart_from`` which we
        look are known to be others. A copy may be shorter than what was read; then nothing of it is unread.
        """
        for attempt in range(MOST_LISTINGS):
            if found := self._copy_of(place, apart_from):
                return found
            # It may have been made after the directory was listed, and before its file was truncated.
            self._is_stale |= not attempt and any(one.may_have_changed for one in self._listings.values())
            if not self._list_again():
                return None
        return None

    def _copy_of(self, place: Place, apart_from: Callable[[Identity], bool]) -> AnyFile | None:
        if not place.offset:
            return None
        files = [file for rotated in self.rotated()[::-1] if (file := self.open(rotated))]
        # Files begin alike: one belongs to the place before which most of it was read.
        longer = self._files.longer(place)
        copies = [file for file in files if not apart_from(file.identity) and not _holds_any(file, longer)]
        # One that holds just what was read goes first: more files may begin alike than are copies.
        found = next((file for file in copies if file.is_copy(place)), None)
        # The few bytes of half a line begin many files.
        telling = [file for file in copies if file.tells(place)]
        found = next((file for file in [found, *telling] if file and file.resume(place)), None)
        if found is None:
            # Of what came after it all begins with another content, so the oldest is the one.
            born_ns = place.identity.birth_ns
            begun = [file for file in copies if file.identity.birth_ns >= born_ns and file.begins_like(place)]
            found = begun[-1] if begun else None
            if found:
                found.go_to_end()
        for file in files:
            if file is not found:
                file.close()
        return found

    def open(self, rotated: Rotated) -> AnyFile | None:
        """Open a rotated file under whatever name it has now, if it is still there and may be read."""
        try:
            file = _opened(rotated.path, self._descriptors)
        except FileNotFoundError:
            self._is_stale = True
            return self._follow(rotated)
        except OSError:
            return None
        if rotated.is_that(file.identity):
            return file
        file.close()
        self._is_stale = True
        return self._follow(rotated)

    def _follow(self, rotated: Rotated) -> AnyFile | None:
        """Open a file that was renamed since it was listed. Its place among the others is still what it was.

        Only under a name that rotation gives: when it is gone, its inode is that of the next file that somebody makes.
        """
        for _ in range(MOST_LISTINGS):
            listing = self._known.anew(rotated.path.parent)
            names = [one.path for way in self._ways for one in listing.rotated(way.name) if one.inode == rotated.inode]
            for path in names:
                with suppress(OSError):
                    file = _opened(path, self._descriptors)
                    if rotated.is_that(file.identity):
                        return file
                    file.close()
            if not names:
                return None
        return None

    def before(self, place: Place, sought: Sought, *, is_here: bool) -> list[AnyFile]:
        """Return copies of a file of which nothing was read, oldest first: they were made before it was truncated.

        ``is_here`` says that it stands at the path still; else its place is among the others, if it was not deleted.
        None is older than one that ends the search.
        """
        rotated = self.rotated()
        at = next((at for at, one in enumerate(rotated) if one.inode == place.identity.inode), None)
        found: list[AnyFile] = []
        for one in reversed(rotated if is_here or at is None else rotated[:at]):
            file = self.open(one)
            if file is None:
                continue
            if not is_here and at is None and sought.is_here(file):
                # It was compressed: what is younger comes after it.
                _close([file, *found])
                found.clear()
                continue
            if sought.ends(file):
                file.close()
                break
            is_later = place.precedes(file.identity, file.written_ns, place.identity.birth_ns)
            # An empty one may be a copy that is just being made; not so where a younger one is complete. Nobody looks
            # again for what is older than that one.
            if is_later and not sought.skips(file) and (found or file.end.offset):
                found.append(file)
            else:
                file.close()
        return found[::-1]

    def after(self, newest: Place, sought: Sought) -> Missed:
        """Return the rotated files that stood at the path after ``newest``, oldest first, if they are ``sought``.

        Where the newest is among them, by itself or as a copy, those behind it are later. Where it is not, or where
        nothing of it was read, times tell.
        """
        for _ in range(MOST_LISTINGS):
            missed = self._after(newest, sought)
            if not self._list_again():
                return missed
            _close([*missed.files, missed.copy])
        return replace(self._after(newest, sought), lacks_some=True)

    def _after(self, newest: Place, sought: Sought) -> Missed:
        found: list[tuple[AnyFile, bool]] = []
        copy: AnyFile | None = None
        lacks_some = False
        is_behind = is_listed = any(newest.identity.inode == one.inode for one in self.rotated())
        for rotated in reversed(self.rotated()):
            file = self.open(rotated)
            if file is None:
                lacks_some |= not self._is_stale and _was_written(rotated.path, newest.written_ns)
                continue
            if sought.is_here(file):
                # It was rotated while we look: what is younger comes after it.
                _close([file, *(one for one, _ in found)])
                found.clear()
                continue
            # Others may begin alike: only where it is not there itself a copy of it is looked for.
            may_be = file.identity.may_be(newest.identity) or (not is_listed and newest.offset and file.tells(newest))
            if newest.offset and may_be and file.resume(newest):
                copy = file
                break
            if sought.ends(file):
                file.close()
                break
            is_behind = is_behind and not file.identity.may_be(newest.identity)
            if sought.skips(file):
                file.close()
            else:
                found.append((file, is_behind))
        later = [file for file, is_after in found if copy or is_after or sought.may_follow(newest, file)]
        _close([file for file, _ in found if file not in later])
        has_newest = is_listed or copy is not None
        if copy and copy.identity.may_be(newest.identity):
            _close([copy])
            copy = None
        return Missed(later[::-1], copy, has_newest, lacks_some)

    def _open(self, path: Path, identity: Identity) -> AnyFile | None:
        try:
            file = _opened(path, self._descriptors)
        except OSError as error:
            self._is_stale |= isinstance(error, FileNotFoundError)
            return None
        if file.identity.may_be(identity):
            return file
        self._is_stale |= file.identity.inode != identity.inode
        file.close()
        return None


def _close(files: Iterable[AnyFile | None]) -> None:
    for one in files:
        if one:
            one.close()


def _was_written(path: Path, since_ns: int) -> bool:
    try:
        return path.lstat().st_mtime_ns >= since_ns
    except OSError:
        return False


def _holds_any(file: AnyFile, places: list[Place]) -> bool:
    return any(file.holds(one) for one in places)


def _opened(path: Path, descriptors: Descriptors) -> AnyFile:
    return PackedFile(path) if is_packed(path.name) else OpenFile(path, descriptors)
