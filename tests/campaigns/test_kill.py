"""The short form of the campaign that kills the writer, and lakes that its oracle must not pass."""

import subprocess
import sys
from pathlib import Path

import pytest

import numbered
from heeler.formats.lines import split
from heeler.store import Batch, Tick
from heeler.store.lake import Lake

ROOT = Path(__file__).parents[2]
LINES = numbered.lines


def test_a_writer_that_is_killed_again_and_again_stores_every_line_once() -> None:
    command = [sys.executable, "campaigns/kill.py", "--kills", "12", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("0 lost, 0 doubled, 0 invented, 0 reordered, 0 altered, 0 miscounted\n"), done
    assert "died transaction ends" in done.stdout
    assert done.returncode == 0, done


@pytest.mark.parametrize(
    ("chunks", "faults"),
    [
        ([LINES(1, 20), LINES(21, 40)], numbered.Faults()),
        ([LINES(1, 20), LINES(22, 40)], numbered.Faults(lost=1, miscounted=3)),
        ([LINES(1, 20), LINES(20, 40)], numbered.Faults(doubled=1, miscounted=3)),
        ([LINES(1, 40), b"what is this\n"], numbered.Faults(invented=1, miscounted=1)),
        ([LINES(1, 41)], numbered.Faults(invented=1, miscounted=3)),
        ([LINES(18, 40), LINES(1, 17)], numbered.Faults(reordered=17)),
        ([LINES(1, 40).replace(b"frank", b"joe", 1)], numbered.Faults(altered=1, miscounted=1)),
    ],
)
def test_the_oracle_names_each_kind_of_fault(tmp_path: Path, chunks: list[bytes], faults: numbered.Faults) -> None:
    """An oracle that could not fail would prove nothing."""
    lake = Lake(tmp_path / "lake")
    for at, data in enumerate(chunks):
        records = numbered.FORMAT.parse(split(data), {*numbered.FORMAT.columns, "section"})
        place = ("file", "log", {"offset": at}, numbered.GROUP, numbered.STREAM)
        lake.commit(Tick((Batch(*place, numbered.FORMAT, records, 1, len(data)),)))
    lake.close()
    assert numbered.compare(tmp_path / "lake", 40) == faults


def test_an_empty_lake_lost_every_line(tmp_path: Path) -> None:
    Lake(tmp_path / "lake").close()
    assert numbered.compare(tmp_path / "lake", 40) == numbered.Faults(lost=40, miscounted=3)
