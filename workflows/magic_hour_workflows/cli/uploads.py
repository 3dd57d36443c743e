"""`files upload`: one file into the service's storage, to use it in several jobs.

Rule: prints the remote path, which every option for a file takes.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .command import among, command
from .outputs import Timeout
from .terminal import Terminal

ROLES = ("image", "audio", "video")
File = Annotated[
    str, typer.Argument(metavar="FILE", help="The file to upload; - reads it from stdin.", show_default=False)
]
Role = Annotated[
    str | None,
    typer.Option(
        "--role",
        metavar="image|audio|video",
        help="What it is for; told by its extension or its first bytes if not given. Sound in webm or mp4 needs it.",
        show_default=False,
        autocompletion=among(ROLES),
    ),
]


def add(group: typer.Typer) -> None:
    """Add `upload` to its group."""
    examples = ("magic-hour files upload portrait.jpg", "magic-hour files upload voice.mp3 --format json")
    help = "Upload a file to use it in several jobs. The service keeps it for 7 days."

    @command(group, "upload", help=help, examples=examples)
    def upload(terminal: Terminal, file: File, role: Role = None, timeout: Timeout = None) -> None:
        from .stdin import MARK, file_on_stdin

        options: dict[str, Any] = {"role": role, "timeout": timeout}
        given = file_on_stdin("file") if file == MARK else file
        with terminal.client() as client, terminal.progress() as on_progress:
            path = client.v1.files.upload_file(given, **options, on_progress=on_progress)
        terminal.result({"file": file, "file_path": path}, [path])
