"""The values that a batch takes and returns: rows, plans, results, summaries and the mistakes of a manifest.

Rule: plain values that can be printed, compared, pickled and written as JSON. None holds a key or a signed URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import attrs

from .._results import Kind


class RowStatus(StrEnum):
    """The state of a row."""

    WAITING = "waiting"
    """Not started: nothing was charged."""
    RUNNING = "running"
    """Started, or interrupted; the next run continues with it."""
    SAVED = "saved"
    """Done: the outputs are on disk."""
    FAILED = "failed"
    """The service refused it, or the job failed; `batch retry` submits it again."""
    DOUBTFUL = "doubtful"
    """It is unknown whether it was charged; not submitted again until somebody settles it."""
    SKIPPED = "skipped"
    """Left out because it would exceed `max_credits`; nothing was charged."""


@attrs.frozen(kw_only=True)
class Row:
    """One job of a batch.

    Attributes:
        key: the unique name of the row; it names the outputs, and is charged at most once.
        endpoint: the resource, such as `ai_image_generator`.
        parameters: those of `generate`, as JSON; files as absolute paths.
        line: its line in the manifest, for messages; ignored by comparisons.
    """

    key: str
    endpoint: str
    parameters: Mapping[str, Any]
    line: int | None = attrs.field(default=None, eq=False)


@attrs.frozen(kw_only=True)
class RowResult:
    """The state of a row and, once it has finished, its result.

    Attributes:
        key: the key of the row.
        endpoint: the resource, such as `ai_image_generator`.
        status: the state of the row.
        id: the id of the job, once it was accepted.
        kind: the kind of the job, such as `image`, `video` or `audio`.
        name: the name that the job was submitted under; search for it in the web app.
        credits: the credits charged, as last reported by the service; 0 if nothing was charged; None if unknown.
        paths: the saved files; of a row that is not saved, those outputs that were.
        sizes: the size of each of these files in bytes.
        sha256: the SHA-256 of each of these files, in hexadecimal.
        seconds: processing time of the last run of the row.
        error: what went wrong, understandable on its own.
        error_type: the name of the class of that error, such as `JobFailed`.
        prompt: what the row asked for, if it has a prompt.
        inputs: its input files, as paths, URLs or paths of uploads.
    """

    key: str
    endpoint: str
    status: RowStatus
    id: str | None = None
    kind: Kind = "image"
    name: str | None = None
    credits: float | None = 0
    paths: list[Path] = attrs.field(factory=list)
    sizes: list[int] = attrs.field(factory=list)
    sha256: list[str] = attrs.field(factory=list)
    seconds: float | None = None
    error: str | None = None
    error_type: str | None = None
    prompt: str | None = None
    inputs: list[str] = attrs.field(factory=list)


class FileProblem(StrEnum):
    """What is wrong with a saved file."""

    MISSING = "missing"
    SIZE = "wrong size"
    CONTENT = "wrong content"
    SYMLINK = "symbolic link"
    NOT_A_FILE = "not a file"
    UNREADABLE = "unreadable"


@attrs.frozen(kw_only=True)
class DamagedFile:
    """A file of a saved row that has changed since.

    Attributes:
        key: the key of the row.
        path: where it was saved; None for a saved row without files.
        problem: what is wrong with it.
    """

    key: str
    path: Path | None
    problem: FileProblem


@attrs.frozen(kw_only=True)
class Verification:
    """The result of checking all saved files.

    Attributes:
        rows: number of saved rows.
        files: number of their files.
        bytes: total size of these files when they were saved.
        damaged: the files that have changed since.
    """

    rows: int
    files: int
    bytes: int
    damaged: list[DamagedFile] = attrs.field(factory=list)

    @property
    def intact(self) -> bool:
        """Whether no file has changed."""
        return not self.damaged


@attrs.frozen(kw_only=True)
class Plan:
    """What a batch will do and cost, before anything is sent.

    Attributes:
        rows: number of rows.
        by_endpoint: number of rows per endpoint.
        credits: the credits of all rows, by the lowest prices in the contract.
        at_most: the same by the highest prices; None if the contract only knows the lowest price of some.
        undocumented: number of rows whose price the contract does not have.
        uploads: number of files to upload; files with the same content count once.
        upload_bytes: their total size.
    """

    rows: int
    by_endpoint: Mapping[str, int]
    credits: int
    at_most: int | None
    undocumented: int = 0
    uploads: int
    upload_bytes: int

    @property
    def at_least(self) -> bool:
        """Whether it may cost more than the contract says."""
        return self.at_most is None


@attrs.frozen(kw_only=True)
class Stray:
    """A job that was charged for a row which has another job or is gone: the row may have been charged twice.

    Attributes:
        key: the row it was submitted for.
        id: the id of the job.
        name: the name it was submitted under.
        credits: what it cost, if the service reported it.
    """

    key: str
    id: str
    name: str
    credits: float | None = None


@attrs.frozen(kw_only=True)
class Summary:
    """The state of a batch.

    Attributes:
        counts: number of rows per status.
        credits: the credits charged so far, as reported by the service.
        halted: why no more jobs are submitted, if the batch stopped early.
        strays: charged jobs whose row has another job or is gone.
    """

    counts: Mapping[RowStatus, int]
    credits: float
    halted: str | None = None
    strays: tuple[Stray, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self.counts.values())

    @property
    def done(self) -> bool:
        """Whether every row is saved."""
        return self.counts.get(RowStatus.SAVED, 0) == self.rows


@attrs.frozen
class Planned:
    """A row as it is stored, with its fingerprint, its estimate and the kind of its outputs."""

    row: Row
    fingerprint: str
    estimate: int
    kind: Kind
