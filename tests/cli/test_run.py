"""`run`, `start`, `status`, `reload` and `stop` as processes, and `ingest` beside them: everything is stored once."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heeler.daemon.background import ask
from heeler.query.language import parse
from heeler.store.lock import holder
from heeler.store.reading import LakeReader

SECONDS = 120


def environment(**more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HEELER_", "NO_COLOR"))}
    return {**own, "PYTHONUTF8": "1", "COLUMNS": "200", **more}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as own:
        return int(own.getsockname()[1])


class Site:
    """A folder with a configuration, logs and a lake."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = folder / "lake"
        self.config = folder / "heeler.toml"
        self.log = folder / "app.log"
        self.log.write_bytes(b"")
        self.port = free_port()
        self.configure()

    def configure(self, more: str = "") -> None:
        self.config.write_text(
            'store = "lake:lake"\nlog_path = "own.log"\npid_path = "heeler.pid"\n'
            f'[web]\nlisten = "127.0.0.1:{self.port}"\n'
            f'[sources.app]\nkind = "file"\npaths = ["app.log"]\nformat = "plain"\nfrom_start = true\n{more}'
        )

    def append(self, first: int, count: int) -> None:
        with self.log.open("ab") as file:
            file.write(b"".join(b"line %d\n" % number for number in range(first, first + count)))

    def command(self, name: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "heeler", name, *arguments, "--config", str(self.config)]

    def heeler(self, name: str, *arguments: str) -> tuple[int, str, str]:
        command = self.command(name, *arguments)
        if name in {"ingest", "status"}:
            command += ["--store", f"lake:{self.lake}"]
        done = subprocess.run(command, capture_output=True, env=environment(), timeout=SECONDS, check=False)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    @contextmanager
    def running(self, **more: str) -> Iterator[subprocess.Popen[str]]:
        """Run it in the foreground, and wait until it has begun."""
        ours, theirs = os.pipe()
        process = subprocess.Popen(
            [*self.command("run"), "--ready-fd", str(theirs)],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**more),
            pass_fds=[theirs],
        )
        os.close(theirs)
        try:
            with open(ours, "rb") as pipe:  # noqa: PTH123 - a descriptor
                assert pipe.read() == b"ready"
            yield process
        finally:
            process.kill()
            process.wait()
            assert process.stderr
            process.stderr.close()

    def stored(self) -> bytes:
        reader = LakeReader(self.lake)
        try:
            return b"".join(reader.export(parse("")))
        finally:
            reader.close()

    def lines(self) -> int:
        """Return how many lines the process has taken in."""
        return int(ask(self.lake, "status")["lines"])

    def wait_for(self, lines: int) -> None:
        while self.lines() < lines:
            select.select([], [], [], 0.02)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_everything_taken_in_is_stored(site: Site, number: signal.Signals) -> None:
    site.append(0, 1000)
    with site.running() as process:
        site.wait_for(1000)
        site.append(1000, 500)
        process.send_signal(number)
        assert process.wait(15) == 0
        assert holder(site.lake) is None
        assert not (site.lake / "socket").exists()
    stored = site.stored()
    assert len(stored.splitlines()) >= 1000
    assert site.log.read_bytes().startswith(stored)


def test_killed_at_any_moment_it_goes_on_where_it_was(site: Site) -> None:
    for turn in range(3):
        site.append(turn * 1000, 1000)
        with site.running() as process:
            if turn:
                site.wait_for(1)
            process.kill()
            process.wait()
        assert (site.lake / "socket").exists()
    with site.running() as process:
        site.heeler("ingest", str(site.log), "--group", "app")  # whoever comes first takes in what is new
        site.append(3000, 10)
        while b"line 3009\n" not in site.stored():
            select.select([], [], [], 0.1)
        process.terminate()
        assert process.wait(15) == 0
    assert site.stored() == site.log.read_bytes()


def test_it_runs_in_the_background_and_is_asked_there(site: Site) -> None:
    code, out, err = site.heeler("status")
    assert (code, out) == (1, "")
    assert err == f"heeler: Nothing collects into the lake in {site.lake}.\n"

    (site.folder / "heeler.pid").write_text("1\n")  # what a machine that lost its power leaves behind
    site.lake.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(site.lake / "socket"))
    starts = [subprocess.Popen(site.command("start"), stderr=subprocess.PIPE, env=environment()) for _ in range(2)]
    said = [start.communicate(timeout=SECONDS)[1].decode() for start in starts]
    pid = holder(site.lake)
    assert pid is not None
    try:
        assert sorted(start.returncode for start in starts) == [0, 3], said
        assert any(f"is being written by another process (pid {pid})" in one for one in said)
        assert (site.folder / "heeler.pid").read_text() == f"{pid}\n"

        site.append(0, 10)
        site.wait_for(10)
        code, out, err = site.heeler("status", "--json")
        told = json.loads(out)
        assert (code, told["pid"], told["sources"][0]["name"], told["sources"][0]["lines"]) == (0, pid, "app", 10)

        site.configure('[sources.app2]\nkind = "no such kind"\n')
        code, _, err = site.heeler("reload")
        assert code != 0
        assert "There is no kind of source 'no such kind'" in err
        (site.folder / "more.log").write_bytes(b"more\n")
        site.configure('[sources.app2]\nkind = "file"\npaths = ["more.log"]\nfrom_start = true\n')
        os.kill(pid, signal.SIGHUP)
        site.wait_for(11)

        assert site.heeler("stop") == (0, "", f"Process {pid} has ended.\n")
        assert holder(site.lake) is None
    finally:
        if holder(site.lake) == pid:
            os.kill(pid, signal.SIGKILL)
    assert sorted(site.stored().splitlines()) == sorted([*site.log.read_bytes().splitlines(), b"more"])
    assert site.heeler("stop")[0] == 1


def test_what_keeps_it_from_starting_is_said_with_its_exit_code(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.port)) as taken:
        code, _, err = site.heeler("start")
        assert (code, err.startswith(f"heeler: 127.0.0.1:{taken.getsockname()[1]} cannot be listened at")) == (3, True)
    site.configure("unknown = 1\n")
    code, _, err = site.heeler("start")
    assert code == 2
    assert "unknown" in err
    assert holder(site.lake) is None


def test_systemd_hears_of_its_begin_its_watch_and_its_end(site: Site) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(site.folder / "notify"))
        manager.settimeout(SECONDS)
        with site.running(NOTIFY_SOCKET=str(site.folder / "notify"), WATCHDOG_USEC="1000000") as process:
            process.send_signal(signal.SIGHUP)
            heard: list[bytes] = []
            while sum(one.startswith(b"READY=1") for one in heard) < 2:
                heard.append(manager.recv(1000))
            process.terminate()
            while b"STOPPING=1" not in heard:
                heard.append(manager.recv(1000))
            assert process.wait(15) == 0
    told = [one.partition(b"\n")[0] for one in heard if one != b"WATCHDOG=1"]
    assert told == [b"READY=1", b"RELOADING=1", b"READY=1", b"STOPPING=1"]
    assert b"WATCHDOG=1" in heard
