"""What a batch is made of and what it gives back: rows in, finished rows and a summary out.

Rule: plain values that can be printed, compared, pickled and written as JSON; none holds a key or a signed URL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import attrs

from magic_hour_client.errors import InvalidArgument

from .._formatting import shown
from .._results import Kind


class RowStatus(StrEnum):
    """Where a row stands."""

    WAITING = "waiting"
    """Not begun: nothing was charged."""
    RUNNING = "running"
    """Begun, or stopped on its way; the next run goes on with it."""
    SAVED = "saved"
    """Done: the outputs are on disk."""
    FAILED = "failed"
    """The service refused it or could not do it; `batch retry` tries it anew."""
    DOUBTFUL = "doubtful"
    """Nobody knows whether it was charged; never sent again until it is settled."""
    SKIPPED = "skipped"
    """Left out, because it would have gone beyond `max_credits`; nothing was charged."""


@attrs.frozen(kw_only=True)
class Row:
    """One job of a batch.

    Attributes:
        key: what the row is called; outputs are named by it, and a key is charged at most once.
        endpoint: the resource, such as `ai_image_generator`.
        parameters: those of `generate`, as JSON can say them; files as absolute paths.
        line: where the row stands in the manifest, for messages; not part of what it is.
    """

    key: str
    endpoint: str
    parameters: Mapping[str, Any]
    line: int | None = attrs.field(default=None, eq=False)


@attrs.frozen(kw_only=True)
class RowResult:
    """What became of a row.

    Attributes:
        key: the key of the row.
        endpoint: the resource, such as `ai_image_generator`.
        status: where the row stands.
        id: the id of the job, once it was accepted.
        kind: `image` or `video`.
        name: the name the job was submitted under, by which it can be found in the web app.
        credits: the credits charged, as last told by the service; 0 if nothing was charged; None if nobody knows.
        paths: the files that were saved; of a row that is not saved, those outputs that could be.
        sizes: the size of each of these files in bytes.
        sha256: the SHA-256 of each of these files, in hexadecimal.
        seconds: from the beginning of the row to its end, pauses between two runs left out.
        error: what went wrong, readable alone.
        error_type: the name of the class of that error, such as `JobFailed`.
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


class FileProblem(StrEnum):
    """What is wrong with a file that was saved."""

    MISSING = "missing"
    SIZE = "wrong size"
    CONTENT = "wrong content"
    SYMLINK = "symbolic link"
    NOT_A_FILE = "not a file"
    UNREADABLE = "unreadable"


@attrs.frozen(kw_only=True)
class DamagedFile:
    """A file of a saved row that is not as it was saved.

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
    """What a check of all saved files found.

    Attributes:
        rows: how many rows are saved.
        files: how many files they have.
        bytes: the size of these files, as they were saved.
        damaged: the files that are not as they were saved.
    """

    rows: int
    files: int
    bytes: int
    damaged: list[DamagedFile] = attrs.field(factory=list)

    @property
    def intact(self) -> bool:
        """Whether every file is as it was saved."""
        return not self.damaged


@attrs.frozen(kw_only=True)
class Plan:
    """What a batch will do and cost, before anything is sent.

    Attributes:
        rows: how many rows there are.
        by_endpoint: how many of each endpoint.
        credits: the credits that all of them cost, by the contract's prices.
        at_least: True if the contract only knows the lowest price of some.
        uploads: how many files will be uploaded, files with the same content once.
        upload_bytes: their size.
    """

    rows: int
    by_endpoint: Mapping[str, int]
    credits: int
    at_least: bool
    uploads: int
    upload_bytes: int


@attrs.frozen(kw_only=True)
class Stray:
    """A job that was charged and is not that of its row, which has another one: the service may have charged twice.

    Attributes:
        key: the row it was submitted for.
        id: the id of the job.
        name: the name it was submitted under.
        credits: what it cost, if the service said so.
    """

    key: str
    id: str
    name: str
    credits: float | None = None


@attrs.frozen(kw_only=True)
class Summary:
    """How a batch stands.

    Attributes:
        counts: how many rows have each status.
        credits: the credits charged so far, as the service told them.
        halted: why no more jobs are submitted, if the batch stopped before its end.
        strays: jobs that were charged and belong to no row, or to one that has another.
    """

    counts: Mapping[RowStatus, int]
    credits: float
    halted: str | None = None
    strays: tuple[Stray, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(self.counts.values())

    @property
    def done(self) -> bool:
        """Whether every row is saved."""
        return self.counts.get(RowStatus.SAVED, 0) == self.rows


@attrs.frozen(kw_only=True)
class Planned:
    """A row as it is written down: with what tells it from another of the same key, and what it will cost."""

    row: Row
    fingerprint: str
    estimate: int
    kind: Kind


SHOWN = 20
"""How many mistakes stand in the message of the error; `mistakes` has all of them."""


@attrs.frozen
class Mistake:
    """One thing that is wrong.

    Attributes:
        line: where the row begins in the manifest, or which one it is in an iterable, counted from 1.
        key: the key of the row, if it has one.
        field: the field or column that is meant, such as `style.prompt`, if there is one.
        message: what is wrong and what to do, in the words of a single call.

    Example:
        >>> print(Mistake(3, "anna", "image_count", "`image_count`: expected a whole number, got str"))
        line 3, key anna: `image_count`: expected a whole number, got str
    """

    line: int
    key: str | None
    field: str | None
    message: str

    def __str__(self) -> str:
        row = f"line {self.line}" if self.key is None else f"line {self.line}, key {shown(self.key)}"
        field = f"`{self.field}`: " if self.field and f"`{self.field}`" not in self.message else ""
        return f"{row}: {field}{self.message}"


class ManifestError(InvalidArgument):
    """Some rows of a manifest cannot be right. Nothing was uploaded or charged.

    Attributes:
        mistakes: all of them, by line.

    Example:
        >>> print(ManifestError("foxes.csv", [Mistake(2, None, "key", "`key`: it is empty")]))
        foxes.csv: 1 mistake, so nothing was uploaded or charged
          line 2: `key`: it is empty
    """

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        self.mistakes: list[Mistake] = sorted(mistakes, key=lambda mistake: mistake.line)
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
        super().__init__(f"{source}: {count}, so nothing was uploaded or charged")

    def describe(self, show: Callable[[Any], str] = str) -> str:
        """What is wrong, and the first mistakes, each in a line of its own."""
        lines = [f"  {mistake}" for mistake in self.mistakes[:SHOWN]]
        more = len(self.mistakes) - SHOWN
        return "\n".join([super().describe(show), *lines, *([f"  ... and {more} more"] if more > 0 else [])])
