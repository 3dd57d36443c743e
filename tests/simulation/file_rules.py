"""Rules about files: complete, in order, and none overwritten.

Rule: one rule, one function. Its messages are clear without the trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from magic_hour_workflows._results import Result
from magic_hour_workflows.errors import DownloadFailed

from .environment import World
from .facts import accepted, job_of, reported_files
from .scenario import CallRecord


def files_are_the_outputs(call: CallRecord, world: World) -> Iterator[str]:
    job = job_of(call, world)
    paths = reported_files(call)
    if job is None:
        if paths:
            yield "files of no job"
        return
    done = call.result is not None and call.downloads and getattr(call.result, "status", "complete") == "complete"
    if done and call.what not in ("get", "delete") and not (call.what == "generate" and not call.waits):
        if len(paths) != len(job.outputs) or not paths:
            yield f"{len(paths)} files of {job.id}, which has {len(job.outputs)} outputs"
        for path, output in zip(paths, job.outputs, strict=False):
            if not path.exists() or path.read_bytes() not in output.versions:
                yield f"{path.name} is not output {output.path}"
    versions = [content for output in job.outputs for content in output.versions]
    for path in paths:
        if not path.exists() or path.read_bytes() not in versions:
            yield f"{path.name} is not an output of {job.id}"


def one_bad_output_costs_no_other(call: CallRecord, world: World) -> Iterator[str]:
    """Each missing output failed itself; only a full disk stops the others before they begin."""
    job = job_of(call, world)
    if job is None or not isinstance(call.error, DownloadFailed) or call.interrupted_at is not None:
        return
    tried = [exchange for exchange in call.exchanges if exchange.what == "fetch"]
    if not tried or any(
        exchange.fault is not None and exchange.fault.name == "download: disk full" for exchange in tried
    ):
        return
    for output in job.outputs:
        of_it = [exchange for exchange in tried if f"/{output.path}?" in exchange.target]
        if not of_it:
            yield f"{output.path} was not tried, because another one failed"


def answers_are_about_the_job(call: CallRecord, world: World) -> Iterator[str]:
    project = call.result.project if isinstance(call.result, Result) else call.result if call.what == "wait" else None
    job = job_of(call, world)
    if project is not None and job is not None and project.id not in (job.id, None):
        yield f"an answer about {project.id} was taken for {job.id}"


def expired_urls_are_replaced_by_fresh_ones(call: CallRecord, world: World) -> Iterator[str]:
    for number, exchange in enumerate(call.exchanges):
        later = next((x for x in call.exchanges[number + 1 :] if x.task == exchange.task), None)
        if later is None or not exchange.expired or later.what != exchange.what:
            continue
        if later.what == "put" or later.target == exchange.target:
            yield f"an expired URL was used again for {exchange.what}"


def uploads_are_the_files(call: CallRecord, world: World) -> Iterator[str]:
    job = accepted(call, world)
    if job is None:
        return
    for field, given in call.assets.items():
        sent = job.body["assets"][field]
        pairs = list(zip(given, sent, strict=True)) if isinstance(given, list) else [(given, sent)]
        for value, path in pairs:
            expected = _content(value)
            if expected is None:
                if path != value:
                    yield f"{value} was sent as {path}"
            elif world.storage.uploaded.get(path) != expected:
                yield f"{field} was not uploaded as it is"
        for value, path in pairs:
            for other, elsewhere in pairs:
                if value is other and path != elsewhere:
                    yield f"{field}: one file was uploaded twice"


def _content(value: Any) -> bytes | None:
    if isinstance(value, Path):
        return value.read_bytes()
    if not isinstance(value, tuple):
        return None
    content = value[1]
    if isinstance(content, bytes):
        return content
    whole: bytes = content.getvalue()
    return whole[4:] if content.seekable() else whole
