"""Faults 1 to 4: a file is renamed and another takes its place, once or several times, seen or not."""

import os
from pathlib import Path

import pytest

from heeler.sources import rotated_files
from stage import Stage, append, rotate


def numbered(first: int, last: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(first, last + 1))


def test_the_old_file_is_read_to_its_end_before_the_new_one(log: Path, stage: Stage, *, live: bool) -> None:
    stage.happens(append(log, b"two\n"), rotate(log), append(log, b"three\n"), live=live)

    assert stage.data == b"one\ntwo\nthree\n"


def test_what_a_writer_adds_to_the_renamed_file_is_read(log: Path, stage: Stage, *, live: bool) -> None:
    """Also when it does so long after the grace time: the file is there, so it is looked at when it changes."""
    old = log.with_name("app.log.1")
    late = [stage.advance(20), append(old, b"late\n"), stage.advance(100), stage.advance(1), append(old, b"later\n")]
    stage.happens(rotate(log), append(log, b"new\n"), *late, live=live)
    stage.run()

    assert sorted(stage.data.splitlines()) == [b"late", b"later", b"new", b"one"]


def test_two_hundred_rotations_five_between_two_looks_lose_nothing(log: Path, stage: Stage, *, live: bool) -> None:
    number = 0

    def five_rotations() -> None:
        nonlocal number
        for _ in range(5):
            append(log, numbered(number + 1, number + 3))()
            rotate(log, keep=6)()
            number += 3

    if live:
        stage.run(*[five_rotations] * 40)
        assert set(stage.events) == {"rotated"}
    else:
        for _ in range(40):
            stage.happens(five_rotations, live=False)

    assert stage.data == b"one\n" + numbered(1, number)


def test_missed_generations_are_read_oldest_first_whatever_their_names_are(
    log: Path, stage: Stage, *, live: bool
) -> None:
    def rotations() -> None:
        for day in ("20261123", "20261124", "20261125"):
            append(log, day.encode() + b"\n")()
            log.rename(log.with_name(f"app.log-{day}"))
            log.touch()

    stage.happens(rotations, append(log, b"now\n"), live=live)

    assert stage.data == b"one\n20261123\n20261124\n20261125\nnow\n"


def test_a_generation_that_is_gone_leaves_a_record(log: Path, stage: Stage) -> None:
    def rotations() -> None:
        for number in range(3):
            append(log, b"%d\n" % number)()
            rotate(log, keep=2)()

    stage.happens(rotations, live=False)

    assert stage.data == b"one\n1\n2\n"
    assert stage.events == ["replaced"]


@pytest.mark.parametrize("was_read", [True, False])
def test_files_removed_before_anybody_saw_them_leave_a_record(log: Path, *, was_read: bool) -> None:
    """Two are left of four; it does not matter whether anything was read of the file that stood there."""
    log.write_bytes(b"one\n" if was_read else b"")
    stage = Stage(log)
    stage.run()

    def rotations() -> None:
        for number in range(4):
            append(log, b"%d\n" % number)()
            rotate(log, keep=2)()

    stage.happens(rotations, live=False)

    assert stage.data.endswith(b"2\n3\n")
    (record,) = [event for chunk in stage.chunks for event in chunk.events]
    assert record.lost_bytes == -1
    assert stage.chunks[[bool(chunk.events) for chunk in stage.chunks].index(True)].data == b"2\n"


def test_files_that_were_there_before_the_discovery_are_not_read(log: Path) -> None:
    log.with_name("app.log.1").write_bytes(b"old\n")
    log.with_name("app.log.2.gz").write_bytes(b"\x1f\x8b no gzip")
    stage = Stage(log)
    stage.run(append(log, b"two\n"))
    stage.happens(rotate(log), append(log, b"three\n"), live=True)

    assert stage.data == b"one\ntwo\nthree\n"


def by_date(path: Path, *, copy: bool) -> None:
    """Rotate a file to the name of a day, which never changes again: none in a list that is too old is wrong."""
    rotated = path.with_name(f"{path.name}-202601{len(list(path.parent.iterdir())):02}")
    if copy:
        rotated.write_bytes(path.read_bytes())
        os.truncate(path, 0)
    else:
        path.rename(rotated)
        path.touch()


@pytest.mark.parametrize("copy", [True, False])
def test_a_rotation_behind_a_listing_of_the_folder_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, copy: bool
) -> None:
    """The folder was listed for another file in it, and is listed anew for this one."""
    other, log = tmp_path / "a.log", tmp_path / "b.log"
    other.touch()
    log.write_bytes(b"one\n")
    stage = Stage(other, log)
    stage.run()
    listed = rotated_files.Listing.__init__

    def rotate_after(self: rotated_files.Listing, directory: Path, now_ns: int) -> None:
        listed(self, directory, now_ns)
        if log.read_bytes().endswith(b"two\n"):
            by_date(log, copy=copy)
            append(log, b"three\n")()

    def at_once() -> None:
        by_date(other, copy=False)
        if not copy:
            by_date(log, copy=False)
        append(log, b"two\n")()

    monkeypatch.setattr(rotated_files.Listing, "__init__", rotate_after)
    stage.run(at_once, lambda: None)

    assert stage.of(log) == b"one\ntwo\nthree\n"
