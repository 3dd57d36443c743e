"""Finds the files in a call, and replaces the uploaded ones with their remote paths.

Rule: the caller's own dicts and lists are never changed. A string that names an existing file is that file; else
URLs and remote paths are passed on as they are, and anything else is the path of a missing file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import attrs

from magic_hour_client._runtime.schema import Model, vars_of
from magic_hour_client.endpoints import STORED
from magic_hour_client.errors import InvalidArgument
from magic_hour_client.types import Endpoint, Placeholder

from ._foreign_inputs import Picture, data_in, is_answer, is_picture, refused, upload_of
from ._formatting import reason, shown
from ._sources import Roles, Source, checked_extension, from_bytes, from_path, from_stream
from ._streams import ask

ITEMS = "*"
"""The step of a path into the items of a list."""
_OTHER_URL = re.compile(r"(?i)[a-z][a-z0-9+.-]+://")
MOST_FILES = 1000
"""More than any operation takes; it stops endless iterables."""
_PICTURE = "image.png"
LONGEST_PATH = 4096
"""Characters. A longer path is invalid on every system (PATH_MAX of Linux)."""


@attrs.define
class Assets:
    """The files of one call, each listed once, however often it was given."""

    sources: list[Source] = attrs.field(factory=list)
    _placeholders: list[Placeholder] = attrs.field(factory=list)
    _known: dict[object, Placeholder] = attrs.field(factory=dict)

    def placeholder(self, source: Source) -> Placeholder:
        """The object that stands for the file until it is uploaded.

        Raises:
            InvalidArgument: it is a stream that was already given as another kind of file.
        """
        kind = source.form or source.role
        key = (source.identity, kind)
        for other in self.sources:
            if source.is_read_once and other.identity == source.identity and (other.form or other.role) != kind:
                kinds = f"{source.known.role} and {other.known.role}"
                raise InvalidArgument(f"one stream cannot be both {kinds}", "open the file twice", field=source.field)
        if key not in self._known:
            self._known[key] = Placeholder(source.name)
            self._placeholders.append(self._known[key])
            self.sources.append(source)
        return self._known[key]

    def uploaded(self, paths: Sequence[str]) -> None:
        """Give every placeholder the remote path of its file; `paths` are in the order of `sources`."""
        for placeholder, path in zip(self._placeholders, paths, strict=True):
            placeholder.path = path

    def close(self) -> None:
        """Delete the copies of streams."""
        for source in self.sources:
            source.close()


def collect(endpoint: Endpoint[..., Any], parameters: Mapping[str, Any]) -> tuple[dict[str, Any], Assets]:
    """The parameters with placeholders in place of local files, and the files. Nothing is read or sent.

    Raises:
        InvalidArgument: a file is missing, empty, unreadable or of the wrong type.
    """
    assets = Assets()
    prepared: Any = dict(parameters)
    for field in endpoint.assets:
        prepared = replaced(prepared, field.path, partial(_marked, role=field.roles, assets=assets))
    return prepared, assets


def replaced(node: Any, path: Sequence[str], change: Callable[[Any, str], Any], where: str = "") -> Any:
    """A copy of `node` with what `change` makes of the values at `path`; values of another type stay as they are, for
    the contract to refuse.

    Args:
        node: parameters, or a part of them.
        path: the names that lead to the values; `*` are the items of a list.
        change: is given the value of a file, and its field with the numbers of items.
        where: the field of `node`.
    """
    if not path:
        return change(node, where)
    step, *rest = path
    if step == ITEMS:
        if rest and (isinstance(node, (str, bytes, Mapping)) or not isinstance(node, Sequence)):
            return node
        items = node if rest else listed(node, where)
        return [replaced(item, rest, change, f"{where}[{number}]") for number, item in enumerate(items)]
    if isinstance(node, Model):
        node = {**node.additional_properties, **vars_of(node)}
    if not isinstance(node, Mapping) or node.get(step) is None:
        return node
    return {**node, step: replaced(node[step], rest, change, f"{where}.{step}" if where else step)}


def listed(value: Any, where: str) -> list[Any]:
    """The files of a field that takes several, from any iterable of them, which is iterated once.

    Raises:
        InvalidArgument: it is a single file, or not iterable.
    """
    single = isinstance(value, (str, bytes, bytearray, memoryview, os.PathLike, Mapping)) or _is_pair(value)
    if single or upload_of(value) is not None or is_picture(value) or _reads(value) or not isinstance(value, Iterable):
        raise InvalidArgument(
            f"expected a list of files, got {type(value).__name__}", "put a single file in brackets", field=where
        )
    try:
        files = list(islice(value, MOST_FILES + 1))
    except Exception as error:
        raise InvalidArgument(
            f"the files could not be listed ({reason(error)})", "pass a list of them", field=where
        ) from error
    if len(files) > MOST_FILES:
        raise InvalidArgument(f"more than {MOST_FILES} files", "pass fewer", field=where)
    return files


def _is_pair(value: object) -> bool:
    """Whether it is one file with its name, and not two files."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], str)
        and not isinstance(value[1], (str, os.PathLike))
        and (isinstance(value[1], (bytes, bytearray, memoryview)) or is_picture(value[1]) or _reads(value[1]))
    )


def _reads(value: object) -> bool:
    return ask(lambda: callable(getattr(value, "read", None)), otherwise=False)


def _marked(value: Any, where: str, *, role: Roles, assets: Assets) -> str | Placeholder:
    if isinstance(value, str) and is_remote(value):
        return value
    return assets.placeholder(to_source(value, role, where))


def is_remote(value: str) -> bool:
    """Whether a string names something that the service fetches, and not a local file."""
    if value.lower().startswith(("http://", "https://")):
        return True
    return value.startswith(STORED) and not os.path.exists(value)


def to_source(value: Any, role: Roles, where: str) -> Source:
    """The input file for any value that can be one.

    Raises:
        InvalidArgument: the value cannot be a file.
    """
    if isinstance(value, str) and value[:5].lower() == "data:" and not os.path.lexists(value[:LONGEST_PATH]):
        source = from_bytes(data_in(value, where), "data", role, where)
        source.identity = ("data", value)
        return source
    if isinstance(value, (str, os.PathLike)):
        if value == "":
            raise InvalidArgument("the path is empty", "give the path of a file", field=where)
        _check_is_local(value, where)
        return from_path(value, role, where)
    name, held = (value[0], value[1]) if _is_pair(value) else (None, value)
    if isinstance(held, (bytes, bytearray, memoryview)):
        if name is None:
            pair = 'give a pair instead, ("portrait.png", content)'
            raise InvalidArgument("bytes need a file name to infer their type", pair, field=where)
        return from_bytes(held if isinstance(held, bytes) else bytes(held), name, role, where)
    if is_picture(held):
        checked_extension(_PICTURE, role, where)
        source = from_stream(Picture(held), _PICTURE, role, where)
        source.identity = ("picture", id(held))
        return source
    if (upload := upload_of(held)) is not None:
        return from_stream(upload.stream, upload.name if name is None else name, role, where)
    if _reads(held) and not is_answer(held):
        return from_stream(held, name, role, where)
    raise refused(held, where)


def _check_is_local(value: str | os.PathLike[str], where: str) -> None:
    """Refuse a URL with advice, instead of reporting a missing file of that name."""
    if not isinstance(value, str):
        return
    if is_remote(value):
        raise InvalidArgument(
            f"{shown(value)} needs no upload", "pass it as it is to the field that takes the file", field=where
        )
    if (url := _OTHER_URL.match(value)) and not os.path.lexists(value):
        raise InvalidArgument(
            f"a URL that begins with {url[0]} cannot be read", "give a path, or one with https://", field=where
        )
