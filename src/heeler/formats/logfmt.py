r"""logfmt: ``key=value key="a value" key``, one record a line.

Source: the Go package ``github.com/kr/logfmt``, whose grammar the others follow. In quotes ``\"``, ``\\`` and the other
escapes of JSON are read.
"""

import json
from collections.abc import Sequence
from typing import Final

import polars as pl

from heeler.formats.structured import Named

_KEY: Final = r'[^\s="]+'
_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_BARE: Final = r'[^\s"]*'
_TOKEN: Final = rf'{_KEY}(?:=(?:"(?:[^"\\]|\\.)*"|{_BARE}))?'
_PAIR: Final = rf'{_KEY}=(?:"(?:[^"\\]|\\.)*"|{_BARE})'
_LINE: Final = rf"^\s*{_PAIR}(?:\s+{_PAIR}(?:\s+{_TOKEN})*)?\s*$"
_PAIR_IN_QUOTES: Final = r'="(?:[^"\\]|\\.)*\s[^\s"=\\]*='


class Logfmt(Named):
    """Lines of logfmt: pairs and keys, of which the first two are pairs, as else prose would be logfmt. See `Named`."""

    kind = "logfmt"

    def extract(self, text: pl.Series, names: Sequence[str]) -> tuple[pl.Series, dict[str, pl.Series]]:
        """See `Named.extract`."""
        fits = text.str.contains(_LINE).fill_null(value=False)
        # Where no value in quotes holds what looks like a pair, the first place that looks like the pair is the pair.
        doubtful = text.str.contains(_PAIR_IN_QUOTES).fill_null(value=False) & fits
        fields = {name: _first(text, name) for name in names}
        if doubtful.any():
            exact = pairs(text.filter(doubtful))
            for name in names:
                told = exact.filter(pl.col("key") == name).unique("line", keep="first", maintain_order=True)
                rows = pl.DataFrame({"line": range(int(doubtful.sum()))}).join(
                    told, "line", how="left", maintain_order="left"
                )
                fields[name] = fields[name].scatter(doubtful.arg_true(), rows["value"])
        return fits, fields


def pairs(text: pl.Series) -> pl.DataFrame:
    """Return every pair of some lines of logfmt, in their order: ``line`` (the index), ``key``, ``value`` (String).

    A key without a value has an empty one. A line that is not logfmt has no pairs.
    """
    tokens = pl.DataFrame({"line": pl.Series(range(len(text)), dtype=pl.Int64), "token": text})
    fits = pl.col("token").str.contains(_LINE) | pl.col("token").str.contains(rf"^\s*{_KEY}(?:\s+{_TOKEN})*\s*$")
    tokens = tokens.filter(fits).with_columns(pl.col("token").str.extract_all(_TOKEN)).explode("token")
    split = tokens.with_columns(pl.col("token").str.splitn("=", 2).struct.rename_fields(["key", "value"])).unnest(
        "token"
    )
    value = split["value"].fill_null("")
    quoted = value.str.starts_with('"')
    value = (
        pl.DataFrame({"q": quoted, "v": value})
        .select(pl.when("q").then(pl.col("v").str.strip_prefix('"').str.strip_suffix('"')).otherwise("v"))
        .to_series()
    )
    return split.select("line", "key").with_columns(value=_unescaped(value))


def _first(text: pl.Series, name: str) -> pl.Series:
    key = "".join(char if char.isalnum() else f"\\x{{{ord(char):x}}}" for char in name)
    pattern = rf"(?:^|\s){key}=(?:{_QUOTED}|({_BARE}))(?:\s|$)"
    groups = text.str.extract_groups(pattern).struct.unnest()
    return _unescaped(groups.select(pl.coalesce(groups.columns)).to_series()).alias(name)


def _unescaped(values: pl.Series) -> pl.Series:
    escaped = values.str.contains("\\", literal=True)
    if not escaped.any():
        return values
    known = {value: _plain(value) for value in values.filter(escaped).unique().to_list()}
    return values.replace(known)


def _plain(value: str) -> str:
    try:
        read = json.loads(f'"{value}"', strict=False)
    except ValueError:
        return value
    return read.encode("utf-8", "replace").decode() if isinstance(read, str) else value
