"""Whatever happens to a followed file, in whatever order: the lines that are stored are those of the model."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tail

operations = st.lists(st.tuples(st.sampled_from(sorted(tail.OPERATIONS)), st.integers(0, 200)), max_size=12)


# Sequences that were found, and are short.
FOUND = [
    "copytruncate, write, kill 1, copytruncate, write, rotate, kill 1",
    "look, write, replace by a copy, rotate, look, compress",
    "rotate, kill 1, write late, kill 2",
    "write, half a line, copytruncate, write, rotate, look, copytruncate, rotate and remove 2",
    "write, kill 1, copytruncate, kill 1, write, rotate and remove",
    "rotate, copytruncate, kill 2, write, rotate and remove",
    "half a line, rotate and remove, look, let time pass 1, rotate and remove",
    "write, look, truncate, write, rotate, write, half a line, copytruncate",
    "rotate, write, rotate, link elsewhere, kill 1, link elsewhere",
    "look, delete and create, rotate, rewrite, copytruncate, copytruncate, restart, rotate, write late 3",
    "half a line, rotate and remove, rewrite, copytruncate, compress 1, write",
    "write, look, cut 1, copytruncate, look, write, rotate, rotate and remove 1",
    "delete, half a line, copytruncate, write, copytruncate, truncate",
    "write, look, replace by a copy, rotate and create later, look, let time pass 2",
    "rotate, look, let time pass 2, write, look, write late, rotate and remove",
    "write, copytruncate, copytruncate, kill 2, write, rotate and remove, rotate and create later",
    "write, copytruncate, rewrite, copytruncate, compress, kill 2, rewrite, kill 3",
    "link elsewhere, rewrite, rotate, restart, write late, compress, link elsewhere",
    "write, kill 1, look, copytruncate, kill 1, rewrite, rotate and remove",
    "look, write, rotate, write, half a line, rotate and remove, restart",
]


def sequence(text: str) -> list[tail.Operation]:
    names = [one.rstrip("0123456789").strip() for one in text.split(", ")]
    return [(name, int(one.removeprefix(name) or 0)) for name, one in zip(names, text.split(", "), strict=True)]


@pytest.mark.parametrize("text", FOUND)
def test_sequences_that_once_lost_or_doubled_lines_do_so_no_more(text: str) -> None:
    operations = sequence(text)
    assert {name for name, _ in operations} <= tail.OPERATIONS.keys()
    assert tail.play(operations, 1 << 16).faults() == []


@settings(max_examples=150, deadline=None)
@given(operations=operations, chunk_bytes=st.sampled_from([16, 1 << 16]))
def test_no_line_is_lost_doubled_or_out_of_order(operations: list[tail.Operation], chunk_bytes: int) -> None:
    assert tail.play(operations, chunk_bytes).faults() == []


def test_a_model_that_could_not_fail_would_prove_nothing() -> None:
    played = tail.play([("write", 3), ("look", 0), ("rotate", 0)])
    assert played.faults() == []
    chunks = played.stage.chunks

    played.stage.chunks = [chunk for chunk in chunks if not chunk.data]
    assert played.faults()[0].startswith("lost [1, 2, 3, 4")
    played.stage.chunks = [*chunks, *chunks]
    assert played.faults()[0].startswith("doubled [1, 2")
    played.stage.chunks = chunks[::-1]
    played.lost |= {1}
    assert played.faults() == []
    played.stage.chunks = [chunk for chunk in chunks if b"<1>" not in chunk.data]
    assert played.faults()[-1] == "0 records of what is lost [[1]]"
