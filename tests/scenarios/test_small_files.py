"""Fault 24: an empty file, one of newlines alone, and one smaller than what tells files apart."""

from pathlib import Path

import pytest

from stage import Stage, append


@pytest.mark.parametrize("text", [b"", b"\n", b"\n\n\n", b"a\n", b"x" * 255 + b"\n", b"x" * 256 + b"\n"])
def test_it_is_read_at_once_and_once(tmp_path: Path, text: bytes, *, live: bool) -> None:
    log = tmp_path / "app.log"
    stage = Stage(log)
    stage.run()

    stage.happens(lambda: log.write_bytes(text), lambda: None, live=live)
    stage.run()
    assert stage.data == text

    stage.happens(append(log, b"more\n"), live=live)
    assert stage.data == text + b"more\n"
