"""Faults 32 and 43: a network file system shows an old size, and a disk comes back under another number."""

import os
from pathlib import Path

import pytest

from heeler.sources import file_following
from heeler.sources.file_identity import Signature, signature_at
from stage import Stage, append


def test_a_size_that_goes_back_once_is_no_truncation(log: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the content says that it is; the size is not even asked."""

    def stale(path: str) -> Signature:
        device, inode, size, *times = signature_at(path)
        return (device, inode, size // 2, times[0], times[1])

    def restore() -> None:
        monkeypatch.setattr(file_following, "signature_at", signature_at)

    monkeypatch.setattr(file_following, "signature_at", stale)
    stage.run(lambda: None, append(log, b"two\n"), restore, append(log, b"three\n"))

    assert stage.data == b"one\ntwo\nthree\n"
    assert stage.events == []


def test_content_that_is_shown_short_once_is_asked_for_again(
    log: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening a file anew makes the client ask its server."""
    read, opened = os.pread, os.open
    is_stale = True

    def pread(fd: int, size: int, offset: int) -> bytes:
        return b"" if is_stale else read(fd, size, offset)

    def fresh(path: str, flags: int) -> int:
        nonlocal is_stale
        is_stale = False
        return opened(path, flags)

    def begin() -> None:
        append(log, b"two\n")()
        monkeypatch.setattr(os, "pread", pread)
        monkeypatch.setattr(os, "open", fresh)

    stage.run(lambda: None, begin)

    assert stage.data == b"one\ntwo\n"
    assert stage.events == []


def test_a_disk_under_another_number_holds_the_same_files(
    log: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, b"two\n")()
    status = os.fstat

    def elsewhere(fd: int) -> os.stat_result:
        found = status(fd)
        return os.stat_result((*found[:2], found.st_dev + 1, *found[3:]), {"st_mtime_ns": found.st_mtime_ns})

    monkeypatch.setattr("heeler.sources.file_identity.os.fstat", elsewhere)
    stage.run()

    assert stage.data == b"one\ntwo\n"
    assert stage.events == []


def test_the_same_bytes_under_another_inode_are_not_read_again(log: Path, stage: Stage, *, live: bool) -> None:
    """A copy-up of an overlay, a folder that was restored."""

    def copy_up() -> None:
        copy = log.with_name("copy")
        copy.write_bytes(log.read_bytes() + b"two\n")
        copy.replace(log)

    stage.happens(copy_up, live=live)

    assert stage.data == (b"one\none\ntwo\n" if live else b"one\ntwo\n")
