"""Batches against a model: each is answered once its chunks are committed, once stored, and the room is kept."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.model import Chunk
from heeler.sources import http_batches
from heeler.sources.http_batches import Batches
from heeler.sources.http_request import Refused

ROOM = 100


def chunks_of(number: int, count: int) -> list[Chunk]:
    return [Chunk("", b"%d-%d\n" % (number, at), {}, 0) for at in range(count)]


class Model:
    """The store behind the batches, and what each sender was told."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.stored: list[bytes] = []
        self.given: list[Chunk] = []
        self.sent: list[tuple[str, list[bytes], asyncio.Task[None]]] = []
        self.batches = Batches(0, ROOM, self.seen)

    async def seen(self, keys: Sequence[str]) -> frozenset[str]:
        return frozenset(self.keys.intersection(keys))

    def send(self, number: int, count: int, key: str) -> None:
        chunks = chunks_of(number, count)
        held = 3 if number % 2 and self.batches.take(3) else 0  # as for a body that was read
        task = asyncio.get_running_loop().create_task(self.batches.store(chunks, key, held))
        self.sent.append((key, [chunk.data for chunk in chunks], task))

    async def give(self) -> None:
        if self.batches._chunks and (chunk := await self.batches.next()):
            self.given.append(chunk)

    def commit(self, share: int) -> None:
        taken, self.given = self.given[:share], self.given[share:]
        for chunk in taken:
            self.stored.append(chunk.data)
            self.keys.update(chunk.keys)
        if taken:
            number = taken[-1].position["batch"]
            assert isinstance(number, int)
            self.batches.committed(number)

    async def do(self, at: int, what: str, number: int, count: int) -> None:
        if what == "send":
            self.send(1000 + at, count, "")
        elif what == "again":  # a key stands for the same chunks whenever it is sent
            self.send(number, number % 3 + 1, f"key{number}")
        elif what == "give":
            for _ in range(number):
                await self.give()
        elif what == "commit":
            self.commit(number)
        elif number < len(self.sent):
            self.sent[number][2].cancel()

    async def drain(self, *, closes: bool) -> None:
        if closes:
            self.batches.close()
        while self.batches._chunks:
            await self.give()
        self.commit(1000)
        await settled()

    def check(self) -> None:
        for _, data, task in self.sent:
            if task.done() and not task.cancelled() and task.exception() is None:
                assert set(data) <= set(self.stored), "acknowledged and not stored"
        assert self.batches.bytes >= 0


async def settled() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


STEPS = st.lists(
    st.tuples(st.just("send"), st.integers(0, 3), st.integers(1, 3))
    | st.tuples(st.just("again"), st.integers(0, 3), st.integers(1, 3))
    | st.tuples(st.just("give"), st.integers(1, 3), st.just(0))
    | st.tuples(st.just("commit"), st.integers(1, 4), st.just(0))
    | st.tuples(st.just("leave"), st.integers(0, 5), st.just(0)),
    max_size=40,
)


@pytest.fixture(autouse=True, scope="module")
def one_by_one() -> Iterator[None]:
    """Chunks are given as they came, so that each can be told apart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_batches, "JOINED_BYTES", 0)
        yield


def test_bodies_of_one_stream_that_wait_are_given_together_and_acknowledged_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_batches, "JOINED_BYTES", 1 << 20)

    async def run() -> None:
        model = Model()
        for number in (1, 2, 3):
            model.send(number, 2, f"key {number}")
        await settled()
        chunk = await model.batches.next()
        assert chunk is not None
        assert chunk.data == b"1-0\n1-1\n2-0\n2-1\n3-0\n3-1\n"
        assert len(chunk.keys) == 6
        assert chunk.position == {"batch": 6}
        model.batches.committed(6)
        await settled()
        assert [one[2].exception() for one in model.sent] == [None] * 3

    asyncio.run(run())


@given(STEPS, st.booleans())
def test_what_is_acknowledged_is_stored_and_what_has_a_key_is_stored_once(
    steps: list[tuple[str, int, int]],
    closes: bool,  # noqa: FBT001 - given by hypothesis
) -> None:
    async def run() -> None:
        model = Model()
        for at, step in enumerate(steps):
            await model.do(at, *step)
            await settled()
            model.check()
        await model.drain(closes=closes)
        model.check()

        assert all(task.done() for _, _, task in model.sent)
        assert (model.batches.bytes, model.batches.waiting, model.batches._by_key) == (0, 0, {})
        assert len(model.stored) == len(set(model.stored)), "stored twice"
        errors = [task.exception() for _, _, task in model.sent if not task.cancelled()]
        assert all(error is None or (isinstance(error, Refused) and error.is_temporary) for error in errors)

    asyncio.run(run())


def test_there_is_room_for_one_however_large_and_then_for_none() -> None:
    async def run() -> None:
        model = Model()
        big = asyncio.ensure_future(model.batches.store([Chunk("", b"x" * 500, {}, 0)], ""))
        await settled()
        assert not model.batches.is_open
        assert not model.batches.take(1)
        model.send(1, 1, "")
        await settled()
        assert isinstance(model.sent[0][2].exception(), Refused)
        await model.give()
        model.commit(1)
        await big
        assert model.batches.is_open

    asyncio.run(run())


def test_a_batch_that_was_begun_to_be_given_is_given_whole_after_closing() -> None:
    async def run() -> None:
        model = Model()
        model.send(1, 3, "")
        model.send(2, 2, "")
        await settled()
        await model.give()
        model.batches.close()
        await settled()
        while chunk := await model.batches.next():
            model.given.append(chunk)

        assert [chunk.data for chunk in model.given] == [b"1-0\n", b"1-1\n", b"1-2\n"]
        model.commit(3)
        await settled()
        assert model.sent[0][2].exception() is None
        assert isinstance(model.sent[1][2].exception(), Refused)

    asyncio.run(run())


def test_who_waits_for_a_batch_whose_first_sender_left_too_early_is_told_to_send_again() -> None:
    async def run() -> None:
        asked = asyncio.Event()

        async def never(_: Sequence[str]) -> frozenset[str]:
            asked.set()
            await asyncio.Event().wait()
            return frozenset()

        batches = Batches(0, ROOM, never)
        first = asyncio.ensure_future(batches.store(chunks_of(1, 1), "k"))
        await asked.wait()
        second = asyncio.ensure_future(batches.store(chunks_of(1, 1), "k"))
        await settled()
        first.cancel()
        await settled()

        assert isinstance(second.exception(), Refused)
        assert batches.bytes == 0

    asyncio.run(run())
