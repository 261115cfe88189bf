"""What people send syslog with, as it is: logger, rsyslog and syslog-ng."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syslog_listening import authority, certificate, listening

UNPACKED = Path(__file__).parents[2] / ".ci" / "syslog-ng"
"""Where `.ci/run` unpacks syslog-ng: Debian does not install it beside rsyslog."""


def tool(name: str) -> str | None:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    unpacked = [path for path in (UNPACKED / "usr/sbin" / name, UNPACKED / "usr/bin" / name) if path.exists()]
    return found or (str(unpacked[0]) if unpacked else None)


LOGGER, RSYSLOGD, SYSLOG_NG = tool("logger"), tool("rsyslogd"), tool("syslog-ng")
TEXTS = [f'message {number}: «Grüße» 100 % \\ "quoted"' for number in range(50)]


@contextmanager
def running(*command: str, **environment: str) -> Iterator[None]:
    """Run a sender until the block is left."""
    with subprocess.Popen(
        command, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.kill()


def assert_received(lines: list[bytes], texts: list[str] = TEXTS) -> None:
    assert all(line.startswith(b"<") for line in lines)
    assert [line.decode()[-len(text) :] for line, text in zip(lines, texts, strict=True)] == texts


@pytest.mark.skipif(LOGGER is None, reason="THERE IS NO logger: apt-get install bsdutils")
@pytest.mark.parametrize(
    "words", [["--udp"], ["--tcp"], ["--tcp", "--octet-count"], ["--tcp", "--rfc3164"]], ids=" ".join
)
def test_logger(words: list[str], tmp_path: Path) -> None:
    assert LOGGER
    texts = tmp_path / "texts"
    texts.write_text("\n".join(TEXTS) + "\n")

    async def scenario() -> None:
        async with listening(udp="0", tcp="0") as one:
            host, port = one.udp if "--udp" in words else one.tcp
            command = [str(LOGGER), *words, "--server", host, "--port", str(port), "--file", str(texts)]
            await asyncio.to_thread(subprocess.run, command, check=True)
            assert_received(await one.until_lines(len(TEXTS)))
        assert not one.events

    asyncio.run(scenario())


RSYSLOG = """
global(workDirectory="{folder}" {tls})
module(load="imfile" mode="polling" pollingInterval="1")
input(type="imfile" file="{folder}/texts" tag="app:" ruleset="forward")
ruleset(name="forward") {{
    action(type="omfwd" target="127.0.0.1" port="{port}" template="RSYSLOG_SyslogProtocol23Format" {action})
}}
"""
RSYSLOG_TLS = (
    'protocol="tcp" streamDriver="gtls" streamDriverMode="1" streamDriverAuthMode="x509/name"'
    ' streamDriverPermittedPeers="localhost"'
)


@pytest.mark.skipif(RSYSLOGD is None, reason="THERE IS NO rsyslogd: apt-get install rsyslog rsyslog-gnutls")
@pytest.mark.parametrize(
    "action",
    ['protocol="udp"', 'protocol="tcp"', 'protocol="tcp" tcpFraming="octet-counted"', RSYSLOG_TLS],
    ids=["udp", "tcp", "octet-counted", "tls"],
)
def test_rsyslog(action: str, tmp_path: Path) -> None:
    if action == RSYSLOG_TLS and not list(Path("/usr/lib").glob("*/rsyslog/lmnsd_gtls.so")):
        pytest.skip("THERE IS NO TLS IN rsyslog: apt-get install rsyslog-gnutls")
    ours = authority(tmp_path)
    server = certificate(tmp_path, "server", ours)
    (tmp_path / "texts").write_text("\n".join(TEXTS) + "\n")

    async def scenario() -> None:
        settings = {"tls": "0", "certificate": server} if action == RSYSLOG_TLS else {"udp": "0", "tcp": "0"}
        async with listening(**settings) as one:
            port = (one.udp if "udp" in action else one.tcp)[1]
            tls = f'defaultNetstreamDriverCAFile="{ours}"'
            configuration = tmp_path / "rsyslog.conf"
            configuration.write_text(RSYSLOG.format(folder=tmp_path, port=port, action=action, tls=tls))
            with running(str(RSYSLOGD), "-n", "-f", str(configuration), "-i", str(tmp_path / "pid")):
                assert_received(await one.until_lines(len(TEXTS)))
        assert not one.events

    asyncio.run(scenario())


NG = """@version: 3.38
source texts {{ file("{folder}/texts" flags(no-parse)); }};
destination heeler {{ {destination}; }};
log {{ source(texts); destination(heeler); }};
"""


@pytest.mark.skipif(SYSLOG_NG is None, reason="THERE IS NO syslog-ng: apt-get install syslog-ng-core, or .ci/run")
@pytest.mark.parametrize(
    "destination",
    [
        'network("127.0.0.1" port({port}) transport("udp"))',
        'network("127.0.0.1" port({port}) transport("tcp"))',
        'syslog("127.0.0.1" port({port}) transport("tcp"))',
        'syslog("127.0.0.1" port({port}) transport("tls") tls(ca-file("{ca}") cert-file("{own}") key-file("{own}")))',
    ],
    ids=["udp", "tcp", "octet-counted", "tls"],
)
def test_syslog_ng(destination: str, tmp_path: Path) -> None:
    ours = authority(tmp_path)
    server, own = certificate(tmp_path, "server", ours), certificate(tmp_path, "client", ours)
    (tmp_path / "texts").write_text("\n".join(TEXTS) + "\n")
    library = UNPACKED / "usr/lib/syslog-ng"
    modules = [f"--module-path={next(library.glob('[0-9]*'))}"] if library.exists() else []

    async def scenario() -> None:
        is_tls = "tls" in destination
        settings = {"tls": "0", "certificate": server, "clients": ours} if is_tls else {"udp": "0", "tcp": "0"}
        async with listening(**settings) as one:
            port = (one.udp if "udp" in destination else one.tcp)[1]
            configuration = tmp_path / "syslog-ng.conf"
            sending = destination.format(port=port, ca=ours, own=own)
            configuration.write_text(NG.format(folder=tmp_path, destination=sending))
            files = [f"--{name}={tmp_path / name}" for name in ("persist-file", "pidfile", "control")]
            command = [str(SYSLOG_NG), "--foreground", "--no-caps", f"--cfgfile={configuration}", *files, *modules]
            with running(*command, LD_LIBRARY_PATH=str(library)):
                assert_received(await one.until_lines(len(TEXTS)))
        assert not one.events

    asyncio.run(scenario())
