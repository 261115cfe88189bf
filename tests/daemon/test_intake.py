"""Chunks of several owners on their way into one lake: whose a part is, and when positions may be trusted."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from batches import batch, stored
from turning import turned, until

from heeler.clock import FakeClock
from heeler.daemon.intake import Intake
from heeler.errors import EnvironmentFailed, SourceUnavailable
from heeler.formats.choose import PLAIN
from heeler.model import Position
from heeler.store import Completed, Tick
from heeler.store.lake import Lake

Scenario = Callable[[Intake], Awaitable[None]]


class FailingLake(Lake):
    """Refuses so many commits, as a full or a lost disk does."""

    failures = 0
    error: Exception = EnvironmentFailed("The disk is gone.")

    def commit(self, tick: Tick, completed_batches: Sequence[Completed] | None = None) -> None:
        if self.failures:
            self.failures -= 1
            raise self.error
        super().commit(tick, completed_batches)


def run(folder: Path, scenario: Scenario, failures: int = 0, error: Exception = FailingLake.error) -> list[str]:
    notices: list[str] = []

    async def main() -> None:
        clock = FakeClock(1_790_000_000_000_000)
        with closing(FailingLake(folder)) as lake:
            lake.failures, lake.error = failures, error
            lake.register(PLAIN)
            async with Intake(lake, clock, notices.append).open() as intake:
                turns = asyncio.create_task(until(clock, lambda: False))
                try:
                    await scenario(intake)
                finally:
                    turns.cancel()

    asyncio.run(main())
    return notices


def lines(intake: Intake, text: bytes, part: str = "part") -> list[Completed]:
    return [intake.lake.complete(batch(text, part=part))]


def test_two_that_read_one_part_do_not_both_store_it(tmp_path: Path) -> None:
    async def scenario(intake: Intake) -> None:
        await intake.positions("follower", "file")
        await intake.positions("`heeler ingest`", "file")
        await intake.put("follower", lines(intake, b"one\n"))
        with pytest.raises(EnvironmentFailed, match="stream of part is read by follower already"):
            await intake.put("`heeler ingest`", lines(intake, b"one\n"))
        await intake.put("`heeler ingest`", lines(intake, b"two\n", "another part"))

    run(tmp_path, scenario)
    assert sorted(stored(tmp_path).splitlines()) == [b"one", b"two"]


def test_who_has_positions_from_before_another_stored_lines_has_to_ask_again(tmp_path: Path) -> None:
    async def scenario(intake: Intake) -> None:
        await intake.positions("follower", "file")
        await intake.positions("`heeler ingest`", "file")
        await intake.put("`heeler ingest`", lines(intake, b"one\n"))
        intake.release("`heeler ingest`")
        with pytest.raises(SourceUnavailable, match="`heeler ingest` has stored lines of stream of part meanwhile"):
            await intake.put("follower", lines(intake, b"one\n"))
        assert await intake.positions("follower", "file") == {"part": {"offset": 4}}
        await intake.put("follower", lines(intake, b"two\n"))

    run(tmp_path, scenario)
    assert stored(tmp_path) == b"one\ntwo\n"


def test_the_same_owner_goes_on_without_asking(tmp_path: Path) -> None:
    async def scenario(intake: Intake) -> None:
        await intake.positions("follower", "file")
        for _ in range(3):
            await intake.put("follower", lines(intake, b"line\n"))

    run(tmp_path, scenario)
    assert stored(tmp_path) == b"line\n" * 3


def test_positions_are_those_behind_what_is_on_its_way(tmp_path: Path) -> None:
    """Even of an owner that was cut off while commits failed: whoever reads on would store its lines twice."""

    async def scenario(intake: Intake) -> None:
        await intake.positions("follower", "file")
        await intake.put("follower", lines(intake, b"one\n"))
        intake.release("follower")
        assert await intake.positions("follower", "file") == {"part": {"offset": 4}}
        await intake.put("follower", lines(intake, b"one\ntwo\n"))
        assert await intake.positions("another", "file") == {"part": {"offset": 8}}

    assert len(run(tmp_path, scenario, failures=2)) == 2


def test_a_commit_that_failed_for_a_while_is_told_and_stores_everything_once(tmp_path: Path) -> None:
    told: list[Mapping[str, Position]] = []

    async def scenario(intake: Intake) -> None:
        async def committed(positions: Mapping[str, Position]) -> None:
            told.append(positions)

        for text in (b"one\n", b"two\n", b"three\n"):
            await intake.put("follower", lines(intake, text), committed=committed, awaited=True)
            await intake.settled()

    notices = run(tmp_path, scenario, failures=3)
    assert notices == ["The disk is gone. It is tried again every 5 s."] * 3
    assert stored(tmp_path) == b"one\ntwo\nthree\n"
    assert [dict(one["part"]) for one in told] == [{"offset": 4}, {"offset": 4}, {"offset": 6}]


def test_who_waits_is_told_in_order_and_before_it_counts_as_settled(tmp_path: Path) -> None:
    order: list[str] = []

    async def scenario(intake: Intake) -> None:
        async def committed(_: Mapping[str, Position]) -> None:
            order.append("begins")
            await turned()
            order.append("ends")

        await intake.put("follower", lines(intake, b"one\n"), committed=committed)
        await intake.settled()
        order.append("settled")
        await intake.settled()

    run(tmp_path, scenario)
    assert order == ["begins", "ends", "settled"]


def test_a_lake_that_fails_for_good_ends_whoever_opened_it_with_its_error(tmp_path: Path) -> None:
    async def scenario(intake: Intake) -> None:
        await intake.put("follower", lines(intake, b"one\n"))
        await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        run(tmp_path, scenario, failures=1, error=ZeroDivisionError("a fault"))


def test_what_waits_at_the_end_is_tried_once_more_and_the_failure_raised(tmp_path: Path) -> None:
    async def scenario(intake: Intake) -> None:
        await intake.put("follower", lines(intake, b"one\n"))

    with pytest.raises(EnvironmentFailed, match="The disk is gone"):
        run(tmp_path, scenario, failures=1000)


def test_everything_is_counted(tmp_path: Path) -> None:
    async def scenario(intake: Intake) -> None:
        await intake.put("follower", [*lines(intake, b"one\ntwo\n"), *lines(intake, b"three\n", "other")])
        assert (intake.counts.lines, intake.counts.bytes, intake.waiting_bytes) == (3, 14, 14)
        await intake.settled()
        assert intake.waiting_bytes == 0

    run(tmp_path, scenario)
