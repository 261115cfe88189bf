"""Hostile senders: fuzzed requests, bombs, connections that hang, handshakes that never end, and an honest one.

    python campaigns/hostile.py [--seed 1] [--frames 20000] [--bombs 20] [--slow 500] [--seconds 10] [ATTACK ...]

Each attack is a line in ``ATTACKS``: a function that runs a source, attacks it and returns what it found. While it
attacks, an honest sender sends; every line that it was told is stored must be there, each of its requests must be
answered, and 99 of 100 within a second. No answer may hold a traceback, and the source must report no fault of its own.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

SLOWEST_P99_SECONDS = 1.0


_TRICKS = (b"\0", b"\n", b"99999999999 ", b"[" * 500, b"\xff\xfe", b'{"a":', b"\x1b]52;")


@dataclass(frozen=True)
class Scale:
    """How hard it is attacked."""

    seed: int = 1
    frames: int = 20_000
    bombs: int = 20
    slow: int = 500
    seconds: int = 10
    """How long slow senders are waited for, and how long a flood lasts."""


@dataclass
class Finding:
    """What an attack did, and what is wrong with how it was taken."""

    attack: str
    sent: int = 0
    seconds: list[float] = field(default_factory=list)
    """How long each honest request took."""
    statuses: dict[int, int] = field(default_factory=dict)
    """How many of the hostile requests were answered so; 0 stands for no answer."""
    faults: list[str] = field(default_factory=list)

    @property
    def p99_seconds(self) -> float:
        """What 99 of 100 honest requests took at most; a flood has no honest sender."""
        return sorted(self.seconds)[len(self.seconds) * 99 // 100] if self.seconds else 0.0

    def check(self) -> None:
        """Add what can be seen of the figures alone."""
        if self.p99_seconds > SLOWEST_P99_SECONDS:
            self.faults.append(f"an honest sender waited {self.p99_seconds:.2f} s")

    def __str__(self) -> str:
        told = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        honest = f"{len(self.seconds)} honest requests, p99 {self.p99_seconds * 1000:.0f} ms"
        return f"{self.attack}: {self.sent} sent ({told}); {honest}; {'; '.join(self.faults) or 'no fault'}"


Attack = Callable[[Scale, Finding], Awaitable[None]]


def attacks() -> dict[str, Attack]:
    """Return every attack by its name: one file for each kind of source."""
    import hostile_http  # noqa: PLC0415 - it imports this file for its words

    return {**hostile_http.ATTACKS}


async def attacked(name: str, scale: Scale) -> Finding:
    """Run one attack."""
    finding = Finding(name)

    def hear(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        finding.faults.append(f"{context['message']}: {context.get('exception')!r}")

    asyncio.get_running_loop().set_exception_handler(hear)
    await attacks()[name](scale, finding)
    finding.check()
    return finding


def noise(chance: random.Random, seeds: list[bytes]) -> bytes:
    """Return one of ``seeds`` as an attacker changes it: bytes flipped, cut out, doubled and put in."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((0, 1, 1, 2, 8))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at : at + 1] = bytes((chance.randrange(256),))
            case 1:
                del data[at : at + chance.randrange(20)]
            case 2:
                data[at:at] = data[chance.randrange(len(data) + 1) :][:200]
            case 3:
                data[at:at] = chance.choice(_TRICKS)
            case _:
                data[at:at] = chance.randbytes(chance.randrange(30))
    return bytes(data)


def main() -> None:
    """Attack, and exit with 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("seed", 1), ("frames", 20_000), ("bombs", 20), ("slow", 500), ("seconds", 10)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("attack", nargs="*")
    given = parser.parse_args()
    scale = Scale(given.seed, given.frames, given.bombs, given.slow, given.seconds)
    failed = False
    for name in given.attack or attacks():
        begun = time.monotonic()
        finding = asyncio.run(attacked(name, scale))
        failed = failed or bool(finding.faults)
        print(f"{finding} ({time.monotonic() - begun:.0f} s)", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
