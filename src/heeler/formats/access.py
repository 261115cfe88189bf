"""HTTP access logs: the formats that come with Heeler."""

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
