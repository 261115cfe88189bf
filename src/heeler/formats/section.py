"""The section of a request: what people call the parts of a web site."""

import polars as pl

INVALID = "(invalid)"


def sections(requests: pl.DataFrame) -> pl.Series:
    """Return the section of each request, String: what stands before the second ``/`` of its path.

    ``/pages/create`` is in ``/pages``, ``/`` and ``/?a=b`` in ``/``. The query does not count, slashes that follow
    each other count as one, and of ``http://host/path`` only the path counts. ``CONNECT host:443`` and ``OPTIONS *``
    are sections by their target; a malformed request is ``(invalid)``. Columns read: ``method``, ``path``.

    `heeler.formats.fields.Request` finds the sections of usual paths without this, while it reads them.
    """
    requests = requests.select("method", "path", usual=pl.col("path").str.extract("^(/[^/?#]+)"))
    # Nulls cost a regex nothing, so the slower ones see only what the plain one did not match.
    requests = requests.with_columns(
        rest=pl.when(pl.col("usual").is_null() & pl.col("method").is_not_null()).then("path")
    )
    rest = pl.col("rest")
    slashes = rest.str.extract("^(?:[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*)?/*(/[^/?#]*)")
    bare_host = pl.when(rest.str.contains("^[a-zA-Z][a-zA-Z0-9+.-]*://")).then(pl.lit("/"))
    found = pl.coalesce("usual", slashes, bare_host, rest.str.extract("^([^/?#]*)"))
    return requests.select(section=pl.when(pl.col("method").is_null()).then(pl.lit(INVALID)).otherwise(found))[
        "section"
    ]
