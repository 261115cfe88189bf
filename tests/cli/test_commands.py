"""What all commands have in common, and `help`, `--version`, `formats`, `generate` and `demo` as processes."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from heeler import __version__
from heeler.cli import COMMANDS
from heeler.formats.choose import FORMATS

ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("HEELER_", "PYTHONUNBUFFERED", "NO_COLOR"))
}


def start(*arguments: str, **more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "heeler", *arguments]
    pipe = subprocess.PIPE
    env = {**ENVIRONMENT, "PYTHONUTF8": "1", "COLUMNS": "100", **more}
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=env, text=True)


def heeler(*arguments: str) -> tuple[int, str, str]:
    with start(*arguments) as process:
        out, err = process.communicate(timeout=60)
    assert "Traceback" not in out + err, err
    return process.returncode, out, err


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module", autouse=True)
def demo(temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo takes half a minute of real time: it runs once, beside the other tests of this file."""
    with start("demo", TMPDIR=str(temporary)) as process:
        yield process
        process.kill()


# --- help and versions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["help"]], ids=str)
def test_help_lists_every_command(arguments: list[str]) -> None:
    code, out, err = heeler(*arguments)

    assert (code, err) == (0, "")
    assert out.startswith("Usage: heeler ")
    assert re.findall(r"^  (\w+)  ", out, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_explained(command: str) -> None:
    code, out, err = heeler("help", command)

    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: heeler {command} ")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_a_command_explains_itself_however_it_is_asked(option: str) -> None:
    assert heeler("watch", option) == heeler("help", "watch")


def test_the_version_is_told() -> None:
    assert heeler("--version") == (0, f"heeler {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["wach"], "heeler: No such command 'wach'. Did you mean 'watch'"),
        (["help", "wach"], "heeler: No such command 'wach'. Did you mean 'watch'"),
        (["watch", "--thresold", "1"], "heeler: No such option: --thresold"),
        (["generate", "--lines", "many"], "heeler: Invalid value for '--lines'"),
        (["generate", "--lines", "-1"], "heeler: Invalid value for '--lines'"),
        (["generate", "--rate", "fast"], "heeler: The rate 'fast' is no rate"),
        (["generate", "--rate", "0"], "heeler: The rate is 0.0; it must be more than 0 requests a second."),
        (["generate", "--spike", "1:2:3"], "heeler: The spike '1:2:3' cannot be understood"),
        (["generate", "--invalid", "2"], "heeler: Invalid value for '--invalid'"),
        (["formats", "/nowhere/at/all"], "heeler: /nowhere/at/all cannot be read: No such file or directory."),
        (["formats", "/"], "heeler: / cannot be read: Is a directory."),
    ],
    ids=str,
)
def test_wrong_use_is_told_in_a_line(arguments: list[str], sentence: str) -> None:
    code, out, err = heeler(*arguments)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(sentence)


# --- formats ----------------------------------------------------------------------------------------------------------


def test_every_format_is_listed() -> None:
    code, out, _ = heeler("formats")

    assert code == 0
    assert [row.split()[0] for row in out.splitlines()] == list(FORMATS)


def test_a_file_is_told_its_format_and_what_does_not_parse(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b'127.0.0.1 - - [09/May/2018:16:00:39 +0000] "GET / HTTP/1.0" 200 1\n' * 3 + b"oops\x1b[0m\n")

    code, out, err = heeler("formats", str(log))

    assert code == 0
    assert out.startswith("common ")
    assert err == "does not parse as common: oops\\x1b[0m\n"


@pytest.mark.parametrize(("data", "what"), [(b"", "none of"), (b"oops\n", "none of"), (bytes(99), "a binary file")])
def test_a_file_without_a_format_is_nothing_found(tmp_path: Path, data: bytes, what: str) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(data)

    code, out, err = heeler("formats", str(log))

    assert (code, out) == (1, "")
    assert err.startswith(f"heeler: {log} is {what}")


def test_a_sample_of_a_format_of_ones_own_that_disagrees_fails_the_command(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        """[formats.mine]
title = "ours"
pattern = '(?<level>)/(?<message>.*)'
[[formats.mine.samples]]
line = "error/no\\u001b[0m"
expect = { severity = 9, message = "no" }
"""
    )

    code, out, err = heeler("formats", "--config", str(file))

    assert (code, out.startswith("mine                 log      ours\n")) == (1, True)
    assert err == (
        f"{file}:4: sample 1 of the format 'mine' disagrees:\n  error/no\\x1b[0m\n  severity is 17, not 9.\n"
    )


# --- generate ---------------------------------------------------------------------------------------------------------


def without_time(text: str) -> str:
    return re.sub(r"\[[^]]*]", "[]", text)


def test_the_same_seed_gives_the_same_lines_but_for_their_time(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("before\n")
    options = ("generate", "--lines", "5000", "--seed", "7")

    code, out, err = heeler(*options)
    assert (code, err, out.count("\n")) == (0, "", 5000)
    assert heeler(*options, str(log)) == (0, "", "")
    _, other, _ = heeler("generate", "--lines", "5000", "--seed", "8")

    first, *rest = log.read_text().splitlines(keepends=True)
    assert first == "before\n"
    assert without_time("".join(rest)) == without_time(out)
    assert without_time(other) != without_time(out)


def test_what_is_generated_is_read_without_a_line_left_over(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    heeler("generate", "--lines", "20000", "--rate", "20", str(log))

    code, out, err = heeler("watch", "--replay", str(log))

    assert code == 0
    assert err == f"{log}: combined, 100.00 % of 20,000 lines parsed\n"
    assert out.count("generated an alert") == 1


def test_live_lines_come_as_they_happen_and_end_with_the_reader() -> None:
    with start("generate", "--rate", "200") as process:
        assert process.stdout
        assert process.stderr
        rows = [process.stdout.readline() for _ in range(20)]
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == ""

    assert all(row.endswith('"\n') for row in rows)


def test_live_lines_end_with_130_when_they_are_interrupted() -> None:
    with start("generate", "--rate", "200") as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (130, "")


def test_a_place_that_cannot_be_written_is_a_failure_of_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "no" / "access.log"

    assert heeler("generate", "--lines", "1", str(path)) == (
        3,
        "",
        f"heeler: {path} cannot be written: No such file or directory.\n",
    )


# --- demo -------------------------------------------------------------------------------------------------------------


def test_a_demo_that_is_stopped_leaves_nothing_behind(tmp_path: Path) -> None:
    sent = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    with ExitStack() as stack:
        demos = [stack.enter_context(start("demo", TMPDIR=str(tmp_path))) for _ in sent]
        for process in demos:
            assert process.stdout
            assert process.stdout.readline().startswith("── ")
        assert len(list(tmp_path.iterdir())) == 3
        for process, number in zip(demos, sent, strict=True):
            process.send_signal(number)
        errors = [process.communicate(timeout=60)[1] for process in demos]

    assert [process.returncode for process in demos] == [130] * 3
    assert "Traceback" not in "".join(errors)
    assert list(tmp_path.iterdir()) == []


def test_the_demo_fires_and_recovers_and_leaves_nothing_behind(demo: subprocess.Popen[str], temporary: Path) -> None:
    """The last test of this file, because it waits for what takes longest."""
    out, err = demo.communicate(timeout=90)

    assert demo.returncode == 0
    alerts = [row[: row.index(" - ")] for row in out.splitlines() if row.startswith("High traffic")]
    assert alerts == ["High traffic generated an alert", "High traffic alert recovered"]
    assert "Traceback" not in err
    assert list(temporary.iterdir()) == []
