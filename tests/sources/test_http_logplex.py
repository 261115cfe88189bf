"""Logplex drains, by frames as Logplex makes them."""

import asyncio
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from committing import Memory, committing, until
from heeler.formats.choose import FORMATS
from heeler.formats.lines import split
from heeler.sources.http import HttpSettings, HttpSource
from heeler.sources.http_logplex import Logplex
from heeler.sources.http_request import Decoded, Lines, Refused, Request

STATE = "<40>1 2012-11-30T06:45:29+00:00 host app web.3 - State changed from starting to up"
ROUTER = '<158>1 2012-11-30T06:45:30+00:00 host heroku router - at=info method=GET path="/a" host=x.example.com \
request_id=5 fwd="192.0.2.7" dyno=web.1 connect=1ms service=18ms status=200 bytes=13 protocol=https'
OVERFLOW = "<172>1 2012-11-30T06:45:31+00:00 host heroku logplex - Error L10 (output buffer overflow): 491 messages \
dropped since 2012-11-30T06:40:00+00:00."


def frame(text: str) -> bytes:
    message = text.encode()
    return b"%d %s" % (len(message), message)


def decoded(body: bytes, **headers: str) -> tuple[dict[tuple[str, str], bytes], Decoded]:
    lines = Lines(1 << 20)
    found = Logplex().decode(Request("POST", "/logplex", {"group": "shop"}, headers, body), lines)
    return dict(lines.joined()), found


def test_frames_become_lines_by_their_length_with_and_without_a_newline() -> None:
    """The message about dropped ones has no newline of its own, and the next frame is glued to it."""
    body = frame(STATE + "\n") + frame(OVERFLOW) + frame(ROUTER + "\n") + frame("<40>1 t host app web.3 - naïve ✓")

    lines, found = decoded(body, **{"logplex-frame-id": "3A", "logplex-msg-count": "99"})

    assert lines == {
        ("shop", "web.3"): f"{STATE}\n<40>1 t host app web.3 - naïve ✓\n".encode(),
        ("shop", "logplex"): f"{OVERFLOW}\n".encode(),
        ("shop", "router"): f"{ROUTER}\n".encode(),
    }
    assert (found.key, found.damaged, found.response.status) == ("3A", 0, 204)


def test_a_newline_within_a_message_does_not_end_its_line() -> None:
    lines, _ = decoded(frame("<40>1 t host app web.1 - a\nb\n"))

    assert lines == {("shop", "web.1"): b"<40>1 t host app web.1 - a\\nb\n"}


def test_what_is_no_frame_is_kept_as_it_came_and_counted() -> None:
    lines, found = decoded(frame(STATE) + b"nonsense <1>\n999999 " + STATE.encode())

    assert lines[("shop", "web.3")] == f"{STATE}\n".encode()
    assert lines[("shop", "")] == f"nonsense <1>\n999999 {STATE}\n".encode()
    assert found.damaged == 1


def test_the_lines_are_read_by_the_format_of_drains() -> None:
    lines, _ = decoded(frame(STATE + "\n") + frame(ROUTER + "\n"))
    records = FORMATS["heroku_drain"].parse(split(b"".join(lines.values())))

    assert records["parsed"].to_list() == [True, True]
    assert records["pid"].to_list()[0] == "web.3"
    assert records["message"].to_list()[0] == "State changed from starting to up"
    assert records["path"].to_list()[1] == "/a"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), max_size=20))
def test_every_message_is_one_line(messages: list[str]) -> None:
    """But for an empty one, and one that ends with a newline of its own."""
    lines, found = decoded(b"".join(frame(message) for message in messages))

    assert found.damaged == 0
    written = b"".join(lines.values()).split(b"\n")[:-1]
    assert sorted(written) == sorted(text.removesuffix("\n").replace("\n", "\\n").encode() for text in messages)


@given(st.binary(max_size=300))
def test_no_body_is_refused_and_none_is_lost(body: bytes) -> None:
    lines, _ = decoded(body)

    written = b"".join(lines.values()).replace(b"\\n", b"")
    assert [byte for byte in (b"<", b"\xff", b"a", b"-") if body.count(byte) > written.count(byte)] == []


def test_no_trouble_is_told_as_permanent() -> None:
    for status in (400, 413, 415, 429, 431, 500, 503):
        assert Logplex().refuse(Request("POST", "/logplex"), Refused(status, "no")).status in {429, 503}
    assert Logplex().refuse(Request("POST", "/logplex"), Refused(401, "no")).status == 401


def test_a_frame_that_is_sent_again_is_stored_once_and_answered_as_if_it_were_new() -> None:
    body = frame(STATE + "\n") + frame(ROUTER + "\n")

    async def run() -> None:
        memory = Memory()
        async with committing(HttpSettings(listen="127.0.0.1:0"), memory) as running:
            source = running.source
            assert isinstance(source, HttpSource)
            await until(lambda: source.port > 0)
            for name in ("a" * 32, "a" * 32, "b" * 32):
                command = ["curl", "-sS", "-w", "%{http_code}", "-H", "Content-Type: application/logplex-1"]
                command += ["-H", f"Logplex-Frame-Id: {name}", "-H", "Logplex-Msg-Count: 2", "--data-binary", "@-"]
                done = await asyncio.create_subprocess_exec(
                    *command,
                    f"http://127.0.0.1:{source.port}/logplex?group=shop",
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
                assert (await done.communicate(body))[0] == b"204"

        assert memory.of("shop", "web.3") == f"{STATE}\n".encode() * 2
        assert memory.of("shop", "router") == f"{ROUTER}\n".encode() * 2

    asyncio.run(run())
