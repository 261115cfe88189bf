"""How much traffic there is now, was in the last minutes, and may be: a big figure, a chart and a gauge."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from heeler.views.snapshot import Snapshot
from heeler.views.tui.figures import big, count, limit, rate, span
from heeler.views.tui.rows import Ink, Panel, Row, Span, View, beside, ends, titled, width_of

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_NOW_S = 10  # seconds that the big figure is the mean of: shorter ones jitter, longer ones lag
_FIGURE = 19  # cells: five signs of a big figure
_AXIS = 9  # cells right of the chart
_LEAST_SCALE = 0.25  # a peak under this share of the threshold is drawn in a scale of its own
_LEAST_GAUGE = 4  # cells: a shorter one says nothing
_GAUGE_ROOM = 1.25  # the gauge ends this far behind the threshold


def columns(second_hits: Sequence[int], now_s: int, width: int) -> tuple[list[float], int]:
    """Return mean hits a second for at most ``width`` columns, oldest first, and the seconds in each.

    Columns begin at whole multiples of their seconds, so a column keeps its value as the chart moves on.
    """
    seconds = max(1, round(len(second_hits) / width)) if width else 1
    first_s = now_s - len(second_hits)
    means: list[float] = []
    at = 0
    while at < len(second_hits):
        until = min(at + seconds - (first_s + at) % seconds, len(second_hits))
        means.append(sum(second_hits[at:until]) / (until - at))
        at = until
    return means[max(len(means) - width, 0) :], seconds


class Scale(NamedTuple):
    """What the chart's height means. ``limit_row`` counts from the bottom; -1 where the threshold is out of sight."""

    height: int
    peak: float
    top: float
    threshold: float
    limit_row: int


def scale(means: Sequence[float], threshold: float, height: int) -> Scale:
    """Return the scale that shows the highest bar and, unless that would flatten the bars, the threshold."""
    peak = max(means, default=0.0)
    if threshold <= 0 or peak < threshold * _LEAST_SCALE:
        return Scale(height, peak, peak, threshold, -1)
    top = max(peak, threshold)
    return Scale(height, peak, top, threshold, min(int(threshold / top * height), height - 1))


def chart(means: Sequence[float], threshold: float, width: int, height: int) -> list[Row]:
    """Return the bar chart with its axis: the highest bar and the threshold are named at the right."""
    by = scale(means, threshold, height)
    eighths = [math.ceil(mean / by.top * height * 8) if by.top else 0 for mean in means]
    rows: list[Row] = []
    for level in range(height - 1, -1, -1):
        empty: Span = ("┄", "limit") if level == by.limit_row else (" ", "plain")
        row: list[Span] = [(empty[0] * (width - len(means)), empty[1])]
        for mean, eighth in zip(means, eighths, strict=True):
            filled = min(max(eighth - level * 8, 0), 8)
            ink: Ink = "warn" if mean > threshold > 0 and level >= by.limit_row else "bar"
            row.append((_EIGHTHS[filled], ink) if filled else empty)
        row.append(_axis(level, by))
        rows.append(_joined(row))
    return rows


def _axis(level: int, by: Scale) -> Span:
    if level == by.limit_row:
        return f"┄{limit(by.threshold)} limit", "limit"
    if by.top and level == min(math.ceil(by.peak / by.top * by.height) - 1, by.height - 1):
        return f" {rate(by.peak)} max", "muted"
    if by.limit_row < 0 and level == by.height - 2 and by.threshold > 0:
        return f"↑{limit(by.threshold)} limit", "limit"
    return "", "plain"


def _joined(row: Sequence[Span]) -> Row:
    joined: list[Span] = []
    for text, ink in row:
        if joined and joined[-1][1] == ink:
            joined[-1] = (joined[-1][0] + text, ink)
        elif text:
            joined.append((text, ink))
    return tuple(joined)


def gauge(snapshot: Snapshot, width: int) -> Row:
    """Return the average over the window against the threshold."""
    mean = snapshot.window_hits / snapshot.window_s
    over = snapshot.firing is not None or mean > snapshot.threshold
    head: Row = ((f" {span(snapshot.window_s)} window ", "plain"),)
    tail: Row = (
        (f" {rate(mean)}/s", "bad" if over else "strong"),
        (f" of {limit(snapshot.threshold)}/s", "muted"),
        (f"  {count(snapshot.window_hits)} hits ", "plain"),
    )
    cells = width - width_of(head) - width_of(tail)
    if cells < _LEAST_GAUGE:
        return ends(head, tail, width)
    full = max(snapshot.threshold * _GAUGE_ROOM, mean) or 1.0
    filled = round(mean / full * cells)
    mark = min(int(snapshot.threshold / full * cells), cells - 1)
    ink: Ink = "bad" if over else "bar"
    row = [("━", ink) if x < filled else ("─", "track") for x in range(cells)]
    row[mark] = ("┃", "limit")
    return (*head, *_joined(row), *tail)


class Traffic(Panel):
    """The big figure, the chart of the last minutes, and the gauge of the window."""

    def picture(self, view: View, width: int, height: int) -> list[Row]:
        """See `Panel.picture`."""
        snapshot = view.snapshot
        bars = width - _FIGURE - _AXIS - 4
        means, seconds = columns(snapshot.second_hits, snapshot.now_s, bars)
        recent = snapshot.second_hits[-_NOW_S:]
        now = rate(sum(recent) / len(recent) if recent else 0.0)
        shown = min(len(means) * seconds, len(snapshot.second_hits))
        title = titled(
            (("Requests a second", "title"),),
            ((f"last {span(shown)}, {seconds} s a bar", "muted"),) if shown else (),
            width,
        )
        tall = max(height - 2, 1)
        figure: list[Row] = [((f" {row}", "strong"),) for row in big(now)]
        if tall > len(figure):
            figure += [()] * (tall > len(figure) + 1) + [((f" mean of {_NOW_S} s", "muted"),)]
        middle = beside((figure, chart(means, snapshot.threshold, bars, tall)), (_FIGURE, bars + _AXIS), tall)
        return [title, *middle, gauge(snapshot, width)][:height]
