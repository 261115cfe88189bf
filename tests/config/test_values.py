"""Values as people write them, read and written again."""

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from heeler.config.section import Section
from heeler.config.values import (
    SIZES,
    Address,
    Duration,
    Endpoint,
    Name,
    PathText,
    Rate,
    Secret,
    Size,
    duration_text,
    rate_text,
    size_text,
)
from heeler.units import SECONDS


class Times(Section):
    duration: Duration = 1.0
    rate: Rate = 1.0
    size: Size = 1


NUMBERS = st.decimals(0, 3000, places=3).map(lambda number: f"{number:f}") | st.integers(0, 3000).map(str)


@given(NUMBERS, st.sampled_from(sorted(SECONDS)))
def test_a_duration_is_written_as_what_reads_the_same(number: str, unit: str) -> None:
    read = Times(duration=f"{number}{unit}").duration  # type: ignore[arg-type]  # as a file has it

    assert read == float(Fraction(number) * SECONDS[unit])
    assert Times(duration=duration_text(read)).duration == read  # type: ignore[arg-type]


@given(NUMBERS, st.sampled_from(["", "/s", "/m", "/h"]))
def test_a_rate_is_written_as_what_reads_the_same(number: str, unit: str) -> None:
    read = Times(rate=f"{number}{unit}").rate  # type: ignore[arg-type]

    assert Times(rate=rate_text(read)).rate == read  # type: ignore[arg-type]


@given(st.integers(0, 10**12 - 1), st.sampled_from(sorted(SIZES)))
def test_a_size_is_written_as_what_reads_the_same(number: int, unit: str) -> None:
    count = number // SIZES[unit] * SIZES[unit]

    assert Times(size=size_text(count)).size == count  # type: ignore[arg-type]
    assert Times(size=f"{count // SIZES[unit]}{unit}").size == count  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [(60.0, "1m"), (90.0, "90s"), (2_592_000.0, "30d"), (0.5, "500ms"), (0.0, "0ms"), (0.00015, "0.15ms")],
)
def test_a_duration_is_written_shortly(value: float, text: str) -> None:
    assert duration_text(value) == text


@pytest.mark.parametrize("value", ["60", 60, "1 week", "-1s", "1e3s", "9999999d", "", True, None, "٣s"])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match=r"is no duration|is too long"):
        Times(duration=value)  # type: ignore[arg-type]


class Places(Section):
    listen: Address = Endpoint("", 1)
    path: PathText = "/"
    name: Name = "a"
    secret: Secret | None = None


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("[::1]:80", "::1", 80),
        (":514", "", 514),
        ("*:0", "", 0),
        ("a-b.c:1", "a-b.c", 1),
    ],
)
def test_an_address_is_read_and_written(text: str, host: str, port: int) -> None:
    read = Places(listen=text).listen  # type: ignore[arg-type]

    assert read == Endpoint(host, port)
    assert Places(listen=str(read)).listen == read  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["80", "::1:80", "[::1]", "a:65536", "a b:1", "a:-1", "http://a:1", "a:1/x", 80, ""])
def test_what_is_no_address_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="is no address to listen on"):
        Places(listen=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", ".", "../x", "a/b", "a\nb", "a b", "-a", "x" * 65, "naïve", "a\0"])
def test_a_name_that_is_not_safe_everywhere_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="is no name"):
        Places(name=value)


def test_a_path_is_relative_to_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home-of-somebody")
    read = [
        Places.model_validate({"path": text}, context={"folder": tmp_path}).path for text in ("a/*.log", "/b", "~/c")
    ]

    assert read == [f"{tmp_path}/a/*.log", "/b", "/home-of-somebody/c"]


def test_a_secret_is_taken_from_the_environment_or_a_file_and_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    tmp_path.joinpath("token").write_text("s3cret\n")
    for text in ("${TOKEN}", "file:token"):
        read = Places.model_validate({"secret": text}, context={"folder": tmp_path})
        assert read.secret is not None
        assert read.secret.get_secret_value() == "s3cret"
        assert "s3cret" not in repr(read) + str(read.model_dump()) + read.model_dump_json()


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("${NOT_SET_ANYWHERE}", "The environment has no NOT_SET_ANYWHERE"),
        ("file:missing", "cannot be read: No such file"),
        ("file:empty", "is empty"),
        ("file:binary", "is not UTF-8 text"),
        ("hunter2", "does not stand in the configuration itself"),
        ("${a b}", "does not stand in the configuration itself"),
        (7, "does not stand in the configuration itself"),
    ],
)
def test_a_secret_that_is_not_there_is_told(value: object, sentence: str, tmp_path: Path) -> None:
    tmp_path.joinpath("empty").write_text("\n")
    tmp_path.joinpath("binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ValidationError, match=sentence):
        Places.model_validate({"secret": value}, context={"folder": tmp_path})
