"""Help is part of the product: its text is a golden file, and its examples are run as they are.

After a change on purpose: python tests/cli/golden_help.py rewrites the golden file.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.golden_help import GOLDEN, commands, pages
from commands import Run
from magic_hour_emulator import Emulator, samples

_EXAMPLES = re.compile(r"Examples:\n((?:    magic-hour .*\n)+)")


def examples() -> list[Any]:
    """Every example of every help text."""
    found = []
    for page in GOLDEN.read_text(encoding="utf-8").split("$ magic-hour")[1:]:
        for block in _EXAMPLES.findall(page):
            found += [pytest.param(line.strip(), id=line.strip()[11:60]) for line in block.splitlines()]
    return found


def test_help_is_the_golden_file(run: Run) -> None:
    assert pages(lambda command: run(*command, "--help").out) == GOLDEN.read_text(encoding="utf-8"), (
        "changed on purpose? .venv/bin/python tests/cli/golden_help.py rewrites it; read its diff"
    )


def test_every_option_is_described() -> None:
    """And no line is too long for a terminal of 80 columns, but examples, which must not be wrapped."""
    text = GOLDEN.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("magic-hour ", "as before: ", "$ "))]
    assert [line for line in lines if len(line) > 80] == []
    undescribed = re.findall(r"^  (?:-\w, )?(--\S+)(?: \S+)?\n(?=  \S|\n|\$)", text, re.MULTILINE)
    assert undescribed == []


def test_every_command_has_examples() -> None:
    parts = GOLDEN.read_text(encoding="utf-8").split("$ magic-hour")[1:]
    without = [page.splitlines()[0] for page in parts if not _EXAMPLES.search(page)]
    groups = {command[0] for command in commands() if len(command) > 1}
    assert sorted(without) == sorted(f" {group} --help" for group in groups)


@pytest.mark.parametrize("typed", ["image generate", "video wait", "batch run", "schema", "audio", "jobs list --all"])
def test_only_what_was_typed_is_prepared(typed: str) -> None:
    words = tuple(typed.split()[:2])
    below = [command for command in commands() if command[: len(words)] == words]
    assert commands(*typed.split()) == [*(words[:length] for length in range(len(words))), *below]


def test_what_does_not_exist_is_compared_with_everything(run: Run) -> None:
    assert "'headshot'" in run("image", "headshots").err


def batch_of(line: str, run: Run, emulator: Emulator, folder: Path) -> str:
    """The manifests of the examples, and a batch in the state that they need."""
    table = "key,endpoint,assets.image_file_path\nanna,ai_headshot_generator,portrait.jpg\n"
    (folder / "portraits.csv").write_text(table, encoding="utf-8")
    prompt = {"key": "fox", "endpoint": "ai_image_generator", "image_count": 1, "style": {"prompt": "A red fox"}}
    (folder / "prompts.jsonl").write_text(json.dumps(prompt), encoding="utf-8")
    command = shlex.split(line)[2]
    if command == "run":
        return line
    if command == "settle":
        emulator.faults.add("reset", on="create", phase="after")
    if command == "retry":
        emulator.fail_next("no_source_face")
    run("batch", "run", "portraits.csv", "--output", "outputs")
    return line.replace("cuid-example", emulator.ledger.creates[0].id)


def jobs_of(line: str, run: Run, emulator: Emulator) -> str:
    """A job log with a job in the state that the example needs."""
    name = "ai_image_generator 2026-11-20T12:00:00Z 1a2b3c4d"
    if name in line:
        emulator.faults.add("reset", on="create", phase="after")
    run("image", "generate", "--image-count", "1", "--prompt", "x", "--no-wait")
    create = emulator.ledger.creates[0]
    return line.replace(name, str(create.name)).replace("cuid-example", create.id)


@pytest.fixture
def inputs(folder: Path) -> None:
    """The files that examples name, beside those that every test of commands has."""
    shutil.copy(samples.clip(), folder / "clip.mp4")
    for name in ("group.jpg", "jacket.jpg"):
        shutil.copy(samples.portrait(), folder / name)


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("line", examples())
def test_example(line: str, run: Run, emulator: Emulator, folder: Path, answers: Callable[[str], list[float]]) -> None:
    if shlex.split(line)[1:3] == ["batch", "settle"]:
        answers("no\n")
    kind = shlex.split(line)[1]
    if kind == "batch":
        line = batch_of(line, run, emulator, folder)
    elif kind == "jobs":
        line = jobs_of(line, run, emulator)
    elif kind == "saved-items":
        emulator.add_item("saved-items", folder / "portrait.jpg", type="voice")
    elif "cuid-example" in line:
        made = {
            "image": ("image", "generate", "--image-count", "1", "--prompt", "x"),
            "video": ("video", "generate", "--end-seconds", "1", "--prompt", "x"),
            "audio": ("audio", "speak", "--voice-name", "Narrator", "--prompt", "x"),
        }[kind]
        id = run(*made, "--no-download").out.strip()
        line = line.replace("cuid-example", id)
    ended = run(*shlex.split(line)[1:])
    assert ended.code == 0, ended.err
    assert ended.out
