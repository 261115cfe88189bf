"""Faults 5 and 6: a file is copied and truncated, with and without lines that were not read yet."""

import gzip
from pathlib import Path

from stage import Stage, append, copytruncate


def test_the_copy_is_not_read_again(log: Path, stage: Stage, *, live: bool) -> None:
    stage.happens(copytruncate(log), append(log, b"two\n"), live=live)

    assert stage.data == b"one\ntwo\n"
    assert stage.events == ["truncated"]


def test_the_rest_is_read_from_the_copy(log: Path, stage: Stage, *, live: bool) -> None:
    def at_once() -> None:
        append(log, b"two\n")()
        copytruncate(log)()
        append(log, b"three\n")()

    stage.happens(at_once, live=live)

    assert stage.data == b"one\ntwo\nthree\n"
    (event,) = [event for chunk in stage.chunks for event in chunk.events]
    assert event.lost_bytes == -1
    assert "was copied to app.log.1 and truncated" in event.message


def test_several_copies_between_two_looks_lose_nothing(log: Path, stage: Stage, *, live: bool) -> None:
    def at_once() -> None:
        for number in range(5):
            append(log, b"%d\n" % number)()
            copytruncate(log)()
        append(log, b"last\n")()

    stage.happens(at_once, live=live)

    assert stage.data == b"one\n0\n1\n2\n3\n4\nlast\n"


def test_a_copy_that_is_compressed_at_once_is_read_all_the_same(log: Path, stage: Stage, *, live: bool) -> None:
    def at_once() -> None:
        append(log, b"two\n")()
        copytruncate(log)()
        copy = log.with_name("app.log.1")
        copy.with_name("app.log.1.gz").write_bytes(gzip.compress(copy.read_bytes()))
        copy.unlink()
        append(log, b"three\n")()

    stage.happens(at_once, live=live)

    assert stage.data == b"one\ntwo\nthree\n"
