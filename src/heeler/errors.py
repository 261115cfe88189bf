"""Every error that Heeler raises on purpose, and the exit code that each becomes.

::

    HeelerError                      3   what failed, where, and what to do: one sentence
    ├── NothingFound                 1   the question was fine and the answer is empty, or a check failed
    ├── UsageError                   2   a wrong option, a wrong file, a wrong format
    │   ├── PlacedError              2   a text cannot be understood; shows the place with a caret
    │   │   ├── TemplateError        2   … of a format
    │   │   ├── QueryError           2   … of a query
    │   │   └── SettingError         2   … of a configuration
    │   └── ConfigurationError       2   everything that is wrong in a configuration, one after the other
    ├── EnvironmentFailed            3   permission, disk, network, a server
    ├── SourceUnavailable            3   a source cannot be read now; it is retried
    └── SourceEnded                  0   a source has nothing more to give, ever
"""

from collections.abc import Sequence
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    NOTHING_FOUND = 1
    USAGE = 2
    ENVIRONMENT = 3
    INTERRUPTED = 130


class HeelerError(Exception):
    """A failure told in a sentence: what was read, where, and what to do."""

    exit_code = Exit.ENVIRONMENT


class NothingFound(HeelerError):
    """The answer is empty, or a check failed."""

    exit_code = Exit.NOTHING_FOUND


class UsageError(HeelerError):
    """The command line or the configuration is wrong."""

    exit_code = Exit.USAGE


class PlacedError(UsageError):
    """A text cannot be understood.

    ``text`` is what was read and ``at`` the index of the character where understanding ended; the sentence is
    followed by the text and a caret below the place.
    """

    def __init__(self, message: str, text: str, at: int) -> None:
        self.text = text
        self.at = at
        shown = text.replace("\n", " ").replace("\t", " ")
        super().__init__(f"{message}\n  {shown}\n  {' ' * at}^")


class TemplateError(PlacedError):
    """The text of a format cannot be understood."""


class QueryError(PlacedError):
    """A query cannot be understood."""


class SettingError(PlacedError):
    """A setting of a configuration file cannot be what it is.

    ``path`` is the file, ``line`` and ``column`` are counted from 1, ``key`` is the setting as ``sources.app.kind``;
    ``sentence`` says what was read and what is allowed. ``text`` is the line.
    """

    def __init__(self, sentence: str, text: str, at: int, *, path: str, line: int, column: int, key: str) -> None:
        self.sentence = sentence
        self.path = path
        self.line = line
        self.column = column
        self.key = key
        super().__init__(f"{path}:{line}:{column}: {sentence}", text, at)


class ConfigurationError(UsageError):
    """A configuration is wrong. ``errors`` is everything that is, in the order of the file."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda one: (one.line, one.column)))
        super().__init__("\n".join(str(one) for one in self.errors))


class EnvironmentFailed(HeelerError):
    """Something outside Heeler refused: permission, disk, network, a server."""


class SourceUnavailable(HeelerError):
    """A source cannot be read now. Whoever runs it waits and tries again."""


class SourceEnded(HeelerError):
    """A source has nothing more to give, ever."""

    exit_code = Exit.DONE
