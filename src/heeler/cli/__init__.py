"""The command line: one short module per command, and no logic in any of them."""

import os
import sys
from collections.abc import Callable, Sequence

import typer

from heeler import __version__
from heeler.cli.demo import demo
from heeler.cli.formats import formats
from heeler.cli.generate import generate
from heeler.cli.watch import watch
from heeler.errors import Exit, HeelerError

COMMANDS: dict[str, Callable[..., int]] = {"watch": watch, "demo": demo, "generate": generate, "formats": formats}
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
        no_args_is_help=True,
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
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:2], "--help"]
    try:
        code = typer.main.get_command(application()).main(list(arguments), prog_name="heeler", standalone_mode=False)
        sys.stdout.flush()
    except HeelerError as error:
        sys.stderr.write(f"heeler: {error}\n")
        return error.exit_code
    except typer.TyperException as error:
        sys.stderr.write(f"heeler: {error.format_message()} `heeler --help` and `heeler COMMAND --help` tell more.\n")
        return Exit.USAGE
    except (KeyboardInterrupt, typer.Abort):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever reads us has gone. What is left in the buffer must not be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    return code if isinstance(code, int) else Exit.DONE
