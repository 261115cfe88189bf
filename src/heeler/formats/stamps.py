"""How programs write times: one table of families, and the layouts by which times are written back.

A *family* of `FAMILIES` is a regular expression that reads every variation of one way of writing. A *layout* is one of
these variations: ``{YYYY}-{MM}-{DD} {hh}:{mm}:{ss},{fff}``. In braces stand ``YYYY MM MON DAY DD hh mm ss``, ``_D`` and
``_H`` (padded with a blank), ``D`` (not padded), as many ``f`` as the fraction has digits, ``+ZZ:zz``, ``+ZZzz`` or
``+ZZ`` for a zone, and ``Es``, ``Ems``, ``Eus`` or ``Ens`` for the time since 1970; all else stands for itself.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

import polars as pl

ZONES: Final = {
    **dict.fromkeys(("Z", "UTC", "GMT", "UT"), 0),
    "EST": -300,
    "EDT": -240,
    "CST": -360,
    "CDT": -300,
    "MST": -420,
    "MDT": -360,
    "PST": -480,
    "PDT": -420,
    "WET": 0,
    "WEST": 60,
    "CET": 60,
    "CEST": 120,
    "BST": 60,
    "EET": 120,
    "EEST": 180,
    "MSK": 180,
    "JST": 540,
    "AEST": 600,
    "AEDT": 660,
}
"""Minutes east of UTC of names of zones: those of RFC 5322, and others that name one zone in practice."""

_DATE = r"(?P<YYYY>\d{4})-(?P<MM>\d\d)-(?P<DD>\d\d)"
_CLOCK = r"(?P<hh>\d\d):(?P<mm>\d\d):(?P<ss>\d\d)"
_FRACTION = r"(?:[.,](?P<f>\d{1,9}))?"
_ZONE = rf"(?: ?(?P<Z>[+-]\d\d(?::?\d\d)?|(?:{'|'.join(sorted(ZONES, key=len, reverse=True))})(?-u:\b)))?"
_DAY = r"(?P<DAY>Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = r"(?P<MON>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"

FAMILIES: Final = {
    # RFC 3339, ISO 8601, Python, log4j, PostgreSQL, MySQL
    "iso": f"{_DATE}[T ]{_CLOCK}{_FRACTION}{_ZONE}",
    # RFC 5424, 6.2.3, where - stands for none
    "rfc5424": rf"-|{_DATE}T{_CLOCK}(?:\.(?P<f>\d{{1,9}}))?(?P<Z>Z|[+-]\d\d:\d\d)",
    # an hour that may be padded with a blank
    "padded": rf"{_DATE}[T ](?P<H>[ \d]\d):(?P<mm>\d\d):(?P<ss>\d\d){_FRACTION}{_ZONE}",
    # nginx error log, Go
    "slash": rf"(?P<YYYY>\d{{4}})/(?P<MM>\d\d)/(?P<DD>\d\d) {_CLOCK}{_FRACTION}{_ZONE}",
    # httpd %t, nginx $time_local, HAProxy, CUPS
    "clf": rf"(?P<DD>\d\d)/{_MONTH}/(?P<YYYY>\d{{4}})[: ]{_CLOCK}{_FRACTION}{_ZONE}",
    # RFC 3164, with the year that some routers add
    "bsd": rf"{_MONTH} (?P<D>[ \d]?\d)(?: (?P<YYYY>\d{{4}}))? {_CLOCK}{_FRACTION}",
    # the same with a hyphen, as in logback's default of some frameworks
    "month_first": rf"{_MONTH}[ -](?P<D>[ \d]?\d)(?:[ -](?P<YYYY>\d{{4}}))? {_CLOCK}{_FRACTION}{_ZONE}",
    # ctime(3), with the fraction of httpd 2.4 and the zone of date(1)
    "ctime": rf"{_DAY} {_MONTH} (?P<D>[ \d]?\d) {_CLOCK}(?:[.:](?P<f>\d{{1,9}}))?{_ZONE} (?P<YYYY>\d{{4}})",
    # glog, klog
    "klog": rf"(?P<MM>\d\d)(?P<DD>\d\d) {_CLOCK}{_FRACTION}",
    # Android logcat
    "month_day": rf"(?P<MM>\d\d)[-.](?P<DD>\d\d) {_CLOCK}{_FRACTION}",
    # Redis, PHP, RFC 5322
    "day_month": rf"(?P<DD>[ \d]?\d)[ -]{_MONTH}(?:[ -](?P<YYYY>\d{{4}}))? {_CLOCK}{_FRACTION}{_ZONE}",
    "compact": (
        rf"(?P<YYYY>\d{{4}})(?P<MM>\d\d)(?P<DD>\d\d)[T. -]?(?P<hh>\d\d):?(?P<mm>\d\d):?(?P<ss>\d\d){_FRACTION}{_ZONE}"
    ),
    # a tab between date and time as in CloudFront
    "w3c": rf"{_DATE}[\t ]{_CLOCK}{_FRACTION}",
    # no date at all
    "clock": f"{_CLOCK}{_FRACTION}",
    # since 1970 in seconds, or by the number of digits in milli-, micro- or nanoseconds
    "epoch": r"(?P<E>\d{9,19})(?:\.(?P<f>\d+))?",
}
"""Every way of writing a time, as regular expressions of the subset that all engines read alike."""

_STRFTIME = {
    "YYYY": "%Y",
    "MM": "%m",
    "MON": "%b",
    "DD": "%d",
    "_D": "%e",
    "D": "%-d",
    "DAY": "%a",
    "hh": "%H",
    "_H": "%k",
    "mm": "%M",
    "ss": "%S",
}
_EPOCHS = {"Es": 1_000_000, "Ems": 1000, "Eus": 1}
_SAMPLE_STAMPS = 1000
_SAMPLES = (
    *(
        "2026-11-22 10:15:40,123",
        "2026-11-22T10:15:40.123Z",
        "2026/11/22 10:15:40",
        "22/Nov/2026:10:15:40 +0000",
        "Nov 22 10:15:40",
    ),
    *("Sun Nov 22 10:15:40.123456 2026", "1122 10:15:40.123456", "11-22 10:15:40.123", "22 Nov 2026 10:15:40.123"),
    *("20261122 10:15:40.123", "2026-11-22\t10:15:40", "10:15:40", "1795342540"),
)


def pattern(family: str) -> str:
    """Return the regular expression of a stamp of this family, without groups."""
    return "(?:" + re.sub(r"\(\?P<\w+>", "(?:", FAMILIES[family]) + ")"


def zone_minutes(text: str) -> int | None:
    """Return how many minutes east of UTC a zone is, as stamps name it; None for a name that is not in `ZONES`."""
    if text[:1] not in {"+", "-"}:
        return ZONES.get(text)
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    return None if hours > 23 or minutes > 59 else (hours * 60 + minutes) * (-1 if text[0] == "-" else 1)


def layout_of(family: str, stamps: Iterable[str | None] = ()) -> str:
    """Return the layout that most of the first ``stamps`` have; where none fits, that of a sample of the family."""
    read = re.compile(FAMILIES[family].replace("(?-u:\\b)", "\\b"), re.ASCII)
    first = (stamp for stamp, _ in zip(stamps, range(_SAMPLE_STAMPS), strict=False) if stamp is not None)
    layouts = Counter(_layout(found) for stamp in first if (found := read.fullmatch(stamp)))
    if layouts:
        return layouts.most_common(1)[0][0]
    return next(_layout(found) for sample in _SAMPLES if (found := read.fullmatch(sample)))


def _layout(found: re.Match[str]) -> str:
    text, done = "", 0
    spans = sorted((found.span(name), name) for name, value in found.groupdict().items() if value is not None)
    for (start, end), name in spans:
        text += found.string[done:start] + _token(name, found[name])
        done = end
    return text + found.string[done:]


def _token(name: str, value: str) -> str:
    if name == "Z" and value[0] not in "+-":
        return value
    if name == "Z":
        name = "+ZZ" + (":" if ":" in value else "") + ("zz" if len(value) > 3 else "")
    elif name == "f":
        name = "f" * len(value)
    elif name == "D":  # where a day may be padded with a blank, one of two digits says nothing
        name = "D" if len(value) == 1 else "DD" if value[0] == "0" else "_D"
    elif name == "H":
        name = "_H"
    elif name == "E":
        name = "Es" if len(value) < 12 else "Ems" if len(value) < 15 else "Eus" if len(value) < 18 else "Ens"
    return "{" + name + "}"


def rendered(layout: str) -> pl.Expr:
    """Write the columns ``time`` and ``zone`` in a layout: String, null where there is no time."""
    if layout.startswith("{E"):
        return _epoch(layout)
    both = pl.struct("time", "zone")
    return both.map_batches(lambda times: _written(times.struct.unnest(), layout), return_dtype=pl.String)


def _written(times: pl.DataFrame, layout: str) -> pl.Series:
    zone = pl.col("zone").fill_null(0).cast(pl.Int32)
    times = times.select("zone", local=pl.col("time") + pl.duration(minutes=zone))
    # Lines of one second carry the same text, so each piece is made once for a run of them.
    seconds = times.select(pl.struct(pl.col("local").dt.truncate("1s"), "zone").alias("run"))
    runs = seconds["run"].rle().struct.field("value").struct.unnest()
    run = seconds.select(pl.col("run").rle_id()).to_series()
    written = []
    for piece in _pieces(layout):
        if piece.startswith("{f"):
            digits = (pl.col("local").dt.epoch("us") % 1_000_000).cast(pl.String).str.zfill(6).str.pad_end(9, "0")
            written.append(times.select(digits.str.head(len(piece) - 2)).to_series())
        else:
            zone = pl.col("zone").cast(pl.Int32)
            text = _zone(zone, piece) if piece.startswith("{+") else pl.col("local").dt.strftime(piece)
            written.append(runs.select(text).to_series().gather(run))
    columns = pl.DataFrame({str(number): one for number, one in enumerate(written)})
    return columns.select(pl.concat_str(pl.all())).to_series()


def _pieces(layout: str) -> list[str]:
    """Split a layout: fractions and zones by themselves, everything else joined as ``strftime`` reads it."""
    pieces = [""]
    for text in re.split(r"(\{[^}]+\})", layout):
        if text.startswith(("{f", "{+")):
            pieces += [text, ""]
        else:
            pieces[-1] += _STRFTIME[text[1:-1]] if text.startswith("{") else text.replace("%", "%%")
    return [piece for piece in pieces if piece]


def _zone(minutes: pl.Expr, piece: str) -> pl.Expr:
    sign = pl.when(minutes < 0).then(pl.lit("-")).when(minutes >= 0).then(pl.lit("+"))
    hours = (minutes.abs() // 60).cast(pl.String).str.zfill(2)
    if "zz" not in piece:
        return pl.concat_str(sign, hours)
    rest = (minutes.abs() % 60).cast(pl.String).str.zfill(2)
    return pl.concat_str(sign, hours, pl.lit(":" if ":" in piece else ""), rest)


def _epoch(layout: str) -> pl.Expr:
    unit, fraction = re.fullmatch(r"\{(E\w+)\}(?:\.\{(f+)\})?", layout).groups()  # type: ignore[union-attr]  # made here
    micros = pl.col("time").dt.epoch("us")
    if unit == "Ens":
        return (micros * 1000).cast(pl.String)
    scale = _EPOCHS[unit]
    whole = (micros // scale).cast(pl.String)
    if fraction is None:
        return whole
    rest = (micros % scale).cast(pl.String).str.zfill(len(str(scale)) - 1) if scale > 1 else pl.lit("")
    return pl.concat_str(whole, pl.lit("."), rest.str.pad_end(9, "0").str.head(len(fraction)))
