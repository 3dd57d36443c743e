"""From arguments to a call, and from an answer to a result: what every endpoint's `request` and `parse` share.

Rule: pure. Nothing here touches the network; a mistake in the arguments ends the call here.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, TypeVar
from urllib.parse import quote

from ._contract import PACKAGE
from .errors import FieldDeprecated, InvalidArgument, UnexpectedResponse, error_from_reply
from .schema import Kind, Object, Unreadable, Writing, merged, write_fields, wrong_type
from .types import UNSET, Endpoint, Operation, Placeholder, Reply

T = TypeVar("T")

_UNSAFE_ID = re.compile(r"[\s/\\?#%\x00-\x1f\x7f\ud800-\udfff]|^\.+$|^$")
_LONGEST_ID = 500
"""Characters; the ids of the service have about 25 (its documentation), and httpx refuses addresses beyond 64 KiB."""
_OURS = {"accept-encoding", "authorization", "connection", "content-length", "host", "transfer-encoding"}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def build(
    endpoint: Endpoint,
    parse: Any,
    *,
    path: Iterable[tuple[str, Kind, Any]] = (),
    query: Iterable[tuple[str, Kind, Any]] = (),
    headers: Iterable[tuple[str, Kind, Any]] = (),
    body: Object | None = None,
    values: Mapping[str, Any] | None = None,
    whole_body: tuple[Kind, Any] | None = None,
    extra_body: Mapping[str, Any] | None = None,
) -> Operation[Any]:
    """Check the arguments against the contract and make the call of them."""
    writing = Writing()
    content: Any = None
    if body is not None:
        content = write_fields(body.model(), values or {}, "", writing)
    elif whole_body is not None and whole_body[1] is not None:
        content = whole_body[0].write(whole_body[1], "body", writing)
    for field, value, remedy in writing.deprecations:
        warn_caller(FieldDeprecated(endpoint.name, field, value, remedy))
    return Operation(
        endpoint=endpoint,
        path=filled(endpoint.path, path),
        parse=parse,
        query=tuple(_pairs(query)),
        headers=dict(_pairs(headers)),
        body=merged(content, extra_body),
    )


def filled(path: str, parameters: Iterable[tuple[str, Kind, Any]]) -> str:
    """The path with its parameters in place, escaped; one that could lead elsewhere is refused."""
    for name, kind, value in parameters:
        text = _text(kind.write(value, name, Writing()))
        if len(text) > _LONGEST_ID:
            raise InvalidArgument(
                f"{len(text)} characters are no id", "give it alone, as the service told it", field=name
            )
        if _UNSAFE_ID.search(text):
            raise InvalidArgument(f"{text[:60]!r} is not an id", "give it alone, as the service told it", field=name)
        path = path.replace("{" + name + "}", quote(text, safe=""))
    return path


def _pairs(parameters: Iterable[tuple[str, Kind, Any]]) -> Iterable[tuple[str, str]]:
    for name, kind, value in parameters:
        if value is None or value is UNSET:
            continue
        plain = kind.write(value, name, Writing())
        for item in plain if isinstance(plain, list) else [plain]:
            yield name, _text(item)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def checked_headers(extra: Mapping[str, str] | None) -> dict[str, str]:
    """Headers of the caller's own, in lowercase; those that the client sets itself are refused."""
    if not isinstance(extra, (Mapping, NoneType)):
        raise wrong_type("extra_headers", "a dict", extra)
    checked = {}
    for name, value in (extra or {}).items():
        if not _is_plain(name) or not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS or not _is_plain(value):
            raise InvalidArgument(f"{name!r} cannot be set to that", field="extra_headers")
        checked[name.lower()] = value
    return checked


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


def encoded(operation: Operation[Any], *, placeholders: bool = False) -> bytes | None:
    """The JSON bytes of the call's body, or None if it has none.

    Args:
        operation: the call.
        placeholders: allow them, to check a body before its files are uploaded; otherwise they are refused.
    """
    if operation.body is None:
        return None
    default = _placeholder_name if placeholders else None
    try:
        text = json.dumps(operation.body, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=default)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"{operation.name}: the body cannot be written as JSON: {error}") from None


def _placeholder_name(value: Any) -> str:
    if isinstance(value, Placeholder):
        return value.name
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def read(reply: Reply, endpoint: Endpoint, results: Mapping[int, Kind | None]) -> Any:
    """The result an answer holds; anything but a success is raised as its typed error."""
    if not 200 <= reply.status < 300:
        raise error_from_reply(endpoint.name, reply)
    kind = results.get(reply.status, next(iter(results.values()), None))
    # Where nothing is promised nothing is needed, but a page of somebody else's is no success.
    if kind is None and not reply.content.strip():
        return None
    try:
        content = json.loads(reply.content)
        return None if kind is None else kind.read(content, "answer")
    except (ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, Unreadable) else "it is not JSON"
        raise unreadable(endpoint.name, reply.status, what) from None


def unreadable(name: str, status: int, what: str) -> UnexpectedResponse:
    message = f"{name} answered {status}, but the answer cannot be used: {what}"
    return UnexpectedResponse(message, operation=name, status=status)


def warn_caller(warning: FieldDeprecated) -> None:
    """A warning that points at the first line outside of this client and of the packages built on it.

    Such a package sets `__warns_its_caller__ = True` in its `__init__`.
    """
    depth, frame = 1, sys._getframe(0)
    while frame.f_back is not None and _warns_its_caller(frame.f_globals.get("__name__", "")):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(warning, stacklevel=depth)


def _warns_its_caller(module: str) -> bool:
    parts = module.split(".")
    packages = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return any(name == PACKAGE or hasattr(sys.modules.get(name), "__warns_its_caller__") for name in packages)
