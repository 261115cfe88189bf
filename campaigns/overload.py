"""Prove that too much over HTTP costs nothing that was acknowledged, and bounded memory.

    python campaigns/overload.py [--seconds 60] [--connections 200] [--records 4000] [--most-mb 500]

`heeler run` listens; many senders send bodies without a pause, far more than it can take. Each answer must be 2xx, or
429 or 503 with a time to come back. While they send, the process is killed with SIGKILL. Then every record of a body
that was answered with 2xx must be in the lake exactly once, and the memory of the process must have stayed below the
cap. Exit code 1 on any fault.
"""

import argparse
import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HEELER = [sys.executable, "-m", "heeler"]
BEGIN_SECONDS, CUT_SECONDS = 60.0, 15.0
"""So long the process may take to begin, and senders to see that it is gone."""

FAR_TOO_MUCH_REFUSED = 1
"""With fewer refusals than this it was not too much, and nothing is proven."""


@dataclass(slots=True)
class Sent:
    """What the senders saw."""

    acknowledged: list[tuple[int, int]] = field(default_factory=list)
    refused: int = 0
    faults: list[str] = field(default_factory=list)


def body(sender: int, number: int, records: int) -> bytes:
    """Return one body: each record has a name of its own."""
    filler = "x" * 100
    return b"".join(
        json.dumps({"level": "info", "msg": filler, "id": f"{sender}-{number}-{at}"}).encode() + b"\n"
        for at in range(records)
    )


async def send(port: int, sender: int, records: int, sent: Sent) -> None:
    """Send bodies until the process is gone."""
    number = 0
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        try:
            while True:
                number += 1
                data = body(sender, number, records)
                head = b"POST /json?group=load HTTP/1.1\r\nhost: h\r\ncontent-type: application/x-ndjson\r\n"
                writer.write(head + b"content-length: %d\r\n\r\n" % len(data) + data)
                answer = await reader.readuntil(b"\r\n\r\n")
                status = answer.split(b" ", 2)[1]
                if status in (b"200", b"204"):
                    sent.acknowledged.append((sender, number))
                    continue
                sent.refused += 1
                if status not in (b"429", b"503") or b"retry-after:" not in answer.lower():
                    sent.faults.append(f"answered {answer[:200]!r}")
                await asyncio.sleep(0.05)
                break
        except (ConnectionError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.05)  # refused before its body was read, or the process is gone
        finally:
            writer.close()


async def overload(process: "subprocess.Popen[bytes]", port: int, given: argparse.Namespace) -> tuple[Sent, float]:
    """Send for some time, kill the process, and return what was seen and the most memory that it had, in MB."""
    sent = Sent()
    senders = [asyncio.create_task(send(port, one, given.records, sent)) for one in range(given.connections)]
    await asyncio.sleep(given.seconds)
    peak_mb = peak_of(process.pid)
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(process.wait)
    await asyncio.wait_for(asyncio.gather(*senders), CUT_SECONDS)
    return sent, peak_mb


def peak_of(pid: int) -> float:
    """Return the most memory that a process has had, in MB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as own:
        return int(own.getsockname()[1])


async def listens(port: int) -> None:
    """Return when somebody listens."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def stored(folder: Path) -> Counter[str]:
    """Return how often each record is in the lake, by name."""
    command = [*HEELER, "export", "group:load", "--store", f"lake:{folder / 'lake'}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    return Counter(re.findall(r'"id": "([\d-]+)"', done.stdout.decode()))


def run(given: argparse.Namespace) -> int:
    """Run the campaign, print what came of it, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="heeler-overload-") as place:
        folder, port = Path(place), free_port()
        (folder / "heeler.toml").write_text(
            f"store = 'lake:lake'\n[web]\nlisten = '127.0.0.1:{free_port()}'\n"
            f"[sources.load]\nkind = 'http'\nlisten = '127.0.0.1:{port}'\nin_flight = '16MiB'\n"
        )
        with subprocess.Popen([*HEELER, "run"], cwd=folder, stderr=subprocess.DEVNULL) as process:
            asyncio.run(asyncio.wait_for(listens(port), BEGIN_SECONDS))
            sent, peak_mb = asyncio.run(overload(process, port, given))
        there = stored(folder)
    names = [f"{one}-{number}-{at}" for one, number in sent.acknowledged for at in range(given.records)]
    lost, doubled = sum(there[name] == 0 for name in names), sum(there[name] > 1 for name in names)
    print(
        f"{len(names):,} records were acknowledged and {sent.refused:,} bodies refused; {len(there):,} are stored, "
        f"{lost:,} lost, {doubled:,} doubled; {peak_mb:.0f} MB at most"
    )
    for fault in sent.faults[:5]:
        print(f"  {fault}")
    enough = sent.acknowledged and sent.refused >= FAR_TOO_MUCH_REFUSED
    if not enough:
        print("  it was not too much, or nothing was taken: this proves nothing")
    return int(bool(lost or doubled or sent.faults or not enough or peak_mb > given.most_mb))


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--records", type=int, default=4000)
    parser.add_argument("--most-mb", type=float, default=500)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
