"""The canvas of every panel: rows of inked text, drawn again only where they differ.

A panel is a pure function from a view and a size to rows. Text is never markup: a span is drawn letter by letter as it
is, so a section named ``[red]x[/]`` is shown so. Which colour an ink has is said in watch.tcss alone.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, TypeAlias, get_args

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from heeler.views.snapshot import Snapshot

Ink: TypeAlias = Literal[
    "plain", "muted", "rule", "title", "strong", "bar", "track", "good", "info", "warn", "bad", "limit", "key", "match",
    "chip",
]  # fmt: skip
Span: TypeAlias = tuple[str, Ink]
Row: TypeAlias = tuple[Span, ...]

GAP: Final = 2  # cells between two columns of a panel


@dataclass(frozen=True, slots=True)
class Missed:
    """What came in while the screen is frozen."""

    lines: int
    alerts: int


@dataclass(frozen=True, slots=True)
class View:
    """One instant, and how the user wants to see it."""

    snapshot: Snapshot
    filter: str = ""
    by_name: bool = False
    shown: Literal["lines", "invalid", "alerts"] = "lines"
    missed: Missed | None = None


def fit(text: str, width: int) -> str:
    """Return ``text`` in exactly ``width`` cells; what is cut off is marked by an ellipsis."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def fit_end(text: str, width: int) -> str:
    """Return at most ``width`` cells of ``text``, keeping its end: the telling part of a path."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) >= width:
        text = text[1:]
    return f"…{text}" if width > 0 else ""


def width_of(row: Row) -> int:
    """Return how many cells the row takes."""
    return sum(cell_len(text) for text, _ in row)


def fitted(row: Row, width: int) -> Row:
    """Return the row in exactly ``width`` cells."""
    spans: list[Span] = []
    left = width
    for text, ink in row:
        cells = cell_len(text)
        if cells > left:
            spans.append((fit(text, left), ink))
            return tuple(spans)
        spans.append((text, ink))
        left -= cells
    spans.append((" " * left, "plain"))
    return tuple(spans)


def ends(left: Row, right: Row, width: int, fill: Span = (" ", "plain")) -> Row:
    """Return a row with ``left`` and ``right`` at its ends; ``left`` is cut first, and ``right`` goes before it."""
    room = width - width_of(right)
    if room < min(width_of(left), 8):
        return fitted(left, width)
    gap = max(room - width_of(left), 0)
    return (*(left if gap else fitted(left, room)), (fill[0] * gap, fill[1]), *right)


def titled(left: Row, right: Row, width: int) -> Row:
    """Return the line that heads a panel."""
    head: Row = (("─ ", "rule"), *left, (" ", "rule"))
    tail: Row = ((" ", "rule"), *right, (" ─", "rule")) if right else ()
    return ends(head, tail, width, ("─", "rule"))


def beside(columns: Sequence[Sequence[Row]], widths: Sequence[int], height: int) -> list[Row]:
    """Return columns of rows set side by side, ``height`` rows."""
    rows: list[Row] = []
    for y in range(height):
        row: list[Span] = []
        for column, width in zip(columns, widths, strict=True):
            if row:
                row.append((" " * GAP, "plain"))
            row.extend(fitted(column[y] if y < len(column) else (), width))
        rows.append(tuple(row))
    return rows


class Panel(Widget):
    """A part of the screen. Subclasses implement `picture`; the app calls `draw` with each new view."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"ink--{ink}" for ink in get_args(Ink)}

    _rows: list[Row] = []  # noqa: RUF012 - replaced, never changed
    _view: View | None = None

    @abstractmethod
    def picture(self, view: View, width: int, height: int) -> list[Row]:
        """Return at most ``height`` rows of at most ``width`` cells. Must be pure: it is called again on a resize."""

    def draw(self, view: View) -> None:
        """Show ``view``; only rows that differ from what is shown go to the terminal."""
        self._view = view
        size = self.size
        rows = self.picture(view, size.width, size.height) if size.width > 0 and size.height > 0 else []
        before, self._rows = self._rows, rows
        changed = [
            Region(0, y, size.width, 1)
            for y in range(max(len(rows), len(before)))
            if rows[y : y + 1] != before[y : y + 1]
        ]
        if changed:
            self.refresh(*changed)

    def on_resize(self, _: events.Resize) -> None:
        """Draw the same view in the new size."""
        if self._view is not None:
            self.draw(self._view)

    def render_line(self, y: int) -> Strip:
        """Return one row as the terminal gets it."""
        width, base = self.size.width, self.rich_style
        row = fitted(self._rows[y] if y < len(self._rows) else (), width)
        return Strip(
            [Segment(text, base + self.get_component_rich_style(f"ink--{ink}", partial=True)) for text, ink in row],
            width,
        )
