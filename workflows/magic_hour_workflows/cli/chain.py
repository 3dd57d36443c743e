"""`--image -`: the outputs of the command before as the inputs of this one.

Rule: files that the other command saved are taken as they are; else its job is asked for fresh URLs, in this process,
so that no signed URL is ever printed. Nothing here can be charged for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from magic_hour_client.errors import InvalidArgument

from ..client import Client
from ..results import Kind
from .catalog import Flag
from .jobs import jobs_of
from .terminal import Terminal

MARK = "-"
_LONGEST = 1 << 20
"""Bytes. The JSON of a command has a few hundred."""

Find = Callable[[Kind, str], list[str]]


def replaced(terminal: Terminal, values: Mapping[str, Any], find: Find) -> dict[str, Any]:
    """`values` with the outputs of the command before in place of every `-`.

    Args:
        terminal: whose flags say which values are files.
        values: the values of flags.
        find: from kind and id of a complete job to its outputs.

    Raises:
        InvalidArgument: what stands on stdin cannot be used here.
    """
    marked = [flag for flag in terminal.flags if flag.role and _is_marked(values.get(flag.parameter))]
    if not marked:
        return dict(values)
    if len(marked) > 1:
        raise _wrong(marked[1], "only one option can take the outputs of the command before")
    flag = marked[0]
    found = outputs(flag, _stdin(flag), find)
    if flag.many:
        given = [item for value in values[flag.parameter] for item in (found if value == MARK else [value])]
        return {**values, flag.parameter: given}
    if len(found) != 1:
        raise _wrong(flag, f"the command before made {len(found)} outputs, and this takes one; save them and name one")
    return {**values, flag.parameter: found[0]}


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
        raise _wrong(flag, "expected the JSON of another command on stdin: add --format json there")
    if told.get("dry_run"):
        raise _wrong(flag, "the command before was a dry run, which makes nothing")
    if isinstance(told.get("error"), Mapping):
        raise _wrong(flag, f"the command before failed: {told['error'].get('message')}")
    if isinstance(path := told.get("file_path"), str):
        return [path]
    paths, kind, id = told.get("downloaded_paths"), told.get("kind"), told.get("id")
    if kind in ("image", "video") and flag.role in ("image", "video") and kind != flag.role:
        raise _wrong(flag, f"the command before made a {kind}")
    if isinstance(paths, list) and paths and all(isinstance(path, str) for path in paths):
        return paths
    if kind in ("image", "video") and isinstance(id, str):
        return find(kind, id)
    raise _wrong(flag, "the JSON on stdin names no files and no job")


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
        return [download.url for download in project.downloads or []]

    return find


def unasked(kind: Kind, id: str) -> list[str]:
    """What a dry run says instead of asking the service."""
    return [f"https://not-asked.invalid/output-of-{kind}-job-{id}.{'png' if kind == 'image' else 'mp4'}"]


def _stdin(flag: Flag) -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise _wrong(flag, "- takes the JSON of another command from a pipe, and stdin is a terminal")
    try:
        text = sys.stdin.read(_LONGEST)
    except (OSError, ValueError):
        text = ""
    if not text.strip():
        raise _wrong(flag, "the command before printed nothing")
    return text


def _is_marked(value: object) -> bool:
    return value == MARK or (isinstance(value, Sequence) and not isinstance(value, str) and MARK in value)


def _wrong(flag: Flag, why: str) -> InvalidArgument:
    return InvalidArgument(f"`{flag.field}`: {why}", field=flag.field)
