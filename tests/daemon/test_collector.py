"""A source while the process runs: made, read, made again when it fails, told what is durable, and stopped."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from batches import stored
from turning import until

from heeler.clock import FakeClock
from heeler.daemon.collector import FIRST_WAIT_S, LONGEST_WAIT_S, STEADY_S, Collector
from heeler.daemon.intake import Intake
from heeler.errors import SourceEnded, SourceUnavailable
from heeler.formats.choose import FORMATS
from heeler.model import Chunk, Position, SourceEvent
from heeler.sources import Source, SourceContext, SourceHealth
from heeler.sources.settings import SourceSettings
from heeler.store.lake import Lake

NOW_US = 1_790_000_000_000_000

Step = Chunk | Exception | Callable[[], Awaitable[None]]


class Scripted:
    """A source that gives what a script says, then waits for the end; one part, whose position counts its chunks."""

    def __init__(self, context: SourceContext, steps: list[Step], said: list[str]) -> None:
        self.context = context
        self._steps = steps
        self._said = said
        self._stopped = asyncio.Event()

    async def read(self) -> AsyncIterator[Chunk]:
        while self._steps:
            step = self._steps.pop(0)
            if isinstance(step, Exception):
                raise step
            if isinstance(step, Chunk):
                yield step
            else:
                await step()
        await self._stopped.wait()

    async def committed(self, positions: Mapping[str, Position]) -> None:
        self._said += [f"committed {part} {position['offset']}" for part, position in positions.items()]
        if "fail to acknowledge" in self._said:
            raise ZeroDivisionError("a fault")

    async def stop(self) -> None:
        self._stopped.set()

    async def close(self) -> None:
        if not self._said or self._said[-1] != "closed":
            self._said.append("closed")

    def health(self) -> SourceHealth:
        return SourceHealth(alive=True, doing="reading", restarts=2)


class ScriptedSettings(SourceSettings):
    """Settings that make a `Scripted`."""

    kind: Literal["scripted"] = "scripted"
    script: ClassVar[list[Step]] = []
    said: ClassVar[list[str]] = []
    made_at: ClassVar[list[float]] = []
    given: ClassVar[list[Mapping[str, Position]]] = []

    def open(self, context: SourceContext) -> Source:
        """See `SourceSettings.open`."""
        self.made_at.append(context.clock.monotonic())
        self.given.append(dict(context.positions))
        if self.script and isinstance(self.script[0], PermissionError):
            self.script.pop(0)
            raise SourceUnavailable("It may not be opened.")
        return Scripted(context, self.script, self.said)


@pytest.fixture(autouse=True)
def _empty() -> None:
    for one in (ScriptedSettings.script, ScriptedSettings.said, ScriptedSettings.made_at, ScriptedSettings.given):
        one.clear()


def chunk(data: bytes, offset: int, *, stream: str = "s", **more: object) -> Chunk:
    values: dict[str, object] = {"stream": stream, **more}
    return Chunk("part", data, {"offset": offset}, NOW_US, **values)  # type: ignore[arg-type]  # named by the tests


def collect(
    folder: Path, script: list[Step], scenario: Callable[[Collector, FakeClock], Awaitable[None]]
) -> tuple[Collector, list[str]]:
    """Run a collector with a script and a real lake while ``scenario`` does what it does; then stop it."""
    notices: list[str] = []
    ScriptedSettings.script[:] = script

    async def main() -> Collector:
        clock = FakeClock(NOW_US)
        with closing(Lake(folder)) as lake:
            async with Intake(lake, clock, notices.append).open() as intake:
                chance = random.Random(1)  # noqa: S311 - seeded chance is no secret
                collector = Collector("app", ScriptedSettings(), intake, FORMATS, chance=chance)
                running = asyncio.create_task(collector.run())
                await scenario(collector, clock)
                await collector.stop()
                await until(clock, running.done)
                await running
                return collector

    return asyncio.run(main()), notices


async def script_read(_: Collector, clock: FakeClock) -> None:
    await until(clock, lambda: not ScriptedSettings.script)


def test_what_a_source_gives_is_stored_and_acknowledged_in_order_before_it_is_closed(tmp_path: Path) -> None:
    script: list[Step] = [chunk(b"%d\n" % number, number) for number in range(1, 9)]

    async def scenario(collector: Collector, clock: FakeClock) -> None:
        await until(clock, lambda: collector.counts.lines >= 4)

    collector, _ = collect(tmp_path, script, scenario)
    said = ScriptedSettings.said
    offsets = [int(one.rpartition(" ")[2]) for one in said if one.startswith("committed")]
    assert offsets == sorted(offsets)
    assert said[-1] == "closed"
    assert said.count("closed") == 1
    assert stored(tmp_path) == b"".join(b"%d\n" % number for number in range(1, offsets[-1] + 1))
    assert (collector.counts.lines, collector.counts.bytes) == (offsets[-1], 2 * offsets[-1])
    assert collector.health() == SourceHealth(alive=False, doing="ended")


@pytest.mark.parametrize("failure", [SourceUnavailable("It is not there."), ZeroDivisionError("a fault")])
def test_a_source_that_fails_is_made_again_behind_what_it_gave(tmp_path: Path, failure: Exception) -> None:
    """Whatever it fails with; and not before what it gave is durable, else it would give that again."""
    script: list[Step] = [chunk(b"one\n", 1), failure, chunk(b"two\n", 2)]
    collector, notices = collect(tmp_path, script, script_read)
    assert ScriptedSettings.given == [{}, {"part": {"offset": 1}}]
    assert ScriptedSettings.said == ["committed part 1", "closed", "committed part 2", "closed"]
    assert stored(tmp_path) == b"one\ntwo\n"
    assert collector.counts.restarts == 1
    assert str(failure) in collector.counts.last_error
    assert notices[0].startswith("app: ")
    assert ("Traceback" in notices[0]) is isinstance(failure, ZeroDivisionError)


def test_waits_grow_to_a_limit_and_begin_anew_when_it_ran_steadily(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    clocks: list[FakeClock] = []
    pause = Collector._pause

    async def recorded(collector: Collector, seconds: float) -> None:
        pauses.append(seconds)
        await pause(collector, seconds)

    async def steadily() -> None:
        await clocks[0].sleep(STEADY_S)

    async def scenario(collector: Collector, clock: FakeClock) -> None:
        clocks.append(clock)
        await until(clock, lambda: collector.counts.restarts == 10)

    monkeypatch.setattr(Collector, "_pause", recorded)
    collect(tmp_path, [*[SourceUnavailable("no")] * 9, steadily, SourceUnavailable("no")], scenario)
    for number, seconds in enumerate(pauses[:9]):
        most = min(FIRST_WAIT_S * 2**number, LONGEST_WAIT_S)
        assert 0.5 * most <= seconds <= 1.5 * most
    assert pauses[9] <= 1.5 * FIRST_WAIT_S
    made = ScriptedSettings.made_at
    waits = zip(made, made[1:], pauses, strict=False)
    assert all(later - before >= seconds - 1e-6 for before, later, seconds in waits)  # as far as floats go
    assert len({seconds / most for seconds, most in zip(pauses, (1, 2, 4, 8), strict=False)}) == 4, "they are spread"


def test_it_can_be_stopped_while_it_waits_to_try_again(tmp_path: Path) -> None:
    async def scenario(collector: Collector, clock: FakeClock) -> None:
        await until(clock, lambda: collector.counts.restarts)
        assert collector.health() == SourceHealth(
            alive=False, doing="waiting to try again", last_error="It may not be opened."
        )

    collector, _ = collect(tmp_path, [PermissionError()] * 50, scenario)
    assert collector.health().doing == "ended"
    assert len(ScriptedSettings.made_at) < 20


def test_a_source_that_has_ended_is_not_made_again(tmp_path: Path) -> None:
    async def scenario(collector: Collector, clock: FakeClock) -> None:
        await until(clock, lambda: collector.health().doing == "ended")

    collector, notices = collect(tmp_path, [chunk(b"one\n", 1), SourceEnded("The end.")], scenario)
    assert (collector.health().doing, collector.counts.restarts, notices) == ("ended", 0, [])
    assert ScriptedSettings.said == ["committed part 1", "closed"]
    assert len(ScriptedSettings.made_at) == 1


def test_a_source_that_cannot_acknowledge_keeps_nobody_from_storing(tmp_path: Path) -> None:
    ScriptedSettings.said.append("fail to acknowledge")
    script: list[Step] = [chunk(b"one\n", 1), SourceUnavailable("no"), chunk(b"two\n", 2)]
    collector, notices = collect(tmp_path, script, script_read)
    assert stored(tmp_path) == b"one\ntwo\n"
    assert any("could not be acknowledged: ZeroDivisionError" in one for one in notices)
    assert collector.counts.restarts == 1


def test_each_stream_has_its_own_format_and_an_unfinished_line_is_joined(tmp_path: Path) -> None:
    request = b'10.0.0.1 - - [22/Nov/2026:10:00:01 +0000] "GET /a/x HTTP/1.1" 200 5 "-" "curl"\n'
    script: list[Step] = [
        chunk(request * 20, 1, stream="web"),
        chunk(b"plain words\nhal", 2, unfinished_bytes=3),
        chunk(b"half\n", 3),
        chunk(b"", 4, events=(SourceEvent("gap", "Something is missing.", 0),)),
    ]
    collector, notices = collect(tmp_path, script, script_read)
    out = stored(tmp_path)
    assert out.count(request) == 20
    assert b"half\n" in out
    assert b"hal\n" not in out
    assert (collector.counts.lines, collector.counts.unparsed) == (23, 0)
    assert (collector.counts.events, notices) == (1, ["app: Something is missing."])


def test_what_it_counts_says_how_it_fares(tmp_path: Path) -> None:
    async def scenario(collector: Collector, clock: FakeClock) -> None:
        await until(clock, lambda: collector.counts.lines == 20)
        assert collector.lines_a_second == pytest.approx(2.0)
        assert collector.counts.last_line_us == NOW_US
        assert collector.health() == SourceHealth(alive=True, doing="reading", restarts=2)
        await clock.advance(11)
        assert collector.lines_a_second == 0

    collect(tmp_path, [chunk(b"x\n" * 20, 1)], scenario)
