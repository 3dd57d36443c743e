"""`image generate`, `image edit`, `image headshot`, `video talking-photo`: from local files to files on disk.

Rule: the flags come from the contract; only the names of the commands and their examples are written here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from .._operations import operations
from .command import (
    SHARED,
    NoDownload,
    Output,
    PollInterval,
    Timeout,
    among,
    command,
    names_of,
    option,
    output_options,
    print_result,
    resume_options,
)
from .flags import Flag, flags, parameters, parsed_json
from .terminal import Terminal

if TYPE_CHECKING:
    from .._client import Client


@attrs.frozen
class Generate:
    """One generate command."""

    group: str
    name: str
    examples: Sequence[str]


COMMANDS: Mapping[str, Generate] = {
    "v1.ai_image_generator.create": Generate(
        "image",
        "generate",
        (
            'magic-hour image generate --image-count 1 --prompt "A red fox in the snow"',
            'magic-hour image generate --image-count 2 --prompt "A logo" --tool ai-logo-generator --output logos',
            'magic-hour image generate --image-count 4 --prompt "A red fox" --model nano-banana --dry-run',
        ),
    ),
    "v1.ai_image_editor.create": Generate(
        "image",
        "edit",
        (
            'magic-hour image edit --image portrait.jpg --prompt "Give me sunglasses" --output cool.png',
            'magic-hour image edit --image portrait.jpg --image room.jpg --prompt "Put me into the room"',
        ),
    ),
    "v1.ai_headshot_generator.create": Generate(
        "image",
        "headshot",
        (
            "magic-hour image headshot --image portrait.jpg --output headshots",
            "magic-hour image headshot --image portrait.jpg --no-wait",
        ),
    ),
    "v1.ai_talking_photo.create": Generate(
        "video",
        "talking-photo",
        (
            "magic-hour video talking-photo --image portrait.jpg --audio voice.mp3 --start-seconds 0 --end-seconds 3",
            "magic-hour video talking-photo --image portrait.jpg --audio voice.mp3 --start-seconds 0 --end-seconds 15"
            " --dry-run --format json",
        ),
    ),
}
"""The operation behind each command; a test checks that every operation that charges credits has one."""

NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Return as soon as the job is accepted; print its id.", show_default=False)
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Check everything, show the request and its cost; send nothing.",
        show_default=False,
    ),
]
ExtraBody = Annotated[
    str | None,
    typer.Option(
        "--extra-body", metavar="JSON", help="Fields that have no option, as a JSON object.", show_default=False
    ),
]
LEAST_SECONDS = 0.001
"""The least that is left of `--timeout`, so that the call itself reports the timeout."""
_OWN = ("--output", "--no-wait", "--no-download", "--dry-run", "--timeout", "--poll-interval", "--extra-body", "--help")
TAKEN = frozenset({*_OWN, *(name for parameter in SHARED for name in names_of(parameter))})
"""Flags that are not available to fields of the contract."""


def add(groups: Mapping[str, typer.Typer]) -> None:
    """Add the generate commands to their groups."""
    for operation, about in COMMANDS.items():
        _add(groups[about.group], operation, about)


def _add(group: typer.Typer, operation: str, about: Generate) -> None:
    found = flags(operation, TAKEN)

    def generate(
        terminal: Terminal,
        values: Mapping[str, Any],
        output: Output = None,
        no_wait: NoWait = False,
        no_download: NoDownload = False,
        dry_run: DryRun = False,
        timeout: Timeout = None,
        poll_interval: PollInterval = None,
        extra_body: ExtraBody = None,
    ) -> None:
        terminal.flags, terminal.submits = found, not dry_run
        terminal.resume_options = resume_options(output, no_download)
        for flag in found:
            if warning := flag.warning(values.get(flag.parameter)):
                terminal.say(f"magic-hour: {warning}")
        where = output_options(output, operations()[operation]["project_kind"])
        extra = None if extra_body is None else parsed_json("extra_body", extra_body)
        if dry_run:
            from .dry_run import preview

            preview(terminal, operation, values, extra, timeout=timeout, poll_interval=poll_interval)
            return
        from .stdin import find_outputs, with_stdin

        began = time.monotonic()
        with terminal.client() as client, terminal.progress() as on_progress:
            polling: dict[str, Any] = {"poll_interval": poll_interval, "on_progress": on_progress}
            given = with_stdin(terminal, values, find_outputs(terminal, client, timeout=timeout, **polling))
            result = _resource(client, operation).generate(
                **parameters(operation, found, given),
                **where,
                **polling,
                extra_body=extra,
                wait_for_completion=not no_wait,
                download_outputs=not no_download,
                timeout=_left(timeout, time.monotonic() - began),
            )
        print_result(terminal, result)

    help = str(operations()[operation].get("description") or operations()[operation]["summary"])
    command(group, about.name, help=help, examples=about.examples, options=[_option(flag) for flag in found])(generate)


def _left(timeout: float | None, spent: float) -> float | None:
    """What is left of `--timeout`, which includes waiting for the previous command. The call refuses invalid values."""
    return timeout if timeout is None or not timeout > 0 else max(timeout - spent, LEAST_SECONDS)


def _option(flag: Flag) -> Any:
    kind: Any = list[flag.type] if flag.many else flag.type  # type: ignore[name-defined]
    extra: dict[str, Any] = {"autocompletion": among(flag.choices)} if flag.choices else {}
    return option(
        flag.parameter,
        kind if flag.required else kind | None,
        f"{flag.flag}/{flag.negative}" if flag.negative else flag.flag,
        default=... if flag.required else None,
        help=flag.help,
        metavar=flag.metavar,
        hidden=flag.deprecation is not None,
        **extra,
    )


def _resource(client: Client, operation: str) -> Any:
    node: Any = client
    for part in operation.split(".")[:-1]:
        node = getattr(node, part)
    return node
