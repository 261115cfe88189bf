"""Faults 5 and 6: a file is copied and truncated, with and without lines that were not read yet."""

import gzip
from pathlib import Path

from stage import Stage, append, copytruncate, rotate


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


def test_each_truncation_leaves_its_record_in_its_place(log: Path, stage: Stage, *, live: bool) -> None:
    """What was written between a copy and its truncation stood between the lines of the copy and the next ones."""

    def at_once() -> None:
        for number in range(3):
            append(log, b"%d\n" % number)()
            copytruncate(log)()

    stage.happens(at_once, append(log, b"last\n"), live=live)

    told = [(chunk.data, len(chunk.events)) for chunk in stage.chunks if chunk.data or chunk.events]
    assert told[-4:] in (
        [(b"0\n", 0), (b"1\n", 1), (b"2\n", 1), (b"last\n", 1)],
        [(b"1\n", 1), (b"2\n", 1), (b"", 1), (b"last\n", 0)],
    )


def test_a_copy_of_what_nobody_read_is_found_behind_a_rotation(log: Path) -> None:
    """A file of which nothing was read is copied, truncated and rotated, and the reader is killed in between."""
    log.write_bytes(b"")
    stage = Stage(log)
    stage.run()
    copytruncate(log)()
    append(log, b"one\n")()
    stage.run(most=1)
    copytruncate(log)()
    append(log, b"two\n")()
    rotate(log)()
    append(log, b"three\n")()
    stage.run(most=1)
    stage.run()

    assert stage.data == b"one\ntwo\nthree\n"


def test_the_record_waits_for_half_a_line_before_it(log: Path, stage: Stage) -> None:
    """The copy ends within a line, and it is waited for its end; what happened behind it stands behind it."""
    stage.run(
        append(log, b"two\nha"), copytruncate(log), append(log, b"three\n"), lambda: None, *[stage.advance(1.1)] * 2
    )

    told = [chunk.data for chunk in stage.chunks if chunk.data], [chunk.data for chunk in stage.chunks if chunk.events]
    assert told == ([b"one\n", b"two\n", b"ha", b"three\n"], [b"three\n"])


def test_a_copy_that_is_just_being_made_is_read_once(log: Path, stage: Stage) -> None:
    """It is empty when it is seen first, and nothing was read yet of the file that is copied."""
    copy = log.with_name("app.log.1")

    def begin() -> None:
        append(log, b"two\n")()
        copy.rename(log.with_name("app.log.2"))
        copy.touch()

    def end() -> None:
        copy.write_bytes(log.read_bytes())
        log.write_bytes(b"three\n")

    stage.run(rotate(log), begin, end, lambda: None)

    assert stage.data == b"one\ntwo\nthree\n"


def test_what_happened_before_a_file_stands_before_the_copy_of_it_that_is_found_later(log: Path, stage: Stage) -> None:
    """It was rotated, which is not told yet, as half a line before it waits for its end; then it was copied."""

    def at_once() -> None:
        append(log, b"two\n")()
        copytruncate(log)()
        append(log, b"three\n")()

    stage.run(append(log, b"ha"), rotate(log), at_once, *[stage.advance(1.1)] * 3)

    told = [(chunk.data, [event.what for event in chunk.events]) for chunk in stage.chunks if chunk.data]
    assert told == [(b"one\n", []), (b"ha", []), (b"two\n", ["rotated"]), (b"three\n", ["truncated"])]
