"""Faults 13 and 14: a symbolic link that leads elsewhere, or nowhere yet."""

from pathlib import Path

import pytest

from stage import Action, Stage, append


@pytest.fixture
def targets(tmp_path: Path) -> list[Path]:
    found = [tmp_path / "pods" / f"{number}.log" for number in range(100)]
    found[0].parent.mkdir()
    return found


def swap(link: Path, target: Path) -> Action:
    def act() -> None:
        new = link.with_name("new")
        new.symlink_to(target)
        new.replace(link)

    return act


def test_the_old_target_is_read_to_its_end_before_the_new_one(
    tmp_path: Path, targets: list[Path], *, live: bool
) -> None:
    link = tmp_path / "link.log"
    targets[0].write_bytes(b"one\n")
    link.symlink_to(targets[0])
    stage = Stage(link)
    stage.run()

    def at_once() -> None:
        append(targets[0], b"two\n")()
        append(targets[1], b"three\n")()
        swap(link, targets[1])()

    stage.happens(at_once, append(targets[1], b"four\n"), live=live)

    assert stage.data == b"one\ntwo\nthree\nfour\n"


def test_a_hundred_targets_one_after_the_other(tmp_path: Path, targets: list[Path]) -> None:
    link = tmp_path / "link.log"
    link.symlink_to(targets[0])
    stage = Stage(link)
    actions = [action for one in targets for action in (append(one, one.name.encode() + b"\n"), swap(link, one))]

    stage.run(*actions)

    assert stage.data == b"".join(one.name.encode() + b"\n" for one in targets)


def test_a_link_that_leads_nowhere_yet_is_waited_for(tmp_path: Path, targets: list[Path], *, live: bool) -> None:
    link = tmp_path / "link.log"
    link.symlink_to(targets[0])
    stage = Stage(link, from_start=False)
    stage.run()

    stage.happens(append(targets[0], b"one\n"), live=live)

    assert stage.data == b"one\n"
