"""Fault 27: the right to read is lost and given back, of the file or of its folder."""

import os
from pathlib import Path

import pytest

from heeler.sources import file_following
from heeler.sources.file_identity import Signature, signature_at
from stage import Stage, append


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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_entered_is_waited_out(log: Path, stage: Stage, *, live: bool) -> None:
    append(log, b"two\n")()
    stage.happens(lambda: log.parent.chmod(0), lambda: None, lambda: log.parent.chmod(0o700), live=live)

    assert stage.data == b"one\ntwo\n"
