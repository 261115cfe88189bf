"""Showing on a terminal what is being done, for work that names its steps as it goes."""

import sys
from collections.abc import Iterator

from heeler.views.escape import printable


def shown(work: Iterator[str]) -> int:
    """Do the work to its end, with a line that tells the newest step where stderr is a terminal; count the steps."""
    if not sys.stderr.isatty():
        return sum(1 for _ in work)
    from rich.console import Console  # noqa: PLC0415 - takes a while to import, and a pipe needs none
    from rich.text import Text  # noqa: PLC0415 - the same

    count = 0
    with Console(stderr=True).status("") as status:
        for step in work:
            count += 1
            status.update(Text(f"{printable(step)} ({count:,})"))
    return count
