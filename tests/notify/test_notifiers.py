"""Every notifier against the real thing: a web server, an Alertmanager, a mail server, a program, a file."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from pydantic import ValidationError

from heeler.errors import UsageError
from heeler.notify.alertmanager import AlertmanagerSettings
from heeler.notify.apprise import AppriseSettings
from heeler.notify.command import CommandSettings
from heeler.notify.http import is_public
from heeler.notify.log_file import LogFileSettings
from heeler.notify.notice import MOST_TOLD, Notice, as_text, wrong_in
from heeler.notify.settings import NotTold
from heeler.notify.webhook import IDEMPOTENCY_KEY, SIGNATURE, WebhookSettings, signature

TIME_US = 1_795_342_540_000_000  # 2026-11-22T10:15:40Z


def notice(state: str = "triggered", *, rule: str = "high traffic", key: str = "", start_us: int = TIME_US) -> Notice:
    return Notice(
        f"{rule}|{key}|{start_us}|{state}", rule, key, state, 1342, 11.18, 10.0, 120, TIME_US, start_us, 0,
        first=["GET /a"], last=["GET /z"], link="status:5xx",
    )  # fmt: skip


class Hook(BaseHTTPRequestHandler):
    """Answers with the statuses that are lined up, then 200, and remembers what it got."""

    got: list[tuple[dict[str, str], bytes]]
    statuses: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((dict(self.headers.items()), body))
        self.send_response(self.statuses.pop(0) if self.statuses else 200)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hook(*statuses: int) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    handler = type("Own", (Hook,), {"got": [], "statuses": list(statuses)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", handler.got  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def webhook(url: str, **more: object) -> WebhookSettings:
    return WebhookSettings.model_validate({"kind": "webhook", "url": url, "allow_private": True, **more})


def test_a_webhook_gets_signed_json_and_the_same_key_when_it_is_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEY", "secret of both")
    with hook() as (url, got):
        told = webhook(url, secret="${KEY}").open()  # noqa: S106 - the name of one
        told.tell([notice(), notice("recovered")])
        told.tell([notice(), notice("recovered")])
    (headers, body), (headers_again, body_again) = got
    assert headers[SIGNATURE] == signature("secret of both", body)
    assert (headers[IDEMPOTENCY_KEY], body) == (headers_again[IDEMPOTENCY_KEY], body_again)
    one, other = json.loads(body)["alerts"]
    assert (one["alert"], one["state"], one["hits"], one["first"], one["link"]) == (
        "high traffic", "triggered", 1342, ["GET /a"], "status:5xx",
    )  # fmt: skip
    assert one["id"] != other["id"]


@pytest.mark.parametrize("status", [500, 404, 302, 307])
def test_any_answer_but_2xx_is_a_failure_and_redirects_are_not_followed(status: int) -> None:
    with hook(status) as (url, got), pytest.raises(NotTold, match=f"answered {status}"):
        webhook(url).open().tell([notice()])
    assert len(got) == 1


def test_a_server_that_hangs_or_is_not_there_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heeler.notify.http.SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(NotTold, match="cannot be reached"):
            webhook(url).open().tell([notice()])
    with pytest.raises(NotTold, match="cannot be reached"):
        webhook(url).open().tell([notice()])


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"],  # noqa: S104 - an address to refuse,
)
def test_a_private_address_is_asked_only_where_that_is_allowed(host: str) -> None:
    with pytest.raises(NotTold, match="private address"):
        webhook(f"http://{host}:9/", allow_private=False).open().tell([notice()])


@pytest.mark.parametrize(
    ("address", "public"),
    [("8.8.8.8", True), ("2606:4700::1111", True), ("192.168.1.1", False), ("100.64.0.1", False),
     ("fe80::1%eth0", False),
     ("::ffff:10.0.0.1", False), ("2002:7f00:1::", False), ("224.0.0.1", False)],
)  # fmt: skip
def test_which_addresses_are_of_the_internet(address: str, public: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_public(address) == public


@pytest.mark.parametrize("url", ["ftp://a/b", "hooks", "http://u:p@host/", "http://host:99999/", "http://h:0/"])
def test_what_is_no_url_to_post_to_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        webhook(url)


def test_the_alert_log_has_the_lines_of_watch_and_those_of_a_template(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "alerts.log"
    LogFileSettings(kind="log", path=str(path)).open().tell([notice(), notice("recovered")])
    own = LogFileSettings(
        kind="log",
        path=str(path),
        triggered="Monitor on alert {rate} requests/sec at time {time}",
        recovered="Monitor out of alert {rate} requests/sec at time {time}",
    )
    own.open().tell([notice()])
    assert path.read_text().splitlines() == [
        "High traffic generated an alert - hits = 1342, triggered at 2026-11-22 10:15:40 +0000",
        "High traffic alert recovered - hits = 1342, recovered at 2026-11-22 10:15:40 +0000",
        "Monitor on alert 11.2 requests/sec at time 2026-11-22 10:15:40 +0000",
    ]


@pytest.mark.parametrize("template", ["{nope}", "{hits!r}", "{hits:>9}", "{", "{0}", "{hits.real}"])
def test_a_template_that_cannot_be_is_refused(template: str) -> None:
    assert wrong_in(template)
    with pytest.raises(ValidationError):
        LogFileSettings(kind="log", path="x", triggered=template)


def test_an_alert_log_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(NotTold, match="cannot be written"):
        LogFileSettings(kind="log", path=str(tmp_path)).open().tell([notice()])


def test_a_command_gets_json_and_no_shell_reads_its_words(tmp_path: Path) -> None:
    out = tmp_path / "$(touch x); out"
    script = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    CommandSettings(kind="command", argv=(sys.executable, "-c", script, str(out))).open().tell([notice()])
    assert json.loads(out.read_text())["alerts"][0]["state"] == "triggered"
    failing = CommandSettings(kind="command", argv=(sys.executable, "-c", "import sys; sys.exit('no pager')"))
    with pytest.raises(NotTold, match="ended with 1: no pager"):
        failing.open().tell([notice()])
    with pytest.raises(NotTold, match="cannot be run"):
        CommandSettings(kind="command", argv=("/no/such",)).open().tell([notice()])


def test_a_storm_is_told_in_one_text_of_bounded_length() -> None:
    title, body = as_text([notice(key=f"key {number}") for number in range(500)])
    assert title == "500 alerts triggered, 0 recovered"
    assert body.count("generated an alert") == MOST_TOLD
    assert "and 480 more" in body


class Mails:
    """Takes every mail."""

    def __init__(self) -> None:
        self.got: list[str] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802, ANN401 - as aiosmtpd has it
        self.got.append(envelope.content.decode())
        return "250 OK"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's own import
def test_mail_goes_out_by_way_of_apprise(monkeypatch: pytest.MonkeyPatch) -> None:
    mails = Mails()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(mails, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        monkeypatch.setenv("URL", f"mailto://127.0.0.1:{port}?from=heeler@example.com&to=ops@example.com")
        told = AppriseSettings.model_validate({"kind": "apprise", "url": "${URL}", "allow_private": True}).open()
        told.tell([notice()])
        with pytest.raises(NotTold, match="private address"):
            AppriseSettings.model_validate({"kind": "apprise", "url": "${URL}"}).open().tell([notice()])
    finally:
        controller.stop()
    with pytest.raises(NotTold, match="could not send"):
        told.tell([notice()])
    assert len(mails.got) == 1
    assert "High traffic triggered" in mails.got[0]


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's own import
def test_a_url_that_apprise_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL", "nothing://at.all")
    with pytest.raises(UsageError, match="knows no service"):
        AppriseSettings.model_validate({"kind": "apprise", "url": "${URL}"}).open()


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """Run Debian's Alertmanager on a free port."""
    program = shutil.which("prometheus-alertmanager")
    if program is None:
        pytest.skip("There is no prometheus-alertmanager (apt-get install prometheus-alertmanager).")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    process = subprocess.Popen(
        [program, f"--config.file={config}", f"--storage.path={tmp_path}/data", "--cluster.listen-address=",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/-/ready", timeout=1).close()  # noqa: S310 - our own server
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def known_to(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:  # noqa: S310 - our own server
        alerts: list[dict[str, Any]] = json.load(answer)
        return alerts


def test_a_real_alertmanager_receives_alerts_and_resolves_them(alertmanager: str) -> None:
    now_us = time.time_ns() // 1000
    settings = AlertmanagerSettings(kind="alertmanager", url=alertmanager, labels={"team": "web"})
    told = settings.open()
    told.tell([notice(start_us=now_us), notice(rule="errors", key="/api", start_us=now_us)])
    told.tell([notice(start_us=now_us)])  # as a repeat does
    known = known_to(alertmanager)
    assert {(one["labels"]["alertname"], one["labels"].get("key"), one["labels"]["team"]) for one in known} == {
        ("high traffic", None, "web"),
        ("errors", "/api", "web"),
    }
    assert all("GET /a" in one["annotations"]["first_lines"] for one in known)
    told.tell([notice("recovered", start_us=now_us)])
    assert [one["labels"]["alertname"] for one in known_to(alertmanager)] == ["errors"]
