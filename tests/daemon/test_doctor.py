"""What the doctor looks at, each once as it should be and once not."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from heeler.clock import FakeClock
from heeler.daemon.configuration import configured
from heeler.daemon.doctor import EARLIEST_US, Finding, fares, findings, verification

NOW_US = EARLIEST_US + 10**12


def nobody(_: Path) -> tuple[Finding, ...]:
    return ()


def plenty(_: Path) -> tuple[int, int, int]:
    return 10**12, 0, 10**12


def examine(
    folder: Path,
    text: str = "",
    *,
    now_us: int = NOW_US,
    usage: Callable[[Path], tuple[int, int, int]] = plenty,
    asked: Callable[[Path], tuple[Finding, ...]] = nobody,
) -> dict[str, list[str]]:
    """Return what is wrong, by check; those that are fine have nothing."""
    file = folder / "heeler.toml"
    file.write_text(f"store = 'lake:lake'\nlog_path = 'log'\n{text}")
    found: dict[str, list[str]] = {}
    for one in findings(configured(file), FakeClock(now_us), asked, usage):
        found.setdefault(one.check, []).extend([] if one.fine else [one.sentence])
    return found


@pytest.fixture
def port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def ingested(folder: Path) -> list[Path]:
    folder.joinpath("a.log").write_text("".join(f"line {number}\n" for number in range(5000)))
    for arguments in (["ingest", "a.log", "--store", "lake:lake"], ["store", "upkeep", "lake:lake"]):
        subprocess.run([sys.executable, "-m", "heeler", *arguments], cwd=folder, check=True, capture_output=True)
    return sorted(folder.glob("lake/segments/**/*.parquet"))


def test_a_machine_that_is_as_it_must_be_has_nothing_wrong(tmp_path: Path, port: int) -> None:
    found = examine(tmp_path, f"[web]\nlisten = '127.0.0.1:{port}'\n")

    assert found == {name: [] for name in ("configuration", "permissions", "port", "disk", "store", "clock")}


def test_a_port_that_is_taken_is_told_unless_the_daemon_has_it(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        text = f"[web]\nlisten = '127.0.0.1:{other.getsockname()[1]}'\n"

        (told,) = examine(tmp_path, text)["port"]
        assert "cannot be listened on: Address already in use. Stop what listens there" in told
        of_daemon = (Finding("lag", fine=False, sentence="shop is behind."),)
        found = examine(tmp_path, text, asked=lambda _: of_daemon)
        assert (found["port"], found["lag"]) == ([], ["shop is behind."])


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (told,) = examine(tmp_path, usage=lambda _: (10**12, 10**12, 10**6))["disk"]

    assert "1 MB free" in told


def test_something_in_the_way_of_the_lake_is_told(tmp_path: Path) -> None:
    tmp_path.joinpath("lake").write_text("no directory")

    assert examine(tmp_path)["permissions"][0] == f"{tmp_path}/lake is in the way of the lake: it is no directory."


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # tests may run as root, who may write everywhere

    assert "This user may not write the lake in" in examine(tmp_path)["permissions"][0]


def test_what_is_doubtful_of_a_source_is_told(tmp_path: Path) -> None:
    text = "[sources.a]\nkind = 'file'\npaths = ['no/a.log']\n[sources.b]\nkind = 'file'\npaths = ['heeler.toml']\n"

    found = examine(tmp_path, text)

    assert found["source a"] == [f"The directory {tmp_path}/no does not exist; it is waited for."]
    assert found["source b"] == []


def test_a_clock_that_went_back_is_told(tmp_path: Path) -> None:
    ingested(tmp_path)

    assert "before Heeler existed" in examine(tmp_path, now_us=0)["clock"][0]
    assert "before the newest record" in examine(tmp_path, now_us=EARLIEST_US)["clock"][0]


def test_a_catalog_that_is_none_is_told(tmp_path: Path) -> None:
    tmp_path.joinpath("lake").mkdir()
    tmp_path.joinpath("lake/catalog.sqlite").write_text("no database at all, but long enough to be read as one" * 40)
    names = {path.name for path in tmp_path.joinpath("lake").iterdir()}

    assert "cannot be read" in examine(tmp_path)["store"][0], names


def test_one_changed_byte_of_the_store_is_found_by_reading_every_hash(tmp_path: Path) -> None:
    first, *_ = ingested(tmp_path)
    found: list[Finding] = []
    steps = list(verification(tmp_path / "lake", found))
    assert [(one.check, one.fine) for one in found] == [("verify", True)]
    assert len(steps) >= 1

    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    found = []
    list(verification(tmp_path / "lake", found))
    (told,) = [one for one in found if not one.fine]
    assert str(first) in told.sentence
    assert "SHA-256 differs" in told.sentence


def test_where_nothing_collects_nothing_is_told_of_it(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:  # left behind by a process that was killed
        one.bind(str(tmp_path / "socket"))
    assert fares(tmp_path) == ()
    assert fares(tmp_path / "none") == ()


def test_the_command_fails_where_something_is_wrong(tmp_path: Path, port: int) -> None:
    def doctor(*more: str) -> tuple[int, list[str]]:
        command = [sys.executable, "-m", "heeler", "doctor", "--config", "heeler.toml", *more]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert not done.stderr
        return done.returncode, done.stdout.splitlines()

    head = f"store = 'lake:lake'\n[web]\nlisten = '127.0.0.1:{port}'\n"
    file = tmp_path / "heeler.toml"
    file.write_text(head)
    code, lines = doctor("--verify")
    assert (code, {line.split()[0] for line in lines}) == (0, {"ok"})

    file.write_text(f"{head}[sources.a]\nkind = 'file'\npaths = ['none']\n")
    code, lines = doctor("--json")
    assert code == 1
    assert [row["check"] for row in map(json.loads, lines) if not row["fine"]] == ["source a"]

    file.write_text("stor = 1\n")
    code, lines = doctor()
    assert code == 1
    assert lines[0].startswith("wrong  configuration  heeler.toml:1:1: The file has no setting 'stor'.")
