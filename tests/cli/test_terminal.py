"""What surrounds a command: interruptions are reported once, and cases that no real surroundings produce reliably."""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer

from magic_hour_workflows import _operations as operations
from magic_hour_workflows.cli import exit_status, generate, signals
from magic_hour_workflows.cli.terminal import Terminal
from magic_hour_workflows.events import SubmissionLost

LOST = SubmissionLost(
    operation="v1.x.create", name="n", submitted_at=datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC), reason="reset"
)


def test_an_interruption_after_the_result_adds_no_second_object(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(json=True)

    def work() -> None:
        terminal.result({"id": "x"}, ["x"])
        raise KeyboardInterrupt

    assert terminal.run(work) == 130
    assert json.loads(capsys.readouterr().out) == {"id": "x"}


def test_a_second_interruption_does_not_cut_off_the_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = exit_status.message

    def words(*arguments: Any) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments)

    def work() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(exit_status, "message", words)
    assert Terminal().run(work) == 130
    assert capsys.readouterr().err == "magic-hour: interrupted\n"


def test_a_lost_submission_is_remembered_when_its_exception_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(json=True, submits=True)

    def work() -> None:
        with terminal.progress() as listen:
            listen(LOST)
            raise KeyboardInterrupt

    assert terminal.run(work) == 4
    captured = capsys.readouterr()
    assert "under the name 'n'" in captured.err
    assert json.loads(captured.out)["error"]["type"] == "SubmissionUnknown"


def test_no_field_can_take_an_option_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the real program: a contract with a field called `format`."""
    name = "v1.ai_image_generator.create"
    body = {"properties": {"format": {"type": "string"}, "wait": {"type": "boolean"}}}
    about = {"group": "image", "name": "generate", "examples": []}
    document = {"operations": {name: {"body": body, "summary": "s", "command": about}}, "$defs": {}}
    monkeypatch.setattr(operations, "document", lambda: document)
    group = typer.Typer()
    generate.add({"image": group})
    [command] = group.registered_commands
    assert command.callback is not None
    infos = [p.annotation.__metadata__[0] for p in inspect.signature(command.callback).parameters.values()]
    typed = [
        word for info in infos for text in (info.default, *(info.param_decls or ())) if text for word in text.split("/")
    ]
    assert len(set(typed)) == len(typed)
    assert "--field-format" in typed


@pytest.mark.parametrize(
    ("distribution", "extra", "install"),
    [("magic-hour-workflows", "batch", "cli,batch"), ("magic-hour-emulator", "", "emulator")],
)
def test_every_package_of_an_extra_is_named_with_it(distribution: str, extra: str, install: str) -> None:
    required = {line.split(">")[0].lower() for line in metadata.requires(distribution) or [] if extra in line}
    modules = [
        module
        for module, projects in metadata.packages_distributions().items()
        if required & {project.lower() for project in projects} and not module.startswith("_")
    ]
    assert len(modules) > 1
    for module in modules:
        text = exit_status.message(ModuleNotFoundError(name=module), exit_status.ErrorContext())
        assert text == f"this command needs {module}: pip install 'magic-hour-workflows[{install}]'"


def test_what_is_left_of_the_time() -> None:
    assert generate._left(None, 5) is None
    assert generate._left(10, 4) == 6
    assert generate._left(3, 5) == generate.LEAST_SECONDS, "the call itself says that time is up"
    assert generate._left(0, 1) == 0, "the call itself refuses it"


@contextmanager
def handlers(**wanted: Any) -> Iterator[None]:
    """Sets these signal handlers for the block."""
    before = {name: signal.signal(getattr(signal, name), handler) for name, handler in wanted.items()}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def test_after_the_second_ctrl_c_nothing_cuts_off_the_end() -> None:
    """What a batch records at its end must not be cut off by a third Ctrl-C, or by SIGTERM."""
    asked: list[str] = []
    with handlers(SIGINT=signal.default_int_handler, SIGTERM=signal.SIG_DFL):
        with signals.first_ends(lambda: asked.append("once")):
            os.kill(os.getpid(), signal.SIGINT)
            assert asked == ["once"]
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(os.getpid(), number)
        assert asked == ["once"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "as it was before"


def test_messages_are_built_from_data() -> None:
    """The command line shows problem, remedy and options; it never edits the text of a message."""
    for path in Path(exit_status.__file__).parent.rglob("*.py"):
        edits = re.findall(
            r"\w*(?:text|message|error|problem|remedy)\w*\)?\.(?:replace|removeprefix)\(", path.read_text("utf-8")
        )
        assert edits == [], path


@pytest.mark.parametrize(
    "around", [signals.first_ends, lambda: signals.first_ends(lambda: None)], ids=["handled", "gently"]
)
def test_what_is_ignored_stays_ignored(around: Any) -> None:
    """Under nohup the terminal may be closed, and the work continues."""
    with handlers(SIGHUP=signal.SIG_IGN, SIGTERM=signal.SIG_IGN), around():
        for number in (signal.SIGHUP, signal.SIGTERM):
            assert signal.getsignal(number) is signal.SIG_IGN
            os.kill(os.getpid(), number)


def test_words_at_the_end_ignore_every_signal_and_give_the_handlers_back() -> None:
    with handlers(SIGINT=signal.default_int_handler, SIGTERM=signal.SIG_DFL, SIGHUP=signal.SIG_DFL):
        with signals.held_back():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(os.getpid(), number)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_after_the_first_signal_no_other_ends_a_command() -> None:
    """A second Ctrl-C would discard the exception that knows the job."""
    with handlers(SIGINT=signal.default_int_handler, SIGTERM=signal.SIG_DFL), signals.first_ends():
        with pytest.raises(KeyboardInterrupt) as caught:
            os.kill(os.getpid(), signal.SIGINT)
        assert not isinstance(caught.value, signals.Terminated)
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)


def test_a_signal_from_outside_says_which_it_was() -> None:
    with handlers(SIGTERM=signal.SIG_DFL), signals.first_ends():
        with pytest.raises(signals.Terminated) as caught:
            os.kill(os.getpid(), signal.SIGTERM)
        assert caught.value.number == signal.SIGTERM
