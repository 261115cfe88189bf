"""Heeler's own log: sentences in a file that is rotated, whatever text is in them."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from heeler.daemon import own_log as module
from heeler.daemon.own_log import own_log
from heeler.errors import EnvironmentFailed
from heeler.views.escape import printable


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the files that the tests open."""
    made: list[logging.Handler] = []
    add = logging.Logger.addHandler

    def remember(logger: logging.Logger, one: logging.Handler) -> None:
        made.append(one)
        add(logger, one)

    monkeypatch.setattr(logging.Logger, "addHandler", remember)
    yield
    for one in made:
        one.close()


def test_a_sentence_is_a_line_with_its_time(tmp_path: Path) -> None:
    notice = own_log(tmp_path / "made" / "heeler.log", printable)
    notice("app: 7 lines")
    written = (tmp_path / "made" / "heeler.log").read_text()
    time, _, rest = written.partition(" ")
    assert rest == "app: 7 lines\n"
    assert len(time) == len("2026-11-25T10:00:00+0000")


def test_hostile_text_is_written_out_and_forges_no_entry(tmp_path: Path) -> None:
    notice = own_log(tmp_path / "heeler.log", printable, dated=False)
    notice("\x1b[2J\u202e\u2028forged\x85forged\rforged %s %d\n2026-11-25T10:00:00+0000 All is well.\n")
    assert (tmp_path / "heeler.log").read_text() == (
        "\\x1b[2J\\u202e\\u2028forged\\x85forged\\x0dforged %s %d\n    2026-11-25T10:00:00+0000 All is well.\n"
    )


def test_the_file_is_rotated_and_only_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_BYTES", 100)
    monkeypatch.setattr(module, "KEPT", 2)
    notice = own_log(tmp_path / "heeler.log", printable, dated=False)
    for number in range(20):
        notice(f"sentence {number:3} " + "x" * 30)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["heeler.log", "heeler.log.1", "heeler.log.2"]
    assert all(file.stat().st_size <= 100 for file in tmp_path.iterdir())
    assert "sentence  19" in (tmp_path / "heeler.log").read_text()


def test_what_libraries_log_stays_out_and_nothing_goes_to_theirs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own_log(tmp_path / "heeler.log", printable)("ours")
    logging.getLogger("heeler").warning("theirs")
    assert "theirs" not in (tmp_path / "heeler.log").read_text()
    assert [record.message for record in caplog.records] == ["theirs"]


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailed, match=r"own log .* cannot be written: File exists"):
        own_log(tmp_path / "file" / "heeler.log", printable)
