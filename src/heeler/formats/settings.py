"""What a section ``[formats.NAME]`` may say; `heeler.formats.definitions` gives it its meaning."""

from typing import Any, Literal

from pydantic import Field

from heeler.config.section import Section


class FormatSample(Section):
    """A line that a format reads, and what it must find in it."""

    line: str
    """The line, without its ending."""

    expect: dict[str, Any] = Field(default={})
    """For each column, or ``attributes.NAME``, what the line holds."""


class Derived(Section):
    """A rule that fills an empty column from another."""

    column: str
    """The column to fill."""

    from_: str = Field(alias="from")
    """The column to look in."""

    pattern: str
    """A regular expression; its first group is what is taken."""


class FormatSettings(Section):
    """A format of your own. It is known by its name wherever one is asked for, and found by itself like any other."""

    title: str = Field(default="", examples=["our shop"])
    """What it is, for people."""

    table: Literal["log", "access"] = "log"
    """Where its records live: access is for HTTP requests."""

    pattern: str | None = Field(default=None, examples=["(?<time>) (?<level>) (?<message>.*)"])
    """A regular expression for a whole line, with a named group for each field."""

    template: str | None = Field(default=None, examples=["{time_iso} {client} {method} {path} {status}"])
    """A template for a whole line, in place of a pattern."""

    kind: Literal["pattern", "json", "logfmt", "w3c"] = "pattern"
    """How lines are read: json and logfmt lines name their fields."""

    columns: dict[str, tuple[str, ...]] | None = Field(default=None, examples=[{"message": ("msg", "text")}])
    """For json and logfmt: for each column the names of fields that may fill it."""

    requires: tuple[str, ...] = Field(default=(), examples=[("msg",)])
    """For json and logfmt: fields that a line must have; of names with | between them, one."""

    unit: Literal["s", "ms", "us", "ns"] = "s"
    """For json and logfmt: the unit of durations."""

    octets: bool = False
    """For json: whether a message may be a list of bytes, as journald writes what is no text."""

    unpack: bool = False
    """For json: whether the severity is looked for within the message too."""

    fields: str | None = Field(default=None, examples=["date time c-ip cs-method cs-uri-stem sc-status"])
    """For w3c: the names of the fields, as a header would give them."""

    types: dict[str, str] = Field(default={}, examples=[{"time": "clf"}])
    """What each group of a pattern is, where its name does not say it."""

    levels: dict[str, str] = Field(default={}, examples=[{"bad": "error"}])
    """The usual names of the words that stand as level."""

    seek_level: bool = False
    """Whether a word for the severity is looked for in the message."""

    derive: tuple[Derived, ...] = Field(
        default=(), examples=[({"column": "program", "from": "message", "pattern": r"^(\w+):"},)]
    )
    """Rules that fill an empty column from another."""

    continues: str | None = Field(default=None, examples=[r"^\t"])
    """How a line begins that belongs to the record before it."""

    skip: str = Field(default="", examples=["^#"])
    """How a line begins that is no record."""

    written: dict[str, str] = Field(default={})
    """How times are written where no line tells it, by the name of the group."""

    inner: tuple[str, ...] = Field(default=(), examples=[("logfmt",)])
    """Formats that its messages may be lines of."""

    carries: bool = False
    """Whether formats within its messages are looked for."""

    weight: float = Field(default=1.0, gt=0, le=1)
    """Less than 1 for a format that fits too much, so that others are preferred."""

    samples: tuple[FormatSample, ...] = Field(default=(), examples=[({"line": "2026-11-22 10:15:40 INFO started"},)])
    """Lines that it must read; `heeler check` tries them."""
