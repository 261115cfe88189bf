"""`heeler init` and `heeler check` as processes, and which file is read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def heeler(*arguments: str, cwd: Path, **more: str) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEELER_")}
    environment |= {"HOME": str(cwd), "XDG_CONFIG_HOME": str(cwd / "config"), "PYTHONUTF8": "1", **more}
    done = subprocess.run(
        [sys.executable, "-m", "heeler", *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def test_what_init_writes_check_finds_right_and_init_does_not_write_over(tmp_path: Path) -> None:
    assert heeler("init", cwd=tmp_path)[0] == 0
    written = tmp_path.joinpath("heeler.toml").read_text()

    code, out, err = heeler("check", cwd=tmp_path)
    assert (code, out.splitlines()[0]) == (0, "heeler.toml is right.")
    assert "No source is configured" in err

    tmp_path.joinpath("heeler.toml").write_text("# mine\n")
    code, _, err = heeler("init", cwd=tmp_path)
    assert (code, err) == (2, "heeler: heeler.toml is there already; --force writes over it.\n")
    assert tmp_path.joinpath("heeler.toml").read_text() == "# mine\n"
    assert heeler("init", "--force", cwd=tmp_path)[0] == 0
    assert tmp_path.joinpath("heeler.toml").read_text() == written
    assert heeler("init", "-", cwd=tmp_path)[1] == written


def test_the_unit_runs_the_program_that_wrote_it(tmp_path: Path) -> None:
    code, out, _ = heeler("init", "--systemd", cwd=tmp_path)

    assert code == 0
    assert f"\nExecStart={Path(sys.executable).parent}/heeler run --config /etc/heeler/heeler.toml\n" in out
    assert heeler("init", "--systemd", "x/y.service", cwd=tmp_path)[0] == 3


def test_check_says_what_would_run_and_what_is_doubtful(tmp_path: Path) -> None:
    tmp_path.joinpath("heeler.toml").write_text(
        "[web]\nlisten = ':8515'\n"
        "[sources.shop]\nkind = 'file'\npaths = ['a.log', 'no/b.log', 'c*.log']\ngroup = 'market'\n"
        "[sources.old]\nkind = 'file'\npaths = ['x']\nenabled = false\n"
    )
    tmp_path.joinpath("a.log").touch()

    code, out, err = heeler("check", cwd=tmp_path)
    assert code == 0
    assert [line.split() for line in out.splitlines()[1:4]] == [
        ["source", "kind", "group", "format"],
        ["shop", "file", "market", "detected"],
        ["(old)", "file", "old", "detected"],
    ]
    assert err.splitlines() == [
        f"shop: The directory {tmp_path}/no does not exist; it is waited for.",
        f"shop: {tmp_path}/c*.log matches no file yet.",
        ":8515 can be asked by other machines, and nobody is asked who they are.",
    ]

    rows = [json.loads(line) for line in heeler("check", "--json", cwd=tmp_path)[1].splitlines()]
    assert [row["source"] for row in rows if "source" in row] == ["shop", "old"]
    assert [len(row["doubts"]) for row in rows if "source" in row] == [2, 0]
    assert sum("warning" in row for row in rows) == 1


def test_check_tries_the_samples_of_formats(tmp_path: Path) -> None:
    format_text = "[formats.shop]\npattern = '(?<time>) (?<level>) (?<message>.*)'\n"
    sample = "[[formats.shop.samples]]\nline = '2026-11-22 10:15:40 INFO up'\n"
    file = tmp_path / "heeler.toml"

    file.write_text(
        f"{format_text}{sample}expect = {{ message = 'up', time = 2026-11-22T11:15:40+01:00, severity = 9 }}\n"
    )
    assert heeler("check", cwd=tmp_path)[0] == 0

    file.write_text(f"{format_text}{sample}expect = {{ message = 'down' }}\n[[formats.shop.samples]]\nline = 'x'\n")
    code, _, err = heeler("check", cwd=tmp_path)
    assert code == 2
    assert "heeler.toml:4:8: This sample of the format 'shop' has 'up' as message, and not 'down'." in err
    assert "heeler.toml:7:8: This sample of the format 'shop' does not parse." in err


@pytest.mark.parametrize("as_json", [False, True])
def test_check_tells_everything_that_is_wrong(as_json: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    tmp_path.joinpath("heeler.toml").write_text("stor = 1\n[keep]\nage = 3\n")

    code, out, err = heeler("check", *(["--json"] if as_json else []), cwd=tmp_path)

    assert code == 2
    if as_json:
        rows = [json.loads(line) for line in out.splitlines()]
        assert [(row["path"], row["line"], row["column"], row["key"]) for row in rows] == [
            ("heeler.toml", 1, 1, "stor"),
            ("heeler.toml", 3, 7, "keep.age"),
        ]
        assert rows[0]["error"].startswith("The file has no setting 'stor'. Did you mean 'store'?")
    else:
        assert err.startswith("heeler: heeler.toml:1:1: The file has no setting 'stor'. Did you mean 'store'?")
        assert "\nheeler.toml:3:7: keep.age: 3 is no duration" in err


def test_the_first_file_that_is_there_is_read(tmp_path: Path) -> None:
    def chosen(*arguments: str, **more: str) -> str:
        return heeler("check", *arguments, cwd=tmp_path, **more)[1].partition(" is right")[0]

    assert heeler("check", cwd=tmp_path)[0] == 2
    for place in ("config/heeler/heeler.toml", "heeler.toml", "by_variable.toml", "by_option.toml"):
        tmp_path.joinpath(place).parent.mkdir(parents=True, exist_ok=True)
        tmp_path.joinpath(place).touch()
        if place.startswith("config"):
            assert chosen() == f"{tmp_path}/{place}"
    assert chosen() == "heeler.toml"
    assert chosen(HEELER_CONFIG="by_variable.toml") == "by_variable.toml"
    assert chosen("--config", "by_option.toml", HEELER_CONFIG="by_variable.toml") == "by_option.toml"
    assert heeler("check", "--config", "none\x1b", cwd=tmp_path)[2].startswith(
        "heeler: There is no configuration 'none\\x1b'"
    )


def test_a_secret_that_is_missing_keeps_nobody_from_the_formats_of_the_file(tmp_path: Path) -> None:
    tmp_path.joinpath("heeler.toml").write_text(
        "wrong = '${NOT_THERE}'\n[formats.own]\npattern = 'own (?<message>.*)'\n"
    )
    tmp_path.joinpath("a.log").write_text("own a\nown b\n")

    code, out, _ = heeler("formats", "a.log", cwd=tmp_path)

    assert code == 0
    assert out.startswith("own ")
