"""The short form of the campaign that takes the power away, and writers that it must find out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# In CI a missing strace is a failure: a campaign that is not run proves nothing.
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None and "CI" not in os.environ, reason="strace is not installed"
)


def campaign(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "campaigns/power_cut.py", "--seed", "4", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@needs_strace
def test_an_acknowledged_tick_is_there_after_the_power_is_gone() -> None:
    done = campaign("--ticks", "11", "--cuts", "40")
    assert done.stdout.endswith(" 0 with faults\n"), done
    assert done.returncode == 0


@needs_strace
@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        ("no fsync of segments", "ComputeError"),
        ("no fsync of folders", "FileNotFoundError"),
        ("segment listed first", "FileNotFoundError"),
        ("no fsync of the catalog", "not the acknowledged ticks"),
    ],
)
def test_a_writer_that_forgets_what_makes_a_tick_durable_is_found(broken: str, fault: str) -> None:
    done = campaign("--ticks", "4", "--cuts", "10", "--break", broken)
    assert fault in done.stdout, done
    assert done.returncode == 1
