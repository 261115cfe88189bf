"""How soon a line that is written stands on the screen of `heeler watch`, and what a silent log costs.

    python bench/live.py [--lines 200]

Runs the full screen in a pseudo-terminal, appends lines with a mark each at uneven times, and reads the screen until
the mark is there: write to screen, as somebody in front of it would see it. Then nothing is written for ten seconds,
and the processor time of the process in that time is the cost of idling.
"""

import argparse
import errno
import fcntl
import os
import pty
import random
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from datetime import UTC, datetime
from pathlib import Path

IDLE_SECONDS = 10.0
_TIMEOUT_SECONDS = 5.0
_LINE = '192.0.2.7 - - [{time}] "GET /{mark} HTTP/1.1" 200 5 "-" "bench"\n'


class Screen:
    """`heeler watch` in a pseudo-terminal."""

    def __init__(self, log: Path) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        command = [sys.executable, "-m", "heeler", "watch", str(log)]
        environment = os.environ | {"TERM": "xterm-256color"}
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)

    def wait_for(self, text: str) -> float:
        """Read what is drawn until ``text`` is; return the time then."""
        seen, until = b"", time.perf_counter() + _TIMEOUT_SECONDS
        while text.encode() not in seen:
            ready, _, _ = select.select([self.master], [], [], until - time.perf_counter())
            if not ready:
                sys.exit(f"{text!r} did not reach the screen within {_TIMEOUT_SECONDS} s")
            seen = seen[-200:] + os.read(self.master, 1 << 16)
        return time.perf_counter()

    def drain(self, seconds: float) -> None:
        """Read and forget what is drawn for some time."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            if select.select([self.master], [], [], left)[0]:
                os.read(self.master, 1 << 16)

    def close(self) -> None:
        """End the program, reading what it draws while it restores the terminal, so that it need not wait for us."""
        self.process.terminate()
        try:
            while True:
                os.read(self.master, 1 << 16)
        except OSError as error:
            if error.errno != errno.EIO:  # how a pseudo-terminal says that nobody is at the other end any more
                raise
        self.process.wait()

    def cpu_seconds(self) -> float:
        """Return the processor time that the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=200)
    lines = parser.parse_args().lines
    pauses = random.Random(1)  # noqa: S311 - uneven, not secret
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "access.log")
        log.touch()
        screen = Screen(log)
        try:
            screen.wait_for("quit")
            screen.drain(1.0)
            delays = []
            with log.open("a", buffering=1) as out:
                for number in range(lines):
                    mark = f"mark-{number:06d}"
                    begin = time.perf_counter()
                    out.write(_LINE.format(time=datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S %z"), mark=mark))
                    delays.append((screen.wait_for(mark) - begin) * 1000)
                    screen.drain(pauses.uniform(0.02, 0.12))
            screen.drain(3.0)
            before = screen.cpu_seconds()
            screen.drain(IDLE_SECONDS)
            idle = (screen.cpu_seconds() - before) / IDLE_SECONDS
        finally:
            screen.close()
    percentiles = statistics.quantiles(delays, n=100)
    print(
        f"line to screen over {lines} lines: median {percentiles[49]:.0f} ms, p99 {percentiles[98]:.0f} ms, "
        f"worst {max(delays):.0f} ms"
    )
    print(f"idle: {idle:.2%} of a core")


if __name__ == "__main__":
    main()
