"""How grave a record is: every way of saying it becomes a number from 1 to 24.

Source: OpenTelemetry log data model, "Severity Fields" and appendix B, which maps syslog and the common libraries:
1-4 trace, 5-8 debug, 9-12 info, 13-16 warn, 17-20 error, 21-24 fatal.
"""

from typing import Final

import polars as pl

SYSLOG: Final = (21, 19, 18, 17, 13, 10, 9, 5)
"""By the severity of RFC 5424: emergency, alert, critical, error, warning, notice, informational, debug."""

WORDS: Final = {
    **dict.fromkeys(("trace", "finest", "verbose", "silly", "v", "t"), 1),
    **dict.fromkeys(("trace2", "finer"), 2),
    **dict.fromkeys(("debug", "fine", "dbg", "debg", "d", "debug1"), 5),
    **dict.fromkeys(("debug2",), 4),
    **dict.fromkeys(("debug3",), 3),
    **dict.fromkeys(("debug4",), 2),
    **dict.fromkeys(("debug5",), 1),
    **dict.fromkeys(("info", "information", "informational", "inf", "i", "log", "config", "system", "statement"), 9),
    **dict.fromkeys(("detail", "hint", "context"), 9),
    **dict.fromkeys(("notice", "note", "n", "success"), 10),
    **dict.fromkeys(("warn", "warning", "wrn", "w"), 13),
    **dict.fromkeys(("error", "err", "eror", "e", "severe", "fail", "failure"), 17),
    **dict.fromkeys(("critical", "crit", "c"), 18),
    **dict.fromkeys(("alert", "a", "dpanic"), 19),
    **dict.fromkeys(("fatal", "emerg", "emergency", "panic", "f"), 21),
    # The short names of OpenTelemetry. Its DEBUG2 to DEBUG4 are graver than DEBUG, those of PostgreSQL less so.
    **{
        f"{word}{n}": base + n - 1
        for word, base in (("info", 9), ("warn", 13), ("error", 17), ("fatal", 21))
        for n in (2, 3, 4)
    },
    "trace3": 3,
    "trace4": 4,
}
"""By the word, in lower case."""

BUNYAN: Final = ((10, 1), (20, 5), (30, 9), (40, 13), (50, 17))
"""Bunyan and pino: up to this number, this severity; above all of them, 21."""

PATTERN: Final = "(?i:" + "|".join(sorted((word for word in WORDS if len(word) > 1), key=len, reverse=True)) + ")"
"""A word that says how grave a record is, as a regular expression."""


_USUAL: Final = (
    "trace|debug[1-5]?|info|notice|warn(?:ing)?|error|err|critical|crit|alert|fatal|emerg(?:ency)?|panic|severe"
)

SEEK: Final = (
    rf"^[^A-Za-z0-9]*(?i:({_USUAL}))(?:[^A-Za-z0-9_]|$)",
    rf"^.{{0,120}}?(?:^|[^A-Za-z0-9_])({_USUAL.upper()})(?:[^A-Za-z0-9_]|$)",
    rf"^.{{0,120}}?(?:[\[<] *|\b(?:level|severity)=\"?)(?i:({_USUAL}))(?:[^A-Za-z0-9_]|$)",
)
"""Where a message tells how grave it is, first what counts most: its first word, one in capitals, one in brackets."""


def of_words(words: pl.Series) -> pl.Series:
    """Return the severity of words in any case, UInt8; null for a word that says none."""
    return words.str.to_lowercase().replace_strict(WORDS, default=None, return_dtype=pl.UInt8)


def of_syslog(numbers: pl.Series) -> pl.Series:
    """Return the severity of syslog's 0 to 7, which may be the rest of a priority, UInt8."""
    return numbers.replace_strict(dict(enumerate(SYSLOG)), default=None, return_dtype=pl.UInt8)


def to_syslog(severity: pl.Expr) -> pl.Expr:
    """Return syslog's 0 to 7 for what `of_syslog` made of it."""
    return severity.replace_strict(
        {grave: number for number, grave in enumerate(SYSLOG)}, default=None, return_dtype=pl.Int64
    )


def of_status(status: pl.Expr) -> pl.Expr:
    """Return how grave an HTTP status is: 9 below 400, 17 from 400 on, 18 from 500 on; UInt8."""
    return (
        pl.when(status >= 500).then(18).when(status >= 400).then(17).when(status.is_not_null()).then(9).cast(pl.UInt8)
    )


def name_of(severity: pl.Expr) -> pl.Expr:
    """Return what people call a severity: TRACE, DEBUG, INFO, WARN, ERROR or FATAL; null for none."""
    names = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    return ((severity - 1) // 4).replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)


def graded(records: pl.DataFrame) -> pl.DataFrame:
    """Let requests that do not say how grave they are be as grave as their status."""
    if "status" not in records.columns:
        return records
    told = pl.col("severity") if "severity" in records.columns else pl.lit(None, pl.UInt8)
    return records.with_columns(severity=pl.coalesce(told, of_status(pl.col("status"))))


def of_numbers(numbers: pl.Series) -> pl.Series:
    """Return the severity of numbers as in JSON logs: 0 to 7 are syslog's, 10 and more Bunyan's; UInt8."""
    level = pl.col("level")
    numbered = pl.lit(21)
    for upper, grave in reversed(BUNYAN):
        numbered = pl.when(level <= upper).then(grave).otherwise(numbered)
    frame = pl.DataFrame({"level": numbers.cast(pl.Int64, strict=False)})
    below = level.replace_strict(dict(enumerate(SYSLOG)), default=None, return_dtype=pl.UInt8)
    return frame.select(
        pl.when(level.is_between(0, 7)).then(below).when(level.is_between(8, 100)).then(numbered).cast(pl.UInt8)
    ).to_series()
