"""How many rows each part of the screen gets. What matters most is cut last."""

from typing import Final, NamedTuple

#: Terminal rows from which the chart has so many rows, and the alerts at most so many.
_ROOM: Final = ((44, 9, 7), (36, 7, 5), (30, 5, 4), (27, 4, 2), (0, 3, 2))
_EDGES = 3  # header, banner, keys
_BREAKDOWN = 11  # a title and ten sections
_LEAST_LOG = 3


class Heights(NamedTuple):
    """Rows of the parts that do not have one row always; the log has the rest. A part with no rows is hidden."""

    traffic: int
    breakdown: int
    alerts: int


def heights(rows: int, sentences: int, per_sentence: int) -> Heights:
    """Return the heights on a screen of ``rows`` rows with so many alert sentences of so many rows each."""
    chart, most = next((chart, most) for least, chart, most in _ROOM if rows >= least)
    free = max(rows - _EDGES, 0)
    traffic = min(chart + 2, free)
    free -= traffic
    wanted = sentences * per_sentence
    alerts = min(wanted + (most > per_sentence), most) if wanted else 0
    breakdown = min(_BREAKDOWN, max(free - alerts - _LEAST_LOG, 0))
    if breakdown < _BREAKDOWN:  # a small screen: the banner has the news
        alerts = 0
        breakdown = min(_BREAKDOWN, max(free - _LEAST_LOG, 0))
    return Heights(traffic, breakdown, alerts)
