"""Fault 12: a hard link, and a file that two patterns and two symbolic links name, are read once."""

from pathlib import Path

from stage import Stage, append


def test_a_file_with_several_names_is_read_once(tmp_path: Path, *, live: bool) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"one\n")
    (tmp_path / "hard.log").hardlink_to(log)
    (tmp_path / "soft.log").symlink_to(log)
    stage = Stage(tmp_path / "*.log", tmp_path / "a*", tmp_path, log, tmp_path / "hard.log", tmp_path / "soft.log")
    stage.run()

    stage.happens(append(log, b"two\n"), lambda: None, live=live)

    assert stage.data == b"one\ntwo\n"


def test_the_other_name_takes_over_where_the_first_ends(tmp_path: Path) -> None:
    log, other = tmp_path / "app.log", tmp_path / "hard.log"
    log.write_bytes(b"one\n")
    other.hardlink_to(log)
    stage = Stage(log, other)
    stage.run()

    stage.run(log.unlink, stage.advance(70), stage.advance(70), append(other, b"two\n"), lambda: None)

    assert stage.data == b"one\ntwo\n"


def test_a_file_that_is_renamed_to_another_name_of_the_pattern_is_not_read_again(tmp_path: Path, *, live: bool) -> None:
    log, other = tmp_path / "app.log", tmp_path / "other.log"
    log.write_bytes(b"one\n")
    stage = Stage(tmp_path / "*.log")
    stage.run()

    later = [stage.advance(70), stage.advance(70), append(other, b"two\n"), lambda: None]
    stage.happens(lambda: log.rename(other), *later, live=live)

    assert stage.data == b"one\ntwo\n"
