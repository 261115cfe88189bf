"""Faults 34 and 35: rotated files are compressed, at once or later, and may be damaged."""

import gzip
from pathlib import Path

import pytest
import zstandard

from heeler.sources import rotated_files
from stage import Action, Stage, append, rotate

PACK = {
    ".gz": lambda data: gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :]),
    ".zst": zstandard.compress,
}


def compress(path: Path, ending: str) -> Action:
    def act() -> None:
        path.with_name(path.name + ending).write_bytes(PACK[ending](path.read_bytes()))
        path.unlink()

    return act


@pytest.mark.parametrize("ending", PACK)
def test_what_was_read_is_not_read_again(log: Path, stage: Stage, ending: str, *, live: bool) -> None:
    pack = compress(log.with_name("app.log.1"), ending)
    stage.happens(append(log, b"two\n"), rotate(log), pack, append(log, b"three\n"), rotate(log), live=live)
    stage.run(stage.advance(70), stage.advance(70), lambda: None)
    stage.run(rotate(log))

    assert stage.data == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("ending", PACK)
def test_of_one_that_holds_unread_lines_just_these_are_read(
    log: Path, stage: Stage, ending: str, *, live: bool
) -> None:
    def at_once() -> None:
        append(log, b"two\n")()
        rotate(log)()
        append(log, b"three\nhalf")()
        compress(log.with_name("app.log.1"), ending)()
        rotate(log)()
        compress(log.with_name("app.log.1"), ending)()
        append(log, b"four\n")()

    stage.happens(at_once, live=live)
    stage.run(stage.advance(2))

    assert stage.data == b"one\ntwo\nthree\nhalffour\n"


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("most", [None, 3])
def test_what_a_writer_adds_after_it_was_compressed_is_read_while_it_is_open(
    log: Path, stage: Stage, ending: str, most: int | None
) -> None:
    """The file was removed, but its writer was not told yet. Whoever was killed finds a copy that holds less."""
    with log.open("ab", buffering=0) as writer:

        def at_once() -> None:
            writer.write(b"two\n")
            rotate(log)()
            compress(log.with_name("app.log.1"), ending)()

        late = [lambda: writer.write(b"late\n"), append(log, b"three\n"), stage.advance(70), stage.advance(70)]
        stage.run(at_once, *late, most=most)
    stage.run(rotate(log), compress(log.with_name("app.log.1"), ending), lambda: None)

    assert stage.data == b"one\ntwo\nlate\nthree\n"


def test_a_copy_that_holds_less_than_was_read_is_not_read_again_where_nothing_younger_was(
    log: Path, stage: Stage
) -> None:
    with log.open("ab", buffering=0) as writer:
        at_once = [rotate(log), compress(log.with_name("app.log.1"), ".gz")]
        stage.run(lambda: [act() for act in at_once], lambda: writer.write(b"late\n"), *[stage.advance(70)] * 2)
    stage.run(rotate(log), append(log, b"two\n"), lambda: None)

    assert stage.data == b"one\nlate\ntwo\n"


def test_a_copy_that_holds_less_is_known_also_where_its_file_had_to_be_closed(log: Path) -> None:
    """No more than two may be open, and nothing is read of the two that come next."""
    stage = Stage(log, most_open=2)
    with log.open("ab", buffering=0) as writer:
        at_once = [rotate(log), compress(log.with_name("app.log.1"), ".gz")]
        later = [rotate(log), rotate(log), append(log, b"two\n")]
        stage.run(lambda: [act() for act in at_once], lambda: writer.write(b"late\n"), *later)

    assert stage.data == b"one\nlate\ntwo\n"


def test_of_a_copy_that_holds_more_than_the_file_that_is_gone_the_rest_is_read(log: Path, stage: Stage) -> None:
    """Somebody saved the file with a line more, and it was rotated and compressed before anybody looked."""

    def at_once() -> None:
        saved = log.with_name("saved")
        saved.write_bytes(log.read_bytes() + b"two\n")
        saved.replace(log)
        rotate(log)()
        compress(log.with_name("app.log.1"), ".gz")()
        append(log, b"three\n")()

    stage.run(at_once, lambda: None)

    assert stage.data == b"one\ntwo\nthree\n"


def test_what_came_after_a_compressed_one_of_which_nothing_was_read_is_no_copy_of_it(log: Path, stage: Stage) -> None:
    def at_once() -> None:
        append(log, b"two\n")()
        rotate(log)()
        compress(log.with_name("app.log.1"), ".gz")()
        append(log, b"three\n")()
        rotate(log)()
        append(log, b"four\n")()

    stage.run(rotate(log), at_once, lambda: None)

    assert stage.data == b"one\ntwo\nthree\nfour\n"
    assert stage.events == ["rotated", "rotated"]


def test_a_copy_belongs_to_the_file_of_which_most_was_read(log: Path, stage: Stage) -> None:
    """Two files begin alike. Of the longer, which was let go, there is a copy; of the shorter, which is gone, none."""
    later = [stage.advance(70), stage.advance(70)]
    stage.run(append(log, b"two\n"), rotate(log), lambda: None, *later, append(log, b"one\n"))
    compress(log.with_name("app.log.1"), ".gz")()
    log.rename(log.parent.parent / f"{log.parent.name} {log.name}")
    append(log, b"three\n")()
    stage.run()

    assert stage.data == b"one\ntwo\none\nthree\n"


def test_a_copy_that_is_still_being_compressed_is_left_alone(log: Path, stage: Stage, *, live: bool) -> None:
    def half_way() -> None:
        append(log, b"two\n")()
        rotate(log)()
        log.with_name("app.log.1.gz").write_bytes(gzip.compress(b"one\ntwo\n")[:15])

    stage.happens(half_way, append(log, b"three\n"), live=live)

    assert stage.data == b"one\ntwo\nthree\n"
    assert "damaged" not in stage.events


def test_a_file_that_is_compressed_while_it_is_opened_is_read_once(
    log: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood at the path when it was opened; when the directory is listed, only its copy is there."""
    rotate(log)()
    append(log, b"two\n")()
    listed = rotated_files.Listing.__init__
    was_rotated = False

    def rotate_before(self: rotated_files.Listing, directory: Path, now_ns: int) -> None:
        nonlocal was_rotated
        if not was_rotated:
            was_rotated = True
            rotate(log)()
            compress(log.with_name("app.log.1"), ".gz")()
            append(log, b"three\n")()
        listed(self, directory, now_ns)

    monkeypatch.setattr(rotated_files.Listing, "__init__", rotate_before)
    stage.run(lambda: None, lambda: None)

    assert stage.data == b"one\ntwo\nthree\n"


def test_of_a_damaged_one_what_decodes_is_read_and_a_record_says_so(log: Path, stage: Stage, *, live: bool) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(1000))

    def at_once() -> None:
        rotate(log)()
        append(log, lines)()
        rotate(log)()
        packed = gzip.compress(lines)
        log.with_name("app.log.1").unlink()
        log.with_name("app.log.1.gz").write_bytes(packed[: len(packed) - 40])
        append(log, b"new\n")()

    stage.happens(at_once, lambda: None, live=live)
    stage.run(stage.advance(2))

    read = stage.data.removeprefix(b"one\n")
    if live:
        assert lines.startswith(read.removesuffix(b"new\n")[:100])
    assert read.endswith(b"new\n")
    assert read.removesuffix(b"new\n") in lines
    assert len(read) > 500
    assert stage.events.count("damaged") == 1
