"""Which file it is: device, inode, and when that inode was born."""

import ctypes
import os
import stat
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_AT_EMPTY_PATH = 0x1000
_STATX_BTIME = 0x800
_STATX_BYTES = 256
_MASK, _BIRTH = struct.Struct("=I"), struct.Struct("=qI")  # at byte 0 and at byte 80, statx(2)
_BIRTH_AT = 80


class NotRegular(OSError):
    """A directory, FIFO, socket or device stands where a file should."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a file from others. A hint: only its content says whether it is the file that was read before.

    An inode is given to the next file as soon as its file is gone, so the nanosecond of its birth counts too; 0 where
    the file system does not know it. The device may change while a disk is away.
    """

    device: int
    inode: int
    birth_ns: int = 0

    def may_be(self, other: "Identity") -> bool:
        """Tell whether both can be one file, as far as both are known."""
        is_same = self.device == other.device and self.inode == other.inode
        return is_same and (self.birth_ns == other.birth_ns or not (self.birth_ns and other.birth_ns))


Signature = tuple[int, int, int, int, int]
"""Device, inode, size, and the nanoseconds of the last change of content and of anything: other than before, look."""


def signature_at(path: str) -> Signature:
    """Return what stands at ``path`` without opening it. Raises `OSError`, of which `NotRegular` is one."""
    return signature_of(os.stat(path), path)  # noqa: PTH116 - thousands a second; making paths takes half the time


def signature_of(status: os.stat_result, path: str) -> Signature:
    """Return the signature of a regular file; raises `NotRegular` for everything else."""
    if not stat.S_ISREG(status.st_mode):
        raise NotRegular(path)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def size_in(signature: Signature) -> int:
    """Return the size in bytes that a signature has."""
    return signature[2]


def identity_of(descriptor: int) -> Identity:
    """Return which file is open."""
    status = os.fstat(descriptor)
    return Identity(status.st_dev, status.st_ino, _birth_ns(descriptor, status))


def open_regular(path: str | Path) -> int:
    """Open a regular file without ever waiting. Raises like `signature_at`."""
    # Looked at before it is opened, because opening can act (a tape rewinds), and after, because it may have been
    # replaced in between. O_NONBLOCK: opening a FIFO would wait for its writer.
    signature_at(os.fspath(path))
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        signature_of(os.fstat(descriptor), os.fspath(path))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _birth_ns(descriptor: int, status: os.stat_result) -> int:
    """Return when the inode was born. Python tells it on macOS only, so Linux is asked itself (statx, glibc 2.28)."""
    if hasattr(status, "st_birthtime"):
        return int(status.st_birthtime * 1e9)  # type: ignore[attr-defined]  # there where hasattr says so
    statx = _statx()
    if statx is None:
        return 0
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    if statx(descriptor, b"", _AT_EMPTY_PATH, _STATX_BTIME, buffer) != 0:
        return 0
    if not _MASK.unpack_from(buffer.raw)[0] & _STATX_BTIME:
        return 0
    seconds, nanoseconds = _BIRTH.unpack_from(buffer.raw, _BIRTH_AT)
    return int(seconds * 1_000_000_000 + nanoseconds)


@cache
def _statx() -> Any:  # noqa: ANN401 - what ctypes gives for a function
    return getattr(ctypes.CDLL(None), "statx", None)
