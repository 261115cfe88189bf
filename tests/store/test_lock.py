"""A lake has one writer, and does not need to be told that it is gone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from heeler.errors import EnvironmentFailed
from heeler.store.lake import Lake
from heeler.store.lock import WriterLock
from heeler.store.lock import holder as writer_of

HOLD = "import sys; from pathlib import Path; from heeler.store.lock import WriterLock; "
HOLD += "lock = WriterLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"


def holder(folder: Path) -> subprocess.Popen[str]:
    """Start a process that holds the lock until its standard input ends."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return len(list(Path("/dev/fd").iterdir()))


def test_a_second_writer_is_refused_at_once_with_the_pid_of_the_first(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        with pytest.raises(EnvironmentFailed, match=rf"another process \(pid {first.pid}\)") as refused:
            Lake(tmp_path)
        assert refused.value.exit_code == 3
        first.kill()


def test_a_killed_writer_holds_nothing(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        assert writer_of(tmp_path) is None
        lake = Lake(tmp_path)
    assert writer_of(tmp_path) == os.getpid()
    lake.close()
    assert writer_of(tmp_path) is None


def test_a_writer_that_closed_lets_the_next_one_in_and_may_close_again(tmp_path: Path) -> None:
    first = Lake(tmp_path / "lake")
    first.close()
    first.close()
    second = Lake(tmp_path / "lake")
    with pytest.raises(EnvironmentFailed):
        Lake(tmp_path / "lake")
    second.close()


def test_a_process_that_was_refused_keeps_no_descriptor(tmp_path: Path) -> None:
    first = WriterLock(tmp_path)
    before = descriptors()
    for _ in range(3):
        with pytest.raises(EnvironmentFailed):
            WriterLock(tmp_path)
    assert before == descriptors()
    first.release()


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """Else whoever may write in the folder could have any file emptied."""
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(EnvironmentFailed, match="cannot be written"):
        WriterLock(tmp_path)
    assert (tmp_path / "precious").read_text() == "kept"
