"""Fault 11: two live files with the same head, as a banner or the names of columns."""

from pathlib import Path

from stage import Stage, append, rotate

HEAD = b"# time level message\n" * 100


def test_ten_files_with_one_head_are_all_read(tmp_path: Path, *, live: bool) -> None:
    logs = [tmp_path / f"{name}.log" for name in "abcdefghij"]
    stage = Stage(*logs)
    stage.run()

    stage.happens(*(append(log, HEAD + log.name.encode() + b"\n") for log in logs), live=live)

    assert [stage.of(log) for log in logs] == [HEAD + log.name.encode() + b"\n" for log in logs]


def test_two_equal_files_are_two_files(tmp_path: Path, *, live: bool) -> None:
    logs = [tmp_path / "a.log", tmp_path / "b.log"]
    stage = Stage(*logs)
    stage.run()

    stage.happens(*(append(log, HEAD) for log in logs), live=live)

    assert [stage.of(log) for log in logs] == [HEAD, HEAD]


def test_a_new_file_that_begins_like_the_old_one_is_read_whole(tmp_path: Path, *, live: bool) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(HEAD)
    stage = Stage(log)
    stage.run()

    def rotations() -> None:
        for number in range(2):
            rotate(log)()
            append(log, HEAD + b"%d\n" % number)()

    stage.happens(rotations, live=live)

    assert stage.data == HEAD + HEAD + b"0\n" + HEAD + b"1\n"
