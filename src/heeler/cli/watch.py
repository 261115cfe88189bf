"""`heeler watch`."""

import sys
from collections.abc import Callable
from contextlib import closing
from typing import Annotated

import typer

from heeler.cli.config_option import ConfigOption
from heeler.cli.own_formats import configured_formats
from heeler.cli.screens import notice, print_all, printing, show
from heeler.cli.stores import adding
from heeler.cli.zone_option import ZoneOption
from heeler.clock import SystemClock
from heeler.errors import UsageError
from heeler.formats import Format
from heeler.formats.choose import Formats, format_named
from heeler.formats.zones import zone_named
from heeler.ingest.watched import WatchStore
from heeler.rules.alert import HighTraffic
from heeler.store import Store
from heeler.units import rate_per_s, whole_seconds
from heeler.views.invalid import InvalidLines
from heeler.views.plain import as_json, as_text
from heeler.views.watch import WatchOptions, WatchSession
from heeler.views.watching import Said

DEFAULT_FILE = "/tmp/access.log"  # noqa: S108 - the path that the command line contract promises


def watch(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            show_default=False,
            help="Access logs, directories of such, or patterns in quotes; - is standard input.",
        ),
    ] = None,
    interval: Annotated[str, typer.Option(help="The length of a block of statistics.")] = "10s",
    window: Annotated[str, typer.Option(help="The time over which the alert averages.")] = "2m",
    threshold: Annotated[str, typer.Option(help="The alert fires above this many requests a second.")] = "10",
    from_start: Annotated[bool, typer.Option("--from-start", help="Read what is there first.")] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Read the files to their end by event time, and exit.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Print blocks instead of the full screen.")] = False,
    as_json_lines: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    log_format: Annotated[
        str, typer.Option("--format", help="A format by name, a template, an nginx log_format or an Apache LogFormat.")
    ] = "",
    invalid: Annotated[
        str,
        typer.Option(help="Lines that do not parse: 'all' or a 'sample' on stderr, 'none', or a file for their bytes."),
    ] = "",
    zone: ZoneOption = "",
    config: ConfigOption = "",
    store: Annotated[
        str, typer.Option(metavar="URL", help="Store as well what is watched, as lake:PATH.", show_default=False)
    ] = "",
) -> int:
    """Watch access logs live: traffic in blocks of 10 s, and an alert when it is high. Default: /tmp/access.log."""
    known = configured_formats(config)
    screen = not (plain or as_json_lines or replay) and sys.stdout.isatty()
    options = WatchOptions(
        paths=tuple(files or [DEFAULT_FILE]),
        rule=HighTraffic(rate_per_s(threshold, "The threshold"), whole_seconds(window, "The window")),
        interval_s=whole_seconds(interval, "The interval"),
        replay=replay,
        from_start=from_start,
        format=_timed_format(log_format, known),
        known=known,
        zone=zone_named(zone) if zone else None,
        screen=screen,
    )
    if replay and store:
        raise UsageError("A replay is not stored; `heeler ingest` stores whole files. Leave out --replay or --store.")
    write = as_json if as_json_lines else as_text
    if not store:
        return _watch(options, invalid, write, None)
    with closing(adding(store, "heeler watch")) as lake:
        return _watch(options, invalid, write, lake)


def _watch(options: WatchOptions, invalid: str, write: Callable[[Said], str], lake: Store | None) -> int:
    clock = SystemClock()
    notices: list[str] = []
    tell = notices.append if options.screen else notice
    store = WatchStore(lake, clock, tell) if lake else None
    if options.screen:
        # The screen shows invalid lines itself; a file for them is written all the same.
        quiet = InvalidLines("none" if invalid in ("", "all", "sample") else invalid, sys.stderr)
        session = WatchSession(options, clock, invalid=quiet, say=lambda _: None, notice=tell, store=store)
        try:
            return show(session)
        finally:
            notice("\n".join(notices))
    lines = InvalidLines(invalid or ("sample" if sys.stderr.isatty() else "all"), sys.stderr)
    return print_all(WatchSession(options, clock, invalid=lines, say=printing(write), notice=tell, store=store))


def _timed_format(text: str, known: Formats) -> Format | None:
    if not text:
        return None
    found = format_named(text, known)
    if "time" not in found.columns:
        raise UsageError(f"The format {text!r} has no time; `watch` counts by the time that stands in each line.")
    return found
