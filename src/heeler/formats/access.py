"""HTTP access logs: the formats that come with Heeler, and what a section is."""

import polars as pl

from heeler.formats.template import Template

COMMON = '{client} {ident} {user} [{time}] "{request}" {status} {bytes}'
COMBINED = COMMON + ' "{referer}" "{agent}"'

ACCESS_FORMATS: dict[str, Template] = {
    name: Template(name, text)
    for name, text in (
        ("combined", COMBINED),
        ("common", COMMON),
        ("vhost_combined", "{host} " + COMBINED),
        ("vhost_common", "{host} " + COMMON),
        # What the packages of nginx configure as `main`.
        ("nginx_main", COMBINED + ' "{http_x_forwarded_for}"'),
    )
}
"""Known access log formats, the likeliest first. Adding one is a line here."""

INVALID = "(invalid)"


def section(requests: pl.DataFrame) -> pl.Series:
    """Return the section of each request, String: what stands before the second ``/`` of its path.

    ``/pages/create`` is in ``/pages``, ``/`` and ``/?a=b`` in ``/``. The query does not count, slashes that follow
    each other count as one, and of ``http://host/path`` only the path counts. ``CONNECT host:443`` and ``OPTIONS *``
    are sections by their target; a malformed request is ``(invalid)``. Columns read: ``method``, ``path``.
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
