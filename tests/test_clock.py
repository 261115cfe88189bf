"""The clock that tests are run by: it stands still, and wakes those who are due, in order."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from heeler.clock import Clock, FakeClock, SystemClock


async def noted(clock: Clock, seconds: float, name: str, woken: list[tuple[str, float]]) -> None:
    await clock.sleep(seconds)
    woken.append((name, clock.monotonic()))


def run(scenario: Callable[[FakeClock], Awaitable[None]]) -> None:
    async def within_time() -> None:
        async with asyncio.timeout(10):
            await scenario(FakeClock(now_us=5_000_000))

    asyncio.run(within_time())


async def asleep(clock: FakeClock, sleepers: int) -> None:
    while clock.sleepers < sleepers:  # noqa: ASYNC110 - a fake clock tells nobody that somebody sleeps
        await asyncio.sleep(0)


def test_both_times_move_only_when_they_are_moved() -> None:
    async def scenario(clock: FakeClock) -> None:
        assert (clock.now_us(), clock.monotonic()) == (5_000_000, 0.0)
        await clock.advance(1.5)
        assert (clock.now_us(), clock.monotonic()) == (6_500_000, 1.5)

    run(scenario)


def test_sleepers_wake_in_the_order_of_their_deadlines_each_at_its_own_time() -> None:
    async def scenario(clock: FakeClock) -> None:
        woken: list[tuple[str, float]] = []
        async with asyncio.TaskGroup() as tasks:
            for seconds, name in ((3, "c"), (1, "a"), (2, "b"), (2, "b too")):
                tasks.create_task(noted(clock, seconds, name, woken))
            await asleep(clock, 4)
            await clock.advance(2)
            assert woken == [("a", 1.0), ("b", 2.0), ("b too", 2.0)]
            assert clock.sleepers == 1
            await clock.advance(1)
        assert woken[3:] == [("c", 3.0)]

    run(scenario)


def test_who_sleeps_again_while_the_clock_moves_is_woken_again() -> None:
    async def scenario(clock: FakeClock) -> None:
        ticks: list[float] = []

        async def tick() -> None:
            for _ in range(5):
                await clock.sleep(1)
                ticks.append(clock.monotonic())

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(tick())
            await asleep(clock, 1)
            await clock.advance(10)
        assert ticks == [1, 2, 3, 4, 5]
        assert clock.monotonic() == 10

    run(scenario)


def test_a_cancelled_sleeper_is_forgotten() -> None:
    async def scenario(clock: FakeClock) -> None:
        task = asyncio.create_task(clock.sleep(1))
        await asleep(clock, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert clock.sleepers == 0
        await clock.advance(5)
        assert clock.monotonic() == 5

    run(scenario)


def test_the_clock_of_this_machine_keeps_the_same_promises() -> None:
    async def scenario(_: FakeClock) -> None:
        clock: Clock = SystemClock()
        before = clock.now_us(), clock.monotonic()
        await clock.sleep(0)
        assert clock.now_us() > 1_700_000_000_000_000, "microseconds since 1970"
        assert clock.monotonic() >= before[1]

    run(scenario)
