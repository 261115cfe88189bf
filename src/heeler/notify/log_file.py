"""Alerts as lines of a file, one for each transition."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from heeler.config.values import PathText
from heeler.notify.notice import DEFAULT_RECOVERED, DEFAULT_TRIGGERED, TRIGGERED, Notice, written, wrong_in
from heeler.notify.settings import Notifier, NotifierSettings, NotTold


class LogFileSettings(NotifierSettings):
    """Appends a line for each transition to a file."""

    kind: Literal["log"]
    """A file of lines."""

    path: PathText = Field(examples=["/var/log/heeler/alerts.log"])
    """The file. It is opened for each line, so it can be rotated by moving it."""

    triggered: str = DEFAULT_TRIGGERED
    """What is written when an alert fires; {hits}, {rate}, {threshold}, {window}, {time}, {rule} and others stand for
    values."""

    recovered: str = DEFAULT_RECOVERED
    """What is written when it recovers."""

    @model_validator(mode="after")
    def _templates_are_right(self) -> Self:
        for name in ("triggered", "recovered"):
            if wrong := wrong_in(getattr(self, name)):
                raise ValueError(f"{name}: {wrong}")
        return self

    def open(self) -> Notifier:
        """See `NotifierSettings.open`."""
        return LogFile(self)


class LogFile:
    """Writes lines; see `heeler.notify.settings.Notifier`."""

    def __init__(self, settings: LogFileSettings) -> None:
        self._settings = settings

    def tell(self, notices: Sequence[Notice]) -> None:
        """Append a line for each, all at once. One line stays one line: what comes from a log is escaped."""
        lines = [
            written(self._settings.triggered if one.state == TRIGGERED else self._settings.recovered, one)
            for one in notices
        ]
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        path = Path(self._settings.path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                os.write(handle, data)
            finally:
                os.close(handle)
        except OSError as error:
            raise NotTold(f"The alert log {path} cannot be written: {error.strerror}.") from error
