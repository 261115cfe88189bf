"""How fast formats read lines, with typed columns and the check that every line can be written back.

Each kind of line is parsed in two threads, as `heeler ingest` does, and every line must render to the bytes that it
was. The figure is lines by the CPU time of both threads, times two, beside what the clock said: the machine may be
shared. ``python bench/formats.py [--lines N]``.
"""

import argparse
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from heeler.formats import Format, render
from heeler.formats.choose import FORMATS, format_of
from heeler.formats.lines import Lines, split
from heeler.formats.timestamps import Receipt

CHUNK_BYTES = 4 << 20
RECEIPT = Receipt(1_795_392_000_000_000)  # 2026-11-23
GOALS = {"syslog": 800_000, "rfc5424": 800_000, "json": 600_000, "caddy": 600_000, "logfmt": 300_000}


def _stamp(number: int) -> tuple[int, int, int]:
    return number // 3600 % 24, number // 60 % 60, number % 60


def _syslog(number: int, chance: random.Random) -> str:
    hour, minute, second = _stamp(number // 50)
    return (
        f"Nov 22 {hour:02}:{minute:02}:{second:02} web{chance.randrange(9)} sshd[{chance.randrange(100, 40_000)}]: "
        f"Failed password for invalid user root from 192.0.2.{chance.randrange(256)} port {chance.randrange(9999)} ssh2"
    )


def _rfc5424(number: int, chance: random.Random) -> str:
    hour, minute, second = _stamp(number // 50)
    return (
        f"<165>1 2026-11-22T{hour:02}:{minute:02}:{second:02}.{number % 1000:03}Z web{chance.randrange(9)}.example.com "
        f"api {chance.randrange(100, 40_000)} ID{chance.randrange(99)} - Item {chance.randrange(10_000)} was stored"
    )


def _json(number: int, chance: random.Random) -> str:
    hour, minute, second = _stamp(number // 50)
    return (
        f'{{"time":"2026-11-22T{hour:02}:{minute:02}:{second:02}.{number % 1000:03}Z","level":"info","logger":"api",'
        f'"msg":"stored item {chance.randrange(10_000)}","hostname":"web{chance.randrange(9)}","user":{number},'
        f'"tags":["a","b"],"took":0.{chance.randrange(1000):03}}}'
    )


def _caddy(number: int, chance: random.Random) -> str:
    return (
        f'{{"level":"info","ts":{1_795_341_600 + number / 50:.3f},"logger":"http.log.access","msg":"handled request",'
        f'"request":{{"remote_ip":"192.0.2.{chance.randrange(256)}","proto":"HTTP/2.0","method":"GET",'
        f'"host":"www.example.com","uri":"/items/{chance.randrange(9999)}","headers":{{"User-Agent":["curl/8.5.0"]}}}},'
        f'"duration":0.00{chance.randrange(1000):03},"size":{chance.randrange(99_999)},"status":200}}'
    )


def _logfmt(number: int, chance: random.Random) -> str:
    hour, minute, second = _stamp(number // 50)
    return (
        f"time=2026-11-22T{hour:02}:{minute:02}:{second:02}.{number % 1000:03}Z level=info "
        f'msg="stored item {chance.randrange(10_000)}" method=GET path="/items/{chance.randrange(9999)}?a=b c" '
        f"host=web{chance.randrange(9)} request_id=abc{number} took={chance.randrange(1000)}ms"
    )


KINDS: dict[str, Callable[[int, random.Random], str]] = {
    "syslog": _syslog,
    "rfc5424": _rfc5424,
    "json": _json,
    "caddy": _caddy,
    "logfmt": _logfmt,
}


def chunks(kind: str, lines: int) -> list[Lines]:
    """Return so many lines of a kind, cut as a source cuts them."""
    chance = random.Random(1)  # noqa: S311 - seeded, for numbers in lines
    data = "".join(KINDS[kind](number, chance) + "\n" for number in range(lines)).encode()
    found, at = [], 0
    while at < len(data):
        end = data.rfind(b"\n", at, at + CHUNK_BYTES) + 1
        found.append(split(data[at:end]))
        at = end
    return found


def measured(known: Format, parts: list[Lines]) -> tuple[float, float]:
    """Return the CPU and the clock seconds that two threads take for all parts."""
    begin, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(2) as workers:
        for _ in workers.map(lambda lines: known.parse(lines, None, RECEIPT).height, parts):
            pass
    return time.process_time() - cpu, time.perf_counter() - begin


def main() -> None:
    """Print a row for each kind of line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=400_000)
    asked = parser.parse_args()
    print("lines a second on two cores, and the share of lines that is kept beside its columns")
    print(f"{'format':<12}{'by CPU':>14}{'by clock':>14}{'goal':>12}{'kept':>9}")
    for kind, goal in GOALS.items():
        parts = chunks(kind, asked.lines)
        known = format_of(parts[0].data)
        if known.name != kind:
            raise SystemExit(f"{kind} was taken for {known.name}; {kind} is {FORMATS[kind].text}")
        frame = known.parse(parts[0], None, RECEIPT)
        lines: list[bytes] = render(known, frame).to_list()
        if b"".join(lines) != parts[0].data:
            raise SystemExit(f"{kind} did not render to what it was")
        cpu_s, clock_s = min(measured(known, parts) for _ in range(3))
        kept = frame["raw"].is_not_null().sum() / frame.height
        print(f"{kind:<12}{asked.lines / cpu_s * 2:>14,.0f}{asked.lines / clock_s:>14,.0f}{goal:>12,}{kept:>9.2%}")


if __name__ == "__main__":
    main()
