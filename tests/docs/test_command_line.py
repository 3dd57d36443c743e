"""The shell snippets of README and docs run as they are written, against an emulator started as they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import shell_commands
from cli.golden_help import commands
from magic_hour_workflows.cli.exit_status import EXIT_CODES
from programs import ran

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BATCHES = (ROOT / "docs" / "batches.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
_SHELL_OR_NOT = re.compile(r"(<!-- not run: [^>]*-->\n)?```sh\n(.*?)```", re.DOTALL)
_PORT = "8765"
_GREETING_LINES = 6


def snippets(page: str, chapter: str = "") -> list[str]:
    """The shell snippets of a page, or of one of its chapters."""
    text = page.partition(f"## {chapter}\n")[2].partition("\n## ")[0] if chapter else page
    return [code for _, code in _SHELL_OR_NOT.findall(text)]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A shell in which `magic-hour` is installed, as the first snippet has it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAGIC_HOUR_")}
    with shell_commands.installed() as folder:
        yield {**kept, "PATH": f"{folder}{os.pathsep}{kept['PATH']}", "MAGIC_HOUR_POLL_INTERVAL": "0.1"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder like the reader's checkout, for the outputs."""
    (tmp_path / "emulator").symlink_to(ROOT / "emulator", target_is_directory=True)
    return tmp_path


@pytest.fixture(scope="module")
def port(environment: dict[str, str]) -> Iterator[str]:
    """The port of an emulator started with the command of the chapter, except for the port number and the speed."""
    command = snippets(PAGE, "A tour")[1].strip()
    assert command == f"magic-hour emulator --port {_PORT} --token mhk_local"
    script = Path(sys.executable).with_name("magic-hour")
    assert script.exists(), "the console script comes with the package"
    words = [script, *command.replace(_PORT, "0").split()[1:], "--speed", "20"]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        greeting = "".join(process.stdout.readline() for _ in range(_GREETING_LINES))
        found = re.search(
            r"export MAGIC_HOUR_BASE_URL=http://127\.0\.0\.1:(\d+)\nexport MAGIC_HOUR_API_KEY=mhk_local", greeting
        )
        assert found, greeting
        yield found[1]
        process.terminate()
        assert process.wait(60) == 0


def exported(port: str) -> dict[str, str]:
    """The two variables that the emulator prints."""
    return {"MAGIC_HOUR_BASE_URL": f"http://127.0.0.1:{port}", "MAGIC_HOUR_API_KEY": "mhk_local"}


def in_shell(script: str, environment: dict[str, str], place: Path) -> subprocess.CompletedProcess[str]:
    return ran("bash", "-euo", "pipefail", "-c", script, env=environment, cwd=place)


def test_readme(port: str, environment: dict[str, str], place: Path) -> None:
    make, install, start, *use = snippets(README)
    assert make == "make demo\nmake test\n", "what tests/docs/test_demo.py and CI run"
    assert "pip install ./emulator '.[cli,batch,emulator]'" in install, "what tests/packaging tries"
    assert start.splitlines()[-1] == f"magic-hour emulator --port {_PORT} --token mhk_local"
    done = in_shell("".join(use), {**environment, **exported(port)}, place)
    assert done.returncode == 0, done.stderr
    for name in ("fox.png", "night.png", "dog.mp4", "swap.mp4", "sync.mp4", "foxes/red-1.png"):
        assert (place / "outputs" / name).stat().st_size > 1000, name


def test_tour(port: str, environment: dict[str, str], place: Path) -> None:
    _, _, *steps = snippets(PAGE, "A tour")
    use = "".join(steps)
    assert use.count(_PORT) == 1
    done = in_shell(use.replace(_PORT, port), environment, place)
    assert done.returncode == 0, done.stderr
    for name in ("fox.png", "night.png", "sunset.png", "clip.mp4"):
        assert (place / "outputs" / name).stat().st_size > 1000, name
    assert [path.suffix for path in (place / "outputs" / "headshots").iterdir()] == [".png"]
    assert "cost    at least 200 credits" in done.stdout


def test_page(port: str, environment: dict[str, str], place: Path) -> None:
    rest = snippets(PAGE.replace(PAGE.partition("## A tour\n")[2].partition("\n## ")[0], ""))
    assert len(rest) == 8
    for snippet in rest:
        done = in_shell(snippet, {**environment, **exported(port)}, place)
        assert done.returncode == 0, done.stderr
    for name in ("sunset.png", "fox.png", "outputs/swapped.mp4"):
        assert (place / name).exists(), name


def test_batches(port: str, environment: dict[str, str], place: Path) -> None:
    found = _SHELL_OR_NOT.findall(BATCHES)
    assert [skipped for skipped, _ in found if skipped] == ["<!-- not run: it needs PostgreSQL -->\n"] * 2
    script = "".join(code for skipped, code in found if not skipped)
    done = in_shell(script, {**environment, **exported(port)}, place)
    assert done.returncode == 0, done.stderr
    for name in ("anna-1.png", "bob-1.png", "report.html", "mixed/fox-1.png"):
        assert (place / "outputs" / name).stat().st_size > 100, name
    assert "rows      2: 2 saved" in done.stdout


def test_batches_has_the_exit_codes_and_options() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \|", BATCHES, re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == set(EXIT_CODES) - {124}
    help = (ROOT / "tests" / "cli" / "help.txt").read_text(encoding="utf-8").partition("batch run --help")[2]
    for option in re.findall(r"^\| `(--[a-z-]+)", BATCHES, re.MULTILINE):
        assert option in help


def test_page_lists_every_command() -> None:
    table = PAGE.partition("| command |")[2].partition("\n\n")[0]
    table += (ROOT / "docs" / "reference" / "README.md").read_text(encoding="utf-8").replace("`magic-hour ", "`")
    every = commands()
    groups = {command[:-1] for command in every}
    missing = [command for command in every if command not in groups and f"`{' '.join(command)}" not in table]
    assert missing == []


def test_page_has_the_exit_codes() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE))
    assert {int(code) for code in rows} == set(EXIT_CODES)
    for code, meaning in EXIT_CODES.items():
        assert rows[str(code)].startswith(meaning)
