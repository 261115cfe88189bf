"""The command ``heeler``."""

import sys

from heeler import __version__


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:  # answered before anything heavy is imported
        sys.stdout.write(f"heeler {__version__}\n")
        raise SystemExit(0)
    from heeler.cli import run  # noqa: PLC0415 - see above

    raise SystemExit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
