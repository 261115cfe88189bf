"""The unit for systemd, held against systemd itself where it is there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from heeler.daemon.systemd_unit import unit_text


def verified(text: str, folder: Path) -> str:
    unit = folder / "heeler.service"
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False, timeout=60)  # noqa: S607 - whichever systemd is there
    return "\n".join(line for line in (done.stdout + done.stderr).splitlines() if unit.name in line)


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not there; apt-get install systemd."
)
def test_systemd_understands_every_line_of_it(tmp_path: Path) -> None:
    text = unit_text(Path(sys.executable))

    assert verified(text, tmp_path) == ""
    assert "Restrat" in verified(text.replace("Restart=", "Restrat="), tmp_path)
    assert "not executable" in verified(text.replace(sys.executable, "/no/heeler"), tmp_path)


def test_a_path_with_signs_that_mean_something_to_systemd_is_written_as_itself() -> None:
    assert '\nExecStart="/opt/a b%%c/heeler" run ' in unit_text(Path("/opt/a b%c/heeler"))
