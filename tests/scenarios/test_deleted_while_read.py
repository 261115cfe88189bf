"""Fault 25: a file is deleted while we hold it and somebody writes to it; its space must come back."""

from pathlib import Path

import pytest

from stage import Stage


def holds(folder: Path) -> int:
    return sum(str(folder) in str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="nobody tells here which files are open")
def test_it_is_read_to_its_end_and_let_go_after_the_grace_time(log: Path, stage: Stage) -> None:
    seen: list[int] = []

    def count() -> None:
        seen.append(holds(log.parent) - 1)  # but for the writer

    with log.open("ab", buffering=0) as writer:
        stage.run(
            log.unlink,
            lambda: writer.write(b"two\n"),
            stage.advance(50),
            lambda: writer.write(b"three\n"),
            stage.advance(50),
            count,
            stage.advance(20),
            lambda: None,
            count,
        )

    assert stage.data == b"one\ntwo\nthree\n"
    assert seen == [1, 0]
