"""What `hostile` does to the http source."""

import asyncio
import gzip
import json
import random
import ssl
import subprocess
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import cramjam
import zstandard

from committing import Committing, Memory, committing, until
from heeler.sources.http import HttpSettings, HttpSource
from hostile import Attack, Finding, Scale, noise

FRAME: Final = b"83 <40>1 2012-11-30T06:45:29+00:00 host app web.3 - State changed from starting to up\n"
_PUSH: Final = b'\x0a\x1f\x0a\x09{job="a"}\x12\x12\x0a\x06\x08\x8c\xef\x88\xd8\x06\x12\x08a line..'
_OTLP: Final = (
    b"\x0a\x2e\x0a\x12\x0a\x10\x0a\x01a\x12\x0b\x0a\x09service-x"
    b"\x12\x18\x12\x16\x10\x09\x1a\x04INFO\x2a\x0c\x0a\x0amessage..."
)
_OTLP_JSON: Final = json.dumps(
    {
        "resourceLogs": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "api"}}]},
                "scopeLogs": [{"logRecords": [{"timeUnixNano": "1795342540598656444", "body": {"stringValue": "m"}}]}],
            }
        ]
    }
).encode()

SEEDS: Final[dict[str, list[tuple[str, bytes]]]] = {
    "/logplex": [("application/logplex-1", FRAME * 3)],
    "/v1/logs": [("application/json", _OTLP_JSON), ("application/x-protobuf", _OTLP)],
    "/loki/api/v1/push": [
        ("application/json", b'{"streams":[{"stream":{"job":"a"},"values":[["1795342540598656444","m",{"k":"v"}]]}]}'),
        ("application/x-protobuf", bytes(cramjam.snappy.compress_raw(_PUSH))),
    ],
    "/_bulk": [("application/x-ndjson", b'{"create":{"_index":"a"}}\n{"@timestamp":"x","host":{"name":"h"}}\n' * 2)],
    "/json": [("application/json", b'{"a":1}\n[2]\n'), ("application/json", b'[{"a":1},{"b":[2]}]')],
    "/text": [("text/plain", b"one\ntwo\r\n")],
}
"""What an honest sender of each protocol sends, by path: its type and body."""

PACKERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": partial(gzip.compress, compresslevel=1),
    "deflate": partial(zlib.compress, level=1),
    "zstd": zstandard.ZstdCompressor().compress,
    "snappy": lambda data: bytes(cramjam.snappy.compress_raw(data)),
}
CALM_SECONDS: Final = 0.02
ROOM_MB: Final = 4
_HASTY: Final[Mapping[str, Any]] = dict.fromkeys(("head_timeout", "body_timeout", "idle_timeout"), "500ms")


async def request(port: int, sent: bytes, secured: ssl.SSLContext | None = None) -> tuple[int, bytes]:
    """Send bytes over a connection of their own; return the status and body of the answer, 0 where there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=secured)
    try:
        writer.write(sent)
        answer = await reader.read(-1)
    except ConnectionError:
        return 0, b""
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    status = answer.split(b" ", 2)[1] if answer.startswith(b"HTTP/1.1 ") else b"0"
    return int(status), answer.partition(b"\r\n\r\n")[2]


def post(path: str, body: bytes, kind: str = "text/plain", coding: str = "") -> bytes:
    """Return a request that ends its connection."""
    packed = f"content-encoding: {coding}\r\n" if coding else ""
    head = (
        f"POST {path} HTTP/1.1\r\nconnection: close\r\ncontent-type: {kind}\r\n{packed}content-length: {len(body)}\r\n"
    )
    return head.encode() + b"\r\n" + body


@asynccontextmanager
async def attacking(
    finding: Finding, secured: ssl.SSLContext | None = None, **given: str | int
) -> AsyncIterator[tuple[Committing, int]]:
    """Run a source with an honest sender beside the attack, and compare what that was told with what is stored."""
    memory = Memory()
    settings = HttpSettings.model_validate({"kind": "http", "listen": "127.0.0.1:0", **given})
    async with committing(settings, memory) as running:
        source = running.source
        if not isinstance(source, HttpSource):
            raise TypeError(source)
        await until(lambda: source.port > 0)
        told: list[bytes] = []
        over = asyncio.Event()
        honest = asyncio.create_task(_honest(source.port, finding, told, over, secured))
        try:
            yield running, source.port
        finally:
            over.set()
            await honest
    lost = len(set(told) - set(memory.of("honest", "").splitlines()))
    if lost:
        finding.faults.append(f"{lost} acknowledged lines are not stored")
    if held := running.source.health().lag_bytes:
        finding.faults.append(f"{held} bytes are held that nobody sent")


async def _honest(
    port: int, finding: Finding, told: list[bytes], over: asyncio.Event, secured: ssl.SSLContext | None
) -> None:
    while not over.is_set() or len(finding.seconds) < 20:
        line = b"honest %d" % len(finding.seconds)
        begun = time.monotonic()
        status, _ = await request(port, post("/text?group=honest", line), secured)
        finding.seconds.append(time.monotonic() - begun)
        if status == 204:
            told.append(line)
        else:
            finding.faults.append(f"an honest request was answered {status}")
        await asyncio.sleep(CALM_SECONDS)


async def _attack(port: int, sent: bytes, finding: Finding) -> int:
    status, body = await request(port, sent)
    finding.sent += 1
    finding.statuses[status] = finding.statuses.get(status, 0) + 1
    if b"Traceback" in body or status == 500:
        finding.faults.append(f"{status}: {body[:80]!r}")
    return status


async def _all(attacks: Sequence[Callable[[], Awaitable[object]]], at_once: int) -> None:
    async def some(number: int) -> None:
        for attack in attacks[number::at_once]:
            await attack()

    await asyncio.gather(*(some(number) for number in range(at_once)))


async def fuzz(path: str, scale: Scale, finding: Finding) -> None:
    """Send bodies that are nearly what they should be, packed and not."""
    chance = random.Random(f"{scale.seed} {path}")
    packers = ["", "", "", *PACKERS]
    async with attacking(finding) as (_, port):
        for start in range(0, scale.frames, 500):
            requests = []
            for _ in range(min(500, scale.frames - start)):
                kind, seed = chance.choice(SEEDS[path])
                body, coding = noise(chance, [seed]), chance.choice(packers)
                body = PACKERS[coding](body) if coding else body
                requests.append(post(path, noise(chance, [body]) if chance.random() < 0.1 else body, kind, coding))
            await _all([partial(_attack, port, one, finding) for one in requests], 8)
    answered = {200, 204, 400, 413, 415, 503} if path != "/logplex" else {200, 204, 429, 503}
    if unexpected := finding.statuses.keys() - answered:
        finding.faults.append(f"answers {sorted(unexpected)}")


async def heads(scale: Scale, finding: Finding) -> None:
    """Send heads that are nearly what they should be."""
    chance = random.Random(scale.seed)
    seeds = [
        post("/text", b"x"),
        b"GET / HTTP/1.1\r\nconnection: close\r\nhost: h\r\n\r\n",
        bytes.fromhex("160301020001"),
    ]
    async with attacking(finding, **_HASTY) as (_, port):
        requests = [noise(chance, seeds) for _ in range(min(scale.frames, 2000))]
        await _all([partial(_attack, port, one, finding) for one in requests], 64)


async def bombs(scale: Scale, finding: Finding) -> None:
    """Send a little that becomes a lot."""
    async with attacking(finding) as (_, port):
        made = [(coding, await asyncio.to_thread(packer, bytes(128 << 20))) for coding, packer in PACKERS.items()]
        chosen = [made[number % len(made)] for number in range(scale.bombs)]
        requests = [post("/text", body, coding=coding) for coding, body in chosen]
        await _all([partial(_attack, port, one, finding) for one in requests], 8)
    if finding.statuses != {413: scale.bombs}:
        finding.faults.append("a bomb was not refused with 413")


async def slow(scale: Scale, finding: Finding) -> None:
    """Hold connections: some say nothing, some half a head, some half a body."""
    beginnings = [b"", b"POST /text HTTP/1.1\r\nx: ", post("/text", b"x" * 99)[:-50]]
    patience = f"{scale.seconds}s"
    limits: Mapping[str, Any] = {"connections": scale.slow, "head_timeout": patience, "body_timeout": patience}
    async with attacking(finding, **limits) as (running, port):
        attacks = [partial(_attack, port, beginnings[n % len(beginnings)], finding) for n in range(scale.slow)]
        await _all(attacks, scale.slow)
        dropped = running.source.health().counters["connections_dropped"]
    if dropped < scale.slow:
        finding.faults.append(f"only {dropped} connections were dropped")


async def flood(scale: Scale, finding: Finding) -> None:
    """Send far more than the store takes, which commits twice a second."""
    memory = Memory()
    settings = HttpSettings.model_validate({"listen": "127.0.0.1:0", "in_flight": f"{ROOM_MB}MB", "body": "1MB"})
    most = 0
    async with committing(settings, memory, at_once=False) as running:
        source = running.source
        if not isinstance(source, HttpSource):
            raise TypeError(source)
        await until(lambda: source.port > 0)
        over = time.monotonic() + scale.seconds

        async def send(number: int) -> None:
            nonlocal most
            count = 0
            while time.monotonic() < over:
                body = b"".join(b"%d-%d-%d %s\n" % (number, count, at, b"x" * 90) for at in range(2000))
                status = await _attack(source.port, post("/text", body), finding)
                if status == 204 and not any(body in chunk.data for chunk in memory.chunks):
                    finding.faults.append("a batch was acknowledged before its commit")
                most = max(most, source.health().lag_bytes or 0)
                count += 1

        async def commit() -> None:
            while time.monotonic() < over + 2:
                await asyncio.sleep(0.5)
                await running.commit()

        await asyncio.gather(commit(), *(send(number) for number in range(100)))
    if most > (ROOM_MB + 1) * 1_000_000:
        finding.faults.append(f"{most:,} bytes were held where {ROOM_MB} MB may be")
    if finding.statuses.keys() - {204, 503} or not finding.statuses.get(503):
        finding.faults.append("a flood was answered otherwise than with 204 and 503")
    acknowledged = finding.statuses.get(204, 0) * 2000
    if len(set(memory.lines)) != len(memory.lines) or len(memory.lines) < acknowledged:
        finding.faults.append(f"{acknowledged:,} lines were acknowledged, and {len(memory.lines):,} are stored")


def _certify(folder: str) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


async def handshakes(scale: Scale, finding: Finding) -> None:
    """Begin TLS handshakes that never end."""
    with tempfile.TemporaryDirectory() as folder:
        await asyncio.to_thread(_certify, folder)
        trusting = ssl.create_default_context(cafile=Path(folder, "cert.pem"))
        trusting.check_hostname = False
        tls = {"tls_certificate": f"{folder}/cert.pem", "tls_key": f"{folder}/key.pem"}
        tls["head_timeout"] = f"{scale.seconds}s"
        async with attacking(finding, trusting, **tls) as (running, port):
            count = max(1, scale.slow // 5)
            beginnings = [b"", bytes.fromhex("16030102000100")]
            await _all([partial(_attack, port, beginnings[n % 2], finding) for n in range(count)], count)
            failed = running.source.health().counters["handshakes_failed"]
    if failed < count:
        finding.faults.append(f"only {failed} of {count} handshakes were given up")


ATTACKS: Final[dict[str, Attack]] = {
    **{f"http fuzz {path}": partial(fuzz, path) for path in SEEDS},
    "http heads": heads,
    "http bombs": bombs,
    "http slow": slow,
    "http handshakes": handshakes,
    "http flood": flood,
}
"""By the name that a campaign shows."""
