"""The values that callers pass in and get back: what arguments and answers are made of.

Rule: plain data, no input or output. Importing this module costs nothing but attrs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from typing import IO, Any, Final, Literal, NamedTuple, Protocol, TypeAlias

import attrs


class Unset(Enum):
    """The type of `UNSET`, the mark of a nullable field that was not given."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


UNSET: Final = Unset.UNSET


class UnknownKeyOrWrongType:
    """No value has this type. Where a type checker expects it, a dict has a misspelt key or a value of a wrong type."""


class AnyDict(Protocol):
    """A `dict[str, Any]` or `Mapping[str, Any]`, which only the call itself can check.

    A dict literal in a call does not match it, so that a type checker sees its keys and values.
    """

    def __getitem__(self, key: str, /) -> UnknownKeyOrWrongType: ...


class Readable(Protocol):
    """Anything with a `read` for binary data."""

    def read(self, size: int = ..., /) -> bytes: ...


class UploadedFile(Protocol):
    """An upload of Starlette and FastAPI."""

    @property
    def filename(self) -> str | None: ...
    @property
    def file(self) -> Readable: ...


class UploadedStream(Protocol):
    """An upload of Flask."""

    @property
    def filename(self) -> str | None: ...
    @property
    def stream(self) -> Readable: ...


class Picture(Protocol):
    """A Pillow image."""

    @property
    def mode(self) -> str: ...
    def getexif(self) -> Any: ...
    def save(self, fp: Any, format: str | None = None, **params: Any) -> None: ...


_Content: TypeAlias = "bytes | bytearray | memoryview | IO[bytes] | Readable | UploadedFile | UploadedStream | Picture"
AssetSource: TypeAlias = (
    "str | os.PathLike[str] | IO[bytes] | Readable | UploadedFile | UploadedStream | Picture | tuple[str, _Content]"
)
"""What an asset field of `generate` takes: a path, an open binary file, a `(file name, bytes or stream)` pair, an
upload of a web framework, a Pillow image, or, as a string, a URL, a `data:` URI or the `file_path` of an earlier
upload."""

AssetRole: TypeAlias = Literal["image", "audio", "video", "gif"]
"""What an input file is used as. The service takes a GIF as a video."""


@attrs.define(eq=False, repr=False)
class Placeholder:
    """Stands in a body for an input file. It is written as the file's remote path, once that is known.

    Equal to itself only.
    """

    name: str
    path: str | None = None

    def __repr__(self) -> str:
        return f"<upload of {self.name}>"


class AssetField(NamedTuple):
    """A body field that holds an input file, found by its names from the outside in; `*` are the items of a list.

    If it takes files of several roles, the extension of the file decides.
    """

    path: tuple[str, ...]
    roles: tuple[AssetRole, ...]


class PageFields(NamedTuple):
    """How the pages of an answer follow each other: a parameter of the request, and two fields of the answer."""

    cursor: str
    next: str
    items: str


@attrs.frozen(kw_only=True)
class JobType:
    """How jobs of one kind are followed.

    Attributes:
        get: the endpoint that gets one by its id.
        done: the statuses of a complete job.
        failed: the statuses of a job that will never be complete.
        canceled: the statuses of a job that somebody canceled.
        outputs: the list in its answer whose items have the `url` of an output; None if there are none to download.
        is_task: whether it is free, and has no project.
    """

    get: str
    done: tuple[str, ...] = ("complete",)
    failed: tuple[str, ...] = ("error",)
    canceled: tuple[str, ...] = ("canceled",)
    outputs: str | None = "downloads"
    is_task: bool = False

    @property
    def resource(self) -> str:
        """The resource that waits for such jobs, such as `v1.image_projects`."""
        return self.get.rpartition(".")[0]


class EventType(NamedTuple):
    """What webhook events of one type are about."""

    kind: str
    """What the job makes."""
    payload: str
    """The model of the payload."""
    ends_job: bool
    """Whether the job does not change any more."""


@attrs.frozen
class Response:
    """What the service answered, not judged yet. Header names are lowercase."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    content: bytes = attrs.field(default=b"", repr=False)
