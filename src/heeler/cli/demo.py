"""`heeler demo`."""

import sys
from typing import Annotated

import typer

from heeler.cli.screens import notice, print_all, printing, show
from heeler.clock import SystemClock
from heeler.views.demo import RULE, DemoSession
from heeler.views.invalid import InvalidLines
from heeler.views.plain import as_text


def demo(
    plain: Annotated[bool, typer.Option("--plain", help="Print blocks instead of the full screen.")] = False,
) -> int:
    """Watch generated traffic with a spike: an alert fires and recovers within a minute. Leaves nothing behind."""
    clock = SystemClock()
    if sys.stdout.isatty() and not plain:
        notices: list[str] = []
        silent = InvalidLines("none", sys.stderr)
        with DemoSession(clock, invalid=silent, say=lambda _: None, notice=notices.append, screen=True) as session:
            return show(session)
    notice(
        f"Generated traffic of 8 requests a second, with a spike of 60. The alert fires above {RULE.threshold} on "
        f"average over {RULE.window_s} s. This ends by itself when the alert has recovered, after about half a minute."
    )
    invalid = InvalidLines("sample", sys.stderr)
    with DemoSession(clock, invalid=invalid, say=printing(as_text), notice=notice, screen=False) as session:
        return print_all(session)
