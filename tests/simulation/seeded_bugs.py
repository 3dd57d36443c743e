"""Seeded bugs: each removes one guard from the code, to prove that the simulation would notice.

Rule: one guard each; the rest of the code stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

import magic_hour_client._runtime.transport as transport
from magic_hour_client._runtime import conditions, errors, redaction
from magic_hour_client.errors import MagicHourError
from magic_hour_workflows import _assets as assets
from magic_hour_workflows import _checksums as checksums
from magic_hour_workflows import _partial_download as files
from magic_hour_workflows import _retry as retry
from magic_hour_workflows import _sources as sources
from magic_hour_workflows import runner
from magic_hour_workflows._flows import call, download, generate, recording, submit, upload, wait
from magic_hour_workflows._retry import Outcome
from magic_hour_workflows.errors import TransferFailed

Patch = pytest.MonkeyPatch
SEEDED_BUGS: dict[str, tuple[Callable[[Patch], None], str, int]] = {}
"""The patch, the rule of the judge that has to notice it, and the seed that found it last."""


def breaks(rule: str, seed: int = 0) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    def add(patch: Callable[[Patch], None]) -> Callable[[Patch], None]:
        SEEDED_BUGS[patch.__name__] = patch, rule, seed
        return patch

    return add


# --- money ------------------------------------------------------------------------------------------------------------


@breaks("charged_once", seed=24)
def a_create_is_sent_again_whatever_happened(patch: Patch) -> None:
    patch.setattr(submit, "may_submit_again", lambda error: True)


@breaks("every_job_is_reported", seed=24)
def a_lost_answer_counts_as_a_refusal(patch: Patch) -> None:
    real = retry.outcome
    patch.setattr(submit, "outcome", lambda e: Outcome.REFUSED if real(e) is Outcome.UNKNOWN else real(e))


@breaks("every_job_is_in_the_job_log")
def an_id_is_not_recorded(patch: Patch) -> None:
    patch.setattr(recording, "_accepted", lambda call, job: None)


@breaks("the job log still has")
def a_failed_submission_stays_open_in_the_job_log(patch: Patch) -> None:
    patch.setattr(recording, "_conclude", lambda call, error: None)


@breaks("sent_once", seed=31)
def a_gateway_counts_as_the_service(patch: Patch) -> None:
    patch.setattr(retry, "_says_so_itself", lambda error: True)


@breaks("sent_once", seed=31)
def sent_bytes_are_ignored(patch: Patch) -> None:
    real = retry.outcome
    patch.setattr(submit, "outcome", lambda e: Outcome.NOT_SENT if isinstance(e, retry.ConnectionFailed) else real(e))


@breaks("every_job_is_reported")
def the_id_is_not_published(patch: Patch) -> None:
    patch.setattr(submit, "publish", lambda call, job: None)


@breaks("every_job_is_reported")
def an_interruption_carries_nothing(patch: Patch) -> None:
    real = submit.carry
    for module in (submit, generate, runner):
        patch.setattr(module, "carry", lambda call, error: real(call, error) if isinstance(error, Exception) else None)


@breaks("named")
def errors_do_not_name_the_job(patch: Patch) -> None:
    for module in (generate, wait, download):
        patch.setattr(module, "naming", lambda job, known=True: nullcontext())


@breaks("nothing_after_a_mistake", seed=57)
def arguments_are_not_checked(patch: Patch) -> None:
    patch.setattr(conditions, "check", lambda rules, body, extra_body=None: None)


@breaks("credits_are_those_of_the_ledger")
def the_credits_of_the_create_are_forgotten(patch: Patch) -> None:
    real = submit.job_from
    patch.setattr(submit, "job_from", lambda o, created: type(j := real(o, created))(j.kind, j.id, 1000.0, j.name))


# --- time -------------------------------------------------------------------------------------------------------------


@breaks("retry_after_is_respected")
def retry_after_is_ignored(patch: Patch) -> None:
    patch.setattr(retry.Backoff, "delay", lambda self, error, random: random * 0.5)


@breaks("in_time")
def attempts_know_no_deadline(patch: Patch) -> None:
    patch.setattr(call.Call, "attempt_deadline", lambda self, seconds=60.0: self.backend.now() + seconds)


@breaks("in_time")
def sleeps_know_no_deadline(patch: Patch) -> None:
    patch.setattr(call.Call, "room", lambda self, reserve=0.0: 1e9)


@breaks("bounded", seed=3)
def there_is_no_pause_between_attempts(patch: Patch) -> None:
    patch.setattr(retry, "FIRST_DELAY", 0.0)


@breaks("bounded", seed=1)
def tries_are_not_counted(patch: Patch) -> None:
    real = call.Call.__attrs_post_init__

    def begin(self: Any) -> None:
        real(self)
        self.tries = None

    patch.setattr(call.Call, "__attrs_post_init__", begin)


@breaks("time_for_a_response", seed=2)
def a_create_is_sent_at_the_last_moment(patch: Patch) -> None:
    patch.setattr(submit, "LEAST_SECONDS", 0.0)


@breaks("polls_follow_the_schedule")
def polls_do_not_back_off(patch: Patch) -> None:
    patch.setattr(wait, "GROWTH", 0.0)


@breaks("ends_at_once", seed=3)
def one_sleep_too_many(patch: Patch) -> None:
    real = wait.wait

    async def sleeps(call: Any, *arguments: Any, **options: Any) -> Any:
        project = await real(call, *arguments, **options)
        await call.backend.sleep(min(1.0, call.left()))
        return project

    patch.setattr(generate, "wait", sleeps)


@breaks("gives_up_only_at_the_deadline")
def a_new_job_that_is_missing_is_given_up(patch: Patch) -> None:
    patch.setattr(wait, "NEW_JOB_SECONDS", 0.0)


@breaks("gives_up_only_at_the_deadline", seed=3)
def patience_ends_after_five_tries(patch: Patch) -> None:
    patch.setattr(call.Call, "paid", lambda self: self)


@breaks("ends_at_once", seed=4)
def a_failed_job_is_a_result(patch: Patch) -> None:
    for module in (wait, generate):
        patch.setattr(module, "finished", lambda job, project: project.status in ("complete", "error", "canceled"))


# --- files ------------------------------------------------------------------------------------------------------------


@breaks("files_are_the_outputs", seed=16)
def lengths_are_not_checked(patch: Patch) -> None:
    patch.setattr(files.PartialDownload, "check_complete", lambda self: None)


@breaks("files_are_the_outputs", seed=3)
def a_changed_file_is_resumed(patch: Patch) -> None:
    def headers(self: Any) -> dict[str, str]:
        return {"range": f"bytes={self.received}-", "if-range": self._etag} if self.received else {}

    def begin(self: Any, url: str, status: int, answer: Any) -> None:
        if status not in (200, 206):
            raise TransferFailed(f"status {status}", status=status)

    patch.setattr(files.PartialDownload, "request_headers", headers)
    patch.setattr(files.PartialDownload, "begin", begin)


@breaks("expired_urls_are_replaced_by_fresh_ones", seed=14)
def expired_urls_are_not_replaced(patch: Patch) -> None:
    async def nothing(self: Any, number: int, stale: str) -> None: ...

    patch.setattr(download.DownloadState, "refresh", nothing)


@breaks("expired_urls_are_replaced_by_fresh_ones", seed=1)
def expired_upload_urls_are_not_replaced(patch: Patch) -> None:
    patch.setattr(upload, "has_expired", lambda error: False)
    patch.setattr(upload, "_may_upload_again", lambda error: True)


@breaks("files_are_the_outputs", seed=39)
def another_range_is_taken_for_the_rest(patch: Patch) -> None:
    patch.setattr(files.PartialDownload, "_go_on", lambda self, headers: None)


@breaks("files_are_the_outputs", seed=8)
def weak_tags_are_trusted(patch: Patch) -> None:
    real = files.PartialDownload._start_over

    def start_over(self: Any, headers: Any) -> None:
        real(self, headers)
        self._etag = headers.get("etag")

    patch.setattr(files.PartialDownload, "_start_over", start_over)


@breaks("ends_as_expected", seed=59)
def urls_are_not_checked(patch: Patch) -> None:
    patch.setattr(files, "checked_url", lambda url, allow_http, base="": urljoin(base, url))


@breaks("answers_are_about_the_job", seed=122)
def answers_about_other_jobs_are_believed(patch: Patch) -> None:
    async def poll(call: Any, job: Any, *, missing_until: float | None = None) -> Any:
        return await submit.query(call, wait.project_endpoint(job.kind).request(job.id))

    patch.setattr(wait, "poll", poll)


@breaks("succeeds_without_faults", seed=3)
def complete_jobs_are_not_seen(patch: Patch) -> None:
    patch.setattr(wait, "finished", lambda job, project: False)


@breaks("a leftover", seed=10)
def temporary_files_stay(patch: Patch) -> None:
    patch.setattr(files.PartialDownload, "discard", lambda self: self._close())


@breaks("was overwritten", seed=5)
def final_names_are_taken_from_others(patch: Patch) -> None:
    def moved(source: Path, target: Path) -> bool:
        os.replace(source, target)
        return True

    patch.setattr(files, "moved", moved)


@breaks("saved and not reported", seed=3)
def a_failure_forgets_what_was_saved(patch: Patch) -> None:
    real = download.DownloadState.paths
    patch.setattr(download.DownloadState, "paths", lambda self: [] if self.failures else real(self))


@breaks("one_bad_output_costs_no_other", seed=14)
def a_failure_stops_the_other_downloads(patch: Patch) -> None:
    patch.setattr(download.DownloadState, "hopeless", property(lambda self: bool(self.failures)))


@breaks("files_are_the_outputs", seed=21)
def checksums_are_not_read(patch: Patch) -> None:
    patch.setattr(checksums, "reported", lambda headers, part=False: None)


@breaks("files_are_the_outputs", seed=5)
def no_outputs_are_a_success(patch: Patch) -> None:
    async def listed(call: Any, job: Any, project: Any) -> Any:
        return project

    patch.setattr(download, "_listed", listed)


@breaks("uploads_are_the_files", seed=5)
def a_file_given_twice_is_uploaded_twice(patch: Patch) -> None:
    real = assets.Assets.placeholder

    def placeholder(self: Any, source: Any) -> str:
        self._known.clear()
        return real(self, source)

    patch.setattr(assets.Assets, "placeholder", placeholder)


@breaks("uploads_are_the_files", seed=10)
def streams_are_read_from_where_they_stand(patch: Patch) -> None:
    patch.setattr(sources, "seek", lambda stream, position: stream.seek(0))


@breaks("streams_are_rewound", seed=10)
def streams_are_left_where_they_end(patch: Patch) -> None:
    real = sources.Source.opened

    @contextmanager
    def opened(self: Any) -> Any:
        with real(self) as file:
            yield file
        if self.stream is not None and self.start is not None:
            self.stream.seek(self.start + 1)

    patch.setattr(sources.Source, "opened", opened)


# --- conventions ------------------------------------------------------------------------------------------------------


@breaks("reveals_no_secret", seed=2)
def messages_of_the_service_are_not_redacted(patch: Patch) -> None:
    for module in (errors, redaction):
        patch.setattr(module, "without_secrets", lambda text: text)


@breaks("reveals_no_secret")
def the_key_is_not_redacted(patch: Patch) -> None:
    def response(self: Any, request: Any, received: Any, body: bytes) -> Any:
        return transport.Response(received.status_code, dict(received.headers), body)

    patch.setattr(transport.BaseTransport, "response", response)


@breaks("survives_pickling")
def errors_are_pickled_as_others_are(patch: Patch) -> None:
    patch.delattr(MagicHourError, "__reduce__")


@breaks("ends_as_expected", seed=11)
def listeners_may_end_a_call(patch: Patch) -> None:
    patch.setattr(call.Call, "emit", lambda self, event: self.on_progress and self.on_progress(event))


@breaks("events_make_sense")
def every_poll_is_reported_as_a_change(patch: Patch) -> None:
    real = wait.poll

    async def poll(call: Any, job: Any, *arguments: Any, **options: Any) -> Any:
        project = await real(call, job, *arguments, **options)
        call.emit(wait.StatusChanged(id=job.id, kind=job.kind, status=str(project.status), elapsed=0.0))
        return project

    patch.setattr(wait, "poll", poll)
