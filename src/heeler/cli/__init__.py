"""The command line: one short module per command, and no logic in any of them."""

import os
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import import_module

import typer

from heeler import __version__
from heeler.errors import Exit, HeelerError

COMMANDS = {
    "watch": "watch:watch",
    "demo": "demo:demo",
    "generate": "generate:generate",
    "ingest": "ingest:ingest",
    "export": "export:export",
    "search": "search:search",
    "tail": "tail:tail",
    "streams": "streams:streams",
    "formats": "formats:formats",
    "stats": "stats:stats_command",
    "report": "report:report",
    "push": "push:push",
    "sql": "sql:sql",
    "delete": "delete:delete",
    "alerts": "alerts:alerts",
    "run": "run:run",
    "start": "background:start",
    "stop": "background:stop",
    "reload": "background:reload",
    "status": "status:status",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "store": "store:store_command",
    "init": "init:init",
    "check": "check:check",
    "doctor": "doctor:doctor",
}
"""Every command: its module beside this one, and the function there. Adding one is a module and a line here.

They are names, so that a command waits only for its own imports: the engines take longer than many an answer.
"""

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


def application(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Return the command line as one object, with these commands; the documentation is generated from it."""
    app = typer.Typer(
        name="heeler",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=_SETTINGS,
    )
    app.callback()(_heeler)
    for name in names:
        module, _, function = COMMANDS[name].partition(":")
        command = getattr(import_module(f"heeler.cli.{module}"), function)
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
    # The first word is a command in every line that is right; only a wrong one needs them all, to say what was meant.
    names = arguments[:1] if arguments[0] in COMMANDS else COMMANDS
    command = typer.main.get_command(application(names))
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
