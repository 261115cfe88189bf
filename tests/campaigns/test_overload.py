"""The short form of the campaign that sends more than can be taken."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_was_acknowledged_under_too_much_load_is_stored_once_after_a_kill() -> None:
    command = [sys.executable, "campaigns/overload.py", "--seconds", "2", "--connections", "150"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert " 0 lost, 0 doubled" in done.stdout
