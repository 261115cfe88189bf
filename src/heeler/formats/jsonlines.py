"""JSON objects, one a line, read by DuckDB: it parses each line once for all fields, and lets go of the GIL meanwhile.

Decoding a batch with a schema fails for all of its rows where one does not fit, and asking for fields one by one parses
each line again; see docs/decisions/0009.
"""

import json
import threading
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final

import duckdb
import polars as pl
import pyarrow as pa

from heeler.formats import severity
from heeler.formats.structured import Named
from heeler.formats.timestamps import Receipt

_ENGINES = threading.local()
_INNER_MESSAGE: Final = ("msg", "message")
_INNER_SEVERITY: Final = ("level", "severity", "lvl", "levelname", "log.level")


_FEW_NAMES: Final = 16
"""More names than this are first looked for among all keys of the lines, because each costs a little for each line."""

_OCTETS: Final = r"^\[(?:25[0-5]|2[0-4]\d|1?\d?\d)(?: ?, ?(?:25[0-5]|2[0-4]\d|1?\d?\d))*\]$"
_VALID: Final = "case when json_valid(line) then line end"


class Json(Named):
    """JSON lines. A name with dots is looked for as it is written, then as a path: ``log.level``, ``request.uri``.

    With ``octets`` a message may be a list of bytes, as journald writes what is no text. With ``unpack`` a message that
    is itself a JSON object, as in the ``json-file`` of Docker, gives its own message and severity.
    """

    kind = "json"

    def extract(self, text: pl.Series, names: Sequence[str]) -> tuple[pl.Series, dict[str, pl.Series]]:
        """See `Named.extract`."""
        return objects(text, names)

    def read(
        self, text: pl.Series, wanted: AbstractSet[str], receipt: Receipt | None
    ) -> tuple[pl.Series, pl.DataFrame]:
        """See `Named.read`."""
        unpacks = self.definition.get("unpack") and "severity" in wanted
        fits, frame = super().read(text, {*wanted, "message"} if unpacks else wanted, receipt)
        if "severity" in wanted and "severity" not in frame.columns and "severity" in self.columns:
            frame = frame.with_columns(severity=pl.lit(None, pl.UInt8))
        if self.definition.get("unpack") and "message" in frame.columns:
            frame = with_inner(frame)
        if self.definition.get("octets") and "message" in frame.columns:
            frame = frame.with_columns(message=_from_octets(frame["message"]))
        return fits, frame


def _from_octets(messages: pl.Series) -> pl.Series:
    """Read messages that are lists of bytes as UTF-8."""
    lists = messages.filter(messages.str.contains(_OCTETS).fill_null(value=False)).unique().to_list()
    read = {one: bytes(json.loads(one)).decode("utf-8", "replace") for one in lists}
    return messages.replace(read) if read else messages


def with_inner(frame: pl.DataFrame) -> pl.DataFrame:
    """Let the ``message`` and ``severity`` of messages that are JSON objects be what those say."""
    if not frame["message"].str.starts_with("{").any():
        return frame
    _, found = objects(frame["message"], [*_INNER_MESSAGE, *_INNER_SEVERITY])
    fields = pl.DataFrame(found)
    message = fields.select(pl.coalesce(_INNER_MESSAGE)).to_series()
    words = fields.select(pl.coalesce(_INNER_SEVERITY)).to_series()
    inner = pl.DataFrame({"inner": message, "words": severity.of_words(words), "numbers": severity.of_numbers(words)})
    given = pl.col("severity") if "severity" in frame.columns else pl.lit(None, pl.UInt8)
    frame = frame.hstack(inner).with_columns(
        message=pl.coalesce("inner", "message"), severity=pl.coalesce("words", "numbers", given)
    )
    return frame.drop("inner", "words", "numbers")


def objects(text: pl.Series, names: Sequence[str]) -> tuple[pl.Series, dict[str, pl.Series]]:
    """Tell which texts are JSON objects, and return their fields as text, null where one is absent or null.

    Of a key that is given twice the first counts. A field that is an object or a list is its JSON text.
    """
    texts = pl.DataFrame({"line": text}).to_arrow()
    if len(names) > _FEW_NAMES:
        here = _asked(texts, f"select distinct unnest(json_keys({_VALID})) as key from texts")["key"]  # noqa: S608 - ours
        first = set(here.to_list())
        asked = [name for name in names if name in first or name.partition(".")[0] in first]
    else:
        asked = list(names)
    paths = [path for name in asked for path in _paths(name)]
    begins = text.str.starts_with("{").fill_null(value=False)
    read = _extracted(texts, paths, whole=begins.all())
    fits = read["fits"] & (begins if begins.all() else text.str.contains(r"^\s*\{")).fill_null(value=False)
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(text))
    fields, column = dict.fromkeys(names, nothing), 1
    for name in asked:
        ways = [f"c{column + way}" for way in range(len(_paths(name)))]
        fields[name] = read.select(pl.coalesce(ways)).to_series() if len(ways) > 1 else read[ways[0]]
        column += len(ways)
    return fits, fields


def _extracted(texts: pa.Table, paths: Sequence[str], *, whole: bool) -> pl.DataFrame:
    """Return ``fits``, which texts are JSON, and the columns ``c1`` and so on, what stands at each of the paths.

    Where all texts may be JSON (``whole``) they are taken to be, because asking that first parses each once more.
    """
    found = f"json_extract_string(line, {_literal(paths)})" if paths else "[]::varchar[]"
    chosen = "".join(f", found[{number}] as c{number}" for number in range(1, len(paths) + 1))
    for inner in ([found] if whole and paths else []) + [f"case when json_valid(line) then {found} end"]:
        with suppress(duckdb.InvalidInputException):
            sql = f"select found is not null as fits{chosen} from (select {inner} as found from texts)"  # noqa: S608 - names of formats, as literals
            return _asked(texts, sql)
    raise AssertionError("What asks whether a text is JSON fails for none.")


def _asked(texts: pa.Table, sql: str) -> pl.DataFrame:
    answer = _engine().from_arrow(texts).query("texts", sql)
    return pl.DataFrame(answer.to_arrow_table()) if answer is not None else pl.DataFrame()


def _paths(name: str) -> list[str]:
    """Return where a field is found: under its name as it is written, then by the path that it is."""
    whole = '$."' + name + '"'
    return [whole, "$." + ".".join(f'"{part}"' for part in name.split("."))] if "." in name else [whole]


def _literal(paths: Sequence[str]) -> str:
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"


def _engine() -> duckdb.DuckDBPyConnection:
    """Return this thread's engine, which works in this thread alone: the threads that parse are the parallelism."""
    if not hasattr(_ENGINES, "engine"):
        _ENGINES.engine = duckdb.connect(config={"threads": 1})
    engine: duckdb.DuckDBPyConnection = _ENGINES.engine
    return engine
