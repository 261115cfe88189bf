"""Fault 15: a directory, a FIFO, a socket or a device stands where the file was."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from stage import Stage


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, socket_at, lambda path: path.symlink_to("/dev/zero")])
def test_it_is_told_once_and_never_read(log: Path, stage: Stage, make: Callable[[Path], None], *, live: bool) -> None:
    """Reading /dev/zero, or opening a FIFO as others do, would not end."""

    def replace() -> None:
        log.rename(log.with_name("away"))
        make(log)

    def restore() -> None:
        log.rename(log.with_name("what it was"))
        log.write_bytes(b"two\n")

    stage.happens(replace, live=live)
    stage.run(lambda: None, lambda: None, restore)

    assert stage.data == b"one\ntwo\n"
    assert stage.events.count("waiting") == 2  # by each of the two readers
