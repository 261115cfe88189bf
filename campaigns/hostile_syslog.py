"""Syslog from those who mean harm, while an honest sender sends.

    python campaigns/hostile_syslog.py [--frames 20000] [--connections 500] [--seed 1]

Frames with mutated counts, priorities and ends are sent over TCP and as datagrams; connections drip bytes, or begin TLS
handshakes that never end. Then: no exception, no more memory than the bounds allow, whatever was accepted is given, and
99 of 100 messages of the honest sender are given within a second.
"""

import argparse
import asyncio
import contextlib
import functools
import gc
import random
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heeler.model import Chunk
from syslog_listening import Listening, authority, certificate, listening

MOST_GROWTH_MB = 200
MOST_P99_S = 1.0
_HONEST_PAUSE_S = 0.02
_MESSAGES = (
    b"<34>1 2026-11-25T10:00:00Z web1 su - ID47 - 'su root' failed",
    b"<13>Nov 25 10:00:00 web1 app[1]: hello",
    b'<165>1 2026-11-25T10:00:00.003Z web1 evntslog - ID47 [x@32473 iut="3"] \xef\xbb\xbfan event',
    b"",
)
_HEADS = (
    b"%d ",
    b"9999999 ",
    b"99999999999999999999 ",
    b"0 ",
    b"-1 ",
    b"00%d ",
    b"%d",
    b"",
    b"\0",
    b"\n",
    b"<",
    b"<999>",
)
_ENDS = (b"", b"\n", b"\r\n", b"\0", b"\n\0\n", b"\n" * 500, b"\0" * 500)


@dataclass
class Result:
    """What was seen."""

    frames: int = 0
    latencies_s: list[float] = field(default_factory=list)
    growth_mb: float = 0.0
    faults: list[str] = field(default_factory=list)
    honest: int = 0
    """The number of the last honest message that was given."""

    def take(self, chunk: Chunk) -> None:
        """Look at a chunk, and forget it."""
        if not (chunk.data.endswith(b"\n") or chunk.events):
            self.faults.append(f"a chunk ends inside a line: {chunk.data[-50:]!r}")
        if chunk.part == "tcp 127.0.0.1":
            self.honest = int(chunk.data.split()[-1])

    @property
    def p99_s(self) -> float:
        """Within how many seconds 99 of 100 honest messages were given."""
        return sorted(self.latencies_s)[int(len(self.latencies_s) * 0.99)] if self.latencies_s else float("inf")


def frame(chance: random.Random) -> bytes:
    """Return something like a frame."""
    message = bytearray(chance.choice(_MESSAGES))
    for _ in range(chance.choice((0, 0, 1, 3, 20))):
        at = chance.randrange(len(message) + 1)
        message[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
    if chance.random() < 0.001:
        message *= 20_000
    head = chance.choice(_HEADS)
    return (head % len(message) if b"%d" in head else head) + bytes(message) + chance.choice(_ENDS)


async def run(*, frames: int, connections: int, seed: int, honest: int = 100) -> Result:
    """Do all this until ``honest`` messages were given too, and return what was seen."""
    result = Result()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: result.faults.append(f"exception: {context}"))
    with tempfile.TemporaryDirectory() as name:
        ours = authority(Path(name))
        server = certificate(Path(name), "server", ours)
        async with listening(udp="0", tcp="0", tls="0", certificate=server) as one:
            one.take = result.take
            before = _resident_mb()
            done = asyncio.Event()
            sending = asyncio.create_task(_honest(one, done, result))
            async with contextlib.AsyncExitStack() as held:
                slow = [await _connect(held, one, index % 2) for index in range(connections)]
                dripping = asyncio.create_task(_drip(slow, done))
                await _attack(one, frames, honest, random.Random(seed), result)
                result.growth_mb = _resident_mb() - before
                done.set()
                await asyncio.gather(dripping, sending)
            if result.growth_mb > MOST_GROWTH_MB:
                result.faults.append(f"memory grew by {result.growth_mb:.0f} MB")
            if not one.source.health().alive:
                result.faults.append("it does not listen any more")
    if result.p99_s > MOST_P99_S:
        result.faults.append(f"of the honest messages 1 of 100 took longer than {result.p99_s:.2f} s")
    gc.collect()  # an exception that nobody took is told when its task is gone
    return result


async def _attack(one: Listening, frames: int, honest: int, chance: random.Random, result: Result) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        while not result.faults and (result.frames < frames or result.honest < honest):
            some = [frame(chance) for _ in range(chance.choice((1, 10, 200)))]
            result.frames += len(some)
            for data in some:
                datagrams.sendto(data[:60_000], one.udp)
            with contextlib.suppress(ConnectionError):
                _, writer = await asyncio.open_connection(*one.tcp, local_addr=("127.0.0.3", 0))
                writer.write(b"".join(some))
                await writer.drain()
                if chance.random() < 0.3:
                    writer.transport.abort()
                writer.close()


async def _honest(one: Listening, done: asyncio.Event, result: Result) -> None:
    _, writer = await asyncio.open_connection(*one.tcp)
    number = 0
    while not done.is_set():
        number += 1
        sent = time.monotonic()
        writer.write(b"<13>honest %d\n" % number)
        try:
            await one.until(functools.partial(_is_given, result, number))
        except TimeoutError:
            result.faults.append(f"honest message {number} was not given")
        result.latencies_s.append(time.monotonic() - sent)
        await asyncio.sleep(_HONEST_PAUSE_S)
    writer.close()


def _is_given(result: Result, number: int) -> bool:
    return result.honest >= number


async def _connect(held: contextlib.AsyncExitStack, one: Listening, which: int) -> socket.socket:
    sender = held.enter_context(socket.socket())
    sender.settimeout(0)
    sender.bind((f"127.0.0.{4 + which}", 0))
    await asyncio.get_running_loop().sock_connect(sender, one.source.tcp[which].address)
    return sender


async def _drip(slow: list[socket.socket], done: asyncio.Event) -> None:
    begins = [b"9999 <13>slow", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]
    at = 0
    while not done.is_set():
        for index, sender in enumerate(slow):
            begin = begins[index % 2]
            with contextlib.suppress(OSError):  # it was closed: that is its right
                sender.send(begin[at : at + 1] or b"x")
        at += 1
        await asyncio.sleep(0.05)


def _resident_mb() -> float:
    fields: Any = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * 4096 / 1e6


def main() -> None:
    """Run, and say what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    result = asyncio.run(run(frames=arguments.frames, connections=arguments.connections, seed=arguments.seed))
    print(
        f"syslog, seed {arguments.seed}: {result.frames} frames, {arguments.connections} slow connections, "
        f"{len(result.latencies_s)} honest messages, p99 {result.p99_s:.2f} s, {result.growth_mb:.0f} MB more"
    )
    for fault in result.faults:
        print(f"FAULT {fault}")
    sys.exit(bool(result.faults))


if __name__ == "__main__":
    main()
