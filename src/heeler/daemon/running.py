"""The process that collects: what runs in it, in which order it begins and ends, and how it changes while it runs."""

import asyncio
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager

from heeler.clock import Clock
from heeler.daemon.alerting import Alerting
from heeler.daemon.canary import CanarySettings
from heeler.daemon.collector import Collector
from heeler.daemon.control import Control
from heeler.daemon.dispatching import Dispatcher, Shown
from heeler.daemon.intake import Intake
from heeler.daemon.observing import status_of
from heeler.daemon.setup import Mirror, Setup
from heeler.daemon.status import Status
from heeler.daemon.systemd import Systemd
from heeler.daemon.wire import Head
from heeler.errors import HeelerError
from heeler.store.lake import Lake

STOP_SECONDS = 7.0
"""How long sources may take to give what they have taken in. The last commits come after that, so that all of it is
over within ten seconds."""

Service = Callable[["Daemon"], AbstractAsyncContextManager[None]]
"""Something that runs beside the sources, such as a listener: it serves while its context is open."""


class Daemon:
    """Collects into ``lake`` until it is stopped. Runs once.

    ``load`` reads the configuration anew and raises a `HeelerError` for one that cannot be used; the first one is read
    by whoever makes this. ``services`` are opened after the store and closed before it.
    """

    def __init__(
        self,
        lake: Lake,
        setup: Setup,
        clock: Clock,
        notice: Callable[[str], None],
        *,
        load: Callable[[], Setup],
        services: Sequence[Service] = (),
        mirror: Mirror | None = None,
        systemd: Systemd | None = None,
        seed: int | None = None,
        shown: Shown = repr,
    ) -> None:
        self.intake = Intake(lake, clock, notice, setup.keep)
        self.alerting = Alerting(self.intake)
        self.dispatcher = Dispatcher(self.intake, shown)
        self._setup = setup
        self._clock = clock
        self._notice = notice
        self._load = load
        self._services = services
        self._mirror = mirror
        self._systemd = systemd or Systemd({})
        self._chance = random.Random(seed)  # noqa: S311 - it spreads out attempts, and keeps no secret
        self._running: dict[str, tuple[Collector, asyncio.Task[None]]] = {}
        self._reloading = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._begun = clock.monotonic()

    def stop(self) -> None:
        """Ask for the end. `run` returns when everything that was taken in is stored."""
        self._stopping.set()

    @property
    def is_stopping(self) -> bool:
        """Whether the end was asked for."""
        return self._stopping.is_set()

    def status(self) -> Status:
        """Tell how it fares."""
        collectors = (collector for collector, _ in self._running.values())
        return status_of(self.intake, collectors, self._begun, self.alerting, self.dispatcher)

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Collect until `stop`. Calls ``ready`` when everything has begun. Raises what the store raises for good."""
        acts = {
            "status": self._tell_status,
            "reload": self._told_to_reload,
            "stop": self._told_to_stop,
            "canary": self._told_to_fly,
        }
        with self._signals():
            async with self.intake.open(), Control(self.intake, acts).open(), AsyncExitStack() as services:
                beside = [asyncio.create_task(self._systemd.keep_awake(self._clock))]
                try:
                    for service in self._services:
                        await services.enter_async_context(service(self))
                    await self._begin_rules(self._setup)
                    for run in (self.alerting.run, self.dispatcher.run):
                        beside.append(asyncio.create_task(run()))
                        beside[-1].add_done_callback(self._ended_beside)
                    self._begin(self._setup)
                    ready()
                    self._systemd.tell("READY=1", f"STATUS=Collecting from {len(self._running)} sources")
                    await self._stopping.wait()
                finally:
                    self._stopping.set()
                    self._systemd.tell("STOPPING=1")
                    await self._end(list(self._running))
                    for task in beside:
                        task.cancel()
                    await asyncio.gather(*beside, return_exceptions=True)
            if self._mirror is not None:
                await asyncio.to_thread(self._mirror.close)

    async def reload(self) -> None:
        """Read the configuration again: begin, end and change sources, and leave the others alone.

        Raises the `HeelerError` of a configuration that cannot be used; everything goes on as it was then.
        """
        async with self._reloading:
            self._systemd.tell("RELOADING=1", f"MONOTONIC_USEC={round(self._clock.monotonic() * 1e6)}")
            try:
                new = await asyncio.to_thread(self._load)
                old, self._setup = self._setup, new
                changed = [name for name in self._running if old.changes(name, new)]
                await self._end(changed)
                if self._stopping.is_set():
                    return
                await self._begin_rules(new)
                self._begin(new)
                self._notice(f"The configuration was read again: {len(changed)} sources ended or changed.")
            finally:
                self._systemd.tell("READY=1")

    def _ended_beside(self, task: asyncio.Task[None]) -> None:
        """End everything where what follows the rules has failed: nobody would be alerted, and nobody would know."""
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._notice(f"Rules cannot be followed any more, so the process ends: {fault!r}")
            self.stop()

    async def _begin_rules(self, setup: Setup) -> None:
        self.dispatcher.use(setup.notifiers)
        await self.alerting.begin(setup.rules)

    def _begin(self, setup: Setup) -> None:
        """Start what does not run yet; nothing once the end has begun, which may be while a configuration is read."""
        if self._stopping.is_set():
            return
        for name, settings in setup.sources.items():
            if settings.enabled and name not in self._running:
                collector = Collector(
                    name,
                    settings,
                    self.intake,
                    setup.known,
                    chance=self._chance,
                    prepare=setup.prepare.get(name),
                    mirror=self._mirror,
                    alerting=self.alerting,
                )
                self._running[name] = collector, asyncio.create_task(collector.run(), name=name)

    async def _end(self, names: Sequence[str]) -> None:
        """Stop sources side by side, and wait until what they took in is committed. It may be done twice at once."""
        ending = {name: self._running[name] for name in names}
        stops = await asyncio.gather(*(collector.stop() for collector, _ in ending.values()), return_exceptions=True)
        tasks = {task for _, task in ending.values()}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                self._notice(f"{task.get_name()} did not end in {STOP_SECONDS:.0f} s and is cut off.")
                task.cancel()
            stops += await asyncio.gather(*tasks, return_exceptions=True)
        for fault in stops:
            if isinstance(fault, Exception):
                self._notice(f"A source did not end as it should: {fault!r}")
        for name in names:
            self._running.pop(name, None)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        reloads: set[asyncio.Task[None]] = set()

        def reload() -> None:
            task = loop.create_task(self._reload_by_signal())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)

    async def _reload_by_signal(self) -> None:
        try:
            await self.reload()
        except HeelerError as error:
            self._notice(f"The configuration was not read again; the old one goes on. {error}")

    async def _tell_status(self) -> Head:
        return self.status().as_json()

    async def _told_to_reload(self) -> Head:
        await self.reload()
        return {}

    async def _told_to_fly(self) -> Head:
        """Send the canary, and tell its mark when all of it is committed."""
        begun, mark = self._clock.monotonic(), f"{self._clock.now_us():x}"
        settings = CanarySettings(mark=mark)
        canary = Collector("canary", settings, self.intake, self._setup.known, chance=self._chance)
        await canary.run()
        return {"mark": mark, "seconds": self._clock.monotonic() - begun}

    async def _told_to_stop(self) -> Head:
        self.stop()
        return {}
