"""The commands that create media, such as `image generate` and `video face-swap`: from local files to files on disk.

Rule: commands, examples and flags come from the contract; no operation is named here. `--dry-run` checks everything
that is checked before an upload, sends nothing, and needs no API key.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Annotated, Any, TypeVar

import typer

from magic_hour_client._runtime.endpoints import encoded
from magic_hour_client.endpoints import endpoint

from .._operations import operations
from .._results import Result
from .command import (
    SHARED,
    AssumeCredits,
    CheckBalance,
    JobLog,
    MaxCredits,
    NoDownload,
    Option,
    Output,
    PollInterval,
    TaskOutput,
    Timeout,
    among,
    command,
    names_of,
    option,
    output_options,
    print_result,
    print_task,
    resume_options,
)
from .flags import Flag, flags, parameters
from .objects import parsed_json
from .printing import size
from .terminal import Terminal, key_if_any

Work = TypeVar("Work", bound=Callable[..., object])
NoWait = Annotated[bool, Option("--no-wait", help="Return as soon as the job is accepted; print its id.")]
DryRun = Annotated[bool, Option("--dry-run", help="Check everything, show the request and its cost; send nothing.")]
ExtraBody = Annotated[
    str | None, Option("--extra-body", metavar="JSON", help="Fields that have no option, as a JSON object.")
]
LEAST_SECONDS = 0.001
"""The least that is left of `--timeout`, so that the call itself reports the timeout."""
_OWN = ("--output", "--no-wait", "--no-download", "--dry-run", "--timeout", "--poll-interval", "--extra-body", "--help")
_LIMITS = ("--job-log", "--max-credits", "--assume-credits", "--check-balance")
TAKEN = frozenset({*_OWN, *_LIMITS, *(name for parameter in SHARED for name in names_of(parameter))})
"""Flags that are not available to fields of the contract."""


def add(groups: Mapping[str, typer.Typer], arguments: Sequence[str] = ()) -> None:
    """Add the generate commands to their groups, or only the one that the arguments name; those that need, and then
    take, the fewest files come first.
    """
    about = {name: each["command"] for name, each in operations().items() if "command" in each and "body" in each}
    about = {name: command for name, command in about.items() if command["group"] in groups}
    named = [name for name in about if [about[name][word] for word in ("group", "name")] == list(arguments[:2])]
    found = {name: flags(name, TAKEN) for name in named or about}
    for operation in sorted(found, key=lambda name: _files(found[name])):
        add_command = _add_task if "task" in operations()[operation] else _add
        add_command(groups[about[operation]["group"]], operation, found[operation])


def _files(found: Sequence[Flag]) -> tuple[int, int]:
    """How many files a command needs and takes."""
    files = [flag for flag in found if flag.role and flag.deprecation is None]
    return sum(flag.required for flag in files), len(files)


def _registered(group: typer.Typer, operation: str, found: Sequence[Flag]) -> Callable[[Work], Work]:
    """What adds the command of an operation to its group."""
    description = operations()[operation]
    about = description["command"]
    help = str(description.get("description") or description["summary"])
    options = [_option(flag) for flag in found]
    return command(group, about["name"], *about.get("examples", ()), help=help, options=options)


def _add(group: typer.Typer, operation: str, found: Sequence[Flag]) -> None:
    @_registered(group, operation, found)
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
        job_log: JobLog = None,
        max_credits: MaxCredits = None,
        assume_credits: AssumeCredits = None,
        check_balance: CheckBalance = False,
    ) -> None:
        terminal.job_log, terminal.max_credits, terminal.assume_credits = job_log, max_credits, assume_credits
        terminal.check_balance = check_balance
        terminal.flags, terminal.submits = found, not dry_run
        terminal.resume_options = resume_options(output, no_download)
        saving = {"wait_for_completion": not no_wait, "download_outputs": not no_download, "output": output}
        limits = {"timeout": timeout, "poll_interval": poll_interval}
        if (result := _run(terminal, operation, values, extra_body, saving, limits, dry_run=dry_run)) is not None:
            print_result(terminal, result)


def _add_task(group: typer.Typer, operation: str, found: Sequence[Flag]) -> None:
    @_registered(group, operation, found)
    def run_task(
        terminal: Terminal,
        values: Mapping[str, Any],
        output: TaskOutput = None,
        dry_run: DryRun = False,
        timeout: Timeout = None,
        poll_interval: PollInterval = None,
        extra_body: ExtraBody = None,
    ) -> None:
        terminal.flags = found
        saving = {"download_outputs": output is not None, "output": output}
        limits = {"timeout": timeout, "poll_interval": poll_interval}
        if (result := _run(terminal, operation, values, extra_body, saving, limits, dry_run=dry_run)) is not None:
            print_task(terminal, result)


def _run(
    terminal: Terminal,
    operation: str,
    values: Mapping[str, Any],
    extra_body: str | None,
    saving: dict[str, Any],
    limits: dict[str, Any],
    *,
    dry_run: bool,
) -> Result | None:
    """Run the job of an operation, or show what would be sent and return None."""
    for flag in terminal.flags:
        if warning := flag.warning(values.get(flag.parameter)):
            terminal.say(f"magic-hour: {warning}")
    called = endpoint(operation)
    saving |= output_options(saving.pop("output"), called.job_kind, operation)
    extra = None if extra_body is None else parsed_json("extra_body", extra_body)
    if dry_run:
        _preview(terminal, operation, values, extra, **limits)
        return None
    from .stdin import find_outputs, with_stdin

    began, timeout = time.monotonic(), limits["timeout"]
    with terminal.client() as client, terminal.progress() as on_progress:
        limits["on_progress"] = on_progress
        given = with_stdin(terminal, values, find_outputs(terminal, client, **limits))
        limits["timeout"] = _left(timeout, time.monotonic() - began)
        filled = parameters(operation, terminal.flags, given)
        return client.runner.generate(called, filled, extra_body=extra, **saving, **limits)


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


def _preview(
    terminal: Terminal,
    operation: str,
    values: Mapping[str, Any],
    extra_body: Any,
    *,
    timeout: float | None,
    poll_interval: float | None,
) -> None:
    """Print the request that would be sent, and its cost."""
    from .._client import Client
    from .._credits import estimate
    from .._flows.generate import prepare
    from .._flows.upload import measure
    from .stdin import dry_run_outputs, with_stdin

    called = endpoint(operation)
    given = parameters(operation, terminal.flags, with_stdin(terminal, values, dry_run_outputs))
    with Client(key_if_any(), base_url=terminal.base_url, allow_http=terminal.allow_http) as client:
        call = client.runner.begin(timeout, poll_interval)
        request, assets = prepare(call.backend, called, {**given, "extra_body": extra_body})
        url = f"{client.base_url}{request.path}"
    with closing(assets):
        for source in assets.sources:
            measure(source)
    files = [(source.name, source.size or 0) for source in assets.sources]
    assets.uploaded([f"<upload of {name}>" for name, _ in files])
    body = json.loads(encoded(request) or b"null")
    price = estimate(called, request.body)
    data = {
        "dry_run": True,
        "operation": operation,
        "method": called.method,
        "url": url,
        "body": body,
        "uploads": [{"name": name, "bytes": length} for name, length in files],
        "estimated_credits": price.to_dict(),
    }
    uploads = [f"upload  {name}, {size(length)}" for name, length in files]
    text = json.dumps(body, indent=2, ensure_ascii=False)
    terminal.result(data, [f"{called.method} {url}", text, *uploads, f"cost    {price}"])
