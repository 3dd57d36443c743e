"""How a paid call may end with each fault: the outcome table, and the judge of what really happened.

Rule: the table says what callers are promised, in the terms of `docs/workflows.md`. The judge trusts the emulator's
ledger, recorder and storage, never the client.
"""

from __future__ import annotations

import json
import math
import re
import traceback
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magic_hour_emulator import Emulator
from magic_hour_emulator._ledger import Create
from magic_hour_emulator._recorder import RecordedRequest
from magic_hour_emulator.faults import Fault, Step, matrix
from magic_hour_workflows.errors import (
    APIError,
    DownloadFailed,
    Forbidden,
    InvalidRequest,
    JobCanceled,
    JobError,
    JobFailed,
    JobTimeout,
    NotFound,
    RequestTimeout,
    SubmissionUnknown,
    UploadFailed,
)

SILENT = frozenset({"hang", "stall", "drip", "upload_stall"})
"""No usable response comes: only the timeout ends these calls, so it is short."""
SLOWING = frozenset({"rate_limited", "unavailable", "rate_limit"})
"""The service itself says that it did nothing, and when to retry."""
HARMLESS = frozenset({"delay", "no_content_type", "new_fields", "fractional_credits"})
SECONDS = {True: 1.5, False: 20.0}
"""The timeout of a call, by whether its fault is silent."""

CUT_AT = 400_000
"""More bytes than are buffered before a write, so that some are kept after a cut."""

_MORE: dict[Step, list[Fault]] = {
    "get": [Fault("wrong_field", on="get", field="id", value="cuid-of-another-job")],
    "download": [Fault(kind, on="download", phase="after", at_byte=CUT_AT) for kind in ("cut", "reset", "stall")],
}
"""Cells that the emulator's own matrix does not have: another job's response, and ends in the middle of a file."""
_QUICKLY: dict[str, dict[str, Any]] = {
    "delay": {"seconds": 0.05},
    "huge_body": {"size": 33 * 1024 * 1024},  # more than the largest response that is read
    "rate_limit": {"per_second": 0.5, "times": 1},  # so that it hits a single request
}
_JOBS: dict[str, type[Exception]] = {"job_error": JobFailed, "job_canceled": JobCanceled, "job_stuck": JobTimeout}
_REFUSALS: dict[int, type[Exception]] = {400: InvalidRequest, 403: Forbidden}
_DECISIVE = ("status", "downloads", "downloads.*.url", "items", "items.*.upload_url", "items.*.file_path")
"""Fields without which a response is unusable; all others may be missing or invalid."""
_ASKED: dict[str, tuple[str, str]] = {
    **{"upload-urls": ("api", "POST"), "create": ("api", "POST"), "get": ("api", "GET"), "delete": ("api", "DELETE")},
    **{"put": ("storage", "PUT"), "download": ("storage", "GET")},
}
_LAST_WORD: dict[Step, type[Exception]] = {"put": UploadFailed, "download": DownloadFailed}
"""The errors for refusals of the storage; refusals of the API end in an `APIError`."""


def cells(*steps: Step) -> list[Fault]:
    """Every fault worth testing at these steps, fast, and sure to hit the first matching request."""
    faults = []
    for fault in matrix(steps):
        parameters = {**fault.parameters, **_QUICKLY.get(fault.kind, {})}
        nth = 2 if fault.kind == "changed_etag" else 1
        faults.append(Fault(fault.kind, on=fault.on, phase=fault.phase, nth=nth, **parameters))
    return faults + [fault for step in steps for fault in _MORE.get(step, ())]


def after_a_cut(fault: Fault) -> bool:
    """Whether the fault concerns a resumed download, so that a cut has to come first."""
    return fault.kind.startswith("range_") or fault.kind == "changed_etag"


def needs_large_output(fault: Fault) -> bool:
    """Whether the output must have more bytes than are buffered before a write."""
    return after_a_cut(fault) or (fault.parameters.get("at_byte") or 0) >= CUT_AT


def seconds(fault: Fault) -> float:
    """The timeout for a call with this fault."""
    return SECONDS[fault.kind in SILENT or fault.kind == "job_stuck"]


def unnoticed(fault: Fault) -> bool:
    """Whether bytes are wrong without a checksum that shows it, so that no client can notice."""
    reported = fault.parameters.get("checksum") is not None
    return (fault.kind == "wrong_bytes" and not reported) or fault.parameters.get("difference", 0) < 0


def expected(fault: Fault) -> type[Exception] | None:
    """The error that a call ends with, or None if it succeeds."""
    status, final = fault.parameters.get("status"), _LAST_WORD.get(fault.on, APIError)
    if fault.kind in _JOBS:
        return _JOBS[fault.kind]
    if fault.kind in HARMLESS:
        return None
    if fault.kind in SLOWING:
        return final if fault.parameters.get("retry_after") == 3600 else None
    if fault.on == "create":
        refused = _REFUSALS.get(status) if fault.kind == "status" else None
        unneeded = fault.parameters.get("field", "id") != "id"
        return None if unneeded else refused or SubmissionUnknown
    if fault.kind in SILENT:
        return {"get": JobTimeout, **_LAST_WORD}.get(fault.on, RequestTimeout)
    if fault.kind == "redirect":
        return None if fault.on == "download" else final
    if (fault.on, fault.phase, fault.kind) == ("put", "before", "html"):
        return (
            APIError  # storage may answer like this after an upload; the service then reports that the file is missing
        )
    if fault.kind == "status" and final is APIError:
        return _REFUSALS.get(status)
    if (fault.on, fault.kind) == ("delete", "not_found"):
        return NotFound
    return DownloadFailed if fault.kind == "no_length" else None


def asked_again(fault: Fault) -> bool:
    """Whether a successful call must have repeated its request, because the first response was unusable."""
    if expected(fault) or unnoticed(fault) or after_a_cut(fault) or fault.kind in (*HARMLESS, "upload_slow"):
        return False
    if field := fault.parameters.get("field"):
        return field in _DECISIVE or (fault.kind == "wrong_field" and field == "id")
    return (fault.on, fault.kind) != ("put", "html")


def freshened(fault: Fault) -> Step | None:
    """The step that must be repeated too, because a URL has to be replaced."""
    refused = fault.parameters.get("status") in (400, 403) or fault.kind in ("not_found", "expired_url")
    steps: dict[Step, Step] = {"put": "upload-urls", "download": "get"}
    return steps.get(fault.on) if refused else None


def accepted(fault: Fault) -> int:
    """How many jobs the service must have accepted when the call has ended."""
    error = expected(fault)
    if fault.on in ("upload-urls", "put"):
        return 0 if error else 1
    if fault.on == "create" and error:
        return int(fault.phase == "after")
    return 1


def exit_code(error: type[Exception] | None) -> int:
    """The exit code of the command line, from the table in `docs/command-line.md`."""
    if error is None:
        return 0
    codes = {SubmissionUnknown: 4, JobFailed: 3, JobCanceled: 3}
    return codes.get(error, 124 if issubclass(error, TimeoutError) else 1)


@dataclass(frozen=True)
class Witness:
    """An emulator, and what the judge asks it about one call."""

    emulator: Emulator
    since: int = 0

    @property
    def requests(self) -> Sequence[RecordedRequest]:
        return list(self.emulator.requests)[self.since :]

    def later(self, fault: Fault, step: Step) -> int:
        """How many requests of a step came after the one that the fault hit."""
        hit = next(number for number, each in enumerate(self.requests) if each.fault == fault.kind)
        alike = [each for each in self.requests[hit + 1 :] if (each.origin, each.method) == _ASKED[step]]
        return len([each for each in alike if ("upload-urls" in each.path) == (step == "upload-urls")])

    def creates_asked(self) -> int:
        """How many creates were sent, accepted or not."""
        return len([each for each in self.requests if each.method == "POST" and "upload-urls" not in each.path])

    def named(self, name: str | None) -> list[Create]:
        """The accepted jobs with a name."""
        return [create for create in self.emulator.ledger.creates if create.name == name]

    def net(self, job_id: str) -> int:
        """What was charged for a job, minus refunds."""
        ledger = self.emulator.ledger
        paid = sum(each.credits for each in ledger.charges if each.id == job_id)
        return paid - sum(each.credits for each in ledger.refunds if each.id == job_id)

    def outputs(self, job_id: str, kind: str = "image") -> list[bytes]:
        """The outputs of a job, fetched without the client under test and without logging."""
        key = {"Authorization": f"Bearer {self.emulator.token}"}
        project = _fetched(f"{self.emulator.url}/v1/{kind}-projects/{job_id}", key)
        return [_fetched(item["url"]) for item in json.loads(project)["downloads"]]

    def strangers(self) -> list[RecordedRequest]:
        """Requests with a key where none belongs, or without one where it is required."""
        wanted = {"api": "right", "storage": "absent"}
        return [each for each in self.requests if each.authorization != wanted[each.origin]]

    def early(self) -> list[float]:
        """By how many seconds requests came earlier than Retry-After allowed."""
        return list(_early(self.requests, {str(each.fault.kind): each.fault for each in self.emulator.faults.fired}))


def _fetched(url: str, headers: dict[str, str] | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {})) as response:  # noqa: S310
        content: bytes = response.read()
        return content


def _early(requests: Sequence[RecordedRequest], fired: dict[str, Fault]) -> Iterator[float]:
    for number, hit in enumerate(requests):
        fault = fired.get(hit.fault or "")
        wait = fault.parameters.get("retry_after") if fault else None
        if fault is None or not wait:
            continue
        # A date has no fractions of a second, so it may be slightly earlier.
        until = math.floor(hit.at + wait) if fault["date"] else hit.at + wait
        later = [each for each in requests[number + 1 :] if (each.method, each.path) == (hit.method, hit.path)]
        if later and later[0].at < until:
            yield until - later[0].at


def secrets_in(text: str, emulator: Emulator) -> list[str]:
    """The API key and signatures in a text."""
    return re.findall(rf"{emulator.token}|signature=[0-9a-f]{{4,}}", text)


def everything_reported(error: BaseException) -> str:
    """The full text of an error, its causes and its context."""
    reported = ["".join(traceback.format_exception(error))]
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is not None:
            reported += [repr(link), str(link), repr(vars(link))]
            links += [link.__cause__, link.__context__]
    return "\n".join(reported)


def files(folder: Path) -> list[str]:
    """Everything in the folder, including hidden files."""
    return sorted(path.name for path in folder.iterdir())


def ends_for_good(error: BaseException) -> bool:
    """Whether the job has ended, so that nothing is left to resume."""
    return isinstance(error, JobError) and not isinstance(error, JobTimeout)
