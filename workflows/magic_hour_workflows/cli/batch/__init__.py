"""`batch run`, `status`, `verify`, `retry`, `settle`, `worker`, `report`: thousands of rows, each charged at most once.

Rule: only the commands themselves. The engine, and whatever else takes time to import, is imported when a command
runs; a missing extra is named.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from .. import exit_status
from ..command import PollInterval, command
from ..printing import to_stderr
from ..terminal import Terminal
from .options import (
    Concurrency,
    DatabaseOf,
    DryRun,
    Endpoint,
    Folder,
    FromManifest,
    Key,
    Keys,
    Manifest,
    MaxCredits,
    NotCharged,
    OfManifest,
    Open,
    Project,
    Rate,
    StepTimeout,
    locate,
)

_EXTRA = ("dbos", "jinja2", "psycopg", "sqlalchemy")
_REMEDY = "pip install 'magic-hour-workflows[cli,batch]'"


def add(group: typer.Typer) -> None:
    """Add the commands to their group."""
    for add_command in (_add_run, _add_status, _add_verify, _add_retry, _add_settle, _add_worker, _add_report):
        add_command(group)


def _command(group: typer.Typer, name: str, **about: Any) -> Callable[[Callable[..., object]], object]:
    """As `command`, for what needs the extra `batch`."""

    def register(work: Callable[..., object]) -> object:
        @wraps(work)
        def guarded(terminal: Terminal, **given: Any) -> object:
            try:
                return work(terminal, **given)
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] not in _EXTRA:
                    raise
                to_stderr(f"magic-hour: batches need {error.name}: {_REMEDY}")
                return exit_status.FAILED

        return command(group, name, **about)(guarded)

    return register


def _add_run(group: typer.Typer) -> None:
    examples = (
        "magic-hour batch run portraits.csv --output outputs --dry-run",
        "magic-hour batch run portraits.csv --output outputs --max-credits 5000",
        "magic-hour batch run prompts.jsonl --output outputs --endpoint ai_image_generator --rate 60/min",
    )
    help = (
        "Run every row of a manifest. The same command resumes a batch that was stopped; no row is charged twice. "
        "Ctrl-C submits no more jobs and waits for those in progress; Ctrl-C again stops at once, and no job is lost."
    )

    @_command(group, "run", help=help, examples=examples)
    def run(
        terminal: Terminal,
        manifest: Manifest,
        output: Folder,
        endpoint: Endpoint = None,
        concurrency: Concurrency = None,
        rate: Rate = None,
        max_credits: MaxCredits = None,
        database: DatabaseOf = None,
        dry_run: DryRun = False,
        timeout: StepTimeout = None,
        poll_interval: PollInterval = None,
    ) -> object:
        from .run import run_manifest

        limits = {"concurrency": concurrency, "rate": rate, "max_credits": max_credits, "endpoint": endpoint}
        options = {**limits, "timeout": timeout, "poll_interval": poll_interval}
        location = locate(terminal, database, manifest)
        return run_manifest(terminal, manifest, output, location, options, dry_run=dry_run)


def _add_status(group: typer.Typer) -> None:
    examples = ("magic-hour batch status portraits.csv", "magic-hour batch status portraits.csv --format json")
    help = "Show the state of a batch, also while it is running, and from any machine."

    @_command(group, "status", help=help, examples=examples)
    def status(terminal: Terminal, manifest: OfManifest = None, database: DatabaseOf = None) -> None:
        from .status import show_status

        show_status(terminal, locate(terminal, database, manifest))


def _add_verify(group: typer.Typer) -> None:
    examples = ("magic-hour batch verify portraits.csv", "magic-hour batch verify portraits.csv --format json")
    help = (
        "Check that every saved file is intact. Reads each one and compares size and SHA-256; sends nothing and needs "
        "no API key. Exits with 3 if a file is missing or damaged: run the batch again to download it, at no charge."
    )

    @_command(group, "verify", help=help, examples=examples)
    def verify(terminal: Terminal, manifest: OfManifest = None, database: DatabaseOf = None) -> int:
        from .status import verify_files

        return verify_files(terminal, locate(terminal, database, manifest))


def _add_retry(group: typer.Typer) -> None:
    examples = (
        "magic-hour batch retry --manifest portraits.csv",
        "magic-hour batch retry anna --manifest portraits.csv --max-credits 6000",
    )
    help = (
        "Retry the failed rows of a batch, all or some, and resume the rest. Retries are charged; the failed attempts "
        "were not, or were refunded."
    )

    @_command(group, "retry", help=help, examples=examples)
    def retry(
        terminal: Terminal,
        keys: Keys = None,
        manifest: FromManifest = None,
        database: DatabaseOf = None,
        concurrency: Concurrency = None,
        rate: Rate = None,
        max_credits: MaxCredits = None,
        timeout: StepTimeout = None,
        poll_interval: PollInterval = None,
    ) -> object:
        from .run import run_known

        limits = {"concurrency": concurrency, "rate": rate, "max_credits": max_credits}
        options = {**limits, "timeout": timeout, "poll_interval": poll_interval}
        return run_known(terminal, locate(terminal, database, manifest), options, retry=keys or True)


def _add_settle(group: typer.Typer) -> None:
    examples = (
        "magic-hour batch settle anna --project cuid-example --manifest portraits.csv",
        "magic-hour batch settle anna --not-charged --manifest portraits.csv",
    )
    help = (
        "Settle a doubtful row: a row of which it is unknown whether the service accepted its job. If the job is in "
        "the web app, pass its id; the next run resumes it. If it is not, use --not-charged: the row is closed, so "
        "that nothing can submit it; after 135 seconds, in which the job might still appear, you are asked to check "
        "again; answer no, and the next run submits the row. Without a terminal, the answer (yes or no) is read from "
        "standard input after the wait."
    )

    @_command(group, "settle", help=help, examples=examples)
    def settle(
        terminal: Terminal,
        key: Key,
        project: Project = None,
        not_charged: NotCharged = False,
        manifest: FromManifest = None,
        database: DatabaseOf = None,
    ) -> object:
        from .status import settle_row

        return settle_row(terminal, locate(terminal, database, manifest), key, project, not_charged)


def _add_worker(group: typer.Typer) -> None:
    examples = ("magic-hour batch worker --database portraits.batch.sqlite",)
    help = (
        "Resume a batch from its database. On PostgreSQL, several machines can do so at once: all share its limits "
        "and its folder for outputs."
    )

    @_command(group, "worker", help=help, examples=examples)
    def worker(
        terminal: Terminal,
        database: DatabaseOf = None,
        concurrency: Concurrency = None,
        rate: Rate = None,
        max_credits: MaxCredits = None,
        timeout: StepTimeout = None,
        poll_interval: PollInterval = None,
    ) -> object:
        from .run import run_known

        limits = {"concurrency": concurrency, "rate": rate, "max_credits": max_credits}
        options = {**limits, "timeout": timeout, "poll_interval": poll_interval}
        return run_known(terminal, locate(terminal, database, None), options)


def _add_report(group: typer.Typer) -> None:
    examples = ("magic-hour batch report portraits.csv",)
    help = "Write results.jsonl, results.csv and report.html again. They are next to the outputs."

    @_command(group, "report", help=help, examples=examples)
    def report(
        terminal: Terminal, manifest: OfManifest = None, database: DatabaseOf = None, browser: Open = False
    ) -> None:
        from .status import show_report

        show_report(terminal, locate(terminal, database, manifest), browser=browser)
