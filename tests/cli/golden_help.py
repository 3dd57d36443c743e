"""The help of every command as one text. Run as a program, it rewrites the golden file."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

GOLDEN = Path(__file__).with_name("help.txt")
COMMANDS = [
    (),
    ("image",),
    ("image", "generate"),
    ("image", "edit"),
    ("image", "headshot"),
    ("image", "get"),
    ("image", "wait"),
    ("image", "download"),
    ("image", "delete"),
    ("video",),
    ("video", "talking-photo"),
    ("video", "get"),
    ("video", "wait"),
    ("video", "download"),
    ("video", "delete"),
    ("files",),
    ("files", "upload"),
    ("batch",),
    ("batch", "run"),
    ("batch", "status"),
    ("batch", "verify"),
    ("batch", "retry"),
    ("batch", "settle"),
    ("batch", "worker"),
    ("batch", "report"),
    ("schema",),
]


def pages(help_of: Callable[[tuple[str, ...]], str]) -> str:
    """Every page, under the command that prints it."""
    return "\n".join(f"$ {' '.join(['magic-hour', *command, '--help'])}\n{help_of(command)}" for command in COMMANDS)


def _help_of(command: tuple[str, ...]) -> str:
    from magic_hour_workflows.cli import main

    with contextlib.redirect_stdout(io.StringIO()) as out:
        main([*command, "--help"])
    return out.getvalue()


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    sys.exit(GOLDEN.write_text(pages(_help_of), encoding="utf-8") == 0)
