"""Which files are followed: paths, patterns and directories, as they are now."""

import glob
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from heeler.sources.rotated_files import is_packed, rotated_from


@dataclass(frozen=True, slots=True)
class Found:
    """The files that are to be followed, and the directories in which more may appear."""

    paths: tuple[str, ...]
    directories: frozenset[str]


class Names:
    """Paths of files, patterns such as ``/var/log/*.log`` and directories, which mean the files in them.

    A path is followed whether there is a file or not. Of what a pattern matches, hidden and compressed files are left
    out, and those that rotation made of another one that it matches: they are read as what that one was. A path that
    ``was_file`` stays one, whatever stands there now.
    """

    def __init__(self, named: Sequence[str], was_file: Callable[[str], bool] = lambda _: False) -> None:
        absolute = [str(Path(one).absolute()) for one in named]
        folders = {one for one in absolute if Path(one).is_dir() and not was_file(one)}
        patterns = {one for one in absolute if glob.has_magic(one) and not Path(one).exists() and not was_file(one)}
        self.plain = tuple(dict.fromkeys(one for one in absolute if one not in folders | patterns))
        """The paths that are followed in any case."""
        both = [glob.escape(one) + "/*" if one in folders else one for one in absolute if one in folders | patterns]
        self.patterns = tuple(dict.fromkeys(both))

    def look(self) -> Found:
        """Return what there is now."""
        paths = dict.fromkeys(self.plain)
        directories = {str(Path(one).parent) for one in self.plain}
        for pattern in self.patterns:
            for folder in _folders(pattern):
                directories.add(folder)
                paths |= dict.fromkeys(_files_in(folder, Path(pattern).name))
            directories.add(_fixed(pattern))
        return Found(tuple(paths), frozenset(directories))

    def may_match(self, path: str) -> bool:
        """Tell whether a file that appeared at ``path`` can be one to follow, or a directory of such."""
        folder, _, name = path.rpartition("/")
        for pattern in self.patterns:
            of_folder, _, of_name = pattern.rpartition("/")
            if not _is_plain(of_folder) or (glob.escape(folder) == of_folder and fnmatchcase(name, of_name)):
                return True
        return False


def _is_plain(pattern: str) -> bool:
    """Tell whether a pattern matches one name only, as one that was escaped does."""
    return not glob.has_magic(pattern) or glob.escape(_literal(pattern)) == pattern


def _literal(pattern: str) -> str:
    return pattern.replace("[*]", "*").replace("[?]", "?").replace("[[]", "[")


def _folders(pattern: str) -> list[str]:
    folder = str(Path(pattern).parent)
    if _is_plain(folder):
        return [_literal(folder)]
    found = glob.glob(folder, recursive=True)  # noqa: PTH207 - `Path.glob` takes no absolute pattern
    return [one.rstrip("/") for one in sorted(found) if Path(one).is_dir()]


def _fixed(pattern: str) -> str:
    """Return the deepest directory of a pattern that is not itself a pattern."""
    folder = Path(pattern).parent
    while not _is_plain(str(folder)):
        folder = folder.parent
    return _literal(str(folder))


def _files_in(folder: str, pattern: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = {
                entry.name
                for entry in entries
                if fnmatchcase(entry.name, pattern)
                and (pattern.startswith(".") or not entry.name.startswith("."))
                and not is_packed(entry.name)
                and not entry.is_dir()
            }
    except OSError:
        return []  # it went away, or may not be listed; what was found there before is followed on
    return [f"{folder}/{name}" for name in sorted(names) if not rotated_from(name) & names]
