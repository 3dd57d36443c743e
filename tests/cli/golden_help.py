"""The help of every command as one text. Run as a program, it rewrites the golden file."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

GOLDEN = Path(__file__).with_name("help.txt")
PROGRAMS = ("demo", "emulator")
"""Commands with help of their own."""


def commands(*arguments: str) -> list[tuple[str, ...]]:
    """Every command prepared for these arguments, in the order of the help; without arguments, every command."""
    from magic_hour_workflows.cli.app import build

    return list(_below((), typer.main.get_command(build(arguments))))


def _below(path: tuple[str, ...], command: Any) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, TyperGroup):
        for name in command.list_commands(typer.Context(command)):
            if (*path, name) not in [(program,) for program in PROGRAMS]:
                yield from _below((*path, name), command.commands[name])


def pages(help_of: Callable[[tuple[str, ...]], str]) -> str:
    """Every page, under the command that prints it; an option is written out once, and named where it comes again."""
    known: dict[str, str] = {}
    return "\n".join(
        f"$ {' '.join(['magic-hour', *command, '--help'])}\n{_shortened(help_of(command), known)}"
        for command in commands()
    )


def _shortened(page: str, known: dict[str, str]) -> str:
    """The page without the options whose words are those that were last written out under this name."""
    text, heading, options = page.partition("Options:\n")
    options, *others = options.split("\n\n")
    new, again = [], []
    for option in re.split(r"\n(?=  \S)", options.rstrip("\n")):
        words = " ".join(option.split())
        name = words.split()[1 if words[2] == "," else 0]
        if known.get(name) == words:
            again.append(name)
        else:
            new.append(option)
            known[name] = words
    shown = [*new, *([f"  as before: {' '.join(again)}"] if again else [])]
    return "\n\n".join([text + heading + "\n".join(shown), *others]).rstrip("\n") + "\n"


def _help_of(command: tuple[str, ...]) -> str:
    from magic_hour_workflows.cli import main

    with contextlib.redirect_stdout(io.StringIO()) as out:
        main([*command, "--help"])
    return out.getvalue()


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    sys.exit(GOLDEN.write_text(pages(_help_of), encoding="utf-8") == 0)
