"""`batch run`, `retry`, `worker`: a batch at work, from the plan to what is said at its end.

Rule: what is wrong is said before anything is charged, and however a run ends, it says how to go on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Literal

from magic_hour_client._runtime.settings import KEY_VARIABLE
from magic_hour_client.errors import InvalidArgument

from ..._formatting import shown
from ...batch._batch import Batch
from ...batch._report import record
from ...batch._rows import RowStatus, Summary
from .. import signals
from ..terminal import Terminal
from .monitor import watching
from .options import Where
from .preview import database_errors, output_of, plan_data, plan_lines, remarks, stands, title_of
from .stats import Tally
from .summary import Ending, finish

INTERRUPTED = "interrupted"
"""Why a batch is halted by Ctrl-C."""
Options = Mapping[str, Any]


def run_manifest(
    terminal: Terminal, manifest: str, output: str, place: Where, options: Options, *, dry_run: bool
) -> int:
    """Do the rows of a manifest, or say what that would be."""
    terminal.submits = not dry_run
    token = (os.environ.get(KEY_VARIABLE) or "no-key-is-sent") if dry_run else None
    tally = Tally(Summary(counts={}, credits=0))
    given = {"output": output, **_given(options)}
    batch = Batch(manifest, token=token, on_event=tally.heard, **given, **_service(terminal, place))
    plan = batch.plan  # every mistake of every row is said here
    for remark in remarks(batch.rows or ()):
        terminal.say(f"magic-hour: {remark}")
    with database_errors():
        before = stands(batch)
    data, lines = plan_data(batch, before), plan_lines(batch, before, shown(Path(manifest).name))
    if dry_run:
        terminal.result({"dry_run": True, **data}, lines)
        return 0
    for line in lines:
        terminal.say(line)
    terminal.event({"event": "plan", **data})
    tally.look(before or Summary(counts={RowStatus.WAITING: plan.rows}, credits=0))
    again = place.command("run", manifest, *_typed(given))
    return _carry_out(
        terminal, batch, tally, Ending(place=place, again=again, title=Path(manifest).name, output=Path(output))
    )


def run_known(
    terminal: Terminal, place: Where, options: Options, *, retry: Sequence[str] | Literal[True] | None = None
) -> int:
    """Go on with a batch as its database has it; with `retry`, also with rows that failed."""
    tally = Tally(Summary(counts={}, credits=0))
    given = _given(options)
    batch = Batch(None, on_event=tally.heard, **given, **_service(terminal, place))
    with database_errors():
        if retry is not None:
            number = _failed(batch, None if retry is True else retry)
            what = f"{number:,} failed row{'' if number == 1 else 's'} will be tried anew"
            terminal.say(what if number else "no row has failed")
        tally.look(batch.summary())
        output = output_of(batch)
    again = place.command("worker", *_typed(given))
    ending = Ending(place=place, again=again, title=title_of(batch), output=output)
    return _carry_out(terminal, batch, tally, ending, retry=retry or False)


def _carry_out(
    terminal: Terminal, batch: Batch, tally: Tally, ending: Ending, *, retry: Sequence[str] | bool = False
) -> int:
    """Run a batch to its end, or to that of somebody's patience; returns the exit code."""
    interruption: KeyboardInterrupt | None = None
    with database_errors(), watching(terminal, batch, tally, ending.title) as ended:
        try:
            with (
                signals.gently(partial(batch.halt, INTERRUPTED)),
                closing(batch.run(retry=retry)) as finished,
            ):
                for result in finished:
                    ended(result)
                    terminal.event({"event": "row", **record(result, ending.output.absolute())})
        except KeyboardInterrupt as stopped:
            interruption = stopped
    with signals.ignored(), database_errors():
        if interruption is None and batch.halted == INTERRUPTED:
            interruption = KeyboardInterrupt()
        return finish(terminal, batch, ending, interruption)


def _failed(batch: Batch, keys: Sequence[str] | None) -> int:
    """How many rows will be tried anew.

    Raises:
        InvalidArgument: a row that was named has not failed.
    """
    failed = {result.key for result in batch.results() if result.status is RowStatus.FAILED}
    wrong = sorted(set(keys or ()) - failed)
    if wrong:
        names = ", ".join(map(shown, wrong[:10])) + (", ..." if len(wrong) > 10 else "")
        raise InvalidArgument(
            f"{names} did not fail or {'is' if len(wrong) == 1 else 'are'} not in this batch", field="key"
        )
    return len(failed if keys is None else set(keys))


def _given(options: Options) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _service(terminal: Terminal, place: Where) -> dict[str, Any]:
    return {"database": place.database, "base_url": terminal.base_url, "allow_http": terminal.allow_http}


def _typed(given: Options) -> list[str]:
    """The options as they would be typed again."""
    words = []
    for name, value in given.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", f"{value:.15g}" if isinstance(value, float) else str(value)]
    return words
