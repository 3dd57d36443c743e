"""The tree of commands, and everything around it: version, wrong usage, Ctrl-C before a command began.

Rule: nothing that takes time is imported before a command needs it, so that --help and completion are quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from .. import __version__
from . import batch, generate, jobs, local, schema, signals, uploads
from . import exit_status as ends
from .command import exit_codes
from .streams import prepare, to_stderr
from .terminal import Terminal

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
    helped = {"help_option_names": ["-h", "--help"]}
    settings: dict[str, Any] = {"no_args_is_help": True, "rich_markup_mode": None, "context_settings": helped}
    app = typer.Typer(help=HELP, pretty_exceptions_enable=False, **settings)
    groups = {
        "image": typer.Typer(help="Make and edit images; image jobs by their id.", **settings),
        "video": typer.Typer(help="Make talking photos; video jobs by their id.", **settings),
        "files": typer.Typer(help="Files in the service's storage.", **settings),
        "batch": typer.Typer(help="Thousands of rows from a manifest, each charged at most once.", **settings),
    }
    generate.add(groups)
    jobs.add(groups["image"], "image")
    jobs.add(groups["video"], "video")
    uploads.add(groups["files"])
    batch.add(groups["batch"])
    for name, group in groups.items():
        app.add_typer(group, name=name)
    schema.add(app)
    local.add(app)
    app.callback()(_root)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run the program; returns the exit code."""
    prepare()
    with signals.handled():
        try:
            return build()(arguments, prog_name=PROGRAM, standalone_mode=False) or 0
        except typer.TyperException as error:
            return _wrong_usage(error, arguments)
        except KeyboardInterrupt as interruption:
            return Terminal(json=_asks_for_json(arguments), submits=True).fail(interruption)


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
    """Tell what was typed wrong; if nothing was typed where something could be, show what."""
    said = error.format_message()
    if said.startswith("Usage:"):
        to_stderr(said)
        return ends.USAGE
    context = getattr(error, "ctx", None)
    where = f"{PROGRAM if context is None else context.command_path} --help"
    text = f"{said} See {where}" if said.endswith(("?", ")")) else f"{said.rstrip('.')}; see {where}"
    return Terminal(json=_asks_for_json(arguments)).fail(ends.WrongUsage(text))


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether results are wanted as JSON, read off a command line that could not be understood."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(name == "--format=json" or (name, value) == ("--format", "json") for name, value in pairs)
