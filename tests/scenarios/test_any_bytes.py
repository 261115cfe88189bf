"""Faults 20 to 22 and 41: line ends, bytes that are no text, NUL, and names of files that are none."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage import Stage, append

SAMPLES = [
    b"unix\ndos\r\nmac\rstill mac\n",
    b"\xff\xfe\x00\x01\xc3\n\xa9\n",
    b"\xef\xbb\xbfwith a mark\n",
    "utf-16\r\n".encode("utf-16"),
    b"nul\0in the middle\n\0\0\0\n",
]


@pytest.mark.parametrize("text", SAMPLES)
def test_every_byte_comes_as_it_is_wherever_it_is_cut(log: Path, stage: Stage, text: bytes, *, live: bool) -> None:
    text += b"\n"
    stage.happens(*(append(log, text[at : at + 3]) for at in range(0, len(text), 3)), live=live)

    assert stage.data == b"one\n" + text


@given(st.binary(max_size=2000))
def test_random_bytes_come_as_they_are(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "app.log")
        log.touch()
        stage = Stage(log, chunk_bytes=16, longest_line_bytes=64)
        stage.run(append(log, text[:700]), append(log, text[700:] + b"\n"))

    assert stage.data == text + b"\n"


@pytest.mark.parametrize("name", [b"new\nline.log", b"\x1b[31m%s%n.log", b"no \xff utf-8.log", b"[a]*?.log"])
def test_a_name_may_hold_any_bytes(tmp_path: Path, name: bytes, *, live: bool) -> None:
    log = Path(os.fsdecode(bytes(tmp_path) + b"/" + name))
    log.write_bytes(b"one\n")
    stage = Stage(tmp_path / "*.log")
    stage.run()

    stage.happens(append(log, b"two\n"), live=live)

    assert stage.data == b"one\ntwo\n"
    for part in stage.positions:
        part.encode()  # a store takes it
