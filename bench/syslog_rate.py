"""How much syslog is taken, from the socket to committed chunks, beside a thread that keeps the interpreter busy.

    python bench/syslog_rate.py [--seconds 5] [--tcp 100000] [--udp 50000] [--own] [--json]

A sender in a process of its own sends lines of 150 bytes at a rate. The source runs as in the daemon: its chunks are
taken in order, and "committed" by a stub. Beside it a thread computes without a pause, as parsing would. With ``--own``
datagrams are received by an asyncio endpoint in the same process instead, for comparison.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heeler.clock import SystemClock
from heeler.sources import SourceContext
from heeler.sources.syslog import SyslogSettings, SyslogSource
from measured import machine

LINE = b"<134>1 2026-11-25T10:00:00.000000Z web1.example.com app 4711 ID47 - %010d " + b"x" * 66
_TICK_S = 0.002
_UDP_SEGMENT = 103  # the kernel cuts what is sent at once into datagrams of this size: sendmmsg for Python
_SEGMENTS = 64
_SETTLE_S = 15.0


def send(kind: str, address: tuple[str, int], rate: int, seconds: float) -> None:
    """Send lines at a rate, a few milliseconds' worth at a time."""
    count, total, started = 0, int(rate * seconds), time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as sender:
        sender.connect(address)
        if kind == "udp":
            sender.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, len(LINE % 0))
        while count < total:
            due = min(total, int((time.monotonic() - started) * rate))
            lines = [LINE % number for number in range(count, due)]
            if kind == "udp":
                for at in range(0, len(lines), _SEGMENTS):
                    sender.send(b"".join(lines[at : at + _SEGMENTS]))
            elif kind == "octet-counted":
                sender.sendall(b"".join(b"%d %b" % (len(line), line) for line in lines))
            elif lines:
                sender.sendall(b"\n".join(lines) + b"\n")
            count = due
            time.sleep(_TICK_S)


class Committer:
    """Takes chunks, as the daemon would."""

    def __init__(self, source: SyslogSource) -> None:
        self.source = source
        self.lines = self.chunks = self.lost = 0

    async def run(self) -> None:
        """Take everything."""
        async for chunk in self.source.read():
            self.lines += chunk.data.count(b"\n")
            self.chunks += 1
            await self.source.committed({chunk.part: chunk.position})


class Own(asyncio.DatagramProtocol):
    """Datagrams as asyncio gives them."""

    lines = 0

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Count it."""
        del data, addr
        self.lines += 1


def busy(stop: threading.Event) -> None:
    """Hold the interpreter."""
    number = 0
    while not stop.is_set():
        for _ in range(10_000):
            number = (number * 1_103_515_245 + 12_345) & 0x7FFFFFFF


async def measure(kind: str, rate: int, seconds: float) -> dict[str, Any]:
    """Send for some seconds, and return what arrived and what it took."""
    settings = SyslogSettings.model_validate({"kind": "syslog", "udp" if kind == "udp" else "tcp": "0"})
    source = SyslogSource(settings, SourceContext("bench", SystemClock(), {}, _seen, print))
    committer = Committer(source)
    await source.start()
    address = source.udp.address if source.udp else source.tcp[0].address
    taking = asyncio.create_task(committer.run())
    used = _cpu_s(resource.RUSAGE_SELF)
    busy_s, elapsed = await _send(kind, tuple(address), rate, seconds, lambda: committer.lines)
    health = source.health()
    receiver_s = _process_cpu_s(source.udp.process.pid) if source.udp and source.udp.process else 0.0
    own_s = _cpu_s(resource.RUSAGE_SELF) - used - busy_s
    await source.close()
    await taking
    return {
        "kind": kind,
        "sent": int(rate * seconds),
        "received": committer.lines,
        "lines_per_second": round(committer.lines / elapsed),
        "chunks": committer.chunks,
        "kernel_drops": health.counters.get("kernel_drops", 0),
        "cpu_us_per_line": round(1e6 * (own_s + receiver_s) / max(1, committer.lines), 2),
        "of_which_receiver": round(1e6 * receiver_s / max(1, committer.lines), 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


async def measure_own(rate: int, seconds: float) -> dict[str, Any]:
    """Receive datagrams in this process."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Own, ("127.0.0.1", 0))
    await _send("udp", transport.get_extra_info("sockname"), rate, seconds, lambda: protocol.lines)
    transport.close()
    return {"kind": "udp in the same process", "sent": int(rate * seconds), "received": protocol.lines}


async def _send(kind: str, address: Any, rate: int, seconds: float, lines: Any) -> tuple[float, float]:  # noqa: ANN401 - of sockets, and a count
    sender = multiprocessing.get_context("spawn").Process(target=send, args=(kind, address, rate, seconds))
    stop, used = threading.Event(), [0.0]

    def compute() -> None:
        busy(stop)
        used[0] = time.thread_time()

    beside = threading.Thread(target=compute)
    beside.start()
    sender.start()
    started = time.monotonic()
    while not lines():  # noqa: ASYNC110 - an event would cost what is measured
        await asyncio.sleep(0.01)
    first, before, still = time.monotonic(), -1, 0.0
    while (now := lines()) < rate * seconds and still < 2.0 and time.monotonic() - started < seconds + _SETTLE_S:
        still = 0.0 if now != before or sender.is_alive() else still + 0.05
        before = now
        await asyncio.sleep(0.05)
    elapsed = time.monotonic() - first - still
    stop.set()
    beside.join()
    await asyncio.to_thread(sender.join)
    return used[0], elapsed


async def _seen(keys: Sequence[str]) -> frozenset[str]:
    del keys
    return frozenset()


def _cpu_s(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _process_cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--tcp", type=int, default=100_000)
    parser.add_argument("--udp", type=int, default=50_000)
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = [asyncio.run(measure(kind, arguments.tcp, arguments.seconds)) for kind in ("newline", "octet-counted")]
    results.append(asyncio.run(measure("udp", arguments.udp, arguments.seconds)))
    if arguments.own:
        results.append(asyncio.run(measure_own(arguments.udp, arguments.seconds)))
    if arguments.json:
        json.dump({"machine": machine(), "results": results}, sys.stdout)
        return
    for result in results:
        print(", ".join(f"{name} {value}" for name, value in result.items()))


if __name__ == "__main__":
    main()
