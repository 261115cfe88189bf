"""The command line: one short module per command, and no logic in any of them."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

import typer

from heeler import __version__
from heeler.cli.backup import backup, restore
from heeler.cli.delete import delete
from heeler.cli.demo import demo
from heeler.cli.export import export
from heeler.cli.formats import formats
from heeler.cli.generate import generate
from heeler.cli.ingest import ingest
from heeler.cli.sql import sql
from heeler.cli.stats import stats_command
from heeler.cli.store import store_command
from heeler.cli.streams import streams
from heeler.cli.watch import watch
from heeler.errors import Exit, HeelerError

COMMANDS: dict[str, Callable[..., int]] = {
    "watch": watch,
    "demo": demo,
    "generate": generate,
    "ingest": ingest,
    "export": export,
    "streams": streams,
    "formats": formats,
    "stats": stats_command,
    "sql": sql,
    "delete": delete,
    "backup": backup,
    "restore": restore,
    "store": store_command,
}
"""Every command. Adding one is a module beside this one and a line here."""

_SETTINGS = {"help_option_names": ["-h", "--help"]}


def _version(asked: bool) -> None:
    if asked:
        print(f"heeler {__version__}")
        raise typer.Exit


def _heeler(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Heeler herds logs: watch them live and be told when something is wrong.

    `heeler help COMMAND` explains a command, as `heeler COMMAND --help` does.
    """
    del version  # answered by its callback


def application() -> typer.Typer:
    """Return the command line as one object; the documentation is generated from it."""
    app = typer.Typer(
        name="heeler",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=_SETTINGS,
    )
    app.callback()(_heeler)
    for name, command in COMMANDS.items():
        app.command(name, context_settings=_SETTINGS)(command)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; every failure is a sentence on stderr."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets an escape, not a traceback.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # both are text files of the process
    for asked in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(asked) is signal.SIG_DFL:  # under nohup it is ignored, and stays so
            signal.signal(asked, lambda *_: signal.raise_signal(signal.SIGINT))
    failure = ""
    try:
        code = _invoke(arguments)
    except HeelerError as error:
        failure, code = str(error), error.exit_code
    except typer.TyperException as error:
        told = error.format_message()
        stop = "" if told.endswith((".", "?")) else "."
        failure, code = f"{told}{stop} `heeler --help` and `heeler COMMAND --help` tell more.", Exit.USAGE
    except (KeyboardInterrupt, typer.Abort):
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        code = Exit.DONE  # whoever reads us has gone
    except OSError as error:
        failure, code = f"Reading or writing failed: {error.strerror}. Check disk and rights.", Exit.ENVIRONMENT
    if failure:
        with suppress(OSError):
            sys.stderr.write(f"heeler: {failure}\n")
    _forget_what_cannot_be_written()
    return code


def _invoke(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] == "help":
        arguments = [*arguments[1:2], "--help"]
    command = typer.main.get_command(application())
    try:
        # Not its `main`, which answers a closed pipe with an exit code of its own.
        with command.make_context("heeler", list(arguments)) as context:
            code = command.invoke(context)
    except typer.Exit as answered:
        code = answered.exit_code
    sys.stdout.flush()
    return code if isinstance(code, int) else Exit.DONE


def _forget_what_cannot_be_written() -> None:
    """Empty the buffers, so that nothing is left for the interpreter to fail on when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
