"""How many records a second the http source takes, and what they cost, with the sender on the same machine.

    python bench/http_source.py [--seconds 10] [--connections 4] [--batch 1000]

The source runs in a process of its own, and senders in this one: bodies are made before, each connection sends the next
when it has its answer. Behind the source stands a store in memory that commits at once and forgets, so this is the cost
of HTTP, of decompressing and decoding, and of the lines that come of it; parsing and committing are measured by
bench/lake.py. Last comes too much: bodies of a megabyte over 128 connections for a store that commits once a second.
What there is no room for must be answered with 503, and the memory stay bounded.
"""

import argparse
import asyncio
import gzip
import json
import multiprocessing
import multiprocessing.connection
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from measured import MAXRSS_UNIT, machine

START_NS = 1_795_342_540_000_000_000
NEEDED = {"JSON lines": 100_000, "OTLP protobuf": 60_000}
"""Records a second that are to be reached."""


def json_lines(batch: int, number: int) -> bytes:
    """Return a body of JSON lines of some 150 bytes."""
    records = (
        {
            "ts": f"2026-11-22T10:15:40.{at % 1000:03d}Z",
            "level": "info",
            "msg": f"GET /pages/{at} took {at % 97} ms",
            "host": "web1",
            "request_id": f"{number:08x}-{at:08x}",
            "status": 200,
        }
        for at in range(batch)
    )
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def otlp(batch: int, number: int) -> bytes:
    """Return the same as an export of OTLP, with three attributes and a trace."""
    message = ExportLogsServiceRequest()
    logs = message.resource_logs.add()
    for name in ("service.name", "host.name", "service.version", "telemetry.sdk.language"):
        logs.resource.attributes.add(key=name).value.string_value = f"value of {name}"
    scope = logs.scope_logs.add()
    scope.scope.name = "shop"
    for at in range(batch):
        time_ns = START_NS + number * 1_000_000 + at
        record = scope.log_records.add(
            time_unix_nano=time_ns, observed_time_unix_nano=time_ns, severity_number=9, severity_text="INFO"
        )
        record.trace_id, record.span_id = at.to_bytes(16, "big"), at.to_bytes(8, "big")
        record.body.string_value = f"GET /pages/{at} took {at % 97} ms"
        record.attributes.add(key="status").value.int_value = 200
        record.attributes.add(key="request_id").value.string_value = f"{number:08x}-{at:08x}"
        record.attributes.add(key="http.method").value.string_value = "GET"
    return message.SerializeToString()


CASES: Mapping[str, tuple[str, str, str, Callable[[int, int], bytes]]] = {
    "JSON lines": ("/json?group=shop", "application/x-ndjson", "", json_lines),
    "JSON lines, gzip": ("/json?group=shop", "application/x-ndjson", "gzip", json_lines),
    "OTLP protobuf": ("/v1/logs", "application/x-protobuf", "", otlp),
    "OTLP protobuf, gzip": ("/v1/logs", "application/x-protobuf", "gzip", otlp),
}


def serve(pipe: "multiprocessing.connection.Connection[object, object]", commit_seconds: float) -> None:
    """Run the source, tell its port, and when asked what it took. ``commit_seconds`` 0 is to commit at once."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
    from committing import Committing, Memory  # noqa: PLC0415 - the sender needs nothing of it
    from heeler.sources.http import HttpSettings  # noqa: PLC0415 - the same

    async def run() -> None:
        memory = Memory()
        source = HttpSettings(listen="127.0.0.1:0").open(memory.context())
        running = Committing(source, memory, at_once=not commit_seconds)
        running.kept = False
        task = asyncio.create_task(running.run())

        async def commit() -> None:
            while commit_seconds:
                await asyncio.sleep(commit_seconds)
                await running.commit()

        committer = asyncio.create_task(commit())
        while not source.port:  # noqa: ASYNC110 - it is told by nothing else
            await asyncio.sleep(0.01)
        pipe.send(source.port)
        before = resource.getrusage(resource.RUSAGE_SELF)
        await asyncio.to_thread(pipe.recv)
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        pipe.send((cpu, after.ru_maxrss * MAXRSS_UNIT / 1e6, source.health().counters["refused"]))
        committer.cancel()
        await running.commit()
        await source.close()
        await task

    asyncio.run(run())


async def send(port: int, head: bytes, bodies: list[bytes], until: float, refusals: list[float]) -> list[float]:
    """Send bodies one behind the other, and return how long each took; those that were refused are ``refusals``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took: list[float] = []
    while (begun := time.perf_counter()) < until:
        body = bodies[len(took) % len(bodies)]
        try:
            writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
            answer = await reader.readuntil(b"\r\n\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            answer = b"HTTP/1.1 503 as its connection was closed before that could be read"
        if answer.startswith(b"HTTP/1.1 503"):
            refusals.append(time.perf_counter() - begun)
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            continue
        if not answer.startswith((b"HTTP/1.1 204", b"HTTP/1.1 200")):
            raise SystemExit(f"The source answered {answer!r}.")
        if b"Content-Length: " in answer:
            await reader.readexactly(int(answer.partition(b"Content-Length: ")[2].split(b"\r\n")[0]))
        took.append(time.perf_counter() - begun)
    writer.close()
    return took


@dataclass(frozen=True)
class Load:
    """How much is sent, and how often it is committed; 0 is at once. ``bodies`` differ; then the same come again."""

    seconds: float
    connections: int
    batch: int
    commit_seconds: float = 0
    bodies: int = 64


async def measure(port: int, name: str, load: Load, refusals: list[float]) -> list[float]:
    """Send for some seconds over several connections."""
    path, kind, coding, make = CASES[name]
    packed = f"content-encoding: {coding}\r\n" if coding else ""
    head = f"POST {path} HTTP/1.1\r\nhost: h\r\ncontent-type: {kind}\r\n{packed}".encode()
    each = max(1, load.bodies // load.connections)
    # The store forgets by which keys it was sent what, so bodies may come again.
    plain = [[make(load.batch, 1000 * one + number) for number in range(each)] for one in range(load.connections)]
    bodies = [[gzip.compress(body, 1) if coding else body for body in some] for some in plain]
    until = time.perf_counter() + load.seconds
    sent = await asyncio.gather(*(send(port, head, mine, until, refusals) for mine in bodies))
    return [one for some in sent for one in some]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--batch", type=int, default=1000)
    given = parser.parse_args()
    print(machine())
    for name in CASES:
        report(name, Load(given.seconds, given.connections, given.batch))
    report("JSON lines", Load(given.seconds, 128, 8000, commit_seconds=1))


def report(name: str, load: Load) -> None:
    """Measure one case and print it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, load.commit_seconds))
    process.start()
    refusals: list[float] = []
    port = ours.recv()
    begun = time.perf_counter()
    took = sorted(asyncio.run(measure(port, name, load, refusals)))
    lasted = time.perf_counter() - begun
    ours.send("done")
    cpu, peak_mb, refused = ours.recv()
    process.join()
    records = len(took) * load.batch
    needed = f" ({NEEDED[name]:,} are needed)" if name in NEEDED and not load.commit_seconds else ""
    title = f"too much of {name}" if load.commit_seconds else name
    print(
        f"{title}: {records / load.seconds:,.0f} records/s{needed}; {records / cpu:,.0f} a second of processor time of "
        f"the source, which used {cpu / lasted:.2f} cores and {peak_mb:.0f} MB; answered after "
        f"{took[len(took) // 2] * 1000:.0f} ms, p99 {took[len(took) * 99 // 100] * 1000:.0f} ms; {refused} refused"
    )
    if len(refusals) != refused:
        print(f"  {len(refusals)} senders were told 503")


if __name__ == "__main__":
    main()
