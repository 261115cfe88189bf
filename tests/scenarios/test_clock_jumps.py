"""Fault 33: the clock jumps by an hour or a year, and files are from the future."""

import os
from pathlib import Path

import pytest

from stage import Stage, append, rotate

HOUR_US = 3_600_000_000


@pytest.mark.parametrize("jump_us", [-HOUR_US, 365 * 24 * HOUR_US])
def test_a_jump_changes_nothing(log: Path, stage: Stage, jump_us: int, *, live: bool) -> None:
    def jump() -> None:
        stage.clock._now_us += jump_us

    stage.happens(
        append(log, b"half"), rotate(log), append(log, b"new\n"), jump, stage.advance(2), stage.advance(2), live=live
    )
    stage.run(stage.advance(2), stage.advance(2))

    assert stage.data == b"one\nhalfnew\n"


def test_a_file_from_the_future_or_the_past_is_the_file_that_it_is(log: Path, stage: Stage, *, live: bool) -> None:
    def rotations() -> None:
        for number, time in enumerate((4_000_000_000, 0, 2_000_000_000)):
            append(log, b"%d\n" % number)()
            rotate(log)()
            os.utime(log.with_name("app.log.1"), (time, time))

    stage.happens(rotations, live=live)

    assert stage.data == b"one\n0\n1\n2\n"
