"""Fault 23: a hole, as a writer leaves that goes on at its old offset after a truncation."""

import os
from pathlib import Path

from stage import Action, Stage, append

GIB = 1 << 30


def write_at(path: Path, offset: int, text: bytes) -> Action:
    def act() -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(text)

    return act


def test_it_is_a_record_with_its_length_and_not_read(log: Path, stage: Stage, *, live: bool) -> None:
    stage.happens(lambda: os.truncate(log, 0), write_at(log, GIB, b"two\n"), append(log, b"three\n"), live=live)

    assert stage.data == b"one\ntwo\nthree\n"
    holes = [event for chunk in stage.chunks for event in chunk.events if event.what == "hole"]
    assert [event.lost_bytes for event in holes] == [GIB]
    stage.run(append(log, b"four\n"))
    assert stage.data == b"one\ntwo\nthree\nfour\n"


def test_where_the_writer_goes_on_within_a_block_all_of_it_is_the_hole(log: Path, stage: Stage, *, live: bool) -> None:
    stage.happens(write_at(log, 100_001, b"two\n"), live=live)

    assert stage.data == b"one\ntwo\n"
    assert [event.lost_bytes for chunk in stage.chunks for event in chunk.events] == [100_001 - 4]


def test_a_line_ends_where_a_hole_begins(log: Path, stage: Stage, *, live: bool) -> None:
    begun = b"x" * 4000 + b"\n" + b"y" * 91
    stage.happens(append(log, begun), write_at(log, 100_000, b"two\n"), live=live)

    assert stage.data == b"one\n" + begun + b"two\n"


def test_a_hole_with_nothing_behind_it_is_waited_out(log: Path, stage: Stage, *, live: bool) -> None:
    stage.happens(append(log, b"x" * 4091 + b"\n"), lambda: os.truncate(log, GIB), lambda: None, live=live)
    assert stage.data == b"one\n" + b"x" * 4091 + b"\n"

    stage.happens(append(log, b"two\n"), live=live)

    assert stage.data.endswith(b"x\ntwo\n")
    assert stage.events == ["hole"]


def test_nul_bytes_that_were_written_are_data(log: Path, stage: Stage, *, live: bool) -> None:
    stage.happens(append(log, b"\0" * 100_000 + b"\n"), live=live)

    assert stage.data == b"one\n" + b"\0" * 100_000 + b"\n"
