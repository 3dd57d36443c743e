"""The help of every command as one text. Run as a program, it rewrites the golden file."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

GOLDEN = Path(__file__).with_name("help.txt")
COMMANDS = [
    (), ("image",), ("image", "generate"), ("image", "edit"), ("image", "headshot"), ("image", "get"),
    ("image", "wait"), ("image", "download"), ("image", "delete"), ("video",), ("video", "talking-photo"),
    ("video", "get"), ("video", "wait"), ("video", "download"), ("video", "delete"), ("files",), ("files", "upload"),
    ("batch",), ("batch", "run"), ("batch", "status"), ("batch", "verify"), ("batch", "retry"), ("batch", "settle"),
    ("batch", "worker"), ("batch", "report"), ("schema",),
]  # fmt: skip


def pages(help_of: Callable[[tuple[str, ...]], str]) -> str:
    """Every page, under the command that prints it; an option is written out once, and named where it comes again."""
    known: dict[str, str] = {}
    return "\n".join(
        f"$ {' '.join(['magic-hour', *command, '--help'])}\n{_shortened(help_of(command), known)}"
        for command in COMMANDS
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
