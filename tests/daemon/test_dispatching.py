"""What is in the outbox is told: once where all goes well, again where it does not, in order, and as few messages."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from batches import batch
from turning import until

from heeler.clock import FakeClock
from heeler.daemon.dispatching import Dispatcher, link_to
from heeler.daemon.intake import Intake
from heeler.formats.choose import PLAIN
from heeler.notify.notice import Notice
from heeler.notify.settings import Notifier, NotifierSettings, NotTold
from heeler.query.language import parse
from heeler.store import AlertRow
from heeler.store.alerts import open_alerts, outbox_counts
from heeler.store.lake import Lake
from heeler.views.escape import printable

NOW_US = 1_790_000_000_000_000
messages: dict[str, list[list[Notice]]] = {}
"""What was told, by the name of whom."""

fates: dict[str, list[str]] = {}
"""What happens to the next messages: fails, hangs, lost (told, but whoever tells it never hears of that)."""

released = threading.Event()


class Sink(NotifierSettings):
    """Remembers what it is told."""

    name: str = ""

    def open(self) -> Notifier:
        return Told(self.name)


class Told:
    def __init__(self, name: str) -> None:
        self._name = name

    def tell(self, notices: Sequence[Notice]) -> None:
        fate = fates[self._name].pop(0) if fates.get(self._name) else ""
        if fate == "fails":
            raise NotTold("The line is busy.")
        if fate == "hangs":
            released.wait()
        messages.setdefault(self._name, []).append(list(notices))
        if fate == "lost":
            raise ZeroDivisionError("killed")


def sink(name: str, **more: object) -> Sink:
    return Sink(kind="sink", name=name, **more)  # type: ignore[arg-type]


def row(state: str = "triggered", key: str = "", notify: tuple[str, ...] = ("ops",), at_s: int = 0) -> AlertRow:
    details = json.dumps({"window_s": 60, "notify": notify})
    return AlertRow("rule", state, 5, NOW_US + at_s * 1_000_000, 0, key, NOW_US, details, notify)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    messages.clear()
    fates.clear()
    released.clear()


Scenario = Callable[[Intake, FakeClock], Awaitable[None]]


def run(folder: Path, scenario: Scenario, *sinks: Sink) -> list[str]:
    """Run a scenario beside a dispatcher over a lake, and return what people were told."""
    notices: list[str] = []

    async def main() -> None:
        clock = FakeClock(NOW_US)
        with closing(Lake(folder)) as lake:
            lake.register(PLAIN)
            async with Intake(lake, clock, notices.append).open() as intake:
                dispatcher = Dispatcher(intake, printable)
                dispatcher.use({one.name: one for one in sinks})
                running = asyncio.create_task(dispatcher.run())
                try:
                    await scenario(intake, clock)
                finally:
                    running.cancel()

    asyncio.run(main())
    return notices


def counts(intake: Intake) -> dict[str, dict[str, int]]:
    return outbox_counts(intake.lake.catalog)


def ids(name: str) -> list[list[str]]:
    return [[one.id for one in message] for message in messages.get(name, [])]


def test_everybody_is_told_once_and_the_same_transition_is_stored_once(tmp_path: Path) -> None:
    async def scenario(intake: Intake, clock: FakeClock) -> None:
        await intake.put("rules", (), [row(notify=("ops", "boss"))])
        await until(clock, lambda: len(messages) == 2)
        await intake.put("rules", (), [row(notify=("ops", "boss"))])
        await intake.put("rules", (), [row("recovered", at_s=9)])
        await until(clock, lambda: len(messages["ops"]) == 2)
        await until(clock, lambda: counts(intake)["ops"] == {"sent": 2})

    run(tmp_path, scenario, sink("ops"), sink("boss"))
    assert ids("ops") == [["rule||1790000000000000|triggered"], ["rule||1790000000000000|recovered"]]
    assert ids("boss") == [["rule||1790000000000000|triggered"]]


def test_a_storm_is_one_message_and_what_follows_too_soon_waits_for_the_next(tmp_path: Path) -> None:
    async def scenario(intake: Intake, clock: FakeClock) -> None:
        await intake.put("rules", (), [row(key=f"key {number}") for number in range(300)])
        await until(clock, lambda: messages)
        before = clock.monotonic()
        for number in range(10):
            await intake.put("rules", (), [row("recovered", f"key {number}", at_s=number)])
        await until(clock, lambda: len(messages["ops"]) == 2)
        assert clock.monotonic() - before >= 55

    run(tmp_path, scenario, sink("ops", every="60s"))
    assert [len(one) for one in messages["ops"]] == [300, 10]


def test_what_fails_is_told_again_with_the_same_id_and_nothing_overtakes_it(tmp_path: Path) -> None:
    fates["ops"] = ["fails", "fails", "fails"]

    async def scenario(intake: Intake, clock: FakeClock) -> None:
        await intake.put("rules", (), [row()])
        await until(clock, lambda: len(fates["ops"]) == 2)
        await intake.put("rules", (), [row("recovered", at_s=3)])
        await until(clock, lambda: messages)

    notices = run(tmp_path, scenario, sink("ops"))
    assert ids("ops") == [["rule||1790000000000000|triggered", "rule||1790000000000000|recovered"]]
    assert notices == ["notify.ops: The line is busy. It is tried again."]


def test_one_that_hangs_holds_up_no_other_and_no_end(tmp_path: Path) -> None:
    fates["ops"] = ["hangs"]

    async def scenario(intake: Intake, clock: FakeClock) -> None:
        await intake.put("rules", (), [row(notify=("ops", "boss"))])
        await until(clock, lambda: "boss" in messages)

    run(tmp_path, scenario, sink("ops"), sink("boss"))
    assert "ops" not in messages
    released.set()


def test_what_was_told_when_the_process_was_killed_is_told_again_with_the_same_id(tmp_path: Path) -> None:
    fates["ops"] = ["lost"]

    async def killed(intake: Intake, clock: FakeClock) -> None:
        await intake.put("rules", (), [row()])
        await until(clock, lambda: messages)

    async def again(_: Intake, clock: FakeClock) -> None:
        await until(clock, lambda: len(messages["ops"]) == 2)

    run(tmp_path, killed, sink("ops"))
    run(tmp_path, again, sink("ops"))
    assert ids("ops") == [["rule||1790000000000000|triggered"]] * 2


def test_what_cannot_be_told_for_a_day_is_given_up_and_counted(tmp_path: Path) -> None:
    fates["ops"] = ["fails"] * 1_000

    async def scenario(intake: Intake, clock: FakeClock) -> None:
        await intake.put("rules", (), [row()])
        await until(clock, lambda: len(fates["ops"]) < 999)
        await clock.advance(90_000)
        await until(clock, lambda: counts(intake)["ops"].get("failed"))

    run(tmp_path, scenario, sink("ops"))
    assert not messages


def test_alerts_that_go_on_are_repeated_where_that_is_asked_for(tmp_path: Path) -> None:
    async def scenario(intake: Intake, clock: FakeClock) -> None:
        await intake.put("rules", (), [row(), row(key="other")])
        await until(clock, lambda: len(messages.get("ops", [])) >= 2)
        await intake.put("rules", (), [row("recovered", at_s=3)])
        await until(clock, lambda: any(one.state == "recovered" for message in messages["ops"] for one in message))
        told = len(messages["ops"])
        await until(clock, lambda: len(messages["ops"]) > told)
        assert [one.key for one in open_alerts(intake.lake.catalog)] == ["other"]

    run(tmp_path, scenario, sink("ops", repeat="30s"))
    assert [(one.key, one.state) for one in messages["ops"][-1]] == [("other", "triggered")]


def test_a_notice_has_the_lines_and_a_query_that_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heeler.daemon.dispatching.LINES_SECONDS", 1e9)  # the clock here does not wait for threads

    async def scenario(intake: Intake, clock: FakeClock) -> None:
        lines = b"".join(b"line %d \x1b[31m\n" % number for number in range(9))
        await intake.put("web", [intake.lake.complete(batch(lines))], [row()])
        await until(clock, lambda: messages)

    run(tmp_path, scenario, sink("ops"))
    ((told,),) = messages["ops"]
    assert list(told.first) == ["line 0 \\x1b[31m", "line 1 \\x1b[31m", "line 2 \\x1b[31m"]
    assert list(told.last) == ["line 6 \\x1b[31m", "line 7 \\x1b[31m", "line 8 \\x1b[31m"]
    assert str(parse(told.link)) == told.link


@pytest.mark.parametrize("query", ["", "status:5xx OR error", '"a | b" -x', "path:/a*"])
def test_a_link_is_a_query_of_the_same_lines_within_a_time(query: str) -> None:
    link = link_to(query, NOW_US, NOW_US + 60_000_000)
    assert link.endswith("from:2026-09-21T14:13:20Z to:2026-09-21T14:14:20Z")
    assert str(parse(link)) == link
