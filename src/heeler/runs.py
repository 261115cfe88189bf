"""Equal neighbours, looked at once: lines of one second follow each other, and most of a log is in order."""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def runs_of(*columns: NDArray[np.generic]) -> tuple[Integers, Integers]:
    """Return where each run of equal rows of ``columns`` (all of one length) begins, and how many rows it has."""
    rows = len(columns[0])
    changed = np.zeros(rows, np.bool_)
    changed[:1] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    heads = np.flatnonzero(changed)
    return heads, np.diff(heads, append=rows)
