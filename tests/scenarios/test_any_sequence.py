"""Whatever happens to a followed file, in whatever order: the lines that are stored are those of the model."""

from hypothesis import given, settings
from hypothesis import strategies as st

import tail

operations = st.lists(st.tuples(st.sampled_from(sorted(tail.OPERATIONS)), st.integers(0, 200)), max_size=12)


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
