"""Faults 16 to 18: a last line that is completed later, or never."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stage import Action, Stage, append, rotate


def test_a_line_that_is_written_byte_by_byte_is_one_line(log: Path, stage: Stage, *, live: bool) -> None:
    stage.happens(*(append(log, bytes([byte])) for byte in b"slow\r\n"), live=live)

    assert [chunk.data for chunk in stage.chunks if chunk.data] == [b"one\n", b"slow\r\n"]


@pytest.mark.parametrize("most", [None, 0])
def test_it_is_joined_once_over_a_restart_and_a_kill(log: Path, stage: Stage, most: int | None) -> None:
    append(log, b"ha")()
    stage.run(append(log, b"l"), most=most)
    append(log, b"f\n")()
    stage.run()

    assert [chunk.data for chunk in stage.chunks if chunk.data] == [b"one\n", b"half\n"]


@pytest.mark.parametrize("ends", [rotate, lambda log: log.unlink])
def test_it_comes_once_where_the_file_is_rotated_or_deleted(
    log: Path, stage: Stage, ends: Callable[[Path], Action]
) -> None:
    later = [stage.advance(0.5), stage.advance(1), stage.advance(61), stage.advance(61)]
    stage.run(append(log, b"half"), ends(log), *later)
    stage.run(*later)

    assert stage.data == b"one\nhalf"


def test_it_comes_once_where_the_file_is_rotated_while_nobody_looks(log: Path, stage: Stage) -> None:
    stage.happens(append(log, b"half"), rotate(log), append(log, b"two\n"), live=False)
    stage.run(stage.advance(2), stage.advance(2))

    assert [chunk.data for chunk in stage.chunks if chunk.data] == [b"one\n", b"half", b"two\n"]


def test_half_a_line_is_too_little_to_know_a_file_by(log: Path, stage: Stage) -> None:
    """It was taken for a line, its file is gone, and the next one begins with the same byte."""
    stage.run(rotate(log), append(log, b"t"), rotate(log), stage.advance(1.1), stage.advance(1.1))
    assert stage.data == b"one\nt"
    for gone in (log, log.with_name("app.log.1")):
        gone.rename(gone.parent.parent / f"{gone.parent.name} {gone.name}")
    append(log, b"two\n")()
    stage.run()

    assert stage.data == b"one\nttwo\n"
