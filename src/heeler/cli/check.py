"""`heeler check`."""

import json
from typing import Annotated

import typer

from heeler.cli.config_option import ConfigOption
from heeler.cli.screens import notice
from heeler.clock import SystemClock
from heeler.config.finding import found_configuration
from heeler.daemon.checking import doubts, plans, try_samples
from heeler.daemon.configuration import Configured, configured
from heeler.errors import ConfigurationError, Exit, UsageError
from heeler.formats.timestamps import Receipt
from heeler.views.escape import printable


def check(
    config: ConfigOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> int:
    """Read the configuration, say everything that is wrong in it, and what would run. Nothing is run or written."""
    path = found_configuration(config)
    if path is None:
        raise UsageError("There is no configuration; `heeler init` writes one, and --config names one.")
    try:
        read = configured(path)
        try_samples(read, Receipt(SystemClock().now_us()))
    except ConfigurationError as error:
        if not as_json:
            raise
        for one in error.errors:
            place = {"path": one.path, "line": one.line, "column": one.column, "key": one.key}
            print(json.dumps({"error": one.sentence} | place))
        return Exit.USAGE
    if as_json:
        _as_json(read)
    else:
        _as_table(read)
    return Exit.DONE


def _as_json(read: Configured) -> None:
    settings = read.settings
    own = list(settings.formats)
    print(json.dumps({"configuration": str(read.path), "store": settings.store, "formats": own}))
    for plan in plans(read):
        told = plan._asdict()
        print(json.dumps({"source": told.pop("name")} | told))
    for doubt in doubts(read):
        print(json.dumps({"warning": doubt}))


def _as_table(read: Configured) -> None:
    settings = read.settings
    print(printable(f"{read.path} is right."))
    rows = [("source", "kind", "group", "format")]
    rows += [(one.name if one.enabled else f"({one.name})", one.kind, one.group, one.format) for one in plans(read)]
    if len(rows) > 1:
        widths = [max(len(printable(row[at])) for row in rows) for at in range(len(rows[0]))]
        for row in rows:
            cells = (printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
            print("  " + "  ".join(cells).rstrip())
    print(printable(f"Records go to {settings.store}; health and metrics are at http://{settings.web.listen}/."))
    if settings.formats:
        print(printable(f"Formats of your own: {', '.join(settings.formats)}."))
    for plan in plans(read):
        for doubt in plan.doubts:
            notice(printable(f"{plan.name}: {doubt}"))
    for doubt in doubts(read):
        notice(printable(doubt))
