"""Prove that Debian's own logrotate loses and doubles no line of a busy log: 10,000 lines a second, 200 rotations.

    python campaigns/logrotate.py [--mode create|copytruncate|compress|delaycompress] [--rotations 200] [--rate 10000]

A writer appends numbered lines, the real logrotate is forced again and again, and a follower reads as the daemon
would. After ``create`` the writer goes on in the renamed file until it opens the new one, as a program that is told
by a signal. With ``copytruncate`` what is written between the copy and the truncation is gone before anybody can read
it: of each rotation one run of lines at most, in whose place one record must stand. Exit code 1 on any fault, 2 where
there is no logrotate.
"""

import argparse
import asyncio
import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from heeler.clock import SystemClock
from heeler.model import Chunk
from heeler.sources.file import FileSource

MODES = {
    "create": "create\nnocompress",
    "copytruncate": "copytruncate\nnocompress",
    "compress": "create\ncompress",
    "delaycompress": "create\ncompress\ndelaycompress",
    "copytruncate and compress": "copytruncate\ncompress",
}
"""What the configuration says, beside how many are kept."""

LINE = b"%010d " + b"x" * 80 + b"\n"
STEP_S = 0.01
MOST_LOOKS = 30
"""So many fifths of a second the reader may take for the last lines."""

LOGROTATE = shutil.which("logrotate") or shutil.which("logrotate", path="/usr/sbin:/sbin")


@dataclass
class Run:
    """One log, its writer, its rotator and what was read."""

    folder: Path
    mode: str
    written: int = 0
    rotations: int = 0
    read: list[int | str] = field(default_factory=list)
    """The numbers of lines, and records where they stand among them."""

    def __post_init__(self) -> None:
        """Begin with an empty log."""
        self._seen = threading.Event()
        self.log = self.folder / "app.log"
        self.log.touch()
        self.configuration = self.folder / "logrotate.conf"
        self.written_to = self.folder / "written-to"
        # The script stands for the signal to the writer. It waits until the writer has heard it: what is written to a
        # file that was compressed and removed already is in no file any more.
        own = [f"su {self.folder.owner()} {self.folder.group()}", "rotate 500", "missingok", MODES[self.mode]]
        heard = f'[ "$(stat -c %i {self.log})" = "$(cat {self.written_to})" ]'
        own += ["postrotate", f"until {heard}; do sleep {STEP_S}; done", "endscript"]
        self.configuration.write_text("\n".join([f"{self.log} {{", *own, "}", ""]))

    @property
    def numbers(self) -> list[int]:
        """The numbers of the lines that were read."""
        return [one for one in self.read if isinstance(one, int)]

    @property
    def records(self) -> int:
        """How many records were told."""
        return sum(isinstance(one, str) for one in self.read)

    async def play(self, rotations: int, rate: int) -> None:
        """Write and rotate while a follower reads, until everything was read that can be."""
        source = FileSource(self.log, clock=SystemClock(), follow=True, from_start=True, grace_seconds=5.0)
        reading = asyncio.create_task(self._read(source))
        rotating = asyncio.create_task(asyncio.to_thread(self._rotate, rotations))
        await self._write(rotating, rate)
        for _ in range(MOST_LOOKS):
            if len(set(self.numbers)) == self.written:
                break
            await asyncio.sleep(0.2)
        await source.close()
        await reading

    async def _write(self, rotating: "asyncio.Task[None]", rate: int) -> None:
        file = self._open()
        begun, number = time.monotonic(), 0
        while not rotating.done():
            due = int((time.monotonic() - begun) * rate)
            if due > number:
                file.write(b"".join(LINE % one for one in range(number, due)))
                number = due
            with suppress(FileNotFoundError):
                if self.log.stat().st_ino != os.fstat(file.fileno()).st_ino:
                    file.close()  # as a program that was told to open its log anew
                    file = self._open()
            await asyncio.sleep(STEP_S)
        file.close()
        await rotating
        self.written = number

    def _open(self) -> io.FileIO:
        """Open the log, and say so."""
        file = self.log.open("ab", buffering=0)
        self.written_to.write_text(str(os.fstat(file.fileno()).st_ino))
        return file

    def _rotate(self, rotations: int) -> None:
        state = self.folder / "state"
        self._seen.wait()  # what is rotated before its discovery nobody promises
        for _ in range(rotations):
            command = [str(LOGROTATE), "--force", "--state", str(state), str(self.configuration)]
            subprocess.run(command, check=True, capture_output=True)
            self.rotations += 1

    async def _read(self, source: FileSource) -> None:
        async for chunk in source.read():
            self._take(chunk)

    def _take(self, chunk: Chunk) -> None:
        self.read += [event.what for event in chunk.events if event.is_kept]
        self.read += [int(line[:10]) for line in chunk.data.splitlines()]
        if chunk.data:
            self._seen.set()

    def faults(self) -> list[str]:
        """Compare what was read with what was written."""
        counts = Counter(self.numbers)
        found = []
        if doubled := sum(counts.values()) - len(counts):
            found.append(f"doubled {doubled}")
        lost, untold, displaced = self._gaps()
        if lost and not self.mode.startswith("copytruncate"):
            found.append(f"lost {lost} runs of lines")
        if untold:
            found.append(f"no record in the place of {untold} runs of lost lines")
        if displaced:
            found.append(f"{displaced} lines in the wrong place")
        if max(lost, self.records) > self.rotations:
            found.append(f"{lost} runs of lines lost and {self.records} records in {self.rotations} rotations")
        return found

    def _gaps(self) -> tuple[int, int, int]:
        """Count the runs of lost lines, those of them without a record in their place, and lines out of order."""
        lost = untold = displaced = 0
        newest, is_told = -1, False
        for one in [*self.read, self.written]:
            if isinstance(one, str):
                is_told = True
                continue
            lost += one > newest + 1
            untold += one > newest + 1 and not is_told
            displaced += one <= newest
            newest, is_told = max(newest, one), False
        return lost, untold, displaced


def run(mode: str, rotations: int, rate: int) -> int:
    """Run one mode and print what came of it."""
    with tempfile.TemporaryDirectory(prefix="heeler-logrotate-") as place:
        one = Run(Path(place), mode)
        asyncio.run(one.play(rotations, rate))
        faults, lost = one.faults(), one.written - len(set(one.numbers))
    print(
        f"{mode}: {rotations} rotations, {one.written:,} lines, {lost} of them gone between a copy and its truncation, "
        f"{one.records} records: {'; '.join(faults) or 'no fault'}",
        flush=True,
    )
    return int(bool(faults))


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--rotations", type=int, default=200)
    parser.add_argument("--rate", type=int, default=10_000)
    options = parser.parse_args()
    if LOGROTATE is None:
        print("There is no logrotate here; `apt-get install logrotate` brings it.")
        return 2
    return max(run(mode, options.rotations, options.rate) for mode in ([options.mode] if options.mode else MODES))


if __name__ == "__main__":
    sys.exit(main())
