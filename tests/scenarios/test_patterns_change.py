"""Faults 40 and 42: files and patterns come and go while reading, and names change during a scan."""

from pathlib import Path

import pytest

from heeler.sources import rotated_files
from heeler.sources.descriptors import Descriptors
from heeler.sources.file_lines import OpenFile
from stage import Stage, append, rotate


def test_what_appears_is_read_from_its_start(tmp_path: Path, *, live: bool) -> None:
    (tmp_path / "a.log").write_bytes(b"old\n")
    stage = Stage(tmp_path / "*.log", from_start=False)
    stage.run()

    stage.happens(append(tmp_path / "b.log", b"new\n"), append(tmp_path / "a.log", b"more\n"), live=live)

    assert (stage.of(tmp_path / "a.log"), stage.of(tmp_path / "b.log")) == (b"more\n", b"new\n")


def test_a_pattern_that_is_taken_away_and_given_back_loses_and_repeats_nothing(tmp_path: Path) -> None:
    a, b = tmp_path / "a.log", tmp_path / "b.log"
    for log in (a, b):
        log.write_bytes(b"one\n")
    stage = Stage(tmp_path / "*.log")
    stage.run()
    stage.paths = (a,)
    stage.run(append(a, b"two\n"), append(b, b"two\n"))
    stage.paths = (tmp_path / "*.log", a)
    stage.run(append(a, b"three\n"), append(b, b"three\n"))

    assert (stage.of(a), stage.of(b)) == (b"one\ntwo\nthree\n", b"one\ntwo\nthree\n")


def test_rotated_and_compressed_files_are_no_files_of_the_pattern(tmp_path: Path, *, live: bool) -> None:
    log = tmp_path / "app.log"
    for name in ("app.log", "app.log.1", "app.log-20261124", "app.log.2.gz", "web.log", "web-1.log", ".hidden.log"):
        (tmp_path / name).write_bytes(name.encode() + b"\n")
    stage = Stage(tmp_path)
    stage.run()
    assert {Path(chunk.path).name for chunk in stage.chunks if chunk.data} == {"app.log", "web.log", "web-1.log"}

    stage.happens(append(log, b"two\n"), rotate(log), append(log, b"three\n"), live=live)

    assert stage.of(log) == b"app.log\ntwo\nthree\n"


def test_folders_that_a_pattern_names_may_come_and_go(tmp_path: Path, *, live: bool) -> None:
    stage = Stage(tmp_path / "*" / "*.log")
    stage.run()
    first, second = tmp_path / "a" / "1.log", tmp_path / "b" / "2.log"

    stage.happens(
        first.parent.mkdir,
        append(first, b"one\n"),
        lambda: first.parent.rename(second.parent),
        lambda: (second.parent / "1.log").rename(second),
        append(second, b"two\n"),
        lambda: None,
        live=live,
    )

    assert stage.data == b"one\ntwo\n"


def test_a_rename_between_listing_and_opening_is_no_deletion(
    log: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing says that the file is `.1`; when that is opened it is `.2` already, and another is `.1`."""
    append(log, b"two\n")()
    rotate(log)()
    append(log, b"three\n")()
    listed = rotated_files.Listing.__init__
    was_rotated = False

    def then_rotate(self: rotated_files.Listing, directory: Path, now_ns: int) -> None:
        nonlocal was_rotated
        listed(self, directory, now_ns)
        if not was_rotated:
            was_rotated = True
            rotate(log)()
            append(log, b"four\n")()

    monkeypatch.setattr(rotated_files.Listing, "__init__", then_rotate)
    stage.run(lambda: None, lambda: None)

    assert stage.data == b"one\ntwo\nthree\nfour\n"
    assert "replaced" not in stage.events


def test_rotations_while_many_missed_files_are_opened_lose_none(
    log: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often all is listed anew, before the missed files are open they have other names."""
    numbers = iter(range(60))

    def rotate_once() -> None:
        if (number := next(numbers, None)) is not None:
            append(log, b"%d\n" % number)()
            rotate(log, keep=100)()

    def then_rotate(path: Path, descriptors: Descriptors) -> OpenFile:
        file = OpenFile(path, descriptors)
        if path != log and len(opens) % 3 == 2:
            rotate_once()
        opens.append(path)
        return file

    opens: list[Path] = []
    for _ in range(6):
        rotate_once()
    monkeypatch.setattr("heeler.sources.generations.OpenFile", then_rotate)
    stage.run(*[lambda: None] * 5)

    written = next(numbers, 60)
    assert sorted(stage.data.split()) == sorted([b"one", *(b"%d" % number for number in range(written))])
