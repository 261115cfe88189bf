"""Formats as web servers are told them: an nginx ``log_format`` or an Apache ``LogFormat`` becomes a template.

Sources: nginx ``ngx_http_log_module`` and its variables; httpd ``mod_log_config``. What has no column of its own goes
into ``attributes`` by the server's own name for it.
"""

import re

from heeler.errors import TemplateError

_NGINX_FIELDS = {
    "remote_addr": "client",
    "remote_user": "user",
    "time_local": "time",
    "time_iso8601": "time_iso",
    "request": "request",
    "request_method": "method",
    "request_uri": "path",
    "server_protocol": "protocol",
    "status": "status",
    "body_bytes_sent": "bytes",
    "bytes_sent": "bytes",
    "http_referer": "referer",
    "http_user_agent": "agent",
    "host": "host",
    "request_time": "duration",
}
_APACHE_FIELDS = {
    "h": "{client}",
    "a": "{client}",
    "l": "{ident}",
    "u": "{user}",
    "t": "[{time}]",
    "r": "{request}",
    "m": "{method}",
    "U": "{path}",
    "H": "{protocol}",
    "s": "{status}",
    "b": "{bytes}",
    "B": "{bytes}",
    "v": "{host}",
    "V": "{host}",
    "D": "{duration_us}",
    "T": "{duration_s}",
    "{s}T": "{duration_s}",
    "{ms}T": "{duration_ms}",
    "{us}T": "{duration_us}",
    "{referer}i": "{referer}",
    "{user-agent}i": "{agent}",
    "A": "{local_addr}",
    "f": "{filename}",
    "I": "{bytes_received}",
    "k": "{keepalive_requests}",
    "L": "{log_id}",
    "O": "{bytes}",  # with the headers; in the formats of Debian it stands in the place of %b
    "p": "{port}",
    "P": "{pid}",
    "q": "{query}",
    "R": "{handler}",
    "S": "{bytes_transferred}",
    "X": "{connection_status}",
}
_APACHE_KINDS = {"i": "http", "o": "sent_http", "C": "cookie", "e": "env", "n": "note", "p": "port", "P": "pid"}

_NGINX_CONFIG = re.compile(r"\s*log_format\s+\S+\s+(?:escape=\w+\s+)?(?P<rest>.*?)\s*;?\s*", re.DOTALL)
_NGINX_STRING = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_NGINX_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_APACHE_CONFIG = re.compile(r'\s*(?:LogFormat|CustomLog\s+\S+)\s+"(?P<rest>(?:[^"\\]|\\.)*)".*', re.DOTALL)
_APACHE_DIRECTIVE = re.compile(r"%(?P<when>[!0-9,<>]*)(?P<argument>\{[^}]*\})?(?P<letter>\^?[a-zA-Z%])")


def from_nginx(text: str) -> str:
    """Return the template of an nginx ``log_format``: the format itself or the whole directive of a configuration."""
    if directive := _NGINX_CONFIG.fullmatch(text):
        strings = _NGINX_STRING.findall(directive["rest"])
        text = "".join(re.sub(r"\\(.)", r"\1", single or double) for single, double in strings) or directive["rest"]
    template, done = "", 0
    taken: set[str] = set()
    for variable in _NGINX_VARIABLE.finditer(text):
        name = variable[1] or variable[2]
        field = _NGINX_FIELDS.get(name, name)
        field = name if field in taken else field  # a second one of a kind keeps its own name
        taken.add(field)
        template += _literal(text[done : variable.start()]) + "{" + field.lower() + "}"
        done = variable.end()
    return template + _literal(text[done:])


def from_apache(text: str) -> str:
    """Return the template of an Apache ``LogFormat``: the format itself or the whole directive of a configuration.

    Raises `TemplateError` for a directive that no fixed template can stand for, such as a time in a format of one's
    own.
    """
    if directive := _APACHE_CONFIG.fullmatch(text):
        text = directive["rest"]
    if '\\"' in text:
        text = re.sub(r'\\(["\\])', r"\1", text)
    text = text.replace("\\t", "\t")
    template, done = "", 0
    for found in _APACHE_DIRECTIVE.finditer(text):
        field = _apache_field(text, found)
        field = "{bytes_sent}" if found["letter"] == "O" and field in template else field
        template += _literal(text[done : found.start()]) + field
        done = found.end()
    return template + _literal(text[done:])


def _apache_field(text: str, found: re.Match[str]) -> str:
    letter, argument = found["letter"], found["argument"] or ""
    if letter == "%":
        return "%"
    field = _APACHE_FIELDS.get(argument.lower() + letter)
    if field is None and argument and letter in _APACHE_KINDS:
        field = "{" + re.sub("[^a-z0-9]+", "_", f"{_APACHE_KINDS[letter]}_{argument[1:-1].lower()}") + "}"
    if field is None:
        raise TemplateError(
            f"The Apache format has {found[0]!r}, which Heeler cannot read; a time must be %t, and the letters known "
            f"are {' '.join(sorted(key for key in _APACHE_FIELDS if len(key) == 1))}.",
            text,
            found.start(),
        )
    return field


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
