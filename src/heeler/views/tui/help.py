"""The help: every key, and what the signs mean."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen

from heeler.views.snapshot import Snapshot
from heeler.views.tui.rows import Panel, Row, View

_LINES: Final = (
    ("p  space", "freeze the screen; what comes in meanwhile is counted"),
    ("/", "filter lines and sections by a text; Esc clears it"),
    ("s", "order sections by hits or by name"),
    ("i", "show the lines that did not parse, and back"),
    ("a", "show every alert, and back"),
    ("t", "light or dark"),
    ("?  h", "this help; any of ? h Esc closes it"),
    ("q  Ctrl-C", "quit"),
)
_SIGNS: Final = (
    ("┄ ┃", "the alert's threshold, in the chart and in the gauge"),
    ("!", "before a line: it did not parse"),
    ("▲ ✓", "an alert was triggered, it recovered"),
    ("skewed", "lines whose time is far from that of their neighbours"),
)


class Help(Panel):
    """The box with the text."""

    def picture(self, view: View, width: int, height: int) -> list[Row]:  # noqa: ARG002 - the text is the same always
        """See `Panel.picture`."""
        keys: list[Row] = [((f" {key:<11}", "key"), (text, "plain")) for key, text in _LINES]
        signs: list[Row] = [((f" {sign:<11}", "limit"), (text, "plain")) for sign, text in _SIGNS]
        return [((" Keys", "title"),), *keys, (), ((" Signs", "title"),), *signs][:height]


class HelpScreen(ModalScreen[None]):
    """The box over the screen, which goes on behind it."""

    BINDINGS: ClassVar[list[BindingType]] = [("question_mark,h,escape", "dismiss", "close"), ("q", "app.quit", "quit")]

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self._snapshot = snapshot

    def compose(self) -> ComposeResult:
        """Compose the box."""
        yield Help()

    def on_mount(self) -> None:
        """Draw the text once; resizes are the panel's own business."""
        self.query_one(Help).draw(View(self._snapshot))
