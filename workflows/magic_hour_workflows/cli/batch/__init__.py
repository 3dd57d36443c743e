"""`batch run`, `status`, `verify`, `retry`, `settle`, `worker`, `report`: thousands of rows, each charged at most once.

Rule: what is typed stands here. The engine and all else that takes time is imported when a command runs, and a missing
extra is named.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from .. import exit_status as ends
from ..command import command
from ..outputs import PollInterval
from ..streams import to_stderr
from ..terminal import Terminal
from .options import VARIABLE, where
from .rates import per_minute

_EXTRA = ("dbos", "jinja2", "psycopg", "sqlalchemy")
_REMEDY = "pip install 'magic-hour-workflows[cli,batch]'"

Manifest = Annotated[
    str, typer.Argument(metavar="MANIFEST", help="The rows: a .csv, .jsonl or .ndjson file.", show_default=False)
]
OfManifest = Annotated[
    str | None,
    typer.Argument(metavar="[MANIFEST]", help="The batch of this manifest.", show_default=False),
]
FromManifest = Annotated[
    str | None,
    typer.Option("--manifest", metavar="FILE", help="The batch of this manifest.", show_default=False),
]
Keys = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY]...", help="The failed rows to try anew; all if none is given.", show_default=False),
]
Folder = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="DIR", help="The folder for the outputs; made if missing.", show_default=False
    ),
]
Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        metavar="NAME",
        help="That of rows which name none, such as ai_headshot_generator.",
        show_default=False,
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        metavar="N",
        help="How many rows are under way at a time, on all machines together; 16 if never given.",
        show_default=False,
    ),
]
Rate = Annotated[
    str | None,
    typer.Option(
        "--rate",
        metavar="N/min",
        callback=per_minute,
        help="How many rows may begin in a time: 60/min, 2/s or 1000/h; any number if never given.",
        show_default=False,
    ),
]
MaxCredits = Annotated[
    float | None,
    typer.Option(
        "--max-credits",
        metavar="N",
        help="Begin no row that would bring the whole batch beyond this; says which were left.",
        show_default=False,
    ),
]
DatabaseOf = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="PATH|URL",
        help=f"Where the batch is remembered: a file, or postgresql://... for several machines; {VARIABLE}, or "
        "NAME.batch.sqlite beside the manifest NAME, if not given.",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Check every row, show what it will do and cost; send nothing.", show_default=False),
]
StepTimeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="How long each step of a row may take, 1800 if not given. What was accepted is picked up by the next run.",
        show_default=False,
    ),
]
Open = Annotated[bool, typer.Option("--open", help="Show the report in a browser.", show_default=False)]


def add(group: typer.Typer) -> None:
    """Add the commands to their group."""
    _add_run(group)
    _add_status(group)
    _add_verify(group)
    _add_retry(group)
    _add_settle(group)
    _add_worker(group)
    _add_report(group)


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
                return ends.FAILED

        return command(group, name, **about)(guarded)

    return register


def _add_run(group: typer.Typer) -> None:
    examples = (
        "magic-hour batch run portraits.csv --output outputs --dry-run",
        "magic-hour batch run portraits.csv --output outputs --max-credits 5000",
        "magic-hour batch run prompts.jsonl --output outputs --endpoint ai_image_generator --rate 60/min",
    )
    help = (
        "Do every row of a manifest. The same command goes on where it stopped, and no row is charged twice. Ctrl-C "
        "submits no more jobs and waits for those under way; Ctrl-C again stops at once, and nothing is lost."
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
        return run_manifest(terminal, manifest, output, where(terminal, database, manifest), options, dry_run=dry_run)


def _add_status(group: typer.Typer) -> None:
    examples = ("magic-hour batch status portraits.csv", "magic-hour batch status portraits.csv --format json")
    help = "Show how a batch stands. Also while it runs, and on any machine."

    @_command(group, "status", help=help, examples=examples)
    def status(terminal: Terminal, manifest: OfManifest = None, database: DatabaseOf = None) -> None:
        from .status import show_status

        show_status(terminal, where(terminal, database, manifest))


def _add_verify(group: typer.Typer) -> None:
    examples = ("magic-hour batch verify portraits.csv", "magic-hour batch verify portraits.csv --format json")
    help = (
        "Check that every saved file is still as it was saved. Reads each one and compares size and SHA-256; sends "
        "nothing and needs no API key. Exits with 3 if a file is missing or damaged: run the batch again to download "
        "it anew, at no charge."
    )

    @_command(group, "verify", help=help, examples=examples)
    def verify(terminal: Terminal, manifest: OfManifest = None, database: DatabaseOf = None) -> int:
        from .status import verify_files

        return verify_files(terminal, where(terminal, database, manifest))


def _add_retry(group: typer.Typer) -> None:
    examples = (
        "magic-hour batch retry --manifest portraits.csv",
        "magic-hour batch retry anna --manifest portraits.csv --max-credits 6000",
    )
    help = (
        "Try the failed rows of a batch anew, all or some, and go on with the rest. That is charged: what failed was "
        "not, or was refunded."
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
        return run_known(terminal, where(terminal, database, manifest), options, retry=keys or True)


def _add_settle(group: typer.Typer) -> None:
    examples = (
        "magic-hour batch settle anna --project cuid-example --manifest portraits.csv",
        "magic-hour batch settle anna --not-charged --manifest portraits.csv",
    )
    help = (
        "Say what became of a doubtful row. If its job is in the web app, the next run goes on with its id. If it is "
        "not, use --not-charged: the row is closed, so that nobody can submit it any more; after 135 seconds, in which "
        "the job might still appear, you are asked to look again; answer no, and the next run submits the row. Without "
        "a terminal the answer, yes or no, is read from standard input after the wait."
    )

    @_command(group, "settle", help=help, examples=examples)
    def settle(
        terminal: Terminal,
        key: Annotated[str, typer.Argument(metavar="KEY", help="The key of the row.", show_default=False)],
        project: Annotated[
            str | None, typer.Option("--project", metavar="ID", help="The id of its job.", show_default=False)
        ] = None,
        not_charged: Annotated[
            bool,
            typer.Option(
                "--not-charged",
                help="There seems to be no such job: wait, then say whether there is one.",
                show_default=False,
            ),
        ] = False,
        manifest: FromManifest = None,
        database: DatabaseOf = None,
    ) -> object:
        from .status import settle_row

        return settle_row(terminal, where(terminal, database, manifest), key, project, not_charged)


def _add_worker(group: typer.Typer) -> None:
    examples = ("magic-hour batch worker --database portraits.batch.sqlite",)
    help = (
        "Go on with a batch as its database has it. Several machines at once, if that is on PostgreSQL: all share its "
        "limits and its folder for outputs."
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
        return run_known(
            terminal, where(terminal, database, None), {**limits, "timeout": timeout, "poll_interval": poll_interval}
        )


def _add_report(group: typer.Typer) -> None:
    examples = ("magic-hour batch report portraits.csv",)
    help = "Write results.jsonl, results.csv and report.html anew. They are beside the outputs."

    @_command(group, "report", help=help, examples=examples)
    def report(
        terminal: Terminal, manifest: OfManifest = None, database: DatabaseOf = None, browser: Open = False
    ) -> None:
        from .status import show_report

        show_report(terminal, where(terminal, database, manifest), browser=browser)
