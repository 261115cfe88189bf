"""Plain files of what arrives: byte for byte, rotated between lines, and nowhere but in the folder."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.clock import FakeClock, SystemClock
from heeler.errors import EnvironmentFailed
from heeler.ingest.mirror import Mirror, safe_name
from heeler.model import Chunk

DAY = 86_400
NOW_US = SystemClock().now_us() // (DAY * 1_000_000) * DAY * 1_000_000 + 3_600_000_000


def files(folder: Path) -> dict[str, bytes]:
    """Return what stands where, the stamps of rotations in their order as numbers."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*"), key=lambda path: (path.suffix == ".log", path.name)):
        if path.is_file():
            name = str(path.relative_to(folder))
            stem, dot, stamp = name.partition(".log.")
            number = sum(one.startswith(f"{stem}.log.") for one in found)
            found[f"{stem}.log.{number}" if dot and stamp else name] = path.read_bytes()
    return found


def test_lines_stand_in_a_file_of_their_stream_byte_for_byte(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "app-log", SystemClock())
    mirror.write("heroku", "web", b"one\r\n")
    mirror.write_chunk(Chunk("stdout", b"two\xff\n", {}, 0, stream="web"), "heroku", "unused")
    mirror.write_chunk(Chunk("stdout", b"other\n", {}, 0, group="g"), "heroku", "")
    mirror.close()
    mirror.close()

    assert files(tmp_path / "app-log") == {"heroku/web.log": b"one\r\ntwo\xff\n", "g/stdout.log": b"other\n"}
    assert (tmp_path / "app-log").stat().st_mode & 0o777 == 0o700


def test_a_large_file_is_rotated_between_lines_only(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, FakeClock(NOW_US), rotate_bytes=10)
    for data in (b"12345678\n", b"9\n", b"long piece ", b"goes on ", b"to its end\n", b"next\n"):
        mirror.write("g", "s", data)
    mirror.close()

    assert files(tmp_path) == {
        "g/s.log.0": b"12345678\n9\n",
        "g/s.log.1": b"long piece goes on to its end\n",
        "g/s.log": b"next\n",
    }


def test_a_file_is_rotated_when_its_day_is_over_also_if_nobody_ran_then(tmp_path: Path) -> None:
    clock = FakeClock(NOW_US)
    mirror = Mirror(tmp_path, clock)
    mirror.write("g", "s", b"today\n")
    clock._step(DAY)
    mirror.write("g", "s", b"tomorrow\n")
    mirror.write("g", "s", b"still\n")
    mirror.close()
    os.utime(tmp_path / "g/s.log", ns=((NOW_US + DAY * 1_000_000) * 1000,) * 2)
    clock._step(3 * DAY)
    again = Mirror(tmp_path, clock)
    again.write("g", "s", b"later\n")
    again.close()

    assert files(tmp_path) == {"g/s.log.0": b"today\n", "g/s.log.1": b"tomorrow\nstill\n", "g/s.log": b"later\n"}
    assert len(list(tmp_path.glob("g/s.log.*Z"))) == 2


def test_a_file_is_gone_on_with_and_a_torn_line_stays_alone(tmp_path: Path) -> None:
    (tmp_path / "g").mkdir()
    (tmp_path / "g/whole.log").write_bytes(b"before\n")
    (tmp_path / "g/torn.log").write_bytes(b"before\nhal")
    mirror = Mirror(tmp_path, SystemClock())
    mirror.write("g", "whole", b"after\n")
    mirror.write("g", "torn", b"after\n")
    mirror.close()

    assert files(tmp_path) == {
        "g/whole.log": b"before\nafter\n",
        "g/torn.log.0": b"before\nhal",
        "g/torn.log": b"after\n",
    }


def test_rotations_within_one_microsecond_overwrite_nothing(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, FakeClock(NOW_US), rotate_bytes=1)
    for number in range(20):
        mirror.write("g", "s", b"%d\n" % number)
    mirror.close()

    assert b"".join(files(tmp_path).values()) == b"".join(b"%d\n" % number for number in range(20))
    assert len(files(tmp_path)) == 20


def test_any_number_of_streams_needs_few_open_files(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, SystemClock(), most_open=4)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are all
    for turn in (b"a\n", b"b\n"):
        for number in range(30):
            mirror.write("g", f"s{number}", turn)
    assert len(os.listdir("/proc/self/fd")) == before + 4  # noqa: PTH208 - the same
    mirror.close()

    assert set(files(tmp_path).values()) == {b"a\nb\n"}
    assert len(files(tmp_path)) == 30


def test_what_was_rotated_and_what_was_synced_is_at_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(fd: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))  # noqa: PTH115, PTH119 - one short line
        fsync(fd)

    monkeypatch.setattr("heeler.ingest.mirror.os.fsync", note)
    mirror = Mirror(tmp_path, FakeClock(NOW_US), rotate_bytes=1)
    mirror.write("g", "s", b"one\n")
    mirror.write("g", "s", b"two\n")
    assert synced[-2:] == ["s.log", "g"], "the file, then its folder"
    synced.clear()
    mirror.sync()
    mirror.sync()
    mirror.close()
    assert synced == ["s.log"]


HOSTILE = [
    *("../../etc/passwd", "..", ".", "", "/etc/passwd", "%2e%2e/x", "%252e", "a\0b", "a\\b", "a\nb", "CON", "nul.txt"),
    *(
        "~root",
        "-rf",
        ".hidden",
        "x" * 4096,
        "é",
        "E\u0301",
        "\udcff",
        "web.1",
        "WEB.1",
        "a-0123456789abcdef",
        "\u202e",
    ),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "deep" / "mirror"
    mirror = Mirror(inside, SystemClock())
    mirror.write(name, name, b"line\n")
    mirror.close()

    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.parents[1] == inside
    assert set(file.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")


@given(names=st.lists(st.sampled_from(HOSTILE) | st.text(max_size=5) | st.text("aA-._0", max_size=4), unique=True))
def test_different_streams_never_share_a_file(names: list[str]) -> None:
    safe = [safe_name(name) for name in names]
    # What it made of a name is itself a name that somebody may choose.
    both = {*names, *safe}
    assert len({safe_name(name) for name in both}) == len(both)
    assert all(len(name) <= 97 and name and not name.startswith(".") for name in safe)


def test_a_plain_name_stays_as_it_is() -> None:
    assert [safe_name(name) for name in ("web.1", "nginx_access-2")] == ["web.1", "nginx_access-2"]


@pytest.mark.parametrize("kind", ["link", "folder link", "pipe"])
def test_nothing_in_the_folder_leads_elsewhere(tmp_path: Path, kind: str) -> None:
    outside, mirrored = tmp_path / "outside", tmp_path / "mirror"
    outside.mkdir()
    (outside / "s.log").write_bytes(b"precious\n")
    mirrored.mkdir()
    if kind == "folder link":
        (mirrored / "g").symlink_to(outside)
    else:
        (mirrored / "g").mkdir()
        if kind == "link":
            (mirrored / "g/s.log").symlink_to(outside / "s.log")
        else:
            os.mkfifo(mirrored / "g/s.log")
    mirror = Mirror(mirrored, SystemClock())

    with pytest.raises(EnvironmentFailed, match=r"The mirror in .* failed: .* Check the disk"):
        mirror.write("g", "s", b"line\n")

    mirror.close()
    assert (outside / "s.log").read_bytes() == b"precious\n"
