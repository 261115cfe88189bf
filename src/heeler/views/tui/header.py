"""The edges of the screen: what is watched, whether all is well, what was missed, which keys there are."""

from typing import Final

from rich.cells import cell_len
from textual import events

from heeler.units import zoned
from heeler.views.snapshot import FileStatus, Snapshot
from heeler.views.tui.figures import count, share
from heeler.views.tui.rows import Panel, Row, Span, View, ends, fit_end, fitted, width_of

#: What the bottom row offers, the most wanted first: (key as shown, what it does, the app's action).
KEYS: Final = (
    ("p", "pause", "pause"),
    ("/", "filter", "filter"),
    ("s", "sort", "sort"),
    ("i", "invalid", "shown('invalid')"),
    ("a", "alerts", "shown('alerts')"),
    ("t", "theme", "theme"),
    ("?", "help", "help"),
    ("q", "quit", "quit"),
)
_CHIP_FROM = 100  # columns: a narrower screen has better use for the name's place
_PARSED_WELL = 0.99  # a log has some odd lines; fewer parsed ones than this deserve a colour
_LEAST_PATH = 12  # cells that a path keeps, however long the rest is


def _state(files: tuple[FileStatus, ...]) -> Span:
    waiting = [file for file in files if file.state == "waiting"]
    if waiting:
        others = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        return f"◌ waiting for {waiting[0].path}{others}", "warn"
    if files and all(file.state == "ended" for file in files):
        return "■ ended", "muted"
    return "● following", "good"


def _facts(files: tuple[FileStatus, ...]) -> list[Span]:
    lines, parsed = sum(file.lines for file in files), sum(file.parsed for file in files)
    formats = list(dict.fromkeys(file.format for file in files if file.format))
    facts: list[Span] = []
    if formats:
        facts.append((", ".join(formats), "plain"))
    elif lines:
        facts.append(("format not yet known", "muted"))
    if lines:
        facts.append((f"{share(parsed, lines).strip()} parsed", "plain" if parsed >= lines * _PARSED_WELL else "warn"))
    facts.append(_state(files))
    return facts


class Header(Panel):
    """One row: file names, format, share of lines parsed, state, and the clock of the log."""

    def picture(self, view: View, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row whatever the height
        """See `Panel.picture`."""
        snapshot = view.snapshot
        right: Row = ((zoned(snapshot.now_s, snapshot.zone_minutes), "strong"), (" ", "plain"))
        row: list[Span] = [(" ", "plain")]
        if width >= _CHIP_FROM:
            row += [("heeler", "key"), ("  ", "plain")]
        facts = _facts(snapshot.files)
        rest: list[Span] = []
        for text, ink in facts:
            rest += [("  ", "plain"), (text, ink)]
        names = ", ".join(file.path for file in snapshot.files if file.state != "waiting")
        if names:
            room = width - width_of((*row, *rest, *right)) - 2
            row.append((fit_end(names, max(room, _LEAST_PATH)), "title"))
        else:
            rest = rest[1:]
        return [ends((*row, *rest), right, width)]


class Banner(Panel):
    """One row that is red while an alert fires, and calm otherwise."""

    def draw(self, view: View) -> None:
        """See `Panel.draw`; the colour of the whole row is a class."""
        self.set_class(view.snapshot.firing is not None, "-firing")
        super().draw(view)

    def picture(self, view: View, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """See `Panel.picture`."""
        snapshot = view.snapshot
        firing = snapshot.firing
        if firing is not None:
            since = zoned(firing.time_s, firing.zone_minutes)
            return [
                (
                    (f" ▲ {firing.alert.upper()}", "strong"),
                    (f" since {since}", "plain"),
                    (f"   {count(firing.hits)} hits then, {count(snapshot.window_hits)} now", "plain"),
                )
            ]
        return [((" ✓ All calm", "good"), (f"   {_last_alert(snapshot)}", "muted"))]


def _last_alert(snapshot: Snapshot) -> str:
    if not snapshot.history:
        return "no alert so far"
    last = snapshot.history[-1]
    return f"the last alert recovered at {zoned(last.time_s, last.zone_minutes)}"


class Notice(Panel):
    """One row that is there only while the screen is frozen or filtered, and says so."""

    @staticmethod
    def needed(view: View) -> bool:
        """Tell whether the row has anything to say."""
        return view.missed is not None or bool(view.filter)

    def picture(self, view: View, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """See `Panel.picture`."""
        row: list[Span] = []
        if view.missed is not None:
            lines, alerts = view.missed.lines, view.missed.alerts
            row += [(" PAUSED ", "chip"), (f" +{count(lines)} line{'' if lines == 1 else 's'}", "strong")]
            if alerts:
                row.append((f" and {alerts} alert change{'' if alerts == 1 else 's'}", "bad"))
            row.append((" meanwhile", "plain"))
        if view.filter:
            gap = "   " if row else " "
            row += [(gap, "plain"), ("filter ", "muted"), (view.filter, "match"), ("  Esc clears", "muted")]
        return [tuple(row)]


class Keys(Panel):
    """The bottom row. Each key can be clicked as well; keys that find no room are in the help."""

    def picture(self, view: View, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """See `Panel.picture`."""
        row: list[Span] = []
        for key, text, _ in KEYS:
            shown = "resume" if key == "p" and view.missed is not None else text
            row += [(f" {key}", "key"), (f" {shown} ", "plain")]
        return [fitted(tuple(row), width)]

    async def on_click(self, event: events.Click) -> None:
        """Do what the clicked key does."""
        x = 0
        for (key, _, action), (text, _) in zip(KEYS, self._rows[0][1::2] if self._rows else (), strict=False):
            x += cell_len(f" {key}") + cell_len(text)
            if event.x < x:
                await self.app.run_action(action)
                return
