"""`heeler watch` as its users run it: a process, its output byte for byte, and its exit code."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import gmtime, strftime

import pytest

BASE = 1_795_342_500  # 2026-11-22 10:15:00 UTC
SAFE = frozenset(range(0x20, 0x7F)) | {0x0A}
"""Besides the UTF-8 of what Heeler itself draws, these are the bytes that may reach a terminal."""

SAMPLE = b"""\
127.0.0.1 - james [09/May/2018:16:00:39 +0000] "GET /report HTTP/1.0" 200 123
127.0.0.1 - jill [09/May/2018:16:00:41 +0000] "GET /api/user HTTP/1.0" 200 234
127.0.0.1 - frank [09/May/2018:16:00:42 +0000] "POST /api/user HTTP/1.0" 200 34
127.0.0.1 - mary [09/May/2018:16:00:42 +0000] "POST /api/user HTTP/1.0" 503 12
"""


def environment(**more: str) -> dict[str, str]:
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HEELER_", "PYTHONUNBUFFERED", "NO_COLOR"))
    }
    return {**plain, "PYTHONUTF8": "1", **more}


def start(*arguments: str, env: Mapping[str, str] = {}, cwd: Path | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "heeler", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(**env), cwd=cwd)


def heeler(*arguments: str, stdin: bytes = b"", env: Mapping[str, str] = {}) -> tuple[int, str, str]:
    """Run a command to its end; nothing that it says may be a traceback."""
    with start(*arguments, env=env) as process:
        out, err = process.communicate(stdin, timeout=60)
    assert b"Traceback" not in out + err, err.decode()
    return process.returncode, out.decode(), err.decode()


def line(second: int, *, client: str = "10.0.0.1", request: str = "GET /api/user HTTP/1.1", status: int = 200) -> bytes:
    stamp = strftime("%d/%b/%Y:%H:%M:%S +0000", gmtime(BASE + second))
    return f'{client} - - [{stamp}] "{request}" {status} 10\n'.encode()


def busy_then_silent() -> bytes:
    """Twelve a second for two minutes, then one every ten seconds, in a log whose clock says UTC."""
    return b"".join(line(at // 12) for at in range(1440)) + b"".join(line(at) for at in range(120, 200, 10))


def test_alerts_are_the_two_lines_of_the_contract_each_on_its_own(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(busy_then_silent())

    code, out, err = heeler("watch", "--replay", "--plain", str(log))

    assert code == 0
    assert [row for row in out.splitlines() if "alert" in row] == [
        "High traffic generated an alert - hits = 1212, triggered at 2026-11-22 10:16:40 +0000",
        "High traffic alert recovered - hits = 1191, recovered at 2026-11-22 10:17:20 +0000",
    ]
    assert err == f"{log}: common, 100.00 % of 1,448 lines parsed\n"


def test_the_first_line_of_a_block_ends_in_the_end_of_its_interval(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(line(0) + line(9) + line(10) + line(29) + line(40))

    _, out, _ = heeler("watch", "--replay", "--plain", str(log))

    titles = [row for row in out.splitlines() if not row.startswith("   ")]
    assert [title[-25:] for title in titles] == [f"2026-11-22 10:15:{end} +0000" for end in (10, 20, 30, 40, 50)]


def test_json_lines_have_exactly_the_keys_of_the_contract(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(
        b"oops\n" + busy_then_silent() + line(200, client="10.0.0.2", request="GET /b HTTP/1.1", status=503)
    )

    code, out, _ = heeler("watch", "--replay", "--json", str(log))

    rows = [json.loads(row) for row in out.splitlines()]
    alerts = [row for row in rows if "alert" in row]
    assert code == 0
    assert alerts == [
        {"alert": "high traffic", "state": "triggered", "hits": 1212, "time": "2026-11-22T10:16:40+00:00"},
        {"alert": "high traffic", "state": "recovered", "hits": 1191, "time": "2026-11-22T10:17:20+00:00"},
    ]
    blocks = [row for row in rows if row not in alerts]
    assert blocks[0] == {
        "time": "2026-11-22T10:15:10+00:00",
        "hits": 120,
        "rate": 12.0,
        "sections": {"/api": 120},
        "status": {"2xx": 120},
        "error_rate": 0.0,
        "bytes": 1200,
        "clients": 1,
        "unparsed": 1,
    }
    assert [list(block) for block in blocks] == [list(blocks[0])] * 21
    assert (blocks[-1]["sections"], blocks[-1]["status"], blocks[-1]["error_rate"]) == ({"/b": 1}, {"5xx": 1}, 1.0)


@pytest.mark.parametrize("by", ["file", "stdin", "live stdin"])
def test_the_sample_of_the_seed_has_three_hits_in_api_and_a_quarter_of_errors(tmp_path: Path, by: str) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(SAMPLE)
    how = {"file": ["--replay", str(log)], "stdin": ["--replay", "-"], "live stdin": ["-"]}[by]

    code, out, err = heeler("watch", "--plain", *how, stdin=SAMPLE)

    assert code == 0
    assert out.splitlines()[0].endswith("2018-05-09 16:00:49 +0000")
    assert re.search(r"^   /api +3 +75\.00 %", out, re.MULTILINE)
    assert re.search(r"^   /report +1 +25\.00 %", out, re.MULTILINE)
    assert "errors 25.00 % (5xx 25.00 %)" in out
    assert "common, 100.00 % of 4 lines parsed" in err


def test_several_files_are_one_traffic(tmp_path: Path) -> None:
    rows = busy_then_silent().splitlines(keepends=True)
    (tmp_path / "a").write_bytes(b"".join(rows[::2]))
    (tmp_path / "b").write_bytes(b"".join(rows[1::2]).removesuffix(b"\n"))
    (tmp_path / "whole").write_bytes(b"".join(rows))

    parts = heeler("watch", "--replay", str(tmp_path / "a"), str(tmp_path / "b"))
    whole = heeler("watch", "--replay", str(tmp_path / "whole"))

    assert parts[:2] == whole[:2]


def test_settings_are_those_of_the_command_line(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(line(at) for at in (0, 0, 0, 4, 8, 12)))

    _, out, _ = heeler(
        "watch", "--replay", "--json", "--interval", "6s", "--window", "3s", "--threshold", "0.5", str(log)
    )

    rows = [json.loads(row) for row in out.splitlines()]
    assert [(row.get("state"), row["hits"], row["time"][17:19]) for row in rows] == [
        ("triggered", 3, "00"),
        ("recovered", 0, "03"),
        (None, 4, "06"),
        (None, 1, "12"),
        (None, 1, "18"),
    ]


BAD_INPUT = [
    (["--threshold", "abc"], 2, "The threshold 'abc' is no rate"),
    (["--threshold", "-1"], 2, "The threshold '-1' is no rate"),
    (["--threshold", ""], 2, "The threshold '' is no rate"),
    (["--interval", "0s"], 2, "The interval '0s' is not a whole number of seconds"),
    (["--interval", "abc"], 2, "The interval 'abc' is no duration"),
    (["--window", "10"], 2, "The window '10' is no duration"),
    (["--window", "9" * 30 + "s"], 2, "is no duration"),
    (["--window", "99999999999d"], 2, "is too long"),
    (["--format", "combinde"], 2, "There is no format named 'combinde'. Did you mean 'combined' or"),
    (["--format", "plain"], 2, "has no time"),
    (["--format", "{client} {status}"], 2, "has no time"),
    (["--format", "{client} {oops"], 2, ""),
    (["--quux"], 2, "No such option: --quux."),
    (["--invalid", "no/such/folder/file"], 3, "cannot be written: No such file or directory"),
]


@pytest.mark.parametrize(("arguments", "code", "sentence"), BAD_INPUT, ids=lambda value: str(value)[:30])
def test_wrong_settings_are_told_in_a_sentence(tmp_path: Path, arguments: list[str], code: int, sentence: str) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(SAMPLE)

    found, out, err = heeler("watch", "--replay", *arguments, str(log))

    assert (found, out) == (code, "")
    assert err.startswith("heeler: ")
    assert sentence in err


def test_each_file_that_cannot_be_watched_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\x7fELF\x02\0\0\0\n" * 1000)
    (tmp_path / "good").write_bytes(SAMPLE)
    os.mkfifo(tmp_path / "fifo")
    told = {
        "missing": "heeler: There is no file {}; check the path, or leave out --replay to wait for it.\n",
        "binary": "heeler: {} is a binary file: it begins with NUL bytes and no line of it parses.\n",
        "fifo": "heeler: {} is no regular file; only files can be watched, or - for standard input.\n",
        "": "heeler: {} is a directory; name the log files in it.\n",
    }
    for name, sentence in told.items():
        path = str(tmp_path / name) if name else str(tmp_path)
        assert heeler("watch", "--replay", str(tmp_path / "good"), path) == (2, "", sentence.format(path))


def test_binary_input_on_stdin_is_refused() -> None:
    code, out, err = heeler("watch", "--replay", "-", stdin=bytes(100_000))

    assert (code, out) == (2, "")
    assert "standard input is a binary file" in err


# Root may read everything; without these two capabilities it is a user like any other.
WITHOUT_POWER = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if ctypes.CDLL(None, use_errno=True).prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
        sys.exit("cannot give up the power of root: " + os.strerror(ctypes.get_errno()))
os.execv(sys.executable, [sys.executable, "-m", "heeler", *sys.argv[1:]])
"""


@pytest.mark.parametrize("how", [["--replay"], []], ids=["replay", "live"])
def test_a_file_that_may_not_be_read_is_a_failure_of_the_environment(tmp_path: Path, how: list[str]) -> None:
    log = tmp_path / "secret.log"
    log.write_bytes(SAMPLE)
    log.chmod(0)
    if os.geteuid() == 0 and sys.platform != "linux":
        pytest.skip("ROOT READS EVERYTHING HERE: run the tests as another user to see a file without permission")
    command = ["-c", WITHOUT_POWER] if os.geteuid() == 0 else ["-m", "heeler"]

    done = subprocess.run(
        [sys.executable, *command, "watch", "--plain", *how, str(log)],
        capture_output=True, text=True, timeout=60, check=False, env=environment(),
    )  # fmt: skip

    sentence = f"heeler: {log} may not be read by this user; run as one who may, or change its permissions.\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", sentence)


def test_live_a_missing_file_is_waited_for_and_then_watched(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with start("watch", "--plain", str(log)) as process:
        assert process.stderr
        assert process.stdout
        assert process.stderr.readline().decode() == f"{log} does not exist; waiting for it.\n"
        log.write_bytes(SAMPLE + line(0) + line(1))
        block = [process.stdout.readline().decode() for _ in range(6)]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert block[0].endswith("2018-05-09 16:00:49 +0000\n")
    assert "errors 25.00 %" in block[3]
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert err.decode().endswith(f"{log}: common, 100.00 % of 6 lines parsed\n")


def test_an_interrupt_ends_a_watch_with_130_and_no_word_of_python(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(SAMPLE)
    with start("watch", "--plain", "--from-start", "--interval", "1s", str(log)) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    first = f"{log}: common, 100.00 % of the first 4 lines parsed\n"
    assert err.decode() == first + f"{log}: common, 100.00 % of 4 lines parsed\n"


@pytest.mark.parametrize("both", [False, True], ids=["stdout", "stdout and stderr"])
def test_a_closed_pipe_ends_quietly(tmp_path: Path, *, both: bool) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(line(at) for at in range(0, 200_000, 7)))
    with subprocess.Popen(
        [sys.executable, "-m", "heeler", "watch", "--replay", str(log)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if both else subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("── ".encode())
        process.stdout.close()
        err = process.stderr.read() if process.stderr else b""
        process.wait(60)

    assert process.returncode == 0
    assert b"Broken" not in err
    assert b"Traceback" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here, which is a disk without room")
@pytest.mark.parametrize(
    "arguments", [["watch", "--replay"], ["generate", "--lines", "9"], ["formats"], ["--help"]], ids=str
)
def test_a_full_disk_is_a_failure_of_the_environment(tmp_path: Path, arguments: list[str]) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(SAMPLE)
    more = [str(log)] if arguments[0] == "watch" else []
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "heeler", *arguments, *more],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False, env=environment(),
        )  # fmt: skip

    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("heeler: ")
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


INVALID = [
    b"plain words\n",
    b"crlf\r\n",
    b"nul \0 and \x1b]52;c;aGk=\x07\n",
    b"\xff\xfe\xc3(\n",
    b"\n",
    b"\r\n",
    b"no end",
]


def test_invalid_lines_are_appended_to_a_file_byte_for_byte(tmp_path: Path) -> None:
    log, kept = tmp_path / "access.log", tmp_path / "invalid.log"
    log.write_bytes(SAMPLE + b"".join(INVALID[:3]) + SAMPLE + b"".join(INVALID[3:]))
    kept.write_bytes(b"before\n")

    code, _, err = heeler("watch", "--replay", "--invalid", str(kept), str(log))

    assert code == 0
    assert kept.read_bytes() == b"before\n" + b"".join(INVALID)
    assert "invalid" not in err.replace(str(log), "")


@pytest.mark.parametrize("how", [["--invalid", "all"], []], ids=["all", "default"])
def test_invalid_lines_are_told_escaped(tmp_path: Path, how: Sequence[str]) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(SAMPLE + b"".join(INVALID))

    code, out, err = heeler("watch", "--replay", "--plain", *how, str(log))

    assert code == 0
    assert [row.removeprefix("invalid: ") for row in err.splitlines()[:-1]] == [
        "plain words",
        "crlf",
        r"nul \x00 and \x1b]52;c;aGk=\x07",
        r"\xff\xfe\xc3(",
        "",
        "",
        "no end",
    ]
    assert "unparsed 7" in out


def test_a_sample_of_invalid_lines_tells_how_many_it_leaves_out(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(line(0) + b"oops\n" * 1000 + line(10) + b"again\n" * 3)

    _, _, err = heeler("watch", "--replay", "--plain", "--invalid", "sample", str(log))

    assert err.count("invalid: oops") + err.count("invalid: again") <= 10
    left_out = sum(int(number.replace(",", "")) for number in re.findall(r"and ([\d,]+) more", err))
    assert left_out + err.count("invalid: oops") + err.count("invalid: again") == 1003


def test_no_invalid_lines_are_told_when_none_are_wanted(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(SAMPLE + b"oops\n" * 50)

    _, out, err = heeler("watch", "--replay", "--plain", "--invalid", "none", str(log))

    assert "unparsed 50" in out
    assert err == f"{log}: common, 7.41 % of 54 lines parsed; name the format with --format\n"


HOSTILE = [
    b"\x1b]52;c;aGk=\x07",  # writes to the clipboard
    b"\x1b]0;title\x1b\\",
    b"\xc2\x9b31m",  # C1
    b"\xe2\x80\xae\xe2\x81\xa6",  # bidi
    b"\r\x1b[2K\x1b[1A",
    b"\xe2\x80\xa8\xe2\x80\xa9\x0b\x0c\x1c\x85",  # what some take for newlines
    b"\xff\x9b\x00\x7f",
    b"\xf3\xa0\x81\x81\xef\xbb\xbf",  # tags, BOM
    rb"\x1b]52;c;aGk=\x07",  # as servers write it
]


@pytest.mark.parametrize("output", ["--plain", "--json"])
def test_hostile_text_in_a_log_never_reaches_the_output_raw(tmp_path: Path, output: str) -> None:
    log = tmp_path / "access.log"
    rows = [line(0)]
    for text in HOSTILE:
        at = line(1, client="CLIENT", request="METHOD /PATH/x HTTP/1.1")
        rows += [at.replace(word, word + text) for word in (b"CLIENT", b"PATH", b"METHOD")]
        rows += [text + b"\n", line(2) + text]
    log.write_bytes(b"\n".join(rows))

    code, out, err = heeler("watch", "--replay", output, "--invalid", "all", str(log))

    assert code == 0
    without_own = str.maketrans("", "", "─▇…\N{REPLACEMENT CHARACTER}")
    assert set((out + err).translate(without_own).encode()) <= SAFE
    for row in out.splitlines():
        assert row.startswith(("── ", "   ", "High traffic ", "{")), row


@pytest.mark.parametrize("env", [{"HEELER_STORE": "lake:/nowhere/at/all"}, {"NO_COLOR": "1"}, {"FORCE_COLOR": "1"}])
def test_a_store_or_colours_in_the_environment_change_nothing(tmp_path: Path, env: dict[str, str]) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(SAMPLE)

    assert heeler("watch", "--replay", str(log), env=env) == heeler("watch", "--replay", str(log))
    assert list(tmp_path.iterdir()) == [log]
