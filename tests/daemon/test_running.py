"""The process that collects, without a process: what runs in it, how it changes while it runs, and how it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from batches import stored

from heeler.clock import SystemClock
from heeler.daemon import running
from heeler.daemon.configuration import configured
from heeler.daemon.remote import RemoteStore
from heeler.daemon.running import Daemon
from heeler.daemon.setup import Setup, setup_of
from heeler.errors import ConfigurationError, EnvironmentFailed
from heeler.formats.choose import PLAIN
from heeler.ingest.files import Ingest, IngestOptions
from heeler.store import Completed, Tick
from heeler.store.lake import Lake

SOURCE = '[sources.{0}]\nkind = "file"\npaths = ["{0}.log"]\nfrom_start = true\nformat = "plain"\n'


class FailingLake(Lake):
    """Refuses so many commits."""

    failures = 0

    def commit(self, tick: Tick, completed_batches: Sequence[Completed] | None = None) -> None:
        if self.failures:
            self.failures -= 1
            raise EnvironmentFailed("The disk is gone.")
        super().commit(tick, completed_batches)


def run(
    folder: Path, scenario: Callable[[Daemon, FailingLake], Awaitable[None]], first: str = SOURCE.format("a")
) -> list[str]:
    """Run a daemon whose configuration is ``folder``/heeler.toml, while ``scenario`` does what it does; then end it."""
    notices: list[str] = []
    config = folder / "heeler.toml"
    config.write_text(first)

    def load() -> Setup:
        return setup_of(configured(config))

    async def main(lake: FailingLake) -> None:
        daemon = Daemon(lake, load(), SystemClock(), notices.append, load=load, seed=1)
        begun = asyncio.Event()
        whole = asyncio.create_task(daemon.run(begun.set))
        await begun.wait()
        try:
            async with asyncio.timeout(60):
                await scenario(daemon, lake)
        finally:
            daemon.stop()
        async with asyncio.timeout(10):
            await whole

    with closing(FailingLake(folder / "lake")) as lake:
        asyncio.run(main(lake))
    return notices


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.to_thread(lambda: None)


def test_a_configuration_read_again_changes_what_has_changed_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.log").write_bytes(b"%s 1\n" % name.encode())

    async def scenario(daemon: Daemon, _: Lake) -> None:
        await until(lambda: daemon.intake.counts.lines == 2)
        before = {name: collector for name, (collector, _) in daemon._running.items()}
        (tmp_path / "heeler.toml").write_text(SOURCE.format("a") + SOURCE.format("c"))
        await asyncio.gather(daemon.reload(), daemon.reload())
        after = {name: collector for name, (collector, _) in daemon._running.items()}
        assert list(after) == ["a", "c"]
        assert after["a"] is before["a"]
        await until(lambda: daemon.intake.counts.lines == 3)

        (tmp_path / "heeler.toml").write_text(SOURCE.format("a").replace("true", "1") + SOURCE.format("b"))
        with pytest.raises(ConfigurationError, match="from_start"):
            await daemon.reload()
        assert {name: collector for name, (collector, _) in daemon._running.items()} == after

        changed = SOURCE.format("a") + 'group = "other"\n' + SOURCE.format("b") + SOURCE.format("c")
        (tmp_path / "heeler.toml").write_text(changed)
        await daemon.reload()
        last = {name: collector for name, (collector, _) in daemon._running.items()}
        assert sorted(last) == ["a", "b", "c"]
        assert last["a"] is not after["a"]
        assert last["c"] is after["c"]
        with (tmp_path / "c.log").open("ab") as file:
            file.write(b"c 2\n")
        await until(lambda: last["c"].counts.lines == 2)

    run(tmp_path, scenario, SOURCE.format("a") + SOURCE.format("b"))
    lines = stored(tmp_path / "lake").splitlines()
    assert lines.count(b"c 1") == lines.count(b"c 2") == lines.count(b"b 1") == 1


def test_commits_that_fail_for_a_while_are_told_and_lose_and_double_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heeler.ingest.ticks.PAUSE_SECONDS", 0.05)
    (tmp_path / "a.log").write_bytes(b"1\n")

    async def scenario(daemon: Daemon, lake: FailingLake) -> None:
        await until(lambda: daemon.intake.counts.lines == 1)
        lake.failures = 3
        with (tmp_path / "a.log").open("ab") as file:
            file.write(b"2\n")
        await until(lambda: not lake.failures)

    notices = run(tmp_path, scenario)
    assert sum("is tried again" in one for one in notices) >= 2
    assert stored(tmp_path / "lake") == b"1\n2\n"


def test_it_ends_although_the_store_fails_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STOP_SECONDS", 0.5)
    (tmp_path / "a.log").write_bytes(b"1\n")

    async def scenario(daemon: Daemon, lake: FailingLake) -> None:
        lake.failures = 1_000_000
        await until(lambda: daemon.intake.counts.lines == 1)

    with pytest.raises(EnvironmentFailed, match="The disk is gone"):
        run(tmp_path, scenario)
    assert stored(tmp_path / "lake") == b""
    run(tmp_path, lambda daemon, _: until(lambda: daemon.intake.counts.lines == 1))
    assert stored(tmp_path / "lake") == b"1\n"


def test_a_configuration_that_is_read_while_it_ends_starts_nothing(tmp_path: Path) -> None:
    reloads: list[asyncio.Task[None]] = []

    async def scenario(daemon: Daemon, _: Lake) -> None:
        (tmp_path / "heeler.toml").write_text(SOURCE.format("a") + SOURCE.format("b"))
        reloads.append(asyncio.create_task(daemon.reload()))
        daemon.stop()
        await reloads[0]
        assert "b" not in daemon._running

    run(tmp_path, scenario)


def test_a_file_that_is_followed_and_taken_in_at_once_is_stored_once(tmp_path: Path) -> None:
    """By three commands beside the process, while it grows: whoever comes first stores a line."""
    log = tmp_path / "a.log"
    log.write_bytes(b"".join(b"%d\n" % number for number in range(2000)))

    def ingest() -> None:
        with closing(RemoteStore(tmp_path / "lake", "heeler ingest")) as store:
            options = IngestOptions((str(log),), "a", format=PLAIN, chunk_bytes=500, tick_bytes=2000)
            asyncio.run(Ingest(store, options, SystemClock(), notice=lambda _: None).run())

    async def scenario(daemon: Daemon, _: Lake) -> None:
        for _turn in range(3):
            commands = [asyncio.to_thread(ingest) for _command in range(3)]
            with log.open("ab") as file:
                file.write(b"more\n" * 1000)
            for failure in await asyncio.gather(*commands, return_exceptions=True):
                assert failure is None or isinstance(failure, EnvironmentFailed), failure
        with log.open("ab") as file:
            file.write(b"last\n")
        collector = daemon._running["a"][0]
        await until(lambda: collector.counts.last_line_us and b"last\n" in stored(tmp_path / "lake"))

    run(tmp_path, scenario)
    assert stored(tmp_path / "lake") == log.read_bytes()
