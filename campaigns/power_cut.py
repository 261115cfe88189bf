"""Prove that a lake survives the loss of power at any instant: it holds every tick that was acknowledged.

    python campaigns/power_cut.py [--ticks 60] [--cuts 1000] [--seed 1] [--break NAME]

A process commits ticks to a lake and looks after it, under strace. Its calls are replayed on a model of a disk
(`traced_disk`), and at each instant that matters, and at others by chance, the disk is made as a cut would leave it:
without what was not fsynced, or with any part of that. Then the lake must open, hold exactly the acknowledged ticks or
one more, in every column, and take the next tick. Exit code 1 on any fault.

``--break`` names something that the process leaves out, to see it found: no fsync of segments, no fsync of folders, a
segment listed before it is durable, a catalog that is not synced.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

import numbered
from heeler.errors import HeelerError
from heeler.store import Tick
from heeler.store.lake import Lake
from power_cut_writer import BREAKS, batch_of
from traced_disk import TracedDisk, trace

WRITER = Path(__file__).with_name("power_cut_writer.py")
SYNCS = ("fsync", "fdatasync")
NEXT_LINES = 3
MEMORY = Path("/dev/shm")  # noqa: S108 - a thousand lakes are made and thrown away; below it they get their own folder
"""Where files are made in memory, on Linux."""


def cuts(disk: TracedDisk, calls: Path, most: int, chance: random.Random) -> Iterator[tuple[str, float]]:
    """Replay a trace; stop where the power goes, and say after which call, and which share of the rest comes through.

    Nothing of it comes through just after a sync or an acknowledgement: then what was forgotten shows. The other cuts
    are spread over all calls.
    """
    instants = sum(1 for _ in TracedDisk(disk.root).replay(calls))
    said = b""
    for name in disk.replay(calls):
        if name in SYNCS or disk.said != said:
            yield name, 0.0
        said = disk.said
        if chance.random() < most / instants:
            yield name, chance.choice([0.1, 0.5, 0.9, 1.0])


def fault_of(place: Path, said: bytes, ends: list[int]) -> str:
    """Open the lake in ``place`` as after a cut; return what is wrong, empty if nothing is."""
    acknowledged = int(said.split()[-1]) if said else 0
    at = ends.index(acknowledged)
    allowed = ends[at : at + 2]
    try:
        lake = Lake(place)
        try:
            there = numbered.count_of(place)
            lake.commit(Tick((batch_of(there + 1, there + NEXT_LINES, 0),)))
        finally:
            lake.close()
        faults = numbered.compare(place, there + NEXT_LINES)
    except (HeelerError, OSError, pl.exceptions.PolarsError) as error:
        return f"unusable: {type(error).__name__}"
    if there not in allowed:
        return f"not the acknowledged ticks: {there} lines are there, {acknowledged} were acknowledged"
    return str(faults) if faults else ""


def run(ticks: int, most: int, seed: int, broken: str | None) -> int:
    """Run the campaign, print what came of it, and return the exit code."""
    chance, found, tried = random.Random(seed), Counter[str](), 0
    with tempfile.TemporaryDirectory(prefix="heeler-power-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        root, calls, after = Path(folder, "disk").resolve(), Path(folder, "calls"), Path(folder, "after")
        root.mkdir()
        command = [sys.executable, str(WRITER), str(root / "lake"), str(ticks), str(seed)]
        trace(command + (["--break", broken] if broken else []), calls)
        whole = TracedDisk(root)
        for _ in whole.replay(calls):
            pass
        ends = [0, *map(int, whole.said.split()[1::2])]
        disk = TracedDisk(root)
        for name, share in cuts(disk, calls, most, chance):
            tried += 1
            disk.folder.write_to(after, chance, share)
            if fault := fault_of(after / "lake", disk.said, ends):
                found[f"after {name}, {share:.0%} of the rest: {fault}"] += 1
            shutil.rmtree(after)
    print(f"seed {seed}: {ticks} ticks, {ends[-1]:,} lines, {tried} cuts, {found.total()} with faults")
    for fault, times in found.most_common(10):
        print(f"  {times:4} {fault}")
    return int(bool(found))


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=60)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--break", dest="broken", choices=BREAKS)
    options = parser.parse_args()
    if shutil.which("strace") is None:
        print("This campaign needs strace, which is not installed (apt install strace).")
        return 1
    return run(options.ticks, options.cuts, options.seed, options.broken)


if __name__ == "__main__":
    sys.exit(main())
