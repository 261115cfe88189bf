"""The files that stood at a path before: which names rotation gives them, in which order, and where they are now."""

import os
import re
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from heeler.clock import Clock
from heeler.sources.file_identity import Identity

_PACKED = r"(?:\.(?:gz|zst|zstd|bz2|xz))?"
_NUMBER = r"\d{1,4}"
_DATE = r"\d{4}[\d.:_T-]*\d"
_BEHIND = re.compile(rf"[._-](?P<token>{_NUMBER}|{_DATE}|old|bak)(?P<rest>{_PACKED})\Z")
"""What stands behind the whole name: ``app.log.1.gz``, ``app.log-20261125``."""
# Not "-1": web.log, web-1.log and web-2.log are three logs.
_WITHIN = re.compile(rf"(?:\.(?P<number>{_NUMBER})|[._-](?P<date>{_DATE}))(?P<rest>\.[^./]+{_PACKED})\Z")
"""What stands before the ending: ``app.1.log``, ``app-20261125.log.gz``."""
MOST_LISTINGS = 20
"""So many times a directory is listed while files in it are renamed."""

RESTS_NS = 50_000_000
"""What did not change for so long shows each change by its time; clocks of file systems tick every few milliseconds."""

_BIRTH_ERROR_NS = 1_000  # macOS tells births as a fraction of seconds
_PACKED_ENDINGS = (".gz", ".zst", ".zstd", ".bz2", ".xz", ".lz4", ".Z", ".zip")


def is_packed(name: str) -> bool:
    """Tell whether a name is that of a compressed file: a rotated one, and never followed by itself."""
    return name.endswith(_PACKED_ENDINGS)


@dataclass(frozen=True, slots=True)
class Rotated:
    """A file that rotation may have made of another. ``age`` is higher for older ones.

    ``listed_ns`` is when its directory had changed last, by the clock of the file system.
    """

    path: Path
    inode: int
    age: tuple[int, float, str]
    listed_ns: int

    def is_that(self, identity: Identity) -> bool:
        """Tell whether this is the file that was seen: its inode is soon that of another, which is younger."""
        return identity.inode == self.inode and identity.birth_ns <= self.listed_ns + _BIRTH_ERROR_NS

    @property
    def is_packed(self) -> bool:
        """Whether its name says that it is compressed."""
        return is_packed(self.path.name)


class Listing:
    """The names in a directory with their inodes, as of one instant. Empty where it cannot be listed.

    ``now_ns`` is the time, by which one sees whether the directory rests.
    """

    def __init__(self, directory: Path, now_ns: int = 0) -> None:
        self.directory = directory
        self.is_known = True
        """Whether it could be listed: what is not seen in one that could not is not gone."""
        self.changed_ns = 0
        """When a name in it changed last, by the clock of its file system."""
        self._now_ns = now_ns
        self._names: dict[str, int] = {}
        try:
            self._list(now_ns)
        except OSError:
            self._names, self.is_known = {}, False
        self._sorted = sorted(self._names)
        self._by_inode: dict[int, list[str]] = {}
        for name, inode in self._names.items():
            self._by_inode.setdefault(inode, []).append(name)

    def _list(self, now_ns: int) -> None:
        """List until nothing has changed meanwhile: a file that is renamed in between is seen twice, or not at all."""
        for _ in range(MOST_LISTINGS):
            # ctime, as somebody who copies a directory sets its mtime back.
            before, self.changed_ns = self._names, self.directory.stat().st_ctime_ns
            with os.scandir(self.directory) as entries:
                self._names = {entry.name: entry.inode() for entry in entries}
            if self._names == before or now_ns - self.directory.stat().st_ctime_ns > RESTS_NS:
                return

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Listing) and (other._names, other.changed_ns) == (self._names, self.changed_ns)

    __hash__ = None  # type: ignore[assignment]  # it is compared, and nothing else

    @property
    def may_have_changed(self) -> bool:
        """Whether a name in the directory may have changed since it was listed."""
        try:
            return self._now_ns - self.changed_ns <= RESTS_NS or self.directory.stat().st_ctime_ns != self.changed_ns
        except OSError:
            return self.is_known

    def has(self, name: str, identity: Identity) -> bool:
        """Tell whether a file stood there under this name; its inode may have been that of another before."""
        return self._names.get(name) == identity.inode and identity.birth_ns <= self.changed_ns + _BIRTH_ERROR_NS

    def of(self, identity: Identity) -> list[Path]:
        """Return the paths that may be this file; only opening one tells."""
        return self.with_inode(identity.inode)

    def with_inode(self, inode: int) -> list[Path]:
        """Return the paths that lead to an inode."""
        return [self.directory / name for name in self._by_inode.get(inode, ())]

    def rotated(self, name: str) -> list[Rotated]:
        """Return what rotation may have made of the file ``name`` here, oldest first.

        A file whose compressed copy is still being made is there twice; the copy is left out.
        """
        stem, _, _ = name.rpartition(".")
        begin = stem or name
        found = []
        for other in self._sorted[bisect_left(self._sorted, begin) :]:
            if not other.startswith(begin):
                break
            if (token := _token(other, name)) and not (is_packed(other) and _unpacked(other) in self._names):
                path = self.directory / other
                found.append(Rotated(path, self._names[other], _age(token, path), self.changed_ns))
        return sorted(found, key=lambda one: one.age, reverse=True)


class Listings:
    """Directories as they were listed last, for all files in them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[Path, Listing] = {}

    def of(self, directory: Path) -> Listing:
        """Return the names in a directory, no older than the last `forget`."""
        if directory not in self._known:
            self._known[directory] = self.anew(directory)
        return self._known[directory]

    def anew(self, directory: Path) -> Listing:
        """Return the names in a directory as of now."""
        return Listing(directory, self._clock.now_us() * 1000)

    def forget(self) -> None:
        """List directories anew when they are asked for."""
        self._known.clear()


def rotated_from(name: str) -> set[str]:
    """Return the names of which rotation may have made ``name``."""
    found = {name[: match.start()] for match in _BEHIND.finditer(name)}
    found |= {name[: match.start()] + _unpacked(match["rest"]) for match in _WITHIN.finditer(name)}
    return found - {""}


def _token(name: str, base: str) -> str:
    """Return what rotation put into ``base`` to make ``name``: a number or a date; empty where it did not."""
    if name.startswith(base) and (found := _BEHIND.fullmatch(name, len(base))):
        return found["token"]
    stem = base[: base.rfind(".")]
    if stem and name.startswith(stem) and (found := _WITHIN.fullmatch(name, len(stem))):
        return (found["number"] or found["date"]) if stem + _unpacked(found["rest"]) == base else ""
    return ""


def _age(token: str, path: Path) -> tuple[int, float, str]:
    """Return what sorts a file among its like: by number, by date, or by when it was written where neither tells."""
    if re.fullmatch(_NUMBER, token):
        return (1, float(token), "")
    if re.fullmatch(_DATE, token):
        return (1, float("inf"), "".join(chr(0x10FFFF - ord(one)) for one in token))
    try:
        return (0, -path.lstat().st_mtime, "")
    except OSError:
        return (0, 0.0, "")


def _unpacked(name: str) -> str:
    return re.sub(_PACKED + r"\Z", "", name)
