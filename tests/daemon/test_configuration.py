"""The whole configuration: each section, each kind of source, and what does not fit together."""

import asyncio
from pathlib import Path

import pytest

from heeler.clock import FakeClock
from heeler.config.values import Endpoint
from heeler.daemon.configuration import Configuration, configured
from heeler.errors import ConfigurationError
from heeler.formats.choose import FORMATS
from heeler.formats.definitions import catalog_entries
from heeler.formats.settings import FormatSettings
from heeler.sources import SourceContext
from heeler.sources.file_settings import FileSettings
from heeler.store.retention import Keep

RIGHT = """
store = "lake:kept"
[web]
listen = ":9000"
[keep]
age = "2d"
bytes = "5GB"
[sources.shop]
kind = "file"
paths = ["logs/*.log", "/var/log/one"]
format = "mine"
group = "market"
[sources.edge]
kind = "file"
paths = ["edge"]
format = '$remote_addr [$time_local] "$request" $status'
[formats.mine]
pattern = '(?<time>) (?<message>.*)'
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "heeler.toml"
    file.write_text(text)
    return file


def test_a_whole_configuration_is_read(tmp_path: Path) -> None:
    read = configured(written(tmp_path, RIGHT))

    settings = read.settings
    assert settings.store == f"lake:{tmp_path}/kept"
    assert settings.web.listen == Endpoint("", 9000)
    assert settings.keep.keep() == Keep(2 * 86_400_000_000, 5_000_000_000)
    assert list(settings.sources) == ["shop", "edge"]
    shop = settings.sources["shop"]
    assert isinstance(shop, FileSettings)
    assert shop.paths == (f"{tmp_path}/logs/*.log", "/var/log/one")
    assert read.formats["mine"].table == "log"
    assert set(read.formats) == {*FORMATS, "mine"}


def test_the_same_file_read_twice_is_equal_and_a_changed_source_is_not(tmp_path: Path) -> None:
    """By this a reload knows which sources to leave alone."""
    before = configured(written(tmp_path, RIGHT)).settings
    after = configured(written(tmp_path, RIGHT.replace('["edge"]', '["edge2"]'))).settings

    assert before.sources["shop"] == after.sources["shop"]
    assert before.sources["edge"] != after.sources["edge"]
    assert before == configured(written(tmp_path, RIGHT)).settings


def test_without_a_file_everything_is_as_by_default() -> None:
    read = configured(None)

    assert read.settings == Configuration()
    assert read.settings.keep.keep() == Keep()


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        ("[sources.a]\nkind = 'fiel'", "2:8", "There is no kind of source 'fiel'. Did you mean 'file'?"),
        ("[sources.a]\npaths = ['x']", "1:10", "sources.a says no kind of source. There are file"),
        ("[sources.a]\nkind = 3", "2:8", "There is no kind of source '3'."),
        ("sources = 3", "1:11", "sources must hold a table for each, as [sources.NAME]."),
        ("[sources]\na = 3", "2:1", "sources.a must be a table, as [sources.a]."),
        ("[[sources]]\nkind = 'file'", "1:3", "sources must hold a table for each, as [sources.NAME]."),
        ("[sources.'a/b']\nkind = 'file'\npaths = ['x']", "1:10", "sources.'a/b': 'a/b' is no name"),
        ("[sources.a]\nkind = 'file'\npaths = []", "3:9", "sources.a.paths is [], and must hold at least 1."),
        ("[sources.a]\nkind = 'file'\npaths = ['x']\nformat = 'comon'", "4:10", "There is no format named 'comon'."),
        (
            "[sources.a]\nkind = 'file'\npaths = ['x']\nformat = '{client}{time}'",
            "4:10",
            "The template has {client} and",
        ),
        ("[source.a]\nkind = 'file'", "1:2", "The file has no setting 'source'. Did you mean 'sources'?"),
        ("[formats.a]\npattern = '(?<message>a(?=b))'", "2:11", "The pattern looks around"),
        ("[formats.a]\ntitle = 'x'", "1:10", "The format 'a' needs a template, a pattern, or a kind"),
        ("[formats.a]\npatern = 'x'", "2:1", "[formats.a] has no setting 'patern'. Did you mean 'pattern'?"),
        ("store = 'postgres://db'", "1:9", "store: The store 'postgres://db' needs the extra"),
        ("store = 'ftp:x'", "1:9", "store: The store 'ftp:x' is of no known kind"),
    ],
)
def test_what_is_wrong_is_told_once_and_at_its_place(text: str, place: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configured(written(tmp_path, text))

    (error,) = caught.value.errors
    assert f"{error.line}:{error.column}" == place
    assert error.sentence.startswith(sentence)


def test_errors_of_all_sections_are_told_at_once(tmp_path: Path) -> None:
    text = "stor = 1\n[keep]\nage = 1\n[sources.a]\nkind = 'x'\n[sources.b]\nkind = 'file'\n[formats.c]\nkind = 'y'\n"
    with pytest.raises(ConfigurationError) as caught:
        configured(written(tmp_path, text))

    assert [one.line for one in caught.value.errors] == [1, 3, 5, 6, 9]


def test_everything_that_a_format_of_the_catalog_says_may_be_said_by_users() -> None:
    said = {key for entry in catalog_entries().values() for key in entry}

    assert said <= FormatSettings.model_fields.keys()


def test_a_file_source_opens_with_the_group_and_paths_of_its_section(tmp_path: Path) -> None:
    tmp_path.joinpath("a.log").write_text("one\n")
    text = "[sources.shop]\nkind = 'file'\npaths = ['*.log']\nfrom_start = true\n"
    settings = configured(written(tmp_path, text)).settings.sources["shop"]

    async def read() -> tuple[str, bytes]:
        async def none(_: object) -> frozenset[str]:
            return frozenset()

        source = settings.open(SourceContext("shop", FakeClock(), {}, none, print))
        try:
            async for chunk in source.read():
                if chunk.data:
                    return chunk.part, chunk.data
        finally:
            await source.close()
        raise AssertionError("It ended.")

    part, data = asyncio.run(read())
    assert part.startswith(f"shop\0{tmp_path}/a.log\0")
    assert data == b"one\n"
    assert settings.positions_under == "file"
