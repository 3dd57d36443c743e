"""Options that say how long to wait and where outputs go, and results as they are printed.

Rule: `--output` is a file if it ends like media; what ends like another file is refused, everything else is a folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from magic_hour_client._runtime.redaction import escaped
from magic_hour_client.errors import InvalidArgument

from .._formatting import shown
from .._outputs import checked_directory, checked_output_name, names_a_file
from .._results import Kind, Result
from .terminal import Terminal

Id = Annotated[str, typer.Argument(metavar="ID", help="The id of the job.", show_default=False)]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Where to save: a folder, made if missing, or a file name such as sunset.png. The current folder if not "
        "given. Existing files are never replaced.",
        show_default=False,
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="How long the whole command may take, 1800 if not given. A job that was accepted goes on.",
        show_default=False,
    ),
]
PollInterval = Annotated[
    float | None,
    typer.Option(
        "--poll-interval",
        metavar="SECONDS",
        help="How often to look at the job; MAGIC_HOUR_POLL_INTERVAL, or 1 to 30 seconds, growing, if not given.",
        show_default=False,
    ),
]
NoDownload = Annotated[bool, typer.Option("--no-download", help="Do not save the outputs.", show_default=False)]


def place(output: str | None, kind: Kind) -> dict[str, str | None]:
    """`--output` as the library's options, checked also where nothing is saved now: it is part of the command that
    picks the job up.

    Raises:
        InvalidArgument: nothing of this kind can be saved to it.
    """
    folder, name = _split(output)
    checked_output_name(name, kind)
    if output is not None:
        checked_directory(folder, make=False)
    return {"download_directory": folder, "output_name": name}


def _split(output: str | None) -> tuple[str | None, str | None]:
    """The folder and the file name that `--output` means."""
    if output is None:
        return None, None
    if not output or output == "-":
        raise InvalidArgument(
            "expected a folder or a file name", "stdout is for results, not for media", field="download_directory"
        )
    path = os.path.expanduser(output)  # unlike pathlib, it leaves users that do not exist to the check of the folder
    folder, name = os.path.split(path)
    if os.path.isdir(path) or output.endswith(("/", os.sep)) or "://" in output or not os.path.splitext(name)[1]:
        return output, None
    if not names_a_file(name):
        raise InvalidArgument(
            f"{shown(name)} ends like no file of media", "a folder ends in /", field="download_directory"
        )
    return folder or ".", name


def resume_options(output: str | None, no_download: bool) -> Sequence[str]:
    """What to tell the command that picks the job up."""
    return [*(["--output", output] if output else []), *(["--no-download"] if no_download else [])]


def show(terminal: Terminal, result: Result) -> None:
    """Print what became of a job: the saved files, or its id if nothing was saved."""
    paths = [str(path) for path in result.downloaded_paths]
    credits = "" if result.credits_charged is None else f", {result.credits_charged:g} credits"
    data = {
        "id": result.id,
        "kind": result.kind,
        "status": result.status,
        "credits_charged": result.credits_charged,
        "downloaded_paths": paths,
    }
    terminal.result(data, paths or [escaped(result.id)])
    terminal.say(escaped(f"{result.kind} job {result.id}: {result.status}{credits}"))
