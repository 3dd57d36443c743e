"""`jobs list`, `jobs resume`, `jobs settle`: the commands about the job log.

Rule: nothing that reads it is imported before a command needs it.
"""

from __future__ import annotations

from typing import Annotated

import typer

from .command import Argument, JobLog, Option, Output, PollInterval, Timeout, command, new_group
from .terminal import Terminal

All = Annotated[bool, Option("--all", help="Also jobs that need nothing, and other addresses.")]
Ids = Annotated[list[str] | None, Argument(metavar="[ID]...", help="Jobs to resume. Default: all that need it.")]
Which = Annotated[str, Argument(metavar="JOB", help="The name of a submission, or the id of a job.")]
Project = Annotated[str | None, Option("--project", metavar="ID", help="The job was accepted, and this is its id.")]
NotCharged = Annotated[bool, Option("--not-charged", help="There is no job of that name.")]
Done = Annotated[bool, Option("--done", help="Nothing more is needed; its credits still count.")]

GROUP = new_group("List, resume and settle jobs that were submitted from this machine.", alone=True)


@GROUP.callback()
def _alone(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        from .open_jobs import list_jobs

        terminal = Terminal()
        raise typer.Exit(terminal.run(lambda: list_jobs(terminal)))


@command(GROUP, "list", "magic-hour jobs list", "magic-hour jobs list --all --format json")
def _list(terminal: Terminal, everything: All = False, job_log: JobLog = None) -> None:
    """List the jobs that are not saved yet, and submissions of which it is unknown whether they were accepted."""
    from .open_jobs import list_jobs

    terminal.job_log = job_log
    list_jobs(terminal, everything=everything)


@command(GROUP, "resume", "magic-hour jobs resume", "magic-hour jobs resume --output outputs --timeout 600")
def _resume(
    terminal: Terminal,
    ids: Ids = None,
    output: Output = None,
    timeout: Timeout = None,
    poll_interval: PollInterval = None,
    job_log: JobLog = None,
) -> int:
    """Resume jobs: wait until they are complete, then save their outputs where the program would have. It resumes all
    jobs that were charged and not saved, except those of programs that are still running.
    """
    from .open_jobs import resume_jobs

    terminal.job_log = job_log
    return resume_jobs(terminal, ids or [], output, {"timeout": timeout, "poll_interval": poll_interval})


@command(
    GROUP,
    "settle",
    "magic-hour jobs settle 'ai_image_generator 2026-11-20T12:00:00Z 1a2b3c4d' --project cuid-example",
    "magic-hour jobs settle 'ai_image_generator 2026-11-20T12:00:00Z 1a2b3c4d' --not-charged",
    "magic-hour jobs settle cuid-example --done",
)
def _settle(
    terminal: Terminal,
    which: Which,
    project: Project = None,
    not_charged: NotCharged = False,
    done: Done = False,
    job_log: JobLog = None,
) -> None:
    """Settle a submission of which it is unknown whether it was accepted, or close a job that you no longer need. Look
    for its name in the web app: if it is there, pass its id, and resume it; if not, use --not-charged.
    """
    from .open_jobs import settle_job

    terminal.job_log = job_log
    settle_job(terminal, which, project, not_charged=not_charged, done=done)
