"""JSON objects, one a line, read by DuckDB: it parses each line once for all fields, and lets go of the GIL meanwhile.

Decoding a batch with a schema fails for all of its rows where one does not fit, and asking for fields one by one parses
each line again; see docs/decisions/0009.
"""

import threading
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import duckdb
import polars as pl

from heeler.formats import severity
from heeler.formats.structured import Named
from heeler.formats.timestamps import Receipt

_ENGINES = threading.local()
_INNER_MESSAGE: Final = ("msg", "message")
_INNER_SEVERITY: Final = ("level", "severity", "lvl", "levelname", "log.level")


class Json(Named):
    """JSON lines. A name with dots is looked for as it is written, then as a path: ``log.level``, ``request.uri``.

    With ``unpack`` a message that is itself a JSON object, as in the ``json-file`` of Docker, gives its own message and
    severity.
    """

    kind = "json"

    def extract(self, text: pl.Series, names: Sequence[str]) -> tuple[pl.Series, dict[str, pl.Series]]:
        """See `Named.extract`."""
        return objects(text, names)

    def read(
        self, text: pl.Series, wanted: AbstractSet[str], receipt: Receipt | None
    ) -> tuple[pl.Series, pl.DataFrame]:
        """See `Named.read`."""
        fits, frame = super().read(text, wanted, receipt)
        if "severity" in wanted and "severity" not in frame.columns and "severity" in self.columns:
            frame = frame.with_columns(severity=pl.lit(None, pl.UInt8))
        if self.definition.get("unpack") and "message" in frame.columns:
            frame = with_inner(frame)
        return fits, frame


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
    paths = [path for name in names for path in _paths(name)]
    chosen = ", ".join(f"found[{number}] as c{number}" for number in range(1, len(paths) + 1))
    found = f"json_extract_string(line, {_literal(paths)})" if paths else "[]::varchar[]"
    sql = (
        f"select found is not null as fits{', ' + chosen if chosen else ''} from (select case when "  # noqa: S608 - literals
        f"ltrim(line, ' \t\r')[1] = '{{' and json_valid(line) then {found} end as found from texts)"
    )
    table = pl.DataFrame({"line": text}).to_arrow()
    answer = _engine().from_arrow(table).query("texts", sql)
    read = pl.DataFrame(answer.to_arrow_table()) if answer is not None else pl.DataFrame()
    fields, column = {}, 1
    for name in names:
        ways = [f"c{column + way}" for way in range(len(_paths(name)))]
        fields[name] = read.select(pl.coalesce(ways)).to_series().alias(name)
        column += len(ways)
    return read["fits"], fields


def _paths(name: str) -> list[str]:
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
