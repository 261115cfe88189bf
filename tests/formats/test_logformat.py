"""What nginx and Apache are told about their logs, read as templates; some are tried on a line of such a server."""

from typing import Any

import polars as pl
import pytest

from heeler.errors import TemplateError
from heeler.formats import render
from heeler.formats.access import COMBINED, COMMON
from heeler.formats.lines import split
from heeler.formats.logformat import from_apache, from_nginx
from heeler.formats.template import Template

NGINX_COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
NGINX_MAIN = """
log_format  main  '$remote_addr - $remote_user [$time_local] "$request" '
                  '$status $body_bytes_sent "$http_referer" '
                  '"$http_user_agent" "$http_x_forwarded_for"';
"""
APACHE_COMMON = r'LogFormat "%h %l %u %t \"%r\" %>s %b" common'
APACHE_COMBINED = r'LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"" combined'
APACHE_VHOST = r'LogFormat "%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"" vhost_combined'

LINE = '192.0.2.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a/b HTTP/1.1" 200 5 "-" "x"'
VALUES = {
    "client": "192.0.2.1",
    "remote_user": "frank",
    "time": 971_211_336_000_000,
    "zone": -420,
    "method": "GET",
    "path": "/a/b",
    "protocol": "HTTP/1.1",
    "status": 200,
    "bytes": 5,
    "referer": "-",
    "agent": "x",
}


def read(template: str, line: str) -> dict[str, Any]:
    """Return what the line means, and see that it comes back as it was."""
    written = Template("custom", template)
    frame = written.parse(split(line.encode()))
    assert frame["parsed"].all()
    assert frame["raw"].is_null().all()
    assert b"".join(render(written, frame).to_list()) == line.encode()
    return frame.with_columns(pl.col(pl.Datetime, pl.Duration).cast(pl.Int64)).to_dicts()[0]


# --- nginx ---

DASHES = COMBINED.replace("{ident}", "-")
"""nginx knows no ident and writes a dash."""


@pytest.mark.parametrize(
    ("text", "template"),
    [
        pytest.param(NGINX_COMBINED, DASHES, id="its combined"),
        pytest.param(NGINX_MAIN, DASHES + ' "{http_x_forwarded_for}"', id="main of its packages, the whole directive"),
        pytest.param(f"log_format x '{NGINX_COMBINED}';", DASHES, id="a directive with one string"),
        pytest.param(f"log_format x escape=json '{NGINX_COMBINED}';", DASHES, id="with the way of escaping"),
        pytest.param(
            'log_format x "$status" " \\"$request\\"";', '{status} "{request}"', id="double quotes with escaped ones"
        ),
        pytest.param("log_format x '$status \\'$request\\'';", "{status} '{request}'", id="single quotes"),
        pytest.param("log_format x $status;", "{status}", id="without quotes"),
        pytest.param("${status}x$request", "{status}x{request}", id="braces end a name"),
        pytest.param("$status$$request_id", None, id="a dollar that names nothing"),
        pytest.param('{"status":"$status"}', '{{"status":"{status}"}}', id="braces that are text"),
        pytest.param("$request_time $time_iso8601", "{duration} {time_iso}", id="time in other forms"),
        pytest.param("$upstream_response_time", "{upstream_response_time}", id="any variable is an attribute"),
        pytest.param("$remote_addr $realip_remote_addr", "{client} {realip_remote_addr}", id="two addresses"),
        pytest.param("$body_bytes_sent $bytes_sent", "{bytes} {bytes_sent}", id="bytes of the body and of all"),
        pytest.param("$bytes_sent", "{bytes}", id="bytes of all alone"),
        pytest.param("$remote_addr $remote_addr", "{client} {remote_addr}", id="a variable twice"),
        pytest.param("$host: $request_method $request_uri", "{host}: {method} {path}", id="parts of the request"),
    ],
)
def test_an_nginx_format_is_a_template(text: str, template: str | None) -> None:
    if template is None:
        assert Template("custom", from_nginx(text)).parse(split(b"200$7\n"))["parsed"].all()
    else:
        assert from_nginx(text) == template
        Template("custom", from_nginx(text))


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        (NGINX_COMBINED, LINE.replace(" - frank", " - frank"), VALUES),
        (NGINX_MAIN, LINE + ' "192.0.2.9"', VALUES | {"attributes": '{"http_x_forwarded_for":"192.0.2.9"}'}),
        ("$remote_addr [$time_iso8601] $request_time", "::1 [2000-10-10T13:55:36-07:00] 0.042", {"duration": 42_000}),
        ('{"s":$status,"t":"$time_iso8601"}', '{"s":200,"t":"2000-10-10T20:55:36+00:00"}', {"time": VALUES["time"]}),
    ],
)
def test_a_line_of_nginx_is_read_by_its_format(text: str, line: str, expected: dict[str, Any]) -> None:
    row = read(from_nginx(text), line)
    assert {name: row[name] for name in expected} == expected


# --- Apache ---


@pytest.mark.parametrize(
    ("text", "template"),
    [
        pytest.param(APACHE_COMMON, COMMON, id="its common is ours"),
        pytest.param(APACHE_COMBINED, COMBINED, id="its combined is ours"),
        pytest.param('%h %l %u %t "%r" %>s %b', COMMON, id="the format alone"),
        pytest.param(r"%h %l %u %t \"%r\" %>s %b", COMMON, id="the format alone, its quotes still escaped"),
        pytest.param(r'CustomLog logs/access_log "%h %>s"', "{client} {status}", id="a CustomLog with its own format"),
        pytest.param("%a %s %B", "{client} {status} {bytes}", id="other letters for the same"),
        pytest.param("%!200,304{Referer}i %<s", "{referer} {status}", id="conditions and redirects"),
        pytest.param(
            "%{X-Forwarded-For}i %{Content-Type}o", "{http_x_forwarded_for} {sent_http_content_type}", id="headers"
        ),
        pytest.param("%{USER-AGENT}i %{referer}i", "{agent} {referer}", id="headers in any case"),
        pytest.param("%{session}C %{ID}e %{x}n", "{cookie_session} {env_id} {note_x}", id="cookies and notes"),
        pytest.param(APACHE_VHOST, "{host}:{port} " + COMBINED, id="Debian's combined with the host"),
        pytest.param(
            "%b %I %O", "{bytes} {bytes_received} {bytes_sent}", id="bytes on the wire beside those of the body"
        ),
        pytest.param("%D", "{duration_us}", id="duration in microseconds"),
        pytest.param("%T", "{duration_s}", id="duration in seconds"),
        pytest.param("%{ms}T", "{duration_ms}", id="duration in milliseconds"),
        pytest.param("%% %>s", "% {status}", id="a percent sign"),
        pytest.param(r"%h\t%>s", "{client}\t{status}", id="a tab"),
        pytest.param("{%>s}", "{{{status}}}", id="braces are text"),
    ],
)
def test_an_apache_format_is_a_template(text: str, template: str) -> None:
    assert from_apache(text) == template
    Template("custom", from_apache(text))


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        (APACHE_COMMON, LINE.removesuffix(' "-" "x"'), {"ident": "-", "bytes": 5}),
        (APACHE_COMBINED, LINE, VALUES),
        (APACHE_COMBINED, LINE.replace("/a/b", '/\\"a\\"'), {"path": '/\\"a\\"'}),
        (APACHE_VHOST, "example.com:443 " + LINE, {"host": "example.com", "client": "192.0.2.1", "agent": "x"}),
        ("%h %D", "::1 42", {"duration": 42}),
        ("%h %T", "::1 42", {"duration": 42_000_000}),
        ("%h %{ms}T", "::1 -", {"duration": None}),
    ],
)
def test_a_line_of_apache_is_read_by_its_format(text: str, line: str, expected: dict[str, Any]) -> None:
    row = read(from_apache(text), line)
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "directive"),
    [("%h %{%d/%b/%Y}t", "%{%d/%b/%Y}t"), ("%h %Z", "%Z"), ("%{x}y", "%{x}y"), ("%h %^FU", "%^F")],
)
def test_a_directive_that_no_template_can_stand_for_is_pointed_at(text: str, directive: str) -> None:
    with pytest.raises(TemplateError, match="which Heeler cannot read") as caught:
        from_apache(text)
    assert caught.value.at == text.index(directive)
    assert repr(directive) in str(caught.value)


@pytest.mark.parametrize("text", ["%D %T", "%h %a", "%b %B", "%t %t"])
def test_two_directives_for_one_column_are_refused_with_both_names(text: str) -> None:
    with pytest.raises(TemplateError, match="both fill the column"):
        Template("custom", from_apache(text))
