"""The section `[rules.NAME]` of the configuration, and the rule that it is."""

import re
from fractions import Fraction
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from heeler.config.section import Section
from heeler.config.values import Duration, Name, Rate, Within
from heeler.errors import QueryError, UsageError
from heeler.query import tree
from heeler.query.language import parse
from heeler.rules.aggregate import Aggregate, aggregate
from heeler.rules.limit import Limit
from heeler.rules.rule import Rule, high_traffic

LONGEST_WINDOW_S = 86_400
"""A window is kept by the second; a day has 86,400 of them."""

Severity = Literal["info", "warning", "critical"]
_FIELD = re.compile(r"[A-Za-z_@][A-Za-z0-9_.@-]*")


def _condition(text: str) -> tree.Condition:
    try:
        query = parse(text)
    except QueryError as error:
        raise Within(str(error).partition("\n")[0], error.at) from error
    if query.stages:
        raise Within("A rule computes by itself; leave out what stands behind |.", text.find("|"))
    for leaf in tree.leaves(query.where):
        if isinstance(leaf, tree.When):
            raise Within("A rule is about now; leave out times.", max(text.find(f"{leaf.word}:"), 0))
    return query.where


class HighTrafficSettings(Section):
    """The built-in rule: parsed requests a second, averaged over a window, above a threshold."""

    enabled: bool = True
    """Whether it is followed."""

    threshold: Rate = 10.0
    """It fires above so many requests a second and recovers below; exactly there nothing changes."""

    window: Duration = 120.0
    """Over how long is averaged, in whole seconds."""

    notify: tuple[Name, ...] = Field(default=(), examples=[("ops",)])
    """Who is told: names of notifiers."""

    @field_validator("window")
    @classmethod
    def _is_whole(cls, value: float) -> float:
        return _whole(value)

    def rule(self) -> Rule | None:
        """Return the rule, None where it is not followed."""
        threshold = Fraction(str(self.threshold))
        return high_traffic(threshold, int(self.window), self.notify) if self.enabled else None


class RuleSettings(Section):
    """A rule: an alert when what lines add up to crosses a limit."""

    query: str = Field(default="", examples=["status:5xx"])
    """Which lines count, as `heeler search` has it. Without it all."""

    aggregate: str = "rate"
    """What is computed of them: rate (a second), count, sum FIELD, p99 FIELD, distinct FIELD, or ratio."""

    of: str | None = Field(default=None, examples=["group:shop"])
    """For a ratio: the lines of which those that match are a share, 0 to 1."""

    window: Duration = 60.0
    """Over how long it is computed, in whole seconds; a day at most."""

    above: float | None = Field(default=None, examples=[10.0])
    """It fires above this. A rule needs this, below or absent."""

    below: float | None = Field(default=None, examples=[1.0])
    """It fires below this."""

    absent: Duration | None = Field(default=None, examples=[300.0])
    """It fires when no line matched for so long; then aggregate, window, above and below mean nothing."""

    recover_below: float | None = Field(default=None, examples=[8.0])
    """A rule with above recovers below this, not at once when it is no longer above."""

    recover_above: float | None = Field(default=None, examples=[2.0])
    """A rule with below recovers above this."""

    for_: Duration = Field(default=0.0, alias="for")
    """How long it must hold before it fires."""

    keep_firing: Duration = 0.0
    """How long it must be over before it recovers."""

    by: str = Field(default="", examples=["section"])
    """A field: each of its values is an alert of its own, up to 1,000; all further ones are "(other)"."""

    lateness: Duration = 0.0
    """How late lines may come and still count for their own time; alerts wait as long."""

    severity: Severity = "warning"
    """How bad it is, for those who are told."""

    text: str = Field(default="", examples=["Payments fail; see the runbook."])
    """What those who are told should know."""

    notify: tuple[Name, ...] = Field(default=(), examples=[("ops",)])
    """Who is told: names of notifiers."""

    enabled: bool = True
    """Whether it is followed."""

    @field_validator("query", "of")
    @classmethod
    def _is_understood(cls, value: str | None) -> str | None:
        if value is not None:
            _condition(value)
        return value

    @field_validator("aggregate")
    @classmethod
    def _is_known(cls, value: str) -> str:
        _aggregate(value)
        return value

    @field_validator("window", "absent", "for_", "keep_firing", "lateness")
    @classmethod
    def _is_whole(cls, value: float | None) -> float | None:
        return None if value is None else _whole(value, least=0)

    @field_validator("by")
    @classmethod
    def _is_field(cls, value: str) -> str:
        if value and not _FIELD.fullmatch(value):
            raise ValueError(f"{value!r} is no field; its name is made of letters, digits and _ . @ -.")
        return value

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        given = [name for name in ("above", "below", "absent") if getattr(self, name) is not None]
        if len(given) != 1:
            told = " and ".join(given) if given else "none of them"
            raise ValueError(f"A rule needs one of above, below and absent, and has {told}.")
        if self.absent is None and not self.window:
            raise ValueError("The window has to be 1s at least.")
        if (_aggregate(self.aggregate).name == "ratio") != (self.of is not None):
            raise ValueError("A ratio needs of, the query of what it is a share of; other aggregates need none.")
        if self.recover_below is not None and (self.above is None or self.recover_below > self.above):
            raise ValueError(
                "recover_below must lie at or below the limit named above; it could fire and recover at once."
            )
        if self.recover_above is not None and (self.below is None or self.recover_above < self.below):
            raise ValueError(
                "recover_above must lie at or above the limit named below; it could fire and recover at once."
            )
        if self.below is not None and self.below <= 0:
            raise ValueError(f"Nothing is ever below {self.below:g}, so this can never fire.")
        if self.of is not None and self.above is not None and self.above >= 1:
            raise ValueError(f"A share is 1 at most and never above {self.above:g}, so this can never fire.")
        return self

    def rule(self, name: str) -> Rule:
        """Return the rule."""
        if self.absent is not None:
            limit, window_s, computed = Limit(Fraction(1, 2), above=False), int(self.absent), Aggregate("count")
        else:
            is_above = self.above is not None
            recover = self.recover_below if is_above else self.recover_above
            limit = Limit(
                Fraction(str(self.above if is_above else self.below)),
                is_above,
                None if recover is None else Fraction(str(recover)),
            )
            window_s, computed = int(self.window), _aggregate(self.aggregate)
        timed = Limit(limit.limit, limit.above, limit.recover, int(self.for_), int(self.keep_firing))
        return Rule(
            name,
            timed,
            window_s,
            _condition(self.query),
            computed,
            None if self.of is None else _condition(self.of),
            self.by,
            int(self.lateness),
            self.severity,
            self.text,
            self.notify,
        )


def _aggregate(text: str) -> Aggregate:
    try:
        return aggregate(text)
    except UsageError as error:
        raise ValueError(str(error)) from error


def _whole(seconds: float, least: int = 1) -> float:
    if seconds != int(seconds) or not least <= seconds <= LONGEST_WINDOW_S:
        raise ValueError(f"{seconds:g} s is no whole number of seconds from {least} to {LONGEST_WINDOW_S}.")
    return seconds
