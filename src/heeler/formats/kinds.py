"""What the groups of a pattern mean: how the text of each becomes columns, and how the columns become the text again.

A kind is known to a pattern by its name. Adding one is a class here and a line in `KINDS`.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import polars as pl

from heeler.formats import severity, stamps, timestamps
from heeler.formats.timestamps import Receipt

Columns = dict[str, pl.Series]
Source = Callable[[str], pl.Expr]
"""Where the text of an attribute is found: its own column while a line is read, the JSON of ``attributes`` later."""


class Kind(ABC):
    """One meaning of a group.

    ``columns`` are what it fills, and their types; those that begin with ``@`` go into ``attributes``. ``pattern`` is
    what an empty group stands for.
    """

    pattern = ".*?"

    def __init__(self, columns: Mapping[str, pl.DataType | type[pl.DataType]]) -> None:
        self.columns = columns

    @abstractmethod
    def read(self, texts: pl.Series, receipt: Receipt | None) -> Columns:
        """Read the texts of the group, null where a line does not fit or leaves the group out."""

    @abstractmethod
    def render(self, attribute: Source) -> pl.Expr:
        """Write the columns as text: String, null where there was no text."""

    def fitted(self, texts: Iterable[str | None]) -> str:
        """Return what `render` needs to know of how the texts are written, as these are. Most need nothing."""
        del texts
        return ""


class Text(Kind):
    """Text as it stands, in a column of its table or in ``attributes``."""

    def __init__(self, column: str, _: str = "") -> None:
        super().__init__({column: pl.String})
        self.column = column

    def read(self, texts: pl.Series, receipt: Receipt | None) -> Columns:
        """See `Kind.read`."""
        del receipt
        return {self.column: texts}

    def render(self, attribute: Source) -> pl.Expr:
        """See `Kind.render`."""
        return attribute(self.column[1:]) if self.column.startswith("@") else pl.col(self.column)


class PackerText(Text):
    r"""Text as Packer's machine-readable output has it: ``,`` as ``%!(PACKER_COMMA)``, newlines as ``\n`` and ``\r``.

    No line holds a newline, so what is one here was written as two characters. Source: packer/ui.go.
    """

    def read(self, texts: pl.Series, receipt: Receipt | None) -> Columns:
        """See `Kind.read`."""
        del receipt
        read = texts
        for written, meant in self._ESCAPES:
            read = read.str.replace_all(written, meant, literal=True)
        return {self.column: read}

    def render(self, attribute: Source) -> pl.Expr:
        """See `Kind.render`."""
        text = super().render(attribute)
        for written, meant in self._ESCAPES:
            text = text.str.replace_all(meant, written, literal=True)
        return text

    _ESCAPES = (("%!(PACKER_COMMA)", ","), ("\\n", "\n"), ("\\r", "\r"))


class Stamp(Kind):
    """A time of one of `heeler.formats.stamps.FAMILIES`, written back in one layout of it."""

    def __init__(self, family: str, layout: str = "") -> None:
        super().__init__({"time": pl.Datetime("us"), "zone": pl.Int16, "absurd": pl.Boolean})
        self.pattern = stamps.pattern(family)
        self.family = family
        self.layout = layout or stamps.layout_of(family)

    def read(self, texts: pl.Series, receipt: Receipt | None) -> Columns:
        """See `Kind.read`."""
        return timestamps.times(self.family, texts, receipt).to_dict()

    def render(self, attribute: Source) -> pl.Expr:
        """See `Kind.render`."""
        del attribute
        text = stamps.rendered(self.layout)
        return text.fill_null("-") if self.family == "rfc5424" else text

    def fitted(self, texts: Iterable[str | None]) -> str:
        """See `Kind.fitted`."""
        return stamps.layout_of(self.family, texts)


class Level(Kind):
    """A word, letter or number that says how grave a record is.

    ``words`` are those of a format, with the usual word for each. Where none of them means the same as another, the
    severity alone tells which one stood there; else the word is kept in ``attributes``.
    """

    pattern = severity.PATTERN

    def __init__(self, words: Mapping[str, str] | None = None) -> None:
        self._words = {word: severity.WORDS[meant] for word, meant in (words or {}).items()}
        self._tells_word = bool(self._words) and len(set(self._words.values())) == len(self._words)
        super().__init__({"severity": pl.UInt8} | ({} if self._tells_word else {"@level": pl.String}))
        if self._words:
            self.pattern = "|".join(re.escape(word) for word in sorted(self._words, key=len, reverse=True))

    def read(self, texts: pl.Series, receipt: Receipt | None) -> Columns:
        """See `Kind.read`."""
        del receipt
        if self._words:
            grave = texts.replace_strict(self._words, default=None, return_dtype=pl.UInt8)
        else:
            grave = severity.of_words(texts)
        return {"severity": grave, "@level": texts}

    def render(self, attribute: Source) -> pl.Expr:
        """See `Kind.render`."""
        if not self._tells_word:
            return attribute("level")
        written = {grave: word for word, grave in self._words.items()}
        return pl.col("severity").replace_strict(written, default=None, return_dtype=pl.String)


class Priority(Kind):
    """The priority of syslog: eight times the facility and the severity. Source: RFC 5424, 6.2.1."""

    pattern = r"(?:0|[1-9]\d?|1[0-8]\d|19[01])"

    def __init__(self, _: str = "") -> None:
        super().__init__({"severity": pl.UInt8, "@facility": pl.String})

    def read(self, texts: pl.Series, receipt: Receipt | None) -> Columns:
        """See `Kind.read`."""
        del receipt
        number = texts.cast(pl.Int64, strict=False)
        return {"severity": severity.of_syslog(number % 8), "@facility": (number // 8).cast(pl.String)}

    def render(self, attribute: Source) -> pl.Expr:
        """See `Kind.render`."""
        facility = attribute("facility").cast(pl.Int64, strict=False)
        return (facility * 8 + severity.to_syslog(pl.col("severity"))).cast(pl.String)


class Nil(Text):
    """Text of RFC 5424, where ``-`` stands for none."""

    def read(self, texts: pl.Series, receipt: Receipt | None) -> Columns:
        """See `Kind.read`."""
        del receipt
        return {self.column: pl.DataFrame([texts]).select(pl.when(pl.first() != "-").then(pl.first())).to_series()}

    def render(self, attribute: Source) -> pl.Expr:
        """See `Kind.render`."""
        return super().render(attribute).fill_null("-")


class FacilityLevel(Text):
    """A facility and a level of syslog by their names, ``user.warn``, as some routers write them."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.columns = {**self.columns, "severity": pl.UInt8}

    def read(self, texts: pl.Series, receipt: Receipt | None) -> Columns:
        """See `Kind.read`."""
        grave = severity.of_words(texts.str.extract(r"\.(.*)$", 1))
        return super().read(texts, receipt) | {"severity": grave}


class Whole(Kind):
    """A whole number of 0 or more, with ``-`` for none."""

    pattern = r"(?:\d{1,15}|-)"

    def __init__(self, column: str, dtype: pl.DataType | type[pl.DataType]) -> None:
        super().__init__({column: dtype})
        self.column, self.dtype = column, dtype

    def read(self, texts: pl.Series, receipt: Receipt | None) -> Columns:
        """See `Kind.read`."""
        del receipt
        return {self.column: texts.cast(self.dtype, strict=False)}

    def render(self, attribute: Source) -> pl.Expr:
        """See `Kind.render`."""
        del attribute
        return pl.col(self.column).cast(pl.String).fill_null("-")


class Took(Kind):
    """A duration: a number, perhaps with decimals, of a unit from seconds to nanoseconds; ``-`` or ``-1`` for none."""

    pattern = r"(?:-1|-|\d{1,12}(?:\.\d{1,9})?)"

    def __init__(self, unit: str, decimals: str = "") -> None:
        """``decimals`` is how many are written, as digits; empty means none."""
        super().__init__({"duration": pl.Duration("us")})
        self._micros = {"s": 1_000_000, "ms": 1000, "us": 1, "ns": 0.001}[unit]
        self._decimals = int(decimals or 0)

    def read(self, texts: pl.Series, receipt: Receipt | None) -> Columns:
        """See `Kind.read`."""
        del receipt
        number = texts.cast(pl.Float64, strict=False)
        micros = (number * self._micros).round().cast(pl.Int64, strict=False)
        frame = pl.DataFrame({"micros": micros})
        return {
            "duration": frame.select(pl.when(pl.col("micros") >= 0).then("micros").cast(pl.Duration("us"))).to_series()
        }

    def render(self, attribute: Source) -> pl.Expr:
        """See `Kind.render`."""
        del attribute
        micros = pl.col("duration").dt.total_microseconds()
        if self._micros < 1:
            return (micros * 1000).cast(pl.String)
        scale = int(self._micros)
        whole = (micros // scale).cast(pl.String)
        if self._decimals:
            rest = (micros % scale).cast(pl.String).str.zfill(len(str(scale)) - 1).str.pad_end(9, "0")
            whole = pl.concat_str(whole, pl.lit("."), rest.str.head(self._decimals))
        return whole.fill_null("-")

    def fitted(self, texts: Iterable[str | None]) -> str:
        """See `Kind.fitted`."""
        decimals = {len(text.partition(".")[2]) for text in texts if text and text[0] != "-"}
        return str(decimals.pop()) if len(decimals) == 1 else ""


_REQUEST = r"^([A-Z]{3}[^ ]{0,29}) (.+) (HTTP/.{0,3})$"


class Request(Kind):
    """An HTTP request line. What is none, as a TLS handshake, is a ``path`` without ``method`` and ``protocol``."""

    pattern = r'(?:[^"\\]|\\.)*'

    def __init__(self, _: str = "") -> None:
        super().__init__({"method": pl.String, "path": pl.String, "protocol": pl.String})

    def read(self, texts: pl.Series, receipt: Receipt | None) -> Columns:
        """See `Kind.read`."""
        del receipt
        method, path, protocol = texts.str.extract_groups(_REQUEST).struct.unnest().iter_columns()
        whole = pl.DataFrame({"path": path, "text": texts}).select(pl.coalesce("path", "text")).to_series()
        return {"method": method, "path": whole, "protocol": protocol}

    def render(self, attribute: Source) -> pl.Expr:
        """See `Kind.render`."""
        del attribute
        return pl.concat_str("method", "path", "protocol", separator=" ", ignore_nulls=True)


_ELEMENT = re.compile(r'\[([^ =\]"]+)((?: +[^ =\]"]+="(?:[^"\\]|\\.)*")*) *\]')
_PARAMETER = re.compile(r' +([^ =\]"]+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r'\\(["\\\]])')


class StructuredData(Kind):
    r"""The structured data of RFC 5424, 6.3: ``[id name="value"]…`` or ``-``.

    The text is kept in ``attributes`` as ``structured_data``, and what it says as objects by id. Of a parameter that is
    given twice the last one counts there.
    """

    pattern = r'(?:-|(?:\[[!#-<>-\\^-~]+(?: +[!#-<>-\\^-~]+="(?:[^"\\]|\\.)*")* *\])+)'

    def __init__(self, _: str = "") -> None:
        super().__init__({"@structured_data": pl.String})

    def read(self, texts: pl.Series, receipt: Receipt | None) -> Columns:
        """See `Kind.read`."""
        del receipt
        return {
            "@structured_data": pl.DataFrame([texts]).select(pl.when(pl.first() != "-").then(pl.first())).to_series()
        }

    def render(self, attribute: Source) -> pl.Expr:
        """See `Kind.render`."""
        return attribute("structured_data").fill_null("-")

    @staticmethod
    def objects(texts: pl.Series) -> pl.Series:
        """Return the members of the JSON object that each text means, with a comma before each: String."""
        known = {text: _members(text) for text in texts.drop_nulls().unique().to_list()}
        return texts.replace_strict(known, default="", return_dtype=pl.String)


def _members(text: str) -> str:
    elements: dict[str, dict[str, str]] = {}
    for element in _ELEMENT.finditer(text):
        values = {name: _ESCAPED.sub(r"\1", value) for name, value in _PARAMETER.findall(element[2])}
        elements.setdefault(element[1], {}).update(values)
    return "".join(f",{json.dumps(name)}:{json.dumps(values)}" for name, values in elements.items())


TEXTS: Final[Mapping[str, Callable[[str], Text]]] = {"nil": Nil, "packer": PackerText, "facility_level": FacilityLevel}
"""Kinds of text that fill the column named as their group."""

KINDS: Final[Mapping[str, Callable[..., Kind]]] = {
    **{family: (lambda layout="", family=family: Stamp(family, layout)) for family in stamps.FAMILIES},
    **{unit: (lambda decimals="", unit=unit: Took(unit, decimals)) for unit in ("s", "ms", "us", "ns")},
    "priority": Priority,
    "request": Request,
    "structured_data": StructuredData,
    "bytes": lambda _="": Whole("bytes", pl.UInt64),
    "status": lambda _="": Whole("status", pl.UInt16),
}
"""What a group may be said to be, beside text: a family of stamps, a unit of time, and these."""

KIND_OF: Final = {"time": "iso", "priority": "priority", "request": "request", "bytes": "bytes", "status": "status"}
"""What a group is by its name, where nothing else is said."""
