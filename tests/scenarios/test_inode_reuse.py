"""Faults 10 and 26: a file is deleted and made again, and gets the inode of the old one."""

from pathlib import Path

from heeler.sources.file_identity import Identity, identity_of
from stage import Stage


def test_a_new_file_in_an_old_inode_is_read_from_its_start(log: Path, stage: Stage, *, live: bool) -> None:
    """Longer than the old one, and beginning like it: only its birth tells."""

    def replace() -> None:
        log.unlink()
        log.write_bytes(b"one\nand more\n")

    stage.happens(replace, live=live)

    expected = b"one\n" + (b"one\nand more\n" if live else b"and more\n")
    assert stage.data in {b"one\none\nand more\n", expected}


def test_a_thousand_times_deleted_and_made_again(log: Path, stage: Stage) -> None:
    numbers = iter(range(1_000))

    def replace() -> None:
        log.unlink()
        log.write_bytes(b"%d\n" % next(numbers))

    stage.run(*[replace] * 1_000)

    assert stage.data == b"one\n" + b"".join(b"%d\n" % number for number in range(1_000))


def test_births_tell_files_in_one_inode_apart() -> None:
    one, other, unknown = Identity(1, 2, 3), Identity(1, 2, 4), Identity(1, 2)

    assert not one.may_be(other)
    assert one.may_be(unknown)
    assert unknown.may_be(other)
    assert not one.may_be(Identity(2, 2, 3))


def test_the_birth_of_a_file_is_known_where_its_file_system_knows_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    with path.open("rb") as file:
        born = identity_of(file.fileno()).birth_ns
    assert born == 0 or abs(born - path.stat().st_mtime_ns) < 1e9
