"""Prove that a lake survives kill -9 at any instant: nothing lost, doubled, invented, reordered or altered.

    python campaigns/kill.py [--kills 500] [--seed 1]

A process follows a log of numbered lines into a lake and looks after the lake meanwhile. It is killed again and again:
half of the times at a random instant (also while it starts), half at each named step of the commit and of upkeep in
turn; the names are read from the source, so a new step is tried without anybody thinking of it. The log grows and is
rotated all the time, also while nobody reads it. At the end every column of every record is compared with the lines.

The log is rotated only when something of the newest file has been stored: how many rotations in a row a reader may
miss is a matter of the source, and tested there. The seed decides lines, rotations and instants; how the processes
interleave is up to the machine. Exit code 1 on any fault.
"""

import argparse
import os
import random
import re
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numbered

ROOT = Path(__file__).parents[1]
WRITER = Path(__file__).with_name("numbered_writer.py")
LONGEST_RESTART_S = 5.0
LONGEST_LIFE_S = 6.0
"""A step that does not come is waited for so long; the process is killed where it is then."""
LONGEST_CATCHING_UP_S = 60.0
"""In so long the writer must have stored something."""

MOST_WAITING = 2_000
"""The log waits for the reader when it is so many lines ahead: more would only make the campaign long."""

ROTATIONS, UNFINISHED = 0.1, 0.3
"""How likely it is that the log is rotated in a moment, and that it ends inside a line for now."""

KEPT_FILES = 3
TRIES = 6
"""With so many kills for each step, half of them at it, every step must have come."""

NEVER = ("upkeep retention", "upkeep unknown", "delete", "recovery")
"""Steps that come only where somebody drops or deletes data, leaves a file for a day or loses the catalog; the tests of
those kill there."""


@dataclass
class Log:
    """A log that grows by numbered lines, and is rotated."""

    path: Path
    chance: random.Random
    last: int = 0
    first_of_file: int = 1
    rest: bytes = b""
    ended: bool = False
    ends: list[tuple[Path, int]] = field(default_factory=list)

    def live(self, stored: int) -> None:
        """Let a moment pass, while the lines up to ``stored`` are stored."""
        if self.ended:
            return
        if self.last - stored < MOST_WAITING:
            self.grow()
        if self.chance.random() < ROTATIONS:
            self.rotate(stored)

    def grow(self) -> None:
        """Append some lines; the last one may end with a later call."""
        count = self.chance.choice([1, 3, 30, 300])
        data = self.rest + numbered.lines(self.last + 1, self.last + count)
        self.last += count
        cut = len(data) - (self.chance.randrange(40) if self.chance.random() < UNFINISHED else 0)
        self._append(data[:cut])
        self.rest = data[cut:]

    def finish(self) -> None:
        """Write what is left of the last line; nothing comes after it."""
        self._append(self.rest)
        self.rest, self.ended = b"", True

    def _append(self, data: bytes) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(data)

    def rotate(self, stored: int) -> None:
        """Begin a new file if some of this one is stored, and remove old ones that are stored whole."""
        if stored < self.first_of_file or self.rest:
            return
        old = self.path.with_name(f"{self.path.name}.{self.last}")
        self.path.rename(old)
        self.path.touch()
        self.ends.append((old, self.last))
        self.first_of_file = self.last + 1
        while len(self.ends) > KEPT_FILES and self.ends[0][1] <= stored:
            self.ends.pop(0)[0].unlink()


@dataclass
class Campaign:
    """What has happened so far."""

    folder: Path
    chance: random.Random
    log: Log
    stored: int = 0
    restarts: list[float] = field(default_factory=list)
    died: Counter[str] = field(default_factory=Counter)

    def life(self, die_at: str, longest_s: float) -> str:
        """Start the writer, let the log grow, and see it die or kill it; return what it said last."""
        command = [sys.executable, str(WRITER), str(self.folder / "lake"), str(self.log.path)]
        command += [str(self.chance.randrange(1 << 30)), "--die-at", die_at]
        command += ["--die-after", str(self.chance.choice([1, 1, 1, 3]))]
        begun, said = time.monotonic(), "nothing"
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            for word in self._words(process, begun + longest_s):
                said = word
                if word == "ready":
                    self.restarts.append(time.monotonic() - begun)
                elif word.startswith("stored "):
                    self.stored = max(self.stored, int(word.split()[1]))
            process.kill()
        return said

    def finish(self) -> bool:
        """Let the writer store all there is, and tell whether it did."""
        self.log.finish()
        before = -1
        while before < self.stored < self.log.last:  # on a busy machine it may be slow; it must get on
            before = self.stored
            self.life("", LONGEST_CATCHING_UP_S)
        return self.stored == self.log.last

    def _words(self, process: subprocess.Popen[bytes], until: float) -> Iterator[str]:
        """Yield what the writer says until it dies or its time is over; the log grows meanwhile."""
        if process.stdout is None:
            return
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while (left := until - time.monotonic()) > 0 and not (self.log.ended and self.stored == self.log.last):
                self.log.live(self.stored)
                if selector.select(min(left, self.chance.random() * 0.01)):
                    block = os.read(process.stdout.fileno(), 65536)
                    if not block:
                        return
                    *words, rest = (rest + block).split(b"\n")
                    yield from (word.decode() for word in words)


def steps() -> list[str]:
    """Return the named steps of the commit, then those of upkeep."""
    source = "".join(path.read_text() for path in sorted((ROOT / "src/heeler/store").glob("*.py")))
    names = dict.fromkeys(re.findall(r'at_step\("([^"]+)"\)', source))
    return sorted((name for name in names if not name.startswith(NEVER)), key=lambda name: name.startswith("upkeep"))


def run(kills: int, seed: int) -> int:
    """Run the campaign, print what came of it, and return the exit code."""
    chance, named = random.Random(seed), steps()
    with tempfile.TemporaryDirectory(prefix="heeler-kill-") as place:
        folder = Path(place)
        campaign = Campaign(folder, chance, Log(folder / "numbered.log", chance))
        for kill in range(kills):
            if kill % 2:
                # The first tenths of a second are the start: opening the lake, finding where reading goes on.
                said = campaign.life("", chance.choice([chance.random(), 0.5 + chance.random()]))
            else:
                said = campaign.life(named[kill // 2 % len(named)], LONGEST_LIFE_S)
            campaign.died[said if said.startswith("died ") else "died anywhere"] += 1
        whole = campaign.finish()
        faults = numbered.compare(folder / "lake", campaign.log.last)
    slowest = max(campaign.restarts)
    print(f"seed {seed}: {kills} kills, {campaign.log.last:,} lines, slowest restart {slowest:.2f} s")
    for name, times in sorted(campaign.died.items()):
        print(f"  {times:4} {name}")
    # A step that was tried and never came is one that this campaign says nothing about.
    missed = [name for name in named if f"died {name}" not in campaign.died and kills >= TRIES * len(named)]
    for name in missed:
        print(f"  never came: {name}")
    print(f"{faults}{'' if whole else '; the writer did not come to the end'}")
    return int(bool(faults) or bool(missed) or not whole or slowest > LONGEST_RESTART_S)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    return run(options.kills, options.seed)


if __name__ == "__main__":
    sys.exit(main())
