"""What can be set about the report that is appended to a file, and when each is due."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Self

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, model_validator

from heeler.config.section import Section
from heeler.config.values import Duration, PathText, Written
from heeler.units import SECOND_US

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)


def _cron(value: str) -> str:
    try:
        next(CronSim(value, _EPOCH))
    except CronSimError as error:
        raise ValueError(
            f"{value!r} is no cron expression ({error}); write five fields, such as '0 7 * * 1-5'."
        ) from error
    except StopIteration:
        raise ValueError(f"{value!r} names no day that ever comes.") from None
    return value


def _whole(value: float) -> float:
    if value < 1 or value != int(value):
        raise ValueError("A report is made every whole number of seconds, 1s at least.")
    return value


Cron = Annotated[str, AfterValidator(_cron), Written("cron expression", '"0 7 * * *"')]
"""When something is due, as crontab(5) has it, in UTC."""


class ReportSettings(Section):
    """A report that is appended to a file again and again."""

    path: PathText | None = Field(default=None, examples=["/var/log/heeler/report.txt"])
    """The file that reports are appended to; it is rotated at 10 MB. Without it there is none."""

    every: Annotated[Duration, AfterValidator(_whole)] = 3600.0
    """A report is made at each multiple of this since 1970 (UTC), about the time since the one before."""

    cron: Cron | None = Field(default=None, examples=["0 7 * * *"])
    """When a report is made, as in a crontab and in UTC, in place of every."""

    top: int = Field(default=10, ge=1, le=1000)
    """How many paths a report has."""

    cow: bool = False
    """Whether a cow stands before each report."""

    @model_validator(mode="after")
    def _has_one_time(self) -> Self:
        if self.cron is not None and "every" in self.model_fields_set:
            raise ValueError("A report is made either every so often or by cron; leave one of the two out.")
        return self

    def due_after_us(self, at_us: int) -> int:
        """Return the first moment after ``at_us`` at which a report is due; both are UTC microseconds."""
        if self.cron is not None:
            return (next(CronSim(self.cron, _EPOCH + timedelta(microseconds=at_us))) - _EPOCH) // _US
        step_us = round(self.every) * SECOND_US
        return (at_us // step_us + 1) * step_us

    def due_before_us(self, at_us: int) -> int:
        """Return the last moment before ``at_us`` at which a report was due."""
        if self.cron is not None:
            return (next(CronSim(self.cron, _EPOCH + timedelta(microseconds=at_us), reverse=True)) - _EPOCH) // _US
        step_us = round(self.every) * SECOND_US
        return -(-at_us // step_us) * step_us - step_us
