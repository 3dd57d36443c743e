"""`image get`, `wait`, `download`, `delete`, and of every other kind of job; and `files upload`.

Rule: the commands are the same for all kinds, and written once.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any, get_args

import typer

from magic_hour_client._runtime.redaction import escaped
from magic_hour_client.errors import InvalidArgument, MagicHourError
from magic_hour_client.types import AssetRole

from .._results import Kind, number
from .answers import value_lines
from .command import (
    Argument,
    Id,
    JobLog,
    NoDownload,
    Option,
    Output,
    PollInterval,
    Timeout,
    among,
    command,
    output_options,
    print_result,
    resume_options,
)
from .terminal import Terminal, projects_of

Yes = Annotated[bool, Option("--yes", "-y", help="Do not ask for confirmation.")]
File = Annotated[str, Argument(metavar="FILE", help="The file to upload; - reads it from stdin.")]
Role = Annotated[
    str | None,
    Option(
        "--role",
        metavar="image|audio|video|gif",
        help="The kind of file. Inferred from its extension or first bytes by default; required for sound in webm or "
        "mp4.",
        autocompletion=among(get_args(AssetRole)),
    ),
]


def add(group: typer.Typer, kind: Kind) -> None:
    _add_get(group, kind)
    _add_wait(group, kind)
    _add_download(group, kind)
    _add_delete(group, kind)


def _a(kind: Kind) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _add_get(group: typer.Typer, kind: Kind) -> None:
    example = f"magic-hour {kind} get cuid-example"

    @command(group, "get", example, f"{example} --format json", help=f"Show the state of {_a(kind)} job.")
    def get(terminal: Terminal, id: Id) -> None:
        with terminal.client() as client:
            project = {"kind": kind, **projects_of(client, kind).get(id).to_dict()}
        project["credits_charged"] = number(project.get("credits_charged"))
        terminal.result(project, value_lines(project))


def _add_wait(group: typer.Typer, kind: Kind) -> None:
    example = f"magic-hour {kind} wait cuid-example"
    help = f"Resume {_a(kind)} job. Waits until it is complete, then saves its outputs."

    @command(group, "wait", example, f"{example} --output outputs --timeout 600", help=help)
    def wait(
        terminal: Terminal,
        id: Id,
        output: Output = None,
        no_download: NoDownload = False,
        timeout: Timeout = None,
        poll_interval: PollInterval = None,
        job_log: JobLog = None,
    ) -> None:
        terminal.job_log = job_log
        resume = resume_options(output, no_download)
        where = output_options(output, kind)
        with terminal.client() as client, terminal.with_job(kind, id, resume), terminal.progress() as on_progress:
            result = projects_of(client, kind).check_result(
                id,
                **where,
                download_outputs=not no_download,
                timeout=timeout,
                poll_interval=poll_interval,
                on_progress=on_progress,
            )
        print_result(terminal, result)


def _add_download(group: typer.Typer, kind: Kind) -> None:
    example = f"magic-hour {kind} download cuid-example --output {kind}s/"

    @command(group, "download", example, help=f"Save the outputs of a complete {kind} job.")
    def download(
        terminal: Terminal, id: Id, output: Output = None, timeout: Timeout = None, job_log: JobLog = None
    ) -> None:
        terminal.job_log = job_log
        where = output_options(output, kind)
        resume = resume_options(output, no_download=False)
        with terminal.client() as client, terminal.with_job(kind, id, resume), terminal.progress() as on_progress:
            paths = projects_of(client, kind).download(id, **where, timeout=timeout, on_progress=on_progress)
        saved = [str(path) for path in paths]
        terminal.result({"id": id, "kind": kind, "downloaded_paths": saved}, saved)


def _add_delete(group: typer.Typer, kind: Kind) -> None:
    help = f"Delete the outputs of {_a(kind)} job permanently. Asks for confirmation; nothing is refunded."

    @command(group, "delete", f"magic-hour {kind} delete cuid-example --yes", help=help)
    def delete(terminal: Terminal, id: Id, yes: Yes = False) -> None:
        with terminal.client() as client:
            if not yes:
                _confirm(f"Delete the {kind} job {escaped(id)} and its outputs permanently?")
            projects_of(client, kind).delete(id)
        terminal.say(f"{kind} job {escaped(id)} deleted")
        terminal.result({"id": id, "kind": kind, "deleted": True}, [escaped(id)])


def add_upload(group: typer.Typer) -> None:
    examples = ("magic-hour files upload portrait.jpg", "magic-hour files upload voice.mp3 --format json")

    @command(group, "upload", *examples)
    def upload(terminal: Terminal, file: File, role: Role = None, timeout: Timeout = None) -> None:
        """Upload a file to use it in several jobs. The service keeps it for 7 days."""
        from .stdin import STDIN, file_on_stdin

        options: dict[str, Any] = {"role": role, "timeout": timeout}
        given = file_on_stdin("file") if file == STDIN else file
        with terminal.client() as client, terminal.progress() as on_progress:
            path = client.v1.files.upload_file(given, **options, on_progress=on_progress)
        terminal.result({"file": file, "file_path": path}, [path])


def _confirm(question: str) -> None:
    """Ask before something that cannot be undone."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise InvalidArgument("not a terminal", "pass --yes to confirm")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise MagicHourError("not deleted")
