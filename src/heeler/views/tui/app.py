"""The full screen of `heeler watch`: runs a session, and shows its newest snapshot as soon as it has changed.

The loop rests unless something happens: no timer runs while nothing changes. However often a session says that it
changed, the screen is drawn at most `DRAWS_A_SECOND` times, the first change at once and the last one always.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final, Literal, Protocol

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.widgets import Input

from heeler.errors import Exit, HeelerError
from heeler.views.snapshot import Snapshot
from heeler.views.tui.breakdown import Breakdown
from heeler.views.tui.header import Banner, Header, Keys, Notice
from heeler.views.tui.help import HelpScreen
from heeler.views.tui.layout import heights
from heeler.views.tui.log import Alerts, Log, sentence_rows
from heeler.views.tui.rows import Missed, Panel, View
from heeler.views.tui.themes import DARK, LIGHT, preferred
from heeler.views.tui.traffic import Traffic

DRAWS_A_SECOND: Final = 20


class WatchSession(Protocol):
    """What the screen watches."""

    async def run(self, changed: Callable[[], None]) -> None:
        """Read the files until they end or the task is cancelled (the user quits).

        Called once, on the screen's event loop, which it must not block. It must call ``changed`` on that loop after
        `snapshot` has become different; as often as it likes. A `HeelerError` ends the screen and reaches its caller.
        When it returns, the screen stays until the user quits.
        """

    def snapshot(self) -> Snapshot:
        """Return what is to be shown now. Must be quick, and must be ready before `run` is called."""


class WatchApp(App[None]):
    """The screen. After it has ended, ``failure`` is the error that ended it, if one did."""

    CSS_PATH = Path(__file__).with_name("watch.tcss")
    TITLE = "heeler watch"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None  # else the hidden filter would eat every key
    BINDINGS: ClassVar[list[BindingType]] = [
        ("p,space", "pause", "freeze the screen"),
        # With priority the app itself takes this key, so what is pasted behind it finds the filter ready.
        Binding("slash", "filter", "filter lines and sections", priority=True),
        ("escape", "clear_filter", "clear the filter"),
        ("s", "sort", "order sections by hits or name"),
        ("i", "shown('invalid')", "lines that did not parse"),
        ("a", "shown('alerts')", "every alert"),
        ("t", "theme", "light or dark"),
        ("question_mark,h", "help", "help"),
        ("q", "quit", "quit"),
        Binding("ctrl+c", "interrupt", "quit", priority=True),
    ]

    def __init__(self, session: WatchSession) -> None:
        # With NO_COLOR, Textual removes every colour if it may use those of the terminal, else it paints in greys.
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = preferred(os.environ.get("COLORFGBG", "")).name
        self.failure: HeelerError | None = None
        self._session = session
        self._newest = session.snapshot()
        self._frozen: Snapshot | None = None
        self._filter = ""
        self._by_name = False
        self._shown: Literal["lines", "invalid", "alerts"] = "lines"
        self._due: asyncio.TimerHandle | None = None
        self._drawn_at = float("-inf")
        self._notice, self._alerts = Notice(), Alerts()
        self._traffic, self._breakdown = Traffic(), Breakdown()
        self._panels: tuple[Panel, ...] = (
            Header(),
            Banner(),
            self._traffic,
            self._breakdown,
            self._alerts,
            Log(),
            self._notice,
        )
        self._keys = Keys()
        self._input = Input(placeholder="text to look for; Enter keeps it, Esc clears it", id="filter")
        self._input.cursor_blink = False  # a blinking cursor would wake an idle screen

    def compose(self) -> ComposeResult:
        """Stack the panels."""
        yield from self._panels
        yield self._input
        yield self._keys

    def on_mount(self) -> None:
        """Start the session; be ended by signals as by keys, so that the terminal is always given back."""
        self._draw()
        self.run_worker(self._follow(), name="session")
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self.action_interrupt)

    async def _follow(self) -> None:
        try:
            await self._session.run(self.changed)
        except HeelerError as error:
            self.failure = error
            self.exit(return_code=error.exit_code)
        else:
            self.changed()

    def changed(self) -> None:
        """Draw soon: at once if the screen has rested, else when its next turn has come."""
        if self._due is None:
            loop = asyncio.get_running_loop()
            at = max(loop.time(), self._drawn_at + 1 / DRAWS_A_SECOND)
            self._due = loop.call_at(at, self.call_later, self._renew)

    def _renew(self) -> None:
        self._due = None
        self._drawn_at = asyncio.get_running_loop().time()
        self._newest = self._session.snapshot()
        self._draw()

    @property
    def view(self) -> View:
        """What is on the screen."""
        missed = None
        if self._frozen is not None:
            lines = _lines(self._newest) - _lines(self._frozen)
            known = frozenset(self._frozen.history)
            missed = Missed(lines, sum(line not in known for line in self._newest.history))
        return View(self._frozen or self._newest, self._filter, self._by_name, self._shown, missed)

    def _draw(self) -> None:
        view = self.view
        self._arrange(view, self.size)
        for panel in (*self._panels, self._keys):
            panel.draw(view)

    def _arrange(self, view: View, size: Size) -> None:
        """Give the panels their rows. Styles are set only where they differ: each setting costs a layout."""
        width, height = size
        if view.missed is not None or view.filter:
            height -= 1
        history = view.snapshot.history
        per_sentence = max((len(sentence_rows(line, width)) for line in history), default=1)
        wanted = heights(height, len(history), per_sentence)
        for panel, rows in (
            (self._traffic, wanted.traffic),
            (self._breakdown, wanted.breakdown),
            (self._alerts, wanted.alerts),
            (self._notice, int(Notice.needed(view))),
        ):
            if panel.display != bool(rows):
                panel.display = bool(rows)
            if rows and (panel.styles.height is None or panel.styles.height.value != rows):
                panel.styles.height = rows

    def on_resize(self, event: events.Resize) -> None:
        """Deal out the rows again; each panel redraws itself in its new size."""
        self._arrange(self.view, event.size)

    def action_pause(self) -> None:
        """Freeze the screen, or go on."""
        self._frozen = self._newest if self._frozen is None else None
        self._draw()

    def action_sort(self) -> None:
        """Order the sections the other way."""
        self._by_name = not self._by_name
        self._draw()

    def action_shown(self, what: Literal["invalid", "alerts"]) -> None:
        """Show another list in place of the newest lines, or go back to them."""
        self._shown = "lines" if self._shown == what else what
        self._draw()

    def action_theme(self) -> None:
        """Change between light and dark."""
        self.theme = DARK.name if self.theme == LIGHT.name else LIGHT.name

    def action_help(self) -> None:
        """Show the help."""
        self.push_screen(HelpScreen(self._newest))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """Leave the slash to the filter while it is typed, and to nobody while the help is open."""
        return action != "filter" or not (self._input.display or isinstance(self.screen, HelpScreen))

    def action_filter(self) -> None:
        """Ask for the filter's text; it takes effect as it is typed."""
        self._input.display = True
        self.set_focus(self._input)  # at once: what is typed next is text already

    def action_clear_filter(self) -> None:
        """Forget the filter."""
        self._input.value = ""
        self._close_input()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter by what has been typed so far."""
        self._filter = event.value
        self._draw()

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Keep the filter and give the keys back."""
        self._close_input()

    def _close_input(self) -> None:
        self._input.display = False
        self.set_focus(None)

    def action_interrupt(self) -> None:
        """End as an interrupted command does."""
        self.exit(return_code=Exit.INTERRUPTED)


def _lines(snapshot: Snapshot) -> int:
    return snapshot.parsed + snapshot.unparsed


def run_watch(session: WatchSession) -> int:
    """Show ``session`` full screen until the user quits; return the exit code. Raises the session's `HeelerError`."""
    app = WatchApp(session)
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or Exit.DONE
