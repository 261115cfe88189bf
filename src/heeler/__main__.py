"""The command ``heeler``."""

import sys

from heeler import __version__
from heeler.errors import Exit


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:  # answered before anything heavy is imported
        sys.stdout.write(f"heeler {__version__}\n")
        raise SystemExit(0)
    try:
        from heeler.cli import run  # noqa: PLC0415 - see above

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while modules were still being imported
        code = Exit.INTERRUPTED
    raise SystemExit(code)


if __name__ == "__main__":
    main()
