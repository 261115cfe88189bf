"""Fields that no record has: told, with the names that may have been meant."""

from collections.abc import Iterator, Mapping

import polars as pl

from heeler.formats import Format
from heeler.formats.fields import Attribute
from heeler.formats.template import Template
from heeler.query.attributes import attribute, names_in
from heeler.query.fields import DERIVED, FIELDS, meant
from heeler.query.tree import Grouping, Query, Sort, Top, field_of, leaves
from heeler.store.piece import Piece
from heeler.store.reading import LakeReader
from heeler.store.schema import RECORD_TABLES

MOST_LOOKED_AT = 20_000
"""So many records, the newest, are looked at for the names of their attributes."""


def unknown_fields(reader: LakeReader, query: Query) -> list[str]:
    """Return a sentence for each field of a query that no format has and no newer record either."""
    asked = [name for name in _asked(query) if name not in FIELDS and name not in DERIVED]
    if not asked:
        return []
    names = set(_of_formats(reader.formats()))
    texts = _newest(reader)
    seen = {name for text in texts for name in names_in(text)}
    told = []
    for name in dict.fromkeys(asked):
        if name not in names and not any(attribute(text, name) is not None for text in texts):
            where = f" in the newest {len(texts):,} records with attributes" if texts else ""
            hint = meant(name, [*FIELDS, *DERIVED, *sorted(names | seen)])
            told.append(f"There is no field named {name!r}{where}, so it matches nothing.{hint}")
    return told


def _asked(query: Query) -> Iterator[str]:
    for leaf in leaves(query.where):
        if (name := field_of(leaf)) is not None:
            yield name
    for stage in query.stages:
        if isinstance(stage, Grouping):
            yield from (*stage.by, *([stage.measure.field] if stage.measure.field else []))
        elif isinstance(stage, Top):
            yield from stage.fields
        elif isinstance(stage, Sort) and query.summary is None:
            yield stage.column


def _of_formats(formats: Mapping[int, Format]) -> Iterator[str]:
    for known in formats.values():
        if isinstance(known, Template):
            yield from (part.name for part in known.parts if isinstance(part.field, Attribute))


def _newest(reader: LakeReader) -> list[str]:
    """Return what the newest records have in ``attributes``."""
    pieces = sorted(reader.pieces(list(RECORD_TABLES)), key=_last)
    texts: list[str] = []
    while pieces and len(texts) < MOST_LOOKED_AT:
        frame = pieces.pop().frame().filter(pl.col("attributes").is_not_null())
        texts += frame.select("attributes").tail(MOST_LOOKED_AT - len(texts)).collect().to_series().to_list()
    return texts


def _last(piece: Piece) -> int:
    return piece.times_us[1]
