"""Alerts for a program of one's own."""

import subprocess
from collections.abc import Sequence
from typing import Final, Literal

import orjson
from pydantic import Field

from heeler.notify.notice import Notice
from heeler.notify.settings import Notifier, NotifierSettings, NotTold

SECONDS: Final = 30.0
_MOST_TOLD = 200


class CommandSettings(NotifierSettings):
    """Runs a program with the alerts as JSON on its standard input: {"alerts": [...]}."""

    kind: Literal["command"]
    """A program."""

    argv: tuple[str, ...] = Field(min_length=1, examples=[("/usr/local/bin/page", "--team", "web")])
    """The program and its arguments, as they are: no shell reads them, and nothing of a line gets into them."""

    def open(self) -> Notifier:
        """See `NotifierSettings.open`."""
        return Command(self)


class Command:
    """Runs it; see `heeler.notify.settings.Notifier`."""

    def __init__(self, settings: CommandSettings) -> None:
        self._settings = settings

    def tell(self, notices: Sequence[Notice]) -> None:
        """Run it once for all; any exit code but 0 is a failure."""
        body = orjson.dumps({"alerts": [one.as_json() for one in notices]})
        program = self._settings.argv[0]
        try:
            done = subprocess.run(  # noqa: S603 - the words are those of the configuration, and no shell reads them
                self._settings.argv, input=body, capture_output=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise NotTold(f"{program!r} did not end within {SECONDS:.0f} s.") from error
        except (OSError, ValueError) as error:
            raise NotTold(f"{program!r} cannot be run: {error}.") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()[-_MOST_TOLD:]
            raise NotTold(f"{program!r} ended with {done.returncode}: {said or 'it said nothing'}.")
