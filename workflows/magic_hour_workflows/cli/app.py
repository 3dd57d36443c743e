"""The tree of commands, and everything around it: version, wrong usage, Ctrl-C before a command began.

Rule: nothing that takes time is imported before a command needs it, so that --help and completion are quick.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from .. import __version__
from . import ends, generate, jobs, local, schema, uploads
from .command import exit_codes
from .progress import to_stderr

PROGRAM = "magic-hour"
HELP = f"""
AI headshots, talking photos, images and image edits: from local files to files on disk.

The API key comes from the variable MAGIC_HOUR_API_KEY. Results go to stdout, everything else to stderr.

\b
Examples:
  magic-hour image generate --image-count 1 --prompt "A red fox in the snow" --output fox.png
  magic-hour image wait cuid-example

{exit_codes()}
"""


def build() -> typer.Typer:
    """The whole program."""
    settings: dict[str, Any] = {"no_args_is_help": True, "rich_markup_mode": None}
    app = typer.Typer(help=HELP, pretty_exceptions_enable=False, **settings)
    groups = {
        "image": typer.Typer(help="Make and edit images; image jobs by their id.", **settings),
        "video": typer.Typer(help="Make talking photos; video jobs by their id.", **settings),
        "files": typer.Typer(help="Files in the service's storage.", **settings),
    }
    generate.add(groups)
    jobs.add(groups["image"], "image")
    jobs.add(groups["video"], "video")
    uploads.add(groups["files"])
    for name, group in groups.items():
        app.add_typer(group, name=name)
    schema.add(app)
    local.add(app)
    app.callback()(_root)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run the program; returns the exit code."""
    with _ended_from_outside():
        try:
            return build()(arguments, prog_name=PROGRAM, standalone_mode=False) or 0
        except typer.TyperException as error:
            return _wrong_usage(error, arguments)
        except (KeyboardInterrupt, typer.Abort):
            to_stderr("magic-hour: interrupted")
            return ends.INTERRUPTED


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, show_default=False, callback=_version)
    ] = False,
) -> None: ...


def _wrong_usage(error: typer.TyperException, arguments: Sequence[str]) -> int:
    """Tell what was typed wrong; without any arguments at all, show what could be typed."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else PROGRAM
    if type(error).__name__ == "NoArgsIsHelpError":
        to_stderr(error.format_message())
        return ends.USAGE
    text = f"{error.format_message().rstrip('.')}; see {where} --help"
    to_stderr(f"magic-hour: {text}")
    if _asks_for_json(arguments):
        told = {"type": type(error).__name__, "message": text, "exit_code": ends.USAGE}
        sys.stdout.write(json.dumps({"error": told}) + "\n")
    return ends.USAGE


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether results are wanted as JSON, read off a command line that could not be understood."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(name == "--format=json" or (name, value) == ("--format", "json") for name, value in pairs)


@contextmanager
def _ended_from_outside() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, so that it can still tell how to pick its job up."""

    def end(*_: object) -> None:
        raise ends.Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
