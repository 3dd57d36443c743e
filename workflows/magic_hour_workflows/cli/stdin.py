"""`-` as a value: a file, a text, or the outputs of the command before, from stdin.

Rule: files that the other command saved are taken as they are; else its job is asked for fresh URLs, in this process,
so that no signed URL is ever printed. Bytes of a file are read when it is uploaded. Nothing here can be charged for.
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
from .._streams import read_chunk
from .._urls import checked_url
from ..errors import TransferFailed
from .flags import Flag
from .jobs import jobs_of
from .terminal import Terminal

MARK = "-"
_LONGEST = 1 << 20
"""Bytes of a text. The JSON of a command has a few hundred, and no prompt is as long as this."""

Find = Callable[[Kind, str], list[str]]
_SOUND_OF_A_VIDEO = ("video", "audio")
"""What was made and what is wanted: the one case in which they may differ."""


def replaced(terminal: Terminal, values: Mapping[str, Any], find: Find) -> dict[str, Any]:
    """`values` with what stdin holds in place of `-`.

    Args:
        terminal: whose flags say which values are files, and which are text.
        values: the values of flags.
        find: from kind and id of a complete job to its outputs.

    Raises:
        InvalidArgument: what stands on stdin cannot be used here.
    """
    reads_it = [flag for flag in terminal.flags if flag.reads_stdin and _is_marked(values.get(flag.parameter))]
    if not reads_it:
        return dict(values)
    if len(reads_it) > 1:
        raise _wrong(reads_it[1].field, f"{reads_it[0].flag} reads stdin (-) already, and only one option can")
    [flag] = reads_it
    if not flag.role:
        return {**values, flag.parameter: _text(flag.field)}
    found = _files(flag, find)
    if flag.many:
        given = [item for value in values[flag.parameter] for item in (found if value == MARK else [value])]
        return {**values, flag.parameter: given}
    if len(found) != 1:
        why = f"the command before made {len(found)} outputs, and this takes one; save them and name one"
        raise _wrong(flag.field, why)
    return {**values, flag.parameter: found[0]}


def _files(flag: Flag, find: Find) -> Sequence[Any]:
    """What stdin holds for an option that takes files: JSON of another command, or the bytes of a file."""
    stream = _stdin(flag.field)
    begin = _read(stream, FIRST_BYTES)
    if not begin.strip():
        raise _wrong(flag.field, "the command before printed nothing")
    if not is_text(begin):
        return [("stdin", Joined(begin, stream))]
    return outputs(flag, (begin + _read(stream, _LONGEST)).decode(errors="replace"), find)


def file_on_stdin(field: str) -> Any:
    """The file whose bytes stdin has.

    Raises:
        InvalidArgument: there is none.
    """
    stream = _stdin(field)
    begin = _read(stream, FIRST_BYTES)
    if not begin:
        raise _wrong(field, "stdin is empty")
    return ("stdin", Joined(begin, stream))


def _text(field: str) -> str:
    content = _read(_stdin(field), _LONGEST + 1)
    if len(content) > _LONGEST:
        raise _wrong(field, f"the text on stdin is longer than {_LONGEST} bytes")
    try:
        text = content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise _wrong(field, "expected text in UTF-8 on stdin") from None
    if not text:
        raise _wrong(field, "stdin is empty")
    return text


class Joined:
    """A stream of which the beginning was read already."""

    def __init__(self, begin: bytes, stream: IO[bytes]) -> None:
        self._begin = begin
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if not self._begin or size == 0:
            return self._stream.read(size)
        chunk, self._begin = self._begin[:size], self._begin[size:]
        return chunk


def outputs(flag: Flag, text: str, find: Find) -> list[str]:
    """Where the outputs are that the JSON of another command speaks of.

    Raises:
        InvalidArgument: it speaks of none.
    """
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, Mapping):
        raise _wrong(flag.field, "expected a file or the JSON of another command on stdin: add --format json there")
    if told.get("dry_run"):
        raise _wrong(flag.field, "the command before was a dry run, which makes nothing")
    if isinstance(told.get("error"), Mapping):
        raise _wrong(flag.field, f"the command before failed: {told['error'].get('message')}")
    if isinstance(path := told.get("file_path"), str):
        return [path]
    paths, kind, id = told.get("downloaded_paths"), told.get("kind"), told.get("id")
    made = next((known for known in get_args(Kind) if known == kind), None)
    if made and flag.role is not None and made != flag.role and (made, flag.role) != _SOUND_OF_A_VIDEO:
        raise _wrong(flag.field, f"the command before made a {kind}")
    if isinstance(paths, list) and paths and all(isinstance(path, str) for path in paths):
        return paths
    if made and isinstance(id, str):
        return find(made, id)
    raise _wrong(flag.field, "the JSON on stdin names no files and no job")


def finder(terminal: Terminal, client: Client, **options: Any) -> Find:
    """Looks at the job before, waiting for it if it is not complete, and gives its download URLs.

    Args:
        terminal: told that errors are about that job meanwhile.
        client: asks.
        options: those of `wait`.
    """

    def find(kind: Kind, id: str) -> list[str]:
        with terminal.about(kind, id):
            project = jobs_of(client, kind).wait(id, **options)
            return [checked_url(download.url, allow_http=True) for download in project.downloads or []]

    return find


def unasked(kind: Kind, id: str) -> list[str]:
    """What a dry run says instead of asking the service."""
    return [f"https://not-asked.invalid/output-of-{kind}-job-{id}.{'png' if kind == 'image' else 'mp4'}"]


def _stdin(field: str) -> IO[bytes]:
    if sys.stdin is None or sys.stdin.isatty():
        raise _wrong(field, "- reads from a pipe or a file, and stdin is a terminal")
    try:
        return getattr(sys.stdin, "buffer", None) or io.BytesIO(sys.stdin.read(_LONGEST).encode())
    except (OSError, ValueError):
        return io.BytesIO()


def _read(stream: IO[bytes], size: int) -> bytes:
    """So many bytes, unless there are fewer; nothing where there is nothing to read."""
    try:
        return read_chunk(stream, size)
    except TransferFailed:
        return b""


def _is_marked(value: object) -> bool:
    return value == MARK or (isinstance(value, Sequence) and not isinstance(value, str) and MARK in value)


def _wrong(field: str, why: str) -> InvalidArgument:
    return InvalidArgument(why, field=field)
