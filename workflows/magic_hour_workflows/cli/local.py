"""`demo` and `emulator`: programs of their own, under the name of this one.

Rule: what follows the name is theirs, `--help` included. Both need the extra `emulator`, and say so. How they end is
told as for every command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from . import exit_status as ends
from .streams import to_stderr
from .terminal import Terminal

Program = Callable[[Sequence[str]], int]


def add(app: typer.Typer) -> None:
    """Add both programs."""
    _add(app, "demo", _demo, "Run all four endpoints on this machine, for nothing.")
    _add(app, "emulator", _emulator, "Run the service on this machine, for nothing.")


def _demo(arguments: Sequence[str]) -> int:
    from ..demo import run

    return run(arguments, program="magic-hour demo")


def _emulator(arguments: Sequence[str]) -> int:
    from magic_hour_emulator.__main__ import main

    return main(arguments, program="magic-hour emulator")


def _add(app: typer.Typer, name: str, program: Program, help: str) -> None:
    theirs = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

    def run(context: typer.Context) -> None:
        raise typer.Exit(Terminal().run(lambda: _run(name, program, context.args)))

    app.command(name, help=help, context_settings=theirs)(run)


def _run(name: str, program: Program, arguments: Sequence[str]) -> int:
    try:
        return program(arguments)
    except ModuleNotFoundError as error:
        to_stderr(f"magic-hour: {name} needs {error.name}: pip install 'magic-hour-workflows[emulator]'")
        return ends.FAILED
    except SystemExit as ended:  # argparse ends by itself after --help and for wrong arguments
        return ended.code if isinstance(ended.code, int) else 0
