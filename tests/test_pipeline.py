"""How chunks travel: in order, a few at a time, errors in their place, and nothing left when it ends early."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, TypeVar

import pytest

from heeler.errors import SourceUnavailable
from heeler.model import Chunk, Position
from heeler.pipeline import AHEAD, parsed
from heeler.sources import SourceHealth

T = TypeVar("T")


class Listed:
    """A source of numbered chunks, which may fail or wait for ever behind them."""

    def __init__(self, chunks: int, *, then: BaseException | None = None, endless: bool = False) -> None:
        self.given = 0
        self.closed = 0
        self.reading = False
        self._chunks = chunks
        self._then = then
        self._endless = endless

    async def read(self) -> AsyncGenerator[Chunk, None]:
        self.reading = True
        try:
            for number in range(self._chunks):
                self.given += 1
                yield Chunk("part", b"%d\n" % number, {"offset": number}, 0)
            if self._then:
                raise self._then
            if self._endless:
                await asyncio.Event().wait()
        finally:
            self.reading = False

    async def committed(self, positions: Mapping[str, Position]) -> None:
        raise AssertionError(positions)

    async def stop(self) -> None:
        raise AssertionError

    async def close(self) -> None:
        self.closed += 1

    def health(self) -> SourceHealth:
        return SourceHealth(alive=not self.closed)


async def settled() -> None:
    """Let every task run until all of them wait for something."""
    for _ in range(50):
        await asyncio.sleep(0)


def run(scenario: Callable[[Executor], Coroutine[Any, Any, T]]) -> T:
    """Run a scenario with two workers; it must leave no task and report nothing to the loop."""

    async def checked() -> T:
        reported: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        with ThreadPoolExecutor(2) as executor:
            async with asyncio.timeout(10):
                result = await scenario(executor)
        await settled()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert reported == []
        return result

    return asyncio.run(checked())


async def take(chunks: AsyncGenerator[tuple[Chunk, T], None], taken: list[T]) -> None:
    """Take all that comes, slowly enough that everything behind it has come as far as it can."""
    async for _, result in chunks:
        taken.append(result)
        await settled()


def number(chunk: Chunk) -> int:
    return int(chunk.data)


async def always(_: Chunk) -> Callable[[Chunk], int]:
    return number


def test_chunks_come_in_order_although_the_first_takes_longest() -> None:
    second_is_done = threading.Event()

    def parse(chunk: Chunk) -> int:
        if number(chunk) == 0:
            assert second_is_done.wait(10)
        second_is_done.set()
        return number(chunk)

    async def prepare(_: Chunk) -> Callable[[Chunk], int]:
        return parse

    async def scenario(executor: Executor) -> list[tuple[int, int]]:
        return [(number(chunk), result) async for chunk, result in parsed(Listed(20), executor, prepare)]

    assert run(scenario) == [(n, n) for n in range(20)]


def test_each_chunk_is_parsed_as_was_said_when_its_turn_came() -> None:
    prepared: list[int] = []

    async def prepare(chunk: Chunk) -> Callable[[Chunk], str]:
        prepared.append(number(chunk))
        await asyncio.sleep(0)
        said = f"{len(prepared)}th"
        return lambda _: said

    async def scenario(executor: Executor) -> list[str]:
        return [result async for _, result in parsed(Listed(3), executor, prepare)]

    assert run(scenario) == ["1th", "2th", "3th"]
    assert prepared == [0, 1, 2]


def test_a_source_is_not_read_on_when_nobody_takes() -> None:
    async def scenario(executor: Executor) -> list[int]:
        source = Listed(1000)
        given = []
        async with aclosing(parsed(source, executor, always)) as chunks:
            for _ in range(3):
                await anext(chunks)
                await settled()
                given.append(source.given)
        return given

    # One is taken, AHEAD wait, and one more waits for room.
    assert run(scenario) == [taken + AHEAD + 1 for taken in (1, 2, 3)]


@pytest.mark.parametrize("before", [0, 1, 2, AHEAD + 1, 10])
def test_an_error_of_the_source_comes_after_all_that_came_before_it(before: int) -> None:
    async def scenario(executor: Executor) -> tuple[list[int], Listed]:
        source = Listed(before, then=SourceUnavailable("gone"))
        taken: list[int] = []
        with pytest.raises(SourceUnavailable, match="gone"):
            await take(parsed(source, executor, always), taken)
        return taken, source

    taken, source = run(scenario)
    assert taken == list(range(before))
    assert (source.closed, source.reading) == (1, False)


@pytest.mark.parametrize("failing", [{0}, {1}, {0, 1, 2, 3}, {3, 4, 5}], ids=str)
def test_an_error_of_a_parser_comes_in_its_place_and_only_once(failing: set[int]) -> None:
    def parse(chunk: Chunk) -> int:
        if number(chunk) in failing:
            raise ValueError(number(chunk))
        return number(chunk)

    async def prepare(_: Chunk) -> Callable[[Chunk], int]:
        return parse

    async def scenario(executor: Executor) -> tuple[list[int], Listed]:
        source = Listed(9)
        taken: list[int] = []
        with pytest.raises(ValueError, match=f"^{min(failing)}$"):
            await take(parsed(source, executor, prepare), taken)
        return taken, source

    taken, source = run(scenario)
    assert taken == list(range(min(failing)))
    assert (source.closed, source.reading) == (1, False)


def test_an_error_of_choosing_the_parser_is_raised_in_its_place() -> None:
    async def prepare(chunk: Chunk) -> Callable[[Chunk], int]:
        if number(chunk) == 2:
            raise ValueError("what is this")
        return number

    async def scenario(executor: Executor) -> list[int]:
        taken: list[int] = []
        with pytest.raises(ValueError, match="what is this"):
            await take(parsed(Listed(9), executor, prepare), taken)
        return taken

    assert run(scenario) == [0, 1]


@pytest.mark.parametrize("taken", [0, 1, 3])
@pytest.mark.parametrize("source", [Listed(3, endless=True), Listed(1000)], ids=["waiting", "pushing"])
def test_closing_early_cancels_and_closes_the_source(source: Listed, taken: int) -> None:
    async def scenario(executor: Executor) -> bool:
        async with aclosing(parsed(source, executor, always)) as chunks:
            for _ in range(taken):
                await anext(chunks)
            await settled()
        await settled()
        return source.reading

    source.closed = source.given = 0
    assert run(scenario) is False
    assert source.closed == bool(taken)  # what was never begun holds nothing


def test_an_error_nobody_waits_for_any_more_does_not_hide_the_end() -> None:
    """Cancelled while the source has failed behind what is not taken yet, it is cancelled and does not fail."""

    async def scenario(executor: Executor) -> list[int]:
        taken: list[int] = []
        one_is_taken = asyncio.Event()

        async def take_one() -> None:
            async with aclosing(parsed(Listed(AHEAD, then=SourceUnavailable("gone")), executor, always)) as chunks:
                async for _, result in chunks:
                    taken.append(result)
                    one_is_taken.set()
                    await asyncio.Event().wait()

        task = asyncio.create_task(take_one())
        await one_is_taken.wait()
        await settled()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return taken

    assert run(scenario) == [0]


def test_a_cancelled_reader_waits_for_what_is_being_parsed() -> None:
    go_on = threading.Event()

    def parse(chunk: Chunk) -> int:
        assert go_on.wait(10)
        return number(chunk)

    async def prepare(_: Chunk) -> Callable[[Chunk], int]:
        return parse

    async def scenario(executor: Executor) -> Listed:
        source = Listed(5)
        chunks = parsed(source, executor, prepare)
        first: Awaitable[object] = asyncio.ensure_future(anext(chunks))
        await settled()
        asyncio.ensure_future(first).cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go_on.set()
        return source

    source = run(scenario)
    assert (source.closed, source.reading) == (1, False)
