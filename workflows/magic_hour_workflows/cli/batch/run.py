"""`batch run`, `retry`, `worker`: the plan, the run, and how it ends.

Rule: every mistake is reported before anything is charged; however a run ends, it says how to resume it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import attrs

from magic_hour_client.errors import InvalidArgument

from ..._credits import credits_text
from ..._formatting import shown
from ..._hints import unlisted
from ...batch._batch import Batch
from ...batch._database import lock_path, side_file_path
from ...batch._report import record
from ...batch._rows import Row, RowResult, RowStatus, Summary
from .. import signals
from ..printing import size, to_stderr
from ..terminal import Terminal, key_if_any
from .display import Lines, Panel, Stats, counted, live
from .options import BatchLocation
from .status import RunContext, counts_text, database_errors, finish, output_of, summary_data, title_of

TICK_SECONDS = 0.25
_POLL_SECONDS = 1.0
_SHARE = 20
"""The database is polled for a twentieth of the time at most: counting a million rows takes a while."""
INTERRUPTED = "interrupted"
"""Why a batch is halted by Ctrl-C."""
Options = Mapping[str, Any]


def run_manifest(
    terminal: Terminal, manifest: str, output: str, location: BatchLocation, options: Options, *, dry_run: bool
) -> int:
    """Run the rows of a manifest, or show the plan; returns the exit code."""
    terminal.submits = not dry_run
    token = key_if_any() if dry_run else None
    stats = Stats(Summary(counts={}, credits=0))
    given = {"output": output, **_given(options)}
    batch = Batch(manifest, token=token, on_event=stats.on_event, **given, **_service(terminal, location))
    plan = batch.plan  # reports every mistake of every row
    for warning in _unlisted_values(batch.rows or ()):
        terminal.say(f"magic-hour: {warning}")
    with database_errors():
        before = _earlier_summary(batch)
    so_far = {} if before is None else {"so_far": summary_data(before)}
    data = {**attrs.asdict(plan), "at_least": plan.at_least, "database": str(batch.database), **so_far}
    lines = _plan_lines(batch, before, shown(Path(manifest).name))
    if dry_run:
        terminal.result({"dry_run": True, **data}, lines)
        return 0
    for line in lines:
        terminal.say(line)
    terminal.event({"event": "plan", **data})
    stats.summary = before or Summary(counts={RowStatus.WAITING: plan.rows}, credits=0)
    resume = location.command("run", manifest, *_typed(given))
    context = RunContext(location=location, resume=resume, title=Path(manifest).name, output=Path(output))
    return _run(terminal, batch, stats, context)


def run_known(
    terminal: Terminal,
    location: BatchLocation,
    options: Options,
    *,
    retry: Sequence[str] | Literal[True] | None = None,
) -> int:
    """Resume a batch from its database; with `retry`, also its failed rows. Returns the exit code."""
    stats = Stats(Summary(counts={}, credits=0))
    given = _given(options)
    batch = Batch(None, on_event=stats.on_event, **given, **_service(terminal, location))
    with database_errors():
        if retry is not None:
            number = _count_failed(batch, None if retry is True else retry)
            terminal.say(f"{counted(number, 'failed row')} will be retried" if number else "no row has failed")
        stats.summary = batch.summary()
        output = output_of(batch)
    resume = location.command("worker", *_typed(given))
    context = RunContext(location=location, resume=resume, title=title_of(batch), output=output)
    return _run(terminal, batch, stats, context, retry=retry or False)


def _run(
    terminal: Terminal, batch: Batch, stats: Stats, context: RunContext, *, retry: Sequence[str] | bool = False
) -> int:
    """Run a batch until it is done or stopped; returns the exit code."""
    interruption: KeyboardInterrupt | None = None
    with database_errors(), monitoring(terminal, batch, stats, context.title) as on_row:
        try:
            with (
                signals.first_ends(partial(batch.halt, INTERRUPTED)),
                closing(batch.run(retry=retry)) as finished,
            ):
                for result in finished:
                    on_row(result)
                    terminal.event({"event": "row", **record(result, context.output.absolute())})
        except KeyboardInterrupt as stopped:
            interruption = stopped
    with signals.held_back(), database_errors():
        if interruption is None and batch.halted == INTERRUPTED:
            interruption = KeyboardInterrupt()
        return finish(terminal, batch, context, interruption)


def _count_failed(batch: Batch, keys: Sequence[str] | None) -> int:
    """How many rows will be retried."""
    failed = {result.key for result in batch.results() if result.status is RowStatus.FAILED}
    wrong = sorted(set(keys or ()) - failed)
    if wrong:
        names = ", ".join(map(shown, wrong[:10])) + (", ..." if len(wrong) > 10 else "")
        problem = f"{names} did not fail or {'is' if len(wrong) == 1 else 'are'} not in this batch"
        raise InvalidArgument(problem, field="key")
    return len(failed if keys is None else set(keys))


def _given(options: Options) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _service(terminal: Terminal, location: BatchLocation) -> dict[str, Any]:
    service = {"database": location.database, "base_url": terminal.base_url, "allow_http": terminal.allow_http}
    return {**service, "on_warning": lambda text: to_stderr(f"magic-hour: {text}")}


def _typed(given: Options) -> list[str]:
    """The options as they would be typed again."""
    words = []
    for name, value in given.items():
        if value is False:
            words.append(f"--no-{name.replace('_', '-')}")
            continue
        words += [f"--{name.replace('_', '-')}", f"{value:.15g}" if isinstance(value, float) else str(value)]
    return words


# The plan


def _earlier_summary(batch: Batch) -> Summary | None:
    """The state of a batch that was started before; None for a new one. Writes nothing."""
    file = batch.database.file
    if file is not None and not (file.is_file() or lock_path(file).exists() or side_file_path(file).exists()):
        return None
    summary = batch.summary()
    return summary if summary.rows else None


def _plan_lines(batch: Batch, before: Summary | None, name: str) -> list[str]:
    plan = batch.plan
    width = max(len(f"{count:,}") for count in plan.by_endpoint.values())
    lines = [f"{name}: {counted(plan.rows, 'row')}"]
    lines += [f"  {count:>{width},} {endpoint}" for endpoint, count in sorted(plan.by_endpoint.items())]
    lines.append(f"cost      {credits_text(plan.credits, plan.at_most)} for all rows")
    if plan.undocumented:
        lines.append(f"          the price of {counted(plan.undocumented, 'row')} is not documented")
    files = f"{counted(plan.uploads, 'file')}, {size(plan.upload_bytes)}"
    lines.append(f"uploads   {files if plan.uploads else 'none'}")
    lines.append(f"database  {shown(str(batch.database))}")
    if before is not None:
        lines.append(f"so far    {', '.join(counts_text(before))}; {before.credits:,.10g} credits")
    return lines


def _unlisted_values(rows: Iterable[Row]) -> list[str]:
    """Values that the contract does not list. They are sent as they are, and cost something if they are mistakes."""
    asked = Counter(question for row in rows for question in unlisted(f"v1.{row.endpoint}.create", row.parameters))
    return [f"{counted(number, 'row')}: {question}" for question, number in asked.items()]


# Following the run: a failure in here never fails the batch.


class View(Protocol):
    def row_ended(self, result: RowResult) -> None: ...

    def tick(self, halted: str | None) -> None: ...


@contextmanager
def monitoring(terminal: Terminal, batch: Batch, stats: Stats, title: str) -> Iterator[Callable[[RowResult], None]]:
    """Show the batch while the block runs; gives the function to call with each row that is done."""
    with _view(terminal, stats, title) as view:
        over = threading.Event()
        thread = threading.Thread(
            target=_poll, args=(batch, stats, view, over), name="magic-hour-batch-monitor", daemon=True
        )
        thread.start()

        def row_ended(result: RowResult) -> None:
            stats.row_ended(result)
            view.row_ended(result)

        try:
            yield row_ended
        finally:
            over.set()
            thread.join()
            view.tick(batch.halted)


@contextmanager
def _view(terminal: Terminal, stats: Stats, title: str) -> Iterator[View]:
    lines, panel = Lines(stats, to_stderr, quiet=terminal.quiet), Panel(stats, title)
    would_overwrite = terminal.json and sys.stdout is not None and sys.stdout.isatty()
    with live(panel, wanted=not (terminal.quiet or would_overwrite)) as drawn:
        yield panel if drawn else lines


def _poll(batch: Batch, stats: Stats, view: View, over: threading.Event) -> None:
    next_at = 0.0
    while not over.wait(TICK_SECONDS):
        view.tick(batch.halted)
        began = time.monotonic()
        if began >= next_at:
            with suppress(Exception):  # a busy database is polled again
                stats.summary = batch.summary()
            spent = time.monotonic() - began
            next_at = began + max(_POLL_SECONDS, _SHARE * spent)
