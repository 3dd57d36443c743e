"""Every mistake of docs/mistakes.md, in every world: its typed error, and nothing was uploaded, charged or left behind.

Rule: the page says what happens, the modules beside this one how to do it; here is what must hold each time.
"""

from __future__ import annotations

import builtins
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from magic_hour_emulator import Emulator
from magic_hour_workflows import errors
from mistakes import call_cases, client_cases, file_cases  # noqa: F401  (they fill CASES)
from mistakes.case import CASES, Case, Here, as_nobody, image
from mistakes.table import Row, rows, says
from mistakes.terminal import GENERATE, LINES, OWN_WORDS, Line
from programs import python
from worlds import Scenario, World

ROWS = {row.name: row for row in rows()}


def in_the_terminal(row: Row) -> Row:
    """The row in the words of the command line, which has options in place of arguments."""
    if row.field == "token":
        return replace(row, remedy="set MAGIC_HOUR_API_KEY to the key alone, without `Bearer`, spaces or line breaks")
    remedy = row.remedy and row.remedy.replace("allow_http=True", "--allow-http")
    return replace(row, problem=row.problem.replace("`start_seconds`", "--start-seconds"), remedy=remedy)


@pytest.fixture
def here(tmp_path: Path, portrait: Path, voice: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    monkeypatch.chdir(tmp_path)
    with ExitStack() as opened:
        yield Here(tmp_path, portrait, voice, opened)


def test_every_row_has_cases_and_every_case_a_row() -> None:
    assert sorted(CASES) == sorted(row.name for row in rows())


@pytest.mark.parametrize("name", CASES)
def test_mistake(
    name: str, world: World, here: Here, emulator: Emulator, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ROWS[name]
    for case in CASES[name](here):
        given, files = copied(case.given), tree(here)
        with monkeypatch.context() as patch:
            for variable, value in case.environment.items():
                patch.setenv(variable, value)
            error = refused(world, case, row, options, here)
        check(error, row, case)
        assert list(emulator.requests) == [], case
        assert emulator.ledger.creates == (), case
        assert tree(here) == files, case
        assert case.given == given, case


def refused(world: World, case: Case, row: Row, options: dict[str, Any], here: Here) -> Exception:
    """The error that the case ends with, of the class that the page names."""
    kind = getattr(errors, row.error, None) or getattr(builtins, row.error)
    settings = {**options, **case.settings}
    if case.unprivileged:
        import_everything(world, settings, here)
    with pytest.raises(kind) as caught, as_nobody() if case.unprivileged else nullcontext():
        world.run(case.scenario or calling(case), **settings)
    return caught.value


def calling(case: Case) -> Scenario:
    def scenario(client: Any) -> Iterator[Any]:
        yield lambda: attrgetter(case.call)(client.v1)(*case.positional, **case.given)

    return scenario


def import_everything(world: World, settings: dict[str, Any], here: Here) -> None:
    """So that the other user need not read the code, which only root may be able to read."""
    case = image(here, download_directory=here.folder / "notes.txt")
    with pytest.raises(errors.InvalidArgument, match="not a directory"):
        world.run(calling(case), **settings)


def check(error: Exception, row: Row, case: Case) -> None:
    assert type(error).__name__ == row.error, case
    assert isinstance(error, ValueError) == (row.error != "TypeError"), case
    assert getattr(error, "field", None) == row.field, case
    told = str(error)
    assert says(row.message(f"`{row.field}`" if row.field else None), told), (row, told)
    if isinstance(error, errors.MagicHourError):
        assert says(row.problem, error.problem), case
        assert error.remedy is None if row.remedy is None else says(row.remedy, error.remedy or ""), case
    assert told.isprintable(), "one line, fit for a terminal"
    assert len(told) < 500, case
    assert "secret" not in told, case
    assert "mhk_" not in told, case


def copied(value: Any) -> Any:
    """A copy of the caller's dicts and lists, with the same items."""
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def tree(here: Here) -> set[Path]:
    """All files and folders, without the folder for the outputs, which may have been created, empty."""
    return set(here.folder.rglob("*")) - {here.out}


class TestInTheTerminal:
    """The same mistakes on the command line."""

    @pytest.fixture(autouse=True)
    def _settings(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MAGIC_HOUR_API_KEY", emulator.token)
        monkeypatch.setenv("MAGIC_HOUR_BASE_URL", emulator.url)
        monkeypatch.setenv("MAGIC_HOUR_POLL_INTERVAL", "0.02")

    def test_every_row_of_the_terminal_has_lines(self) -> None:
        assert list(LINES) == [row.name for row in rows() if row.in_terminal]

    @pytest.mark.parametrize("name", LINES)
    def test_mistake(
        self,
        name: str,
        here: Here,
        emulator: Emulator,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        row = ROWS[name]
        monkeypatch.setenv("MAGIC_HOUR_JOB_LOG", "none")  # nobody has a state folder here
        for line in LINES[name](here):
            files = tree(here)
            with monkeypatch.context() as patch:
                for variable, value in line.environment.items():
                    patch.delenv(variable) if value is None else patch.setenv(variable, value)
                text, as_json = (self.typed(line, *more, capsys=capsys) for more in ((), ("--format", "json")))
            told = self.paragraph(text[1])
            assert says(in_the_terminal(row).message(row.field and line.named), told), (row, told)
            assert text[0] == "", line
            error = json.loads(as_json[0])["error"]
            assert (error["type"], error.get("field"), error["exit_code"]) == (row.error, row.field, 2), line
            assert error["message"] == told == self.paragraph(as_json[1])
            assert list(emulator.requests) == [], line
            assert tree(here) == files, line

    def typed(self, line: Line, *more: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
        """Output and errors of a command that ends with exit code 2."""
        from magic_hour_workflows.cli import main

        if line.unprivileged:  # so that nobody does not have to read the code, which may lie where only root can
            assert main([*GENERATE, "--output", "notes.txt/"]) == 2
            capsys.readouterr()
        with as_nobody() if line.unprivileged else nullcontext():
            assert main([*line.arguments, *more]) == 2, line
        return capsys.readouterr()

    def paragraph(self, stderr: str) -> str:
        """The one readable paragraph."""
        assert stderr.startswith("magic-hour: ")
        assert stderr.endswith("\n")
        told = stderr.removeprefix("magic-hour: ").removesuffix("\n")
        assert told.isprintable(), "one line, and no traceback"
        assert "secret" not in told
        assert "mhk_" not in told
        return told

    @pytest.mark.parametrize("name", ["no key", "a missing file"])
    def test_as_a_process(self, name: str, here: Here, emulator: Emulator) -> None:
        line = next(iter(LINES[name](here)))
        changed = {key: value for key, value in {**os.environ, **line.environment}.items() if value is not None}
        done = python("-m", "magic_hour_workflows", *line.arguments, env=changed)
        assert (done.returncode, done.stdout) == (2, "")
        assert says(in_the_terminal(ROWS[name]).message(line.named), self.paragraph(done.stderr))
        assert list(emulator.requests) == []

    @pytest.mark.parametrize("arguments", OWN_WORDS, ids=" ".join)
    def test_what_the_command_line_finds_by_itself(
        self, arguments: tuple[str, ...], here: Here, emulator: Emulator, capsys: pytest.CaptureFixture[str]
    ) -> None:
        files = tree(here)
        text, as_json = (self.typed(Line((*arguments, *more), ""), capsys=capsys) for more in ((), ("--format=json",)))
        assert text[0] == ""
        error = json.loads(as_json[0])["error"]
        assert (error["exit_code"], error["message"]) == (2, self.paragraph(text[1]))
        assert list(emulator.requests) == []
        assert tree(here) == files


class TestWhatIsNoMistake:
    """What the page says below its table."""

    def call(self, world: World, options: dict[str, Any], case: Case) -> Any:
        return world.call(lambda client: attrgetter(case.call)(client.v1)(**case.given), **options)

    def test_a_missing_directory_is_made(self, world: World, here: Here, options: dict[str, Any]) -> None:
        result = self.call(world, options, image(here, download_directory=here.out / "deeper"))
        assert result.downloaded_paths == [here.out / "deeper" / f"{result.id}-1.png"]

    def test_aspect_ratio_wins_over_orientation(self, world: World, here: Here, options: dict[str, Any]) -> None:
        case = image(here, orientation="landscape", aspect_ratio="9:16")
        with pytest.warns(
            DeprecationWarning, match=r"`orientation`.*if both are given, the service uses `aspect_ratio`"
        ):
            result = self.call(world, options, case)
        with Image.open(result.downloaded_paths[0]) as picture:
            assert picture.width * 16 == picture.height * 9

    def test_orientation_is_sent_all_the_same(self, world: World, here: Here, options: dict[str, Any]) -> None:
        """The service chooses between the two, so it gets both; `orientation` alone still works."""
        with pytest.warns(DeprecationWarning, match="`orientation`"):
            result = self.call(world, options, image(here, orientation="landscape"))
        with Image.open(result.downloaded_paths[0]) as picture:
            assert picture.width * 9 == picture.height * 16
        case = image(here, orientation="sideways", aspect_ratio="9:16")
        with pytest.warns(DeprecationWarning, match="`orientation`"):  # noqa: SIM117  (what it is said about stands here)
            with pytest.raises(errors.UnprocessableEntity, match="orientation"):
                self.call(world, options, case)

    def test_a_new_model_is_sent(self, world: World, here: Here, options: dict[str, Any]) -> None:
        """What the service says of it is the service's business."""
        with pytest.raises(errors.UnprocessableEntity, match="aspect_ratio"):
            self.call(world, options, image(here, aspect_ratio="21:9"))
        assert self.call(world, options, image(here, model="a-model-of-tomorrow")).status == "complete"

    def test_none_is_not_given(self, world: World, here: Here, options: dict[str, Any]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            case = image(here)
            assert self.call(world, options, Case(given={**case.given, "orientation": None, "name": None})).id
