"""Registering a command, and the options that commands share: service, output format, waiting, where outputs go.

Rule: a command is a plain function of a `Terminal` and its own options; everything around it is here. `--output` is a
file if it has a media extension; another extension is refused, everything else is a folder.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

import typer
from typer.core import TyperGroup

from magic_hour_client._runtime.redaction import escaped
from magic_hour_client.endpoints import JOBS
from magic_hour_client.errors import InvalidArgument

from .._formatting import shown
from .._outputs import checked_directory, checked_output_name, names_a_file
from .._results import Kind, Result
from .exit_status import EXIT_CODES
from .terminal import Terminal

Work = TypeVar("Work", bound=Callable[..., object])

Option: partial[Any] = partial(typer.Option, show_default=False)
Argument: partial[Any] = partial(typer.Argument, show_default=False)
"""Defaults are in the help texts, in words."""


class _Group(TyperGroup):
    """A group that lists groups before commands."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=lambda name: not isinstance(self.commands[name], TyperGroup))


def new_group(help: str, *, alone: bool = False) -> typer.Typer:
    """A group of commands; if it does something `alone`, its callback says what."""
    context = {"help_option_names": ["-h", "--help"]}
    return typer.Typer(
        cls=_Group,
        help=help,
        no_args_is_help=not alone,
        invoke_without_command=alone,
        rich_markup_mode=None,
        context_settings=context,
        pretty_exceptions_enable=False,
    )


def option(
    name: str, kind: Any, *names: str, default: Any = None, help: str, metavar: str | None = None, **more: Any
) -> inspect.Parameter:
    """One option of a command, as a parameter of the function behind it."""
    info = Option(*names, help=help, metavar=metavar, **more)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def names_of(parameter: inspect.Parameter) -> set[str]:
    """All names of an option, such as `--quiet` and `-q`."""
    [info] = parameter.annotation.__metadata__
    return {name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)}


def among(choices: Sequence[object]) -> Callable[[str], list[str]]:
    """Completion for an option with known values."""
    return lambda incomplete: [str(choice) for choice in choices if str(choice).startswith(incomplete)]


SHARED = (
    option(
        "format",
        Literal["text", "json"],
        "--format",
        default="text",
        metavar="text|json",
        help="Format of the results on stdout. Progress and errors go to stderr.",
    ),
    option(
        "base_url",
        str | None,
        "--base-url",
        metavar="URL",
        help="Address of the service. Default: MAGIC_HOUR_BASE_URL.",
    ),
    option("allow_http", bool, "--allow-http", default=False, help="Allow plain http:// to other machines."),
    option(
        "quiet", bool, "--quiet", "-q", default=False, help="No progress; only the line with a job's id, and errors."
    ),
    option("verbose", bool, "--verbose", "-v", default=False, help="Log to stderr."),
    option("debug", bool, "--debug", default=False, help="Show a traceback with an error."),
)
"""The options of every command that talks to the service."""

SHARED_NAMES = tuple(parameter.name for parameter in SHARED)

Id = Annotated[str, Argument(metavar="ID", help="The id of the job.")]
Output = Annotated[
    str | None,
    Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Where to save: a folder, created if missing, or a file name such as sunset.png. Default: the current "
        "folder. Existing files are never replaced.",
    ),
]
TaskOutput = Annotated[
    str | None,
    Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Save pictures of the results too: in a folder, created if missing, or under a file name. Default: save "
        "nothing.",
    ),
]
Timeout = Annotated[
    float | None,
    Option(
        "--timeout",
        metavar="SECONDS",
        help="Time limit of the whole command; 1800 by default. A job that was accepted keeps running.",
    ),
]
PollInterval = Annotated[
    float | None,
    Option(
        "--poll-interval",
        metavar="SECONDS",
        help="Polling interval in seconds. Default: MAGIC_HOUR_POLL_INTERVAL, or growing from 1 to 30.",
    ),
]
JobLog = Annotated[
    str | None,
    Option(
        "--job-log",
        metavar="PATH|none",
        help="The file that records submitted jobs for `magic-hour jobs`. Default: MAGIC_HOUR_JOB_LOG, or a file in "
        "your state folder.",
    ),
]
MaxCredits = Annotated[
    float | None,
    Option(
        "--max-credits",
        metavar="N",
        help="Refuse the job if all jobs in the job log could then cost more credits than this.",
    ),
]
AssumeCredits = Annotated[
    float | None,
    Option(
        "--assume-credits",
        metavar="N",
        help="The credits to count towards --max-credits if the price is unknown. Default: refuse the job.",
    ),
]
CheckBalance = Annotated[
    bool,
    Option(
        "--check-balance",
        help="Ask for the balance before the job, and again if it is unknown whether the job was accepted.",
    ),
]
NoDownload = Annotated[bool, Option("--no-download", help="Do not save the outputs.")]


def command(
    group: typer.Typer, name: str, *examples: str, help: str | None = None, options: Sequence[inspect.Parameter] = ()
) -> Callable[[Work], Work]:
    """Add a command to a group.

    Args:
        group: where it belongs.
        name: what is typed.
        examples: complete command lines; the tests run them.
        help: what it does, by default the docstring of the function; the first sentence is shown in lists.
        options: options beyond the parameters of the function, passed to it in `values`.
    """

    def register(work: Work) -> Work:
        text = help or " ".join((work.__doc__ or "").split())
        own = [p for p in list(inspect.signature(work, eval_str=True).parameters.values())[1:] if p.name != "values"]

        def run(**given: Any) -> None:
            shared = {key: given.pop(key) for key in SHARED_NAMES}
            terminal = Terminal(json=shared.pop("format") == "json", **shared)
            arguments = {parameter.name: given.pop(parameter.name) for parameter in own}
            if options:
                arguments["values"] = given
            raise typer.Exit(terminal.run(lambda: work(terminal, **arguments)))

        keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        run.__signature__ = inspect.Signature([*options, *keywords, *SHARED])  # type: ignore[attr-defined]
        listing = "\n".join(["\b", "Examples:", *(f"  {line}" for line in examples)])  # \b: not to be wrapped
        group.command(name, help=f"{text}\n\n{listing}", short_help=text.partition(". ")[0].rstrip("."))(run)
        return work

    return register


def exit_codes() -> str:
    return "\n".join(["\b", "Exit codes:", *(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())])


def output_options(output: str | None, kind: Kind | None, operation: str | None = None) -> dict[str, Any]:
    """`--output` as the options of the library. It is also checked if nothing is saved now, since the command that
    resumes the job repeats it.

    Raises:
        InvalidArgument: outputs of this kind cannot be saved there.
    """
    folder, name = _split(output)
    checked_output_name(name, kind, operation)
    if output is not None:
        checked_directory(folder, make=False)
    return {"download_directory": folder, "output_name": name}


def _split(output: str | None) -> tuple[str | None, str | None]:
    """The folder and the file name of `--output`."""
    if output is None:
        return None, None
    if not output or output == "-":
        raise InvalidArgument(
            "expected a folder or a file name", "stdout is for results, not for media", field="download_directory"
        )
    path = os.path.expanduser(output)  # unlike pathlib, it leaves unknown users to the check of the folder
    folder, name = os.path.split(path)
    if os.path.isdir(path) or output.endswith(("/", os.sep)) or "://" in output or not os.path.splitext(name)[1]:
        return output, None
    if not names_a_file(name):
        raise InvalidArgument(f"{shown(name)} has no media extension", "add / for a folder", field="download_directory")
    return folder or ".", name


def resume_options(output: str | None, no_download: bool) -> Sequence[str]:
    return [*(["--output", output] if output else []), *(["--no-download"] if no_download else [])]


def print_task(terminal: Terminal, result: Result) -> None:
    """Print what a task found: the saved files or, if none were asked for, each thing in a line, without its URL."""
    found = {} if result.project is None else result.project.to_dict()
    paths = [str(path) for path in result.downloaded_paths]
    outputs = JOBS[result.kind].outputs
    items = found.get(outputs) or [] if outputs else []
    lines = ["  ".join(str(value) for name, value in item.items() if name != "url") for item in items]
    data = {**found, "id": result.id, "kind": result.kind, "status": result.status, "downloaded_paths": paths}
    terminal.result(data, paths or [escaped(line) for line in lines])
    many = "" if outputs is None else f", {len(items)} {outputs}"
    terminal.say(escaped(f"{result.kind} job {result.id}: {result.status}{many}"))


def print_result(terminal: Terminal, result: Result) -> None:
    """Print the saved files, or the id of the job if nothing was saved."""
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
