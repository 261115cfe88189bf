"""What is answered over HTTP: health, and metrics that Prometheus can read whatever the log says."""

import asyncio
import http.client
import json
import shutil
import socket
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from batches import batch
from prometheus_client.parser import text_string_to_metric_families

from heeler.clock import SystemClock
from heeler.config.values import Endpoint
from heeler.daemon.configuration import configured
from heeler.daemon.running import Daemon
from heeler.daemon.setup import setup_of
from heeler.errors import EnvironmentFailed
from heeler.formats.access import ACCESS_FORMATS
from heeler.store.lake import Lake
from heeler.views.web.service import service

HOSTILE = 'a"b\\n\\\\{}\u2028\u202e,='
REQUEST = b'10.0.0.1 - - [22/Nov/2026:10:00:01 +0000] "GET /%s/x HTTP/1.1" %d 5 "-" "curl"\n'


def answers(folder: Path, paths: list[str], data: bytes = b"", sources: str = "") -> Mapping[str, tuple[int, str]]:
    """Return status and text by path, of a process with these sources into which ``data`` was put."""
    (folder / "heeler.toml").write_text(sources)
    setup = setup_of(configured(folder / "heeler.toml"))
    found: dict[str, tuple[int, str]] = {}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])

    def ask(path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path)
        with closing(connection), connection.getresponse() as answer:
            return answer.status, answer.read().decode()

    async def main(lake: Lake) -> None:
        serve = service(Endpoint("127.0.0.1", port))
        daemon = Daemon(lake, setup, SystemClock(), lambda _: None, load=lambda: setup, services=[serve])
        begun = asyncio.Event()
        whole = asyncio.create_task(daemon.run(begun.set))
        await begun.wait()
        if data:
            one = batch(data, known=ACCESS_FORMATS["combined"])
            lake.register(one.format)
            await daemon.intake.put("test", [lake.complete(one)])
        found.update({path: await asyncio.to_thread(ask, path) for path in paths})
        daemon.stop()
        await whole

    with closing(Lake(folder / "lake")) as lake:
        asyncio.run(main(lake))
    return found


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (one.name, *(f"{name}={value}" for name, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_metrics_are_what_prometheus_reads_whatever_stands_in_the_log(tmp_path: Path) -> None:
    hostile = HOSTILE.replace('"', "'").encode()
    data = REQUEST % (b"shop", 200) + REQUEST % (b"shop", 503) + REQUEST % (hostile, 200)
    status, text = answers(tmp_path, ["/metrics"], data)["/metrics"]
    assert status == 200
    read = samples(text)
    assert read["heeler_requests_total", "group=group", "section=/shop", "status=2xx"] == 1
    assert read["heeler_requests_total", "group=group", "section=/shop", "status=5xx"] == 1
    assert read["heeler_response_bytes_total", "group=group", "section=/shop", "status=2xx"] == 5
    assert sum(value for (name, *_), value in read.items() if name == "heeler_requests_total") == 3
    assert read["heeler_memory_bytes",] > 1_000_000
    assert read["heeler_alerts_firing", "rule=high traffic"] == 0
    if promtool := shutil.which("promtool"):
        subprocess.run([promtool, "check", "metrics"], input=text.encode(), check=True)


def test_so_many_sections_are_told_by_name_and_the_rest_together(tmp_path: Path) -> None:
    data = b"".join(REQUEST % (b"s%d" % number, 200) for number in range(500))
    read = samples(answers(tmp_path, ["/metrics"], data)["/metrics"][1])
    mine = {key: value for key, value in read.items() if key[0] == "heeler_requests_total"}
    assert len(mine) == 201
    assert sum(mine.values()) == 500


def test_readiness_names_what_is_down_and_health_does_not_depend_on_it(tmp_path: Path) -> None:
    source = '[sources.a]\nkind = "file"\npaths = ["missing.log"]\n'
    found = answers(tmp_path, ["/healthz", "/readyz", "/metrics", "/elsewhere"], sources=source)
    assert found["/healthz"] == (200, '{"status":"ok"}')
    status, text = found["/readyz"]
    assert (status == 200) is (json.loads(text)["down"] == {})
    assert ("heeler_source_lines_total", "kind=file", "source=a") in samples(found["/metrics"][1])
    assert found["/elsewhere"][0] == 404


def test_an_address_that_is_taken_is_said(tmp_path: Path) -> None:
    async def main(lake: Lake, port: int) -> None:
        setup = setup_of(configured(None))
        serve = service(Endpoint("127.0.0.1", port))
        await Daemon(lake, setup, SystemClock(), lambda _: None, load=lambda: setup, services=[serve]).run()

    with socket.create_server(("127.0.0.1", 0)) as taken, closing(Lake(tmp_path)) as lake:
        port = int(taken.getsockname()[1])
        with pytest.raises(EnvironmentFailed, match=f"{port} cannot be listened at"):
            asyncio.run(main(lake, port))
