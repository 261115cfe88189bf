"""Faults 7 to 9 and 44: the bytes before the position are others now, or fewer."""

import os
from pathlib import Path

import pytest

from stage import Stage, append

LINES = b"".join(b"line %03d\n" % number for number in range(100))


def test_a_file_truncated_and_grown_past_the_offset_is_read_from_its_start(
    log: Path, stage: Stage, *, live: bool
) -> None:
    stage.happens(lambda: log.write_bytes(b"more than there was\n"), live=live)

    assert stage.data == b"one\nmore than there was\n"
    assert stage.events == ["rewritten"]


def test_a_file_rewritten_in_the_same_size_is_read_from_its_start(log: Path, stage: Stage, *, live: bool) -> None:
    stage.happens(lambda: log.write_bytes(b"two\n"), live=live)

    assert stage.data == b"one\ntwo\n"
    assert stage.events == ["rewritten"]


def test_a_rewrite_that_leaves_size_and_times_as_they_were_is_seen(log: Path, stage: Stage, *, live: bool) -> None:
    """The clock of a file system may tick so slowly that a rewrite in the instant of the last look leaves no trace."""

    def rewrite() -> None:
        before = log.stat()
        log.write_bytes(b"two\n")
        os.utime(log, ns=(before.st_atime_ns, before.st_mtime_ns))

    stage.happens(rewrite, live=live)

    assert stage.data == b"one\ntwo\n"


@pytest.mark.parametrize("size", [0, 50, 300])
def test_a_file_cut_short_is_read_from_its_start_with_a_record(tmp_path: Path, size: int, *, live: bool) -> None:
    """What is left cannot be told from lines that were written anew, and a line twice is better than none."""
    log = tmp_path / "app.log"
    log.write_bytes(LINES)
    stage = Stage(log)
    stage.run()

    stage.happens(lambda: os.truncate(log, size), append(log, b"\nnew\n"), live=live)
    stage.run()
    stage.run()

    assert stage.data == LINES + LINES[:size] + b"\nnew\n"
    assert stage.events == ["truncated"]
    offsets = [int(str(position["offset"])) for position in stage.positions.values()]
    assert max(offsets) == log.stat().st_size


def test_bytes_changed_in_place_behind_the_offset_are_ignored(tmp_path: Path, *, live: bool) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(LINES)
    stage = Stage(log)
    stage.run()

    def change() -> None:
        with log.open("r+b") as file:
            file.seek(450)
            file.write(b"LINE")

    stage.happens(change, append(log, b"new\n"), live=live)

    assert stage.data == LINES + b"new\n"
    assert stage.events == []


def test_only_the_head_differs_and_the_file_is_known_for_another(tmp_path: Path, *, live: bool) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"first\n" + b"same\n" * 100)
    stage = Stage(log)
    stage.run()

    stage.happens(lambda: log.write_bytes(b"other\n" + b"same\n" * 101), live=live)

    assert stage.data == b"first\n" + b"same\n" * 100 + b"other\n" + b"same\n" * 101
