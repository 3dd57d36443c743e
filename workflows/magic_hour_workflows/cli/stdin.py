"""`-` as a value: a file, a text, or the outputs of the previous command, from stdin.

Rule: files that the other command saved are used as they are; else this process asks for fresh URLs of its job, so that
no signed URL is ever printed. The bytes of a file are read when it is uploaded. Nothing here is charged.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, get_args

from magic_hour_client.errors import InvalidArgument

from .._client import Client
from .._media import FIRST_BYTES, is_text
from .._results import Kind
from .._storage_http import checked_url
from .._streams import read_chunk
from ..errors import TransferFailed
from .flags import Flag
from .terminal import Terminal, projects_of

STDIN = "-"
_LONGEST = 1 << 20
"""Bytes of a text. The JSON of a command has a few hundred, and no prompt is that long."""

Find = Callable[[Kind, str], list[str]]
_EXTENSIONS = {"image": "png", "video": "mp4", "audio": "wav"}
"""Of the placeholders for outputs that do not exist yet."""
_SOUND_OF_A_VIDEO = ("video", "audio")
"""The kind of the output and of the input: the one case in which they may differ."""


def with_stdin(terminal: Terminal, values: Mapping[str, Any], find: Find) -> dict[str, Any]:
    """`values` with the content of stdin in place of `-`; `find` has the outputs of a job by its kind and id."""
    readers = [flag for flag in terminal.flags if flag.reads_stdin and _is_stdin(values.get(flag.parameter))]
    if not readers:
        return dict(values)
    if len(readers) > 1:
        raise InvalidArgument(
            f"{readers[0].flag} already reads stdin (-)", "read only one value from stdin", field=readers[1].field
        )
    [flag] = readers
    if not flag.role:
        return {**values, flag.parameter: _text(flag.field)}
    found = _files(flag, find)
    if flag.many:
        given = [item for value in values[flag.parameter] for item in (found if value == STDIN else [value])]
        return {**values, flag.parameter: given}
    if len(found) != 1:
        problem = f"the previous command has {len(found)} outputs, but this option takes one file"
        raise InvalidArgument(problem, "save the outputs and pass one of them", field=flag.field)
    return {**values, flag.parameter: found[0]}


def _files(flag: Flag, find: Find) -> Sequence[Any]:
    """The content of stdin for an option that takes files: the JSON of another command, or the bytes of a file."""
    stream = _stdin(flag.field)
    start = _read(stream, FIRST_BYTES)
    if not start.strip():
        raise InvalidArgument("the previous command printed nothing", field=flag.field)
    if not is_text(start):
        return [("stdin", PrefixedStream(start, stream))]
    return outputs(flag, (start + _read(stream, _LONGEST)).decode(errors="replace"), find)


def file_on_stdin(field: str) -> Any:
    """The file on stdin."""
    stream = _stdin(field)
    start = _read(stream, FIRST_BYTES)
    if not start:
        raise InvalidArgument("stdin is empty", field=field)
    return ("stdin", PrefixedStream(start, stream))


def _text(field: str) -> str:
    content = _read(_stdin(field), _LONGEST + 1)
    if len(content) > _LONGEST:
        raise InvalidArgument(f"the text on stdin is longer than {_LONGEST} bytes", field=field)
    try:
        text = content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise InvalidArgument("expected text in UTF-8 on stdin", field=field) from None
    if not text:
        raise InvalidArgument("stdin is empty", field=field)
    return text


class PrefixedStream:
    """A stream whose first bytes were read already."""

    def __init__(self, start: bytes, stream: IO[bytes]) -> None:
        self._start = start
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not self._start or size == 0:
            return self._stream.read(size)
        chunk, self._start = self._start[:size], self._start[size:]
        return chunk


def outputs(flag: Flag, text: str, find: Find) -> list[str]:
    """The paths or URLs of the outputs in the JSON of another command."""

    def refused(problem: str, remedy: str | None = None) -> InvalidArgument:
        return InvalidArgument(problem, remedy, field=flag.field)

    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, Mapping):
        raise refused("expected a file or the JSON of another command on stdin", "add --format json to that command")
    if data.get("dry_run"):
        raise refused("the previous command was a dry run, which has no outputs")
    if isinstance(data.get("error"), Mapping):
        raise refused(f"the previous command failed: {data['error'].get('message')}")
    if isinstance(path := data.get("file_path"), str):
        return [path]
    paths, kind, id = data.get("downloaded_paths"), data.get("kind"), data.get("id")
    output = next((known for known in get_args(Kind) if known == kind), None)
    fits = output in flag.roles or any((output, role) == _SOUND_OF_A_VIDEO for role in flag.roles)
    if output and flag.roles and not fits:
        raise refused(f"the output of the previous command is {kind}, not {' or '.join(flag.roles)}")
    if isinstance(paths, list) and paths and all(isinstance(path, str) for path in paths):
        return paths
    if output and isinstance(id, str):
        return find(output, id)
    raise refused("the JSON on stdin has neither files nor a job")


def find_outputs(terminal: Terminal, client: Client, **options: Any) -> Find:
    """Waits for the job of the previous command, which errors are about meanwhile, and returns its download URLs."""

    def find(kind: Kind, id: str) -> list[str]:
        with terminal.with_job(kind, id):
            project = projects_of(client, kind).wait(id, **options)
            return [checked_url(download.url, allow_http=True) for download in project.downloads or []]

    return find


def dry_run_outputs(kind: Kind, id: str) -> list[str]:
    """A placeholder for the URLs: a dry run does not ask the service."""
    return [f"https://not-asked.invalid/output-of-{kind}-job-{id}.{_EXTENSIONS.get(kind, kind)}"]


def _stdin(field: str) -> IO[bytes]:
    if sys.stdin is None or sys.stdin.isatty():
        raise InvalidArgument("- reads from a pipe or a file, but stdin is a terminal", field=field)
    try:
        return getattr(sys.stdin, "buffer", None) or io.BytesIO(sys.stdin.read(_LONGEST).encode())
    except (OSError, ValueError):
        return io.BytesIO()


def _read(stream: IO[bytes], size: int) -> bytes:
    """Up to `size` bytes; none if nothing can be read."""
    try:
        return read_chunk(stream, size)
    except TransferFailed:
        return b""


def _is_stdin(value: object) -> bool:
    return value == STDIN or (isinstance(value, Sequence) and not isinstance(value, str) and STDIN in value)
