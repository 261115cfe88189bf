"""Fault 27: the right to read is lost and given back, of the file or of its folder."""

import os
from pathlib import Path

import pytest

from heeler.sources import file_following, generations
from heeler.sources.descriptors import Descriptors
from heeler.sources.file_identity import Signature, signature_at
from stage import Stage, append, rotate


class Denied:
    """Takes the right to look away and gives it back. Injected, because tests may run as root."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.denied = True
        monkeypatch.setattr(file_following, "signature_at", self)

    def __call__(self, path: str) -> Signature:
        if self.denied:
            raise PermissionError(13, "Permission denied", path)
        return signature_at(path)

    def restore(self) -> None:
        self.denied = False


def test_one_warning_and_then_reading_goes_on_where_it_was(
    log: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch, *, live: bool
) -> None:
    before = dict(stage.positions)
    denied = Denied(monkeypatch)
    stage.happens(append(log, b"two\n"), lambda: None, lambda: None, live=live)
    assert (stage.events, stage.data, stage.positions) == (["unreadable"], b"one\n", before)

    stage.run(lambda: None, denied.restore)

    assert stage.data == b"one\ntwo\n"


def test_a_missed_file_that_may_not_be_read_leaves_a_record(
    log: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        append(log, b"%d\n" % number)()
        rotate(log)()
    opened = generations._opened

    def denied(path: Path, descriptors: Descriptors) -> generations.AnyFile:
        if path.name == "app.log.2":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, descriptors)

    monkeypatch.setattr(generations, "_opened", denied)
    stage.run()

    assert stage.data == b"one\n0\n2\n"
    assert stage.events == ["removed"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_entered_is_waited_out(log: Path, stage: Stage, *, live: bool) -> None:
    append(log, b"two\n")()
    stage.happens(lambda: log.parent.chmod(0), lambda: None, lambda: log.parent.chmod(0o700), live=live)

    assert stage.data == b"one\ntwo\n"
