"""What the requests of one interval were: sections, responses, clients."""

from typing import Final

from rich.cells import cell_len

from heeler.views.snapshot import Block
from heeler.views.tui.figures import clock, count, rate, share, size
from heeler.views.tui.matching import found, marked
from heeler.views.tui.rows import GAP, Ink, Panel, Row, Span, View, beside, fitted, titled, width_of

_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")  # always shown, so that the rows below stay where they are
_INKS: Final[dict[str, Ink]] = {"2xx": "good", "3xx": "info", "4xx": "warn", "5xx": "bad"}
_WIDE = 120  # columns from which the clients have a column of their own
_HITS, _SHARE = 7, 7  # cells of the two figures in each row
_LEAST_BAR = 5  # cells beside the longest names, with the blanks around
_LABEL = 9  # cells of a status class or a method


def bar(part: int, whole: int, width: int, ink: Ink = "bar") -> Row:
    """Return a thin bar in steps of half a cell; what is not nothing is never drawn as nothing."""
    halves = max(round(2 * width * part / whole), 1) if part and whole else 0
    text = "━" * (halves // 2) + "╸" * (halves % 2)
    return ((text, ink), (" " * (width - len(text)), "plain"))


def ranked(name: Row, named: int, hits: int, block: Block, *, ink: Ink = "bar", top: int, width: int) -> Row:
    """Return a row of a table: name in ``named`` cells, hits, share of the block, bar against ``top``."""
    room = max(width - named - _HITS - _SHARE - 2, 0)
    figures: Row = (
        (f"{count(hits):>{_HITS}}", "plain" if hits else "muted"),
        (f"{share(hits, block.hits):>{_SHARE}} ", "muted"),
    )
    return (*fitted(name, named), *figures, *bar(hits, top, room, ink))


def interval(block: Block, *, is_open: bool) -> Row:
    """Return which interval is shown."""
    start, end = clock(block.start_s, block.zone_minutes), clock(block.end_s, block.zone_minutes)
    return (("since ", "muted"), (start, "plain")) if is_open else ((f"{start}-{end}", "plain"),)


def sections(view: View, block: Block | None, *, is_open: bool, width: int) -> list[Row]:
    """Return the table of sections, in the order and with the filter that the user chose."""
    order: Row = (("Sections", "title"), (" by name" if view.by_name else " by hits", "muted"))
    if block is None:
        return [titled(order, (), width), ((" no requests yet", "muted"),)]
    chosen = [(name, hits) for name, hits in block.sections if found(name, view.filter)]
    if view.by_name:
        chosen.sort()
    top = max((hits for _, hits in block.sections), default=0)
    rows = [
        ranked(
            ((" ", "plain"), *marked(name, view.filter)),
            _named(block.sections, width),
            hits,
            block,
            top=top,
            width=width,
        )
        for name, hits in chosen
    ]
    if not rows:
        nothing = " no section has the filter's text" if block.sections else " no requests in this interval"
        rows = [((nothing, "muted"),)]
    return [titled(order, interval(block, is_open=is_open), width), *rows]


def responses(block: Block | None, width: int, *, tall: bool) -> list[Row]:
    """Return status classes, error rates and methods; ``tall`` gives each method a row."""
    title: Row = (("Responses", "title"),)
    if block is None:
        return [titled(title, (), width)]
    status = dict(block.status)
    names = (*_CLASSES, *(name for name in sorted(status) if name not in _CLASSES))
    rows = [
        titled(
            (*title, (f" {count(block.hits)}, {rate(block.rate)}/s", "plain")), ((size(block.bytes), "plain"),), width
        )
    ]
    for name in names:
        hits = status.get(name, 0)
        ink = _INKS.get(name, "plain") if hits else "muted"
        rows.append(ranked(((f" {name}", ink),), _LABEL, hits, block, ink=ink, top=block.hits, width=width))
    rows.append(_errors(block, width))
    if tall:
        top = max((hits for _, hits in block.methods), default=0)
        rows += [
            ranked(((f" {name}", "plain"),), _LABEL, hits, block, top=top, width=width) for name, hits in block.methods
        ]
    elif block.methods:
        spans: list[Span] = [(" ", "plain")]
        for name, hits in block.methods:
            spans += [(f"{name} ", "muted"), (f"{count(hits)}  ", "plain")]
        rows.append(tuple(spans))
    return rows


def _named(counts: tuple[tuple[str, int], ...], width: int) -> int:
    """Return the cells of the names in a table ``width`` wide: most of what the figures leave, more for long ones."""
    room = width - _HITS - _SHARE
    longest = max((cell_len(name) for name, _ in counts), default=0)
    return min(max(longest + 1, room * 3 // 5), room - _LEAST_BAR)


def _errors(block: Block, width: int) -> Row:
    rates: Row = (
        (" errors ", "muted"),
        (share(block.errors, block.hits).strip(), "warn" if block.errors else "muted"),
        ("  5xx ", "muted"),
        (share(block.server_errors, block.hits).strip(), "bad" if block.server_errors else "muted"),
    )
    unparsed: Row = ((f"  {count(block.unparsed)} not parsed", "warn"),)
    return (*rates, *unparsed) if block.unparsed and width_of(rates) + width_of(unparsed) <= width else rates


def clients(block: Block | None, width: int) -> list[Row]:
    """Return the clients with most hits, under the number of different ones."""
    title: Row = (("Clients", "title"),)
    if block is None:
        return [titled(title, (), width)]
    top = max((hits for _, hits in block.top_clients), default=0)
    rows = [
        ranked(((f" {name}", "plain"),), _named(block.top_clients, width), hits, block, top=top, width=width)
        for name, hits in block.top_clients
    ]
    return [titled(title, ((f"{count(block.clients)} different", "plain"),), width), *rows]


class Breakdown(Panel):
    """The newest whole interval, or the open one until there is a whole one; the title says which."""

    def picture(self, view: View, width: int, height: int) -> list[Row]:
        """See `Panel.picture`."""
        last = view.snapshot.last
        block, is_open = (last, False) if last is not None else (view.snapshot.current, True)
        columns: list[list[Row]]
        if width >= _WIDE:
            room = width - 2 * GAP
            widths = [room * 2 // 5, room * 3 // 10]
            widths.append(room - sum(widths))
            columns = [
                sections(view, block, is_open=is_open, width=widths[0]),
                responses(block, widths[1], tall=True),
                clients(block, widths[2]),
            ]
        else:
            left = (width - GAP) * 21 // 40
            widths = [left, width - GAP - left]
            answers = responses(block, widths[1], tall=False)
            columns = [
                sections(view, block, is_open=is_open, width=left),
                [*answers, *clients(block, widths[1])],
            ]
        return beside(columns, widths, height)
