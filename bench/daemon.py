"""How much the process that collects takes in, from the socket to the commit, with the senders on the same machine.

    python bench/daemon.py [--seconds 10]

`heeler run` collects over HTTP (JSON lines, OTLP) and syslog (TCP, UDP), one after the other into one lake; senders are
other processes. Over HTTP a record counts when it was acknowledged, which is after its commit. At the end the records
in the lake are counted by reading them: every acknowledged one must be there. The memory of the process is its peak.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import http_source
import syslog_rate
from measured import machine

NEEDED = {"JSON lines": 100_000, "OTLP protobuf": 60_000, "newline": 100_000, "udp": 50_000}
"""Records a second that are to be reached."""

HEELER = [sys.executable, "-m", "heeler"]
SETTLE_S = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Collecting:
    """The process, where it listens, and what it looks like from outside."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    http: int
    syslog: int

    def status(self) -> dict[str, dict[str, int]]:
        """Return by source what `heeler status` tells."""
        told = json.loads(self.heeler("status", "--json"))
        return {one["name"]: one for one in told["sources"]}

    def heeler(self, *arguments: str) -> str:
        """Run a command beside it."""
        return subprocess.run(
            [*HEELER, *arguments], cwd=self.folder, stdout=subprocess.PIPE, text=True, check=False
        ).stdout

    @property
    def cpu_s(self) -> float:
        """The processor time it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def peak_mb(self) -> float:
        """The most memory it has had."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+) kB", text)
        return int(found[1]) * 1024 / 1e6 if found else 0.0


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as own:
        return int(own.getsockname()[1])


@contextmanager
def collecting(folder: Path) -> Iterator[Collecting]:
    """Run the process while the context is open; it is asked to end then, and must."""
    http, syslog, web = free_port(), free_port(), free_port()
    (folder / "heeler.toml").write_text(
        f"store = 'lake:lake'\n[web]\nlisten = '127.0.0.1:{web}'\n"
        f"[sources.http]\nkind = 'http'\nlisten = '127.0.0.1:{http}'\n"
        f"[sources.syslog]\nkind = 'syslog'\ntcp = '127.0.0.1:{syslog}'\nudp = '127.0.0.1:{syslog}'\n",
        encoding="utf-8",
    )
    with subprocess.Popen([*HEELER, "run"], cwd=folder, stderr=subprocess.DEVNULL) as process:
        one = Collecting(process, folder, http, syslog)
        while not one.heeler("status"):
            time.sleep(0.2)
        try:
            yield one
        finally:
            process.terminate()
            process.wait(SETTLE_S)


def repeated_by(one: Collecting) -> int:
    """Return how many bodies were known already and not stored again."""
    counters: dict[str, int] = one.status()["http"]["counters"]  # type: ignore[assignment]  # a table in the row
    return counters["repeated"]


def over_http(one: Collecting, name: str, load: http_source.Load) -> int:
    """Send over HTTP for some seconds, print what came of it, and return how many records were acknowledged."""
    refusals: list[float] = []
    cpu, before = one.cpu_s, repeated_by(one)
    took = sorted(asyncio.run(http_source.measure(one.http, name, load, refusals)))
    seconds, cpu, repeated = load.seconds, one.cpu_s - cpu, (repeated_by(one) - before) * load.batch
    records = len(took) * load.batch
    print(
        f"{name}: {records / seconds:,.0f} records/s acknowledged ({NEEDED[name]:,} are needed), "
        f"{cpu / seconds:.2f} cores, {one.peak_mb:.0f} MB at most; "
        f"answered after {took[len(took) // 2] * 1000:.0f} ms, "
        f"p99 {took[len(took) * 99 // 100] * 1000:.0f} ms; {len(refusals)} refused"
    )
    if repeated:  # OTLP bodies are known by what they hold
        print(
            f"  {repeated:,} of them came again and were stored once: {(records - repeated) / seconds:,.0f} new ones/s"
        )
    return records - repeated


def over_syslog(one: Collecting, kind: str, seconds: float) -> tuple[int, int]:
    """Send syslog at the needed rate, print what came of it, and return how many lines were sent and taken in."""
    rate = NEEDED[kind]
    before, cpu, begun = one.status()["syslog"]["lines"], one.cpu_s, time.perf_counter()
    arguments = (kind, ("127.0.0.1", one.syslog), rate, seconds)
    sender = multiprocessing.get_context("spawn").Process(target=syslog_rate.send, args=arguments)
    sender.start()
    sender.join()
    sent, taken, last = int(rate * seconds), -1, -2
    while taken < sent and taken != last:
        time.sleep(1)
        last, taken = taken, one.status()["syslog"]["lines"] - before
    lasted, cpu = time.perf_counter() - begun, one.cpu_s - cpu
    drops = one.status()["syslog"]["counters"].get("kernel_drops", 0)  # type: ignore[attr-defined]  # a table in it
    print(
        f"syslog over {kind}: {taken:,} of {sent:,} lines in {lasted:.1f} s, {taken / lasted:,.0f} lines/s "
        f"({rate:,} are needed), {cpu / lasted:.2f} cores, {one.peak_mb:.0f} MB at most; {drops:,} datagrams dropped"
    )
    return sent, taken


def main() -> int:
    """Measure and print; exit code 1 when something acknowledged is not in the lake."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--batch", type=int, default=1000)
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="heeler-bench-") as place:
        with collecting(Path(place)) as one:
            load = http_source.Load(given.seconds, given.connections, given.batch, bodies=100 * int(given.seconds))
            acknowledged = sum(over_http(one, name, load) for name in ("JSON lines", "OTLP protobuf"))
            taken = sum(over_syslog(one, kind, given.seconds)[1] for kind in ("newline", "udp"))
        stored = {group: int(one.heeler("search", f"group:{group}", "--count") or 0) for group in ("shop", "syslog")}
        others = int(one.heeler("search", "", "--count") or 0) - stored["syslog"]
    print(f"{acknowledged:,} acknowledged and {others:,} stored; of syslog {taken:,}, {stored['syslog']:,}")
    return int(others < acknowledged or stored["syslog"] < taken)


if __name__ == "__main__":
    sys.exit(main())
