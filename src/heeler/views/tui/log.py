"""The newest lines, the lines that did not parse, and the sentences of the alerts."""

import re
from typing import Final

from heeler.views.sentences import alert_sentence
from heeler.views.snapshot import AlertLine, Snapshot
from heeler.views.tui.figures import count
from heeler.views.tui.matching import found, marked
from heeler.views.tui.rows import Ink, Panel, Row, View, fit, titled, width_of

_STATUS: Final = re.compile(r'(?<=" )[1-5][0-9][0-9](?= )')  # where the access formats have it: behind the request
_INKS: Final[dict[str, Ink]] = {"2": "good", "3": "info", "4": "warn", "5": "bad"}
_MARGIN = 3  # cells before a sentence


def sentence_rows(line: AlertLine, width: int) -> list[Row]:
    """Return an alert's sentence in one row, or in two where it does not fit: no word of it is ever cut."""
    triggered = line.state == "triggered"
    sign: Row = ((" ▲ ", "bad"),) if triggered else ((" ✓ ", "good"),)
    sentence = alert_sentence(line)
    if len(sentence) + _MARGIN <= width:
        return [(*sign, (sentence, "plain"))]
    head, comma, tail = sentence.rpartition(", ")
    return [(*sign, (head + comma, "plain")), ((" " * _MARGIN + tail, "plain"),)]


def alert_rows(history: tuple[AlertLine, ...], width: int, height: int) -> list[Row]:
    """Return as many whole sentences as fit into ``height`` rows, the newest last."""
    rows: list[Row] = []
    for line in reversed(history):
        more = sentence_rows(line, width)
        if len(rows) + len(more) > height:
            break
        rows = [*more, *rows]
    return rows


class Alerts(Panel):
    """The newest sentences about alerts; the app gives it rows once there are any."""

    def picture(self, view: View, width: int, height: int) -> list[Row]:
        """See `Panel.picture`."""
        history = view.snapshot.history
        rows = alert_rows(history, width, height)
        if history and len(rows) < height:  # there is room for a title
            hidden = len(history) * len(sentence_rows(history[0], width)) > height - 1
            right: Row = (("a shows all", "muted"),) if hidden else ()
            title = titled((("Alerts", "title"),), right, width)
            rows = [title, *alert_rows(history, width, height - 1)]
        return rows


def line_row(line: str, view: View, *, valid: bool, width: int) -> Row:
    """Return one line of the log; one that did not parse has a mark before it."""
    mark: Row = ((" ", "plain"),) if valid else (("!", "warn"),)
    shown = fit(line, width - 1)
    if view.filter:
        return (*mark, *marked(shown, view.filter))
    match = _STATUS.search(shown) if valid else None
    if match is None:
        return (*mark, (shown, "plain" if valid else "muted"))
    ink = _INKS.get(match[0][0], "plain")
    return (*mark, (shown[: match.start()], "plain"), (match[0], ink), (shown[match.end() :], "plain"))


def _totals(snapshot: Snapshot) -> Row:
    lines = sum(file.lines for file in snapshot.files)
    row: Row = ((f"{count(lines)} lines", "muted"), (f"  {count(snapshot.unparsed)} not parsed", "muted"))
    if snapshot.unparsed:
        row = (row[0], (row[1][0], "warn"))
    if snapshot.skewed:
        row = (*row, (f"  {count(snapshot.skewed)} skewed", "warn"))
    return row


class Log(Panel):
    """The rest of the screen: one of three lists, always ending in the newest."""

    def picture(self, view: View, width: int, height: int) -> list[Row]:
        """See `Panel.picture`."""
        snapshot = view.snapshot
        room = height - 1
        if view.shown == "alerts":
            name, rows = "Alerts", alert_rows(snapshot.history, width, room)
            empty = "no alert so far"
        else:
            valid = view.shown == "lines"
            name = "Newest lines" if valid else "Lines that did not parse"
            lines = [line for line in (snapshot.lines if valid else snapshot.invalid) if found(line, view.filter)]
            failed = frozenset(snapshot.invalid)
            rows = [
                line_row(line, view, valid=line not in failed, width=width)
                for line in lines[max(len(lines) - room, 0) :]
            ]
            empty = "no line has the filter's text" if view.filter else "none"
        title: Row = ((name, "title"),)
        if view.shown != "lines":
            title = (*title, (f"  {'i' if view.shown == 'invalid' else 'a'} goes back", "muted"))
        totals = _totals(snapshot)
        message = next((file.message for file in snapshot.files if file.message), "")
        free = width - width_of(title) - width_of(totals) - 8
        if message and free > len(message[:20]):
            title = (*title, (f"  {fit(message, min(free, len(message)))}", "warn"))
        return [titled(title, totals, width), *(rows or [((f" {empty}", "muted"),)])][:height]
