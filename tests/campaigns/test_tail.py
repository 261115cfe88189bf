"""The short forms of the campaigns that follow a log: random sequences, and Debian's own logrotate."""

import subprocess
import sys
from pathlib import Path

import pytest

import logrotate

ROOT = Path(__file__).parents[2]


def test_random_sequences_lose_and_double_no_line() -> None:
    command = [sys.executable, "campaigns/tail.py", "--sequences", "100", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done
    assert "seed 7: 100 sequences, 0 with faults" in done.stdout


@pytest.mark.skipif(logrotate.LOGROTATE is None, reason="THERE IS NO LOGROTATE: apt-get install logrotate")
@pytest.mark.parametrize("mode", logrotate.MODES)
def test_logrotate_on_a_busy_log_loses_and_doubles_no_line(mode: str) -> None:
    command = [sys.executable, "campaigns/logrotate.py", "--mode", mode, "--rotations", "6"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done
    assert done.stdout.startswith(f"{mode}: 6 rotations, ")
    assert done.stdout.endswith("no fault\n")


def test_the_oracle_names_what_is_lost_and_doubled_and_wants_a_record_in_its_place(tmp_path: Path) -> None:
    one = logrotate.Run(tmp_path, "create", written=5, rotations=1)
    one.read = [0, 1, 1, 3, 4]
    assert one.faults() == [
        "doubled 1",
        "lost 1 runs of lines",
        "no record in the place of 1 runs of lost lines",
        "1 lines in the wrong place",
    ]
    one.mode, one.read = "copytruncate", [0, 1, "truncated", 3, 4]
    assert one.faults() == []
    one.read = [0, "truncated", 1, 3, 4]
    assert one.faults() == ["no record in the place of 1 runs of lost lines"]
    one.read = [0, "truncated", 2, "truncated", 4]
    assert one.faults() == ["2 runs of lines lost and 2 records in 1 rotations"]
    one.read = [0, 1, 2, 3]
    assert one.faults() == ["no record in the place of 1 runs of lost lines"]
