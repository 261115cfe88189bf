"""`heeler ingest`."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import typer

from heeler.cli.config_option import ConfigOption
from heeler.cli.own_formats import configured_formats
from heeler.cli.screens import notice
from heeler.cli.store_option import StoreOption
from heeler.cli.stores import adding
from heeler.cli.zone_option import ZoneOption
from heeler.clock import SystemClock
from heeler.formats.choose import format_named
from heeler.formats.zones import zone_named
from heeler.ingest.files import Ingest, IngestOptions, Summary
from heeler.views.escape import printable


def ingest(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", show_default=False)],
    group: Annotated[str, typer.Option(help="The group that the lines belong to.")] = "default",
    stream: Annotated[
        str, typer.Option(help="The stream within the group. Default: the absolute path of each file.")
    ] = "",
    log_format: Annotated[
        str, typer.Option("--format", help="A format by name, a template, an nginx log_format or an Apache LogFormat.")
    ] = "",
    store: StoreOption = "",
    zone: ZoneOption = "",
    config: ConfigOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with the counts of this run.")] = False,
) -> int:
    """Read whole files (also .gz, .zst, .bz2, .xz, or - for standard input) into the store.

    What was stored of a file before is not stored again: interrupted, or run again on a file that grew, it goes on
    where it was.
    """
    known = configured_formats(config)
    given = format_named(log_format, known) if log_format else None
    options = IngestOptions(tuple(files), group, stream, given, known=known, zone=zone_named(zone) if zone else None)
    clock = SystemClock()
    begin = clock.monotonic()
    with closing(adding(store, "heeler ingest")) as lake, _progress() as show:
        run = Ingest(lake, options, clock, notice=show.notice, changed=lambda: show.update(run.summary))
        summary = asyncio.run(run.run())
    if as_json:
        seconds = round(clock.monotonic() - begin, 3)
        row = {
            "lines": summary.lines,
            "parsed": summary.parsed,
            "unparsed": summary.unparsed,
            "bytes": summary.bytes,
            "seconds": seconds,
        }
        print(json.dumps(row))
    return summary.exit_code


class _Silent:
    """Shows sentences alone."""

    def notice(self, text: str) -> None:
        """Say something."""
        notice(printable(text))

    def update(self, summary: Summary) -> None:
        """Show how far it has come."""


class _Bar(_Silent):
    """Shows a bar that moves below the sentences."""

    def __init__(self, write: Callable[[str], None], move: Callable[[Summary], None]) -> None:
        self._write = write
        self._move = move

    def notice(self, text: str) -> None:
        """Say something above the bar."""
        self._write(printable(text))

    def update(self, summary: Summary) -> None:
        """Move the bar."""
        self._move(summary)


@contextmanager
def _progress() -> Iterator[_Silent]:
    """Show a progress bar on a terminal, and sentences everywhere."""
    if not sys.stderr.isatty():
        yield _Silent()
        return
    from rich import progress as rich  # noqa: PLC0415 - takes a while to import, and a pipe needs none
    from rich.console import Console  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    bar = rich.Progress(
        rich.BarColumn(),
        rich.DownloadColumn(),
        rich.TextColumn("{task.fields[lines]} lines, {task.fields[rate]} lines/s"),
        rich.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None, lines="0", rate="0")

        def move(summary: Summary) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            bar.update(
                task,
                total=summary.size,
                completed=summary.consumed,
                lines=f"{summary.lines:,}",
                rate=f"{summary.lines / elapsed:,.0f}" if elapsed else "0",
            )

        yield _Bar(lambda text: bar.console.print(Text(text), soft_wrap=True), move)
