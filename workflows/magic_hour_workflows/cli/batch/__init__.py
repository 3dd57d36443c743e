"""`batch run`, `status`, `verify`, `retry`, `settle`, `worker`, `report`: thousands of rows, each charged at most once.

Rule: only the commands themselves. The engine, and whatever else takes time to import, is imported when a command runs.
"""

from __future__ import annotations

from ..command import PollInterval, command, new_group
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
    NoCheckBalance,
    NotCharged,
    OfManifest,
    Open,
    Project,
    Rate,
    StepTimeout,
    locate,
)

GROUP = new_group("Run thousands of jobs, each charged at most once.")


@command(
    GROUP,
    "run",
    "magic-hour batch run portraits.csv --output outputs --dry-run",
    "magic-hour batch run portraits.csv --output outputs --max-credits 5000",
    "magic-hour batch run prompts.jsonl --output outputs --rate 60/min",
)
def _run(
    terminal: Terminal,
    manifest: Manifest,
    output: Folder,
    endpoint: Endpoint = None,
    concurrency: Concurrency = None,
    rate: Rate = None,
    max_credits: MaxCredits = None,
    no_check_balance: NoCheckBalance = False,
    database: DatabaseOf = None,
    dry_run: DryRun = False,
    timeout: StepTimeout = None,
    poll_interval: PollInterval = None,
) -> object:
    """Run every row of a manifest. The same command resumes a batch that was stopped; no row is charged twice.
    Ctrl-C submits no more jobs and waits for those in progress; Ctrl-C again stops at once, and no job is lost.
    """
    from .run import run_manifest

    limits = {"concurrency": concurrency, "rate": rate, "max_credits": max_credits, "endpoint": endpoint}
    checks = {"check_balance": False} if no_check_balance else {}
    options = {**limits, **checks, "timeout": timeout, "poll_interval": poll_interval}
    return run_manifest(terminal, manifest, output, locate(terminal, database, manifest), options, dry_run=dry_run)


@command(
    GROUP, "status", "magic-hour batch status portraits.csv", "magic-hour batch status portraits.csv --format json"
)
def _status(terminal: Terminal, manifest: OfManifest = None, database: DatabaseOf = None) -> None:
    """Show the state of a batch, even while it is running, from any machine."""
    from .status import show_status

    show_status(terminal, locate(terminal, database, manifest))


@command(
    GROUP, "verify", "magic-hour batch verify portraits.csv", "magic-hour batch verify portraits.csv --format json"
)
def _verify(terminal: Terminal, manifest: OfManifest = None, database: DatabaseOf = None) -> int:
    """Check that every saved file is intact. Reads each one and compares size and SHA-256; sends nothing and needs no
    API key. Exits with 3 if a file is missing or damaged: run the batch again to download it, at no charge.
    """
    from .status import verify_files

    return verify_files(terminal, locate(terminal, database, manifest))


@command(
    GROUP,
    "retry",
    "magic-hour batch retry --manifest portraits.csv",
    "magic-hour batch retry anna --manifest portraits.csv --max-credits 6000",
)
def _retry(
    terminal: Terminal,
    keys: Keys = None,
    manifest: FromManifest = None,
    database: DatabaseOf = None,
    concurrency: Concurrency = None,
    rate: Rate = None,
    max_credits: MaxCredits = None,
    no_check_balance: NoCheckBalance = False,
    timeout: StepTimeout = None,
    poll_interval: PollInterval = None,
) -> object:
    """Retry the failed rows of a batch, all or some, and resume the rest. Retries are charged; the failed attempts
    were not, or were refunded.
    """
    from .run import run_known

    limits = {"concurrency": concurrency, "rate": rate, "max_credits": max_credits}
    checks = {"check_balance": False} if no_check_balance else {}
    options = {**limits, **checks, "timeout": timeout, "poll_interval": poll_interval}
    return run_known(terminal, locate(terminal, database, manifest), options, retry=keys or True)


@command(
    GROUP,
    "settle",
    "magic-hour batch settle anna --project cuid-example --manifest portraits.csv",
    "magic-hour batch settle anna --not-charged --manifest portraits.csv",
)
def _settle(
    terminal: Terminal,
    key: Key,
    project: Project = None,
    not_charged: NotCharged = False,
    manifest: FromManifest = None,
    database: DatabaseOf = None,
) -> object:
    """Settle a doubtful row: it is unknown whether the service accepted its job. If the job is in the web app, pass its
    id; the next run resumes it. If it is not, use --not-charged: this closes the row, so that nothing can submit it,
    and waits 135 seconds, in which the job might still appear. Then you are asked to check again. If you answer no,
    the next run submits the row. Without a terminal, the answer (yes or no) is read from standard input after the wait.
    """
    from .status import settle_row

    return settle_row(terminal, locate(terminal, database, manifest), key, project, not_charged)


@command(GROUP, "worker", "magic-hour batch worker --database portraits.batch.sqlite")
def _worker(
    terminal: Terminal,
    database: DatabaseOf = None,
    concurrency: Concurrency = None,
    rate: Rate = None,
    max_credits: MaxCredits = None,
    no_check_balance: NoCheckBalance = False,
    timeout: StepTimeout = None,
    poll_interval: PollInterval = None,
) -> object:
    """Resume a batch from its database. On PostgreSQL, several machines can do so at once: all share its limits and
    its folder for outputs.
    """
    from .run import run_known

    limits = {"concurrency": concurrency, "rate": rate, "max_credits": max_credits}
    checks = {"check_balance": False} if no_check_balance else {}
    options = {**limits, **checks, "timeout": timeout, "poll_interval": poll_interval}
    return run_known(terminal, locate(terminal, database, None), options)


@command(GROUP, "report", "magic-hour batch report portraits.csv")
def _report(
    terminal: Terminal, manifest: OfManifest = None, database: DatabaseOf = None, browser: Open = False
) -> None:
    """Write results.jsonl, results.csv and report.html again. They are next to the outputs."""
    from .status import show_report

    show_report(terminal, locate(terminal, database, manifest), browser=browser)
