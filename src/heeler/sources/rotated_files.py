"""The files that stood at a path before: which names rotation gives them, in which order, and where they are now."""

import os
import re
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from heeler.sources.file_identity import Identity

_PACKED = r"(?:\.(?:gz|zst|zstd|bz2|xz))?"
_NUMBER = r"\d{1,4}"
_DATE = r"\d{4}[\d.:_T-]*\d"
_BEHIND = re.compile(rf"[._-](?P<token>{_NUMBER}|{_DATE}|old|bak)(?P<rest>{_PACKED})\Z")
"""What stands behind the whole name: ``app.log.1.gz``, ``app.log-20261125``."""
# Not "-1": web.log, web-1.log and web-2.log are three logs.
_WITHIN = re.compile(rf"(?:\.(?P<number>{_NUMBER})|[._-](?P<date>{_DATE}))(?P<rest>\.[^./]+{_PACKED})\Z")
"""What stands before the ending: ``app.1.log``, ``app-20261125.log.gz``."""
_PACKED_ENDINGS = (".gz", ".zst", ".zstd", ".bz2", ".xz", ".lz4", ".Z", ".zip")


def is_packed(name: str) -> bool:
    """Tell whether a name is that of a compressed file: a rotated one, and never followed by itself."""
    return name.endswith(_PACKED_ENDINGS)


@dataclass(frozen=True, slots=True)
class Rotated:
    """A file that rotation may have made of another. ``age`` is higher for older ones."""

    path: Path
    inode: int
    age: tuple[int, float, str]

    @property
    def is_packed(self) -> bool:
        """Whether its name says that it is compressed."""
        return is_packed(self.path.name)


class Listing:
    """The names in a directory with their inodes, as of one instant. Empty where it cannot be listed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.is_known = True
        """Whether it could be listed: what is not seen in one that could not is not gone."""
        try:
            with os.scandir(directory) as entries:
                self._names = {entry.name: entry.inode() for entry in entries}
        except OSError:
            self._names, self.is_known = {}, False
        self._sorted = sorted(self._names)
        self._by_inode: dict[int, list[str]] = {}
        for name, inode in self._names.items():
            self._by_inode.setdefault(inode, []).append(name)

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
                found.append(Rotated(path, self._names[other], _age(token, path)))
        return sorted(found, key=lambda one: one.age, reverse=True)


class Listings:
    """Directories as they were listed last, for all files in them."""

    def __init__(self) -> None:
        self._known: dict[Path, Listing] = {}

    def of(self, directory: Path) -> Listing:
        """Return the names in a directory, no older than the last `forget`."""
        if directory not in self._known:
            self._known[directory] = Listing(directory)
        return self._known[directory]

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
