"""What a disk may hold when the power goes: worked out from the system calls of a process.

Strace records every write, fsync, rename and unlink below a folder, those of SQLite and Polars too, so nothing depends
on what the code under test says of itself. The model is as mean as POSIX allows: of a file's bytes only those are
sure that were written before its last fsync, of a folder's entries only those made before the folder's last fsync, and
each of the others may have reached the disk or not, alone, and torn at sectors. Real file systems keep more.
"""

import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
LONGEST_WRITE = 1 << 24
"""A longer write would be cut by strace; it is refused rather than replayed wrongly."""

TRACED = (
    "open,openat,creat,close,dup,dup2,dup3,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,"
    "rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,truncate,ftruncate,lseek,fallocate,link,linkat,"
    "symlink,symlinkat,copy_file_range,sendfile,splice"
)
_CALL = re.compile(r"(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


@dataclass(eq=False)
class File:
    """A file: what is surely on the disk, and what was done since, each a write at an offset or a new size."""

    sure: bytes = b""
    since: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        """Make everything sure."""
        self.sure, self.since = self.after(None), []

    def after(self, chance: random.Random | None, share: float = 1.0) -> bytes:
        """Return the bytes after a cut, if each change since the last fsync came through with this chance."""
        held = bytearray(self.sure)
        for at, data in self.since:
            if chance and chance.random() >= share:
                continue
            if data is None:
                held[at:] = bytes(max(0, at - len(held)))
                continue
            kept = data
            if chance and chance.random() < 0.3:
                kept = data[: max(0, (at + chance.randrange(len(data) + 1)) // SECTOR * SECTOR - at)]
            held.extend(bytes(max(0, at + len(kept) - len(held))))
            held[at : at + len(kept)] = kept
        return bytes(held)


@dataclass(eq=False)
class Folder:
    """A folder: the entries that are surely on the disk, those there are now, and the changes between."""

    sure: dict[str, "File | Folder"] = field(default_factory=dict)
    now: dict[str, "File | Folder"] = field(default_factory=dict)
    since: list[dict[str, "File | Folder | None"]] = field(default_factory=list)

    def change(self, entries: dict[str, "File | Folder | None"]) -> None:
        """Add, replace and (None) remove entries, all of them at once."""
        self.since.append(entries)
        _apply(self.now, entries)

    def sync(self) -> None:
        """Make everything sure."""
        self.sure, self.since = dict(self.now), []

    def write_to(self, path: Path, chance: random.Random, share: float) -> None:
        """Make at ``path`` what may be found after a cut."""
        path.mkdir()
        entries = dict(self.sure)
        for one in self.since:
            if chance.random() < share:
                _apply(entries, one)
        for name, entry in entries.items():
            if isinstance(entry, Folder):
                entry.write_to(path / name, chance, share)
            else:
                (path / name).write_bytes(entry.after(chance, share))


def _apply(entries: dict[str, File | Folder], changes: dict[str, "File | Folder | None"]) -> None:
    for name, entry in changes.items():
        if entry is None:
            entries.pop(name, None)
        else:
            entries[name] = entry


@dataclass
class _Opened:
    node: File | Folder
    at: int = 0


class TracedDisk:
    """The folder ``root`` as it was before each call of a trace, from empty on."""

    def __init__(self, root: Path) -> None:
        self.folder = Folder()
        self.said = b""
        """What the process wrote to its standard output so far."""
        self.root = root
        self._opened: dict[int, _Opened] = {}

    def replay(self, trace: Path) -> Iterator[str]:
        """Do the calls of a trace one by one, and yield the name of each that changed or synced something."""
        for name, arguments, result in _calls(trace):
            handler = getattr(self, f"_do_{name}", None)
            if result < 0:
                continue
            if handler is None:
                self._refuse_if_ours(name, arguments)
            elif handler(arguments, result):
                yield name

    def _refuse_if_ours(self, name: str, arguments: str) -> None:
        first = arguments.split(",", maxsplit=1)[0]
        descriptors = {int(one) for one in re.findall(r"\b\d+\b", first)} & set(self._opened)
        if descriptors or any(self._relative(path) is not None for path in _strings(arguments)):
            raise NotImplementedError(f"The model of a disk does not know the call {name}({arguments[:200]})")

    def _relative(self, path: bytes) -> tuple[str, ...] | None:
        try:
            return Path(path.decode()).relative_to(self.root).parts
        except (ValueError, UnicodeDecodeError):
            return None

    def _parent(self, path: bytes) -> tuple[Folder, str] | None:
        parts = self._relative(path)
        if not parts:
            return None
        folder: File | Folder | None = self.folder
        for part in parts[:-1]:
            folder = folder.now.get(part) if isinstance(folder, Folder) else None
        return (folder, parts[-1]) if isinstance(folder, Folder) else None

    def _do_openat(self, arguments: str, result: int) -> bool:
        self._opened.pop(result, None)
        path = _strings(arguments)[0]
        found = self._parent(path)
        if found is None:
            if self._relative(path) == ():
                self._opened[result] = _Opened(self.folder)
            return False
        folder, name = found
        made = name not in folder.now
        if made:
            folder.change({name: File()})
        self._opened[result] = _Opened(folder.now[name])
        node = folder.now[name]
        if "O_TRUNC" in arguments and not made and isinstance(node, File):
            node.since.append((0, None))
            return True
        return made

    _do_open = _do_openat

    def _do_close(self, arguments: str, _: int) -> bool:
        self._opened.pop(int(arguments), None)
        return False

    def _do_write(self, arguments: str, result: int) -> bool:
        number = int(arguments.split(",", maxsplit=1)[0])
        if number == 1:
            self.said += _strings(arguments)[0]
            return True
        opened = self._opened.get(number)
        if opened is None or not isinstance(opened.node, File):
            return False
        opened.node.since.append((opened.at, _strings(arguments)[0][:result]))
        opened.at += result
        return True

    def _do_pwrite64(self, arguments: str, result: int) -> bool:
        opened = self._opened.get(int(arguments.split(",", maxsplit=1)[0]))
        if opened is None or not isinstance(opened.node, File):
            return False
        opened.node.since.append((int(arguments.rsplit(",", 1)[1]), _strings(arguments)[0][:result]))
        return True

    def _do_lseek(self, arguments: str, result: int) -> bool:
        opened = self._opened.get(int(arguments.split(",", maxsplit=1)[0]))
        if opened:
            opened.at = result
        return False

    def _do_ftruncate(self, arguments: str, _: int) -> bool:
        number, size = map(int, arguments.split(","))
        opened = self._opened.get(number)
        if opened is None or not isinstance(opened.node, File):
            return False
        opened.node.since.append((size, None))
        return True

    def _do_fsync(self, arguments: str, _: int) -> bool:
        opened = self._opened.get(int(arguments))
        if opened:
            opened.node.sync()
        return opened is not None

    _do_fdatasync = _do_fsync

    def _do_mkdir(self, arguments: str, _: int) -> bool:
        found = self._parent(_strings(arguments)[0])
        if found:
            found[0].change({found[1]: Folder()})
        return found is not None

    def _do_unlink(self, arguments: str, _: int) -> bool:
        found = self._parent(_strings(arguments)[0])
        if found:
            found[0].change({found[1]: None})
        return found is not None

    _do_rmdir = _do_unlink

    def _do_rename(self, arguments: str, _: int) -> bool:
        old, new = (self._parent(path) for path in _strings(arguments))
        if old is None and new is None:
            return False
        if old is None or new is None or old[0] is not new[0]:
            raise NotImplementedError(f"The model of a disk does not know a rename between folders: {arguments[:200]}")
        old[0].change({old[1]: None, new[1]: old[0].now[old[1]]})
        return True


def trace(command: Sequence[str], to: Path) -> None:
    """Run a command to its end, and write its calls to a file."""
    strace = ["strace", "-f", "-qq", "-xx", "-s", str(LONGEST_WRITE), "-o", str(to), "-e", f"trace={TRACED}"]
    subprocess.run([*strace, "-e", "signal=none", *command], check=True, stdout=subprocess.DEVNULL)


def _calls(trace: Path) -> Iterator[tuple[str, str, int]]:
    """Yield name, arguments and result of each call, in the order in which they ended."""
    begun: dict[str, str] = {}
    with trace.open(encoding="ascii") as file:
        for text in file:
            thread, rest = text.rstrip("\n").split(maxsplit=1)
            if rest.endswith(" <unfinished ...>"):
                begun[thread] = rest.removesuffix(" <unfinished ...>")
                continue
            if rest.startswith("<... "):
                rest = begun.pop(thread) + rest.partition(" resumed>")[2]
            if found := _CALL.match(rest):
                yield found[1], found[2], int(found[3])


def _strings(arguments: str) -> list[bytes]:
    found = []
    for match in _STRING.finditer(arguments):
        if match[2]:
            raise NotImplementedError(f"A write of more than {LONGEST_WRITE} bytes was not recorded whole")
        found.append(bytes.fromhex(match[1].replace("\\x", "")))
    return found
