"""Configuration files of every kind of wrong: each is a sentence with its place, and none does harm."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heeler.config.document import LONGEST_LINE, MOST_BYTES, read_document
from heeler.errors import ConfigurationError, UsageError


def written(tmp_path: Path, data: bytes | str) -> Path:
    file = tmp_path / "heeler.toml"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return file


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe", "is not UTF-8 text: line 1 has the byte 0xff"),
        (b"a = 1\n\xff", "is not UTF-8 text: line 2 has the byte 0xff"),
        (b"a = 1\0", "heeler.toml:1:6: This is no TOML"),
        (b"a = 1\n" * (MOST_BYTES // 6 + 1), "has more than 1,048,576 bytes"),
        (b"a." * LONGEST_LINE + b"a = 1", "Line 1 of the configuration .* has more than 10,000 characters"),
        (b"a = " + b"[" * 4900 + b"]" * 4900, "nested more than 32 deep"),
        (b"a = " + b"[" * 40 + b"]" * 40, "heeler.toml:1:37: This is nested more than 32 deep"),
        (b".".join([b"a"] * 4000) + b" = 1", "nested more than 32 deep"),
        (b"a = 1\na = 2", "heeler.toml:2:6: This is no TOML: Cannot overwrite a value"),
        (b"a = '", "heeler.toml:1:6: This is no TOML: Expected"),
        (b"a = 1" + b"0" * 5000, "This is no TOML: Exceeds the limit"),
        (b"\n\na = [1,\n", "heeler.toml:3:8: This is no TOML"),
        (b"a = \x1b]0;owned\x07", "heeler.toml:1:5: This is no TOML: Invalid value"),
    ],
)
def test_a_file_that_is_no_configuration_is_told_in_a_sentence(data: bytes, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        read_document(written(tmp_path, data))
    assert all(char.isprintable() or char == "\n" for char in str(caught.value))
    assert max(map(len, str(caught.value).splitlines())) < 400


@pytest.mark.parametrize(("name", "why"), [("folder", "Is a directory"), ("missing", "No such file or directory")])
def test_what_cannot_be_read_is_told(name: str, why: str, tmp_path: Path) -> None:
    tmp_path.joinpath("folder").mkdir()
    with pytest.raises(UsageError, match=f"/{name} cannot be read: {why}."):
        read_document(tmp_path / name)


@given(st.binary(max_size=200) | st.text("[]{}='\"\\#.,\n ab1\x1b", max_size=60).map(str.encode))
def test_any_bytes_are_a_document_or_an_error_in_sentences(data: bytes) -> None:
    told = ""
    with TemporaryDirectory() as folder:
        try:
            read = read_document(written(Path(folder), data))
        except UsageError as error:
            told = str(error)
        else:
            assert all(read.places[path].end <= len(read.text) for path in read.places)
    assert all(char.isprintable() or char == "\n" for char in told)


def test_line_ends_and_the_mark_of_other_systems_are_taken(tmp_path: Path) -> None:
    read = read_document(written(tmp_path, b'\xef\xbb\xbfa = 1\r\n[b]\r\nc = "x"\r\n'))

    assert read.values == {"a": 1, "b": {"c": "x"}}
    assert read.error(("b", "c"), "no").line == 3
    assert read.error(("b", "c"), "no").column == 5


def test_the_caret_stands_below_the_place_also_in_a_long_line(tmp_path: Path) -> None:
    text = 'a = ["' + "x" * 300 + '", 7, "' + "y" * 300 + '"]'
    read = read_document(written(tmp_path, text))

    error = read.error(("a", 1), "Not seven.")

    _, shown, caret = str(error).splitlines()
    assert shown[caret.index("^")] == "7"
    assert error.column == text.index("7") + 1
    assert len(shown) <= 102


def test_several_errors_are_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    read = read_document(written(tmp_path, "a = 1\nb = 2\n"))

    error = ConfigurationError([read.error(("b",), "Second."), read.error(("a",), "First.")])

    assert [one.sentence for one in error.errors] == ["First.", "Second."]
    assert str(error).splitlines() == [
        f"{tmp_path}/heeler.toml:1:5: First.", "  a = 1", "      ^",
        f"{tmp_path}/heeler.toml:2:5: Second.", "  b = 2", "      ^",
    ]  # fmt: skip
