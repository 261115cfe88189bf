"""A query as a Polars expression."""

import polars as pl

from heeler.query.language import FIELDS
from heeler.query.tree import Query


def as_expression(query: Query, schema: pl.Schema) -> pl.Expr:
    """Return the Boolean expression that a record of ``schema`` must satisfy; never null.

    A column that the table does not have, and a null, compare false.
    """
    found = pl.lit(value=True)
    for condition in query.conditions:
        column = FIELDS[condition.field]
        if column not in schema:
            return pl.lit(value=False)
        text = pl.col(column).cast(pl.String)
        found &= (text == condition.value).fill_null(value=False)
    return found
