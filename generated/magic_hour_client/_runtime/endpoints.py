"""An endpoint is one operation of the contract as a value. It builds requests and parses responses.

Rule: pure. Nothing here touches the network; a mistake in the arguments ends the call here.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType, NoneType
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast
from urllib.parse import quote

import attrs

from . import conditions
from ._contract import PACKAGE, JobKind, ProjectKind
from .errors import FieldDeprecated, InvalidArgument, UnexpectedResponse, error_from_response
from .schema import Kind, Object, Unreadable, Writing, merged, write_fields, wrong_type
from .types import UNSET, AssetField, PageFields, Placeholder, Response

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_UNSAFE_ID = re.compile(r"[\s/\\?#%\x00-\x1f\x7f\ud800-\udfff]|^\.+$|^$")
_ID_REMEDY = "pass the id alone, as the service returned it"
_LONGEST_ID = 500
"""Characters; the ids of the service have about 25 (its documentation), and httpx refuses addresses beyond 64 KiB."""
_OURS = {"accept-encoding", "authorization", "connection", "content-length", "host", "transfer-encoding"}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@attrs.frozen(kw_only=True)
class Endpoint(Generic[P, T_co]):
    """One operation of the contract, as data.

    Attributes:
        name: how it is called on the client, such as `v1.image_projects.get`.
        method: the HTTP method.
        path: the path, with names of parameters in braces.
        request: checks the arguments and builds the request; nothing is sent.
        results: what each successful status answers; None for an empty body.
        charges_credits: whether the service charges credits once it accepts the request.
        project_kind: what the job makes.
        task: the kind of the job, if it is free and has no project.
        pages: how the pages of its answer follow each other, if it has pages.
        assets: the fields of the body that hold input files.
        body: the kind of the body, if there is one.
        fields: the names of the body's fields, as keyword arguments of `request`.
        required: those of them that are required.
        prices: what it costs, the contract's `x-credits`; empty if the contract does not say.
        rules: what the contract says about fields of the body together.
    """

    name: str
    method: str
    path: str
    request: Callable[P, Request[T_co]] = attrs.field(repr=False)
    results: Mapping[int, Kind | None] = attrs.field(default=MappingProxyType({}), repr=False)
    charges_credits: bool = False
    project_kind: ProjectKind | None = None
    task: JobKind | None = None
    pages: PageFields | None = None
    assets: tuple[AssetField, ...] = ()
    body: Kind | None = attrs.field(default=None, repr=False)
    fields: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    prices: Mapping[str, Any] = MappingProxyType({})
    rules: tuple[conditions.Rule, ...] = attrs.field(default=(), repr=False)

    @property
    def job_kind(self) -> JobKind | None:
        """The kind of the job that it starts, if it starts one."""
        return self.project_kind or self.task

    def parse(self, response: Response) -> T_co:
        """The result that a response holds.

        Raises:
            APIError: the service refused.
            UnexpectedResponse: the response is not what the contract promises.
        """
        if not 200 <= response.status < 300:
            raise error_from_response(self.name, response)
        kind = self.results.get(response.status, next(iter(self.results.values()), None))
        # Where no body is promised none is needed, but a page of something in between is no success.
        if kind is None and not response.content.strip():
            return cast(T_co, None)
        try:
            content = json.loads(response.content)
            result: Any = None if kind is None else kind.read(content, "answer")
        except (ValueError, RecursionError) as error:
            what = str(error) if isinstance(error, Unreadable) else "it is not JSON"
            raise unreadable(self.name, response.status, what) from None
        return cast(T_co, result)


@attrs.frozen(kw_only=True)
class Request(Generic[T_co]):
    """One call, prepared: everything needed to send it and to read its response.

    Attributes:
        endpoint: which operation it calls.
        path: the path with its parameters filled in and escaped.
        query: the parameters of the query.
        headers: the headers besides those of every request.
        body: the JSON value to send, or None for no body.
    """

    endpoint: Endpoint[..., T_co]
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: Any = attrs.field(default=None, repr=False)

    @property
    def name(self) -> str:
        return self.endpoint.name


class Sender(Protocol):
    """What a resource needs of its client."""

    def send(
        self, request: Request[T], *, timeout: float | None = None, extra_headers: Mapping[str, str] | None = None
    ) -> T: ...


class AsyncSender(Protocol):
    """What an async resource needs of its client."""

    async def send(
        self, request: Request[T], *, timeout: float | None = None, extra_headers: Mapping[str, str] | None = None
    ) -> T: ...


def build(
    endpoint: Endpoint[..., T],
    *,
    path: Iterable[tuple[str, Kind, Any]] = (),
    query: Iterable[tuple[str, Kind, Any]] = (),
    headers: Iterable[tuple[str, Kind, Any]] = (),
    fields: Mapping[str, Any] | None = None,
    body: Any = None,
    extra_body: Mapping[str, Any] | None = None,
) -> Request[T]:
    """Check the arguments against the contract and build the request.

    Args:
        endpoint: which operation to call.
        path: name, kind and value of each parameter in the path.
        query: the same for the query.
        headers: the same for headers.
        fields: the values of the body's fields; None for a body that is given as a whole.
        body: the whole body; None for no body.
        extra_body: fields to put over those of the body.

    Raises:
        InvalidArgument: an argument is invalid.
    """
    writing = Writing()
    content: Any = None
    if fields is not None and isinstance(endpoint.body, Object):
        content = write_fields(endpoint.body.model(), fields, "", writing)
    elif body is not None and endpoint.body is not None:
        content = endpoint.body.write(body, "body", writing)
    conditions.complete(endpoint.rules, content)
    if extra_body is not None:
        extra_body = _checked_extra(endpoint, extra_body)
    conditions.check(endpoint.rules, content, extra_body)
    for field, value, remedy in writing.deprecations:
        warn_caller(FieldDeprecated(endpoint.name, field, value, remedy))
    return Request(
        endpoint=endpoint,
        path=filled(endpoint.path, path),
        query=tuple(_pairs(query)) if query else (),
        headers=dict(_pairs(headers)) if headers else {},
        body=content if extra_body is None else merged(content, extra_body),
    )


def check_fields(endpoint: Endpoint[..., Any], fields: Mapping[str, Any], extra_body: Any = None) -> None:
    """Check each argument by itself, and not what the contract says about several together.

    Raises:
        InvalidArgument: a field is unknown, missing or invalid.
    """
    if isinstance(endpoint.body, Object):
        write_fields(endpoint.body.model(), fields, "", Writing())
    if extra_body is not None:
        merged({}, _checked_extra(endpoint, extra_body))


def _checked_extra(endpoint: Endpoint[..., Any], extra_body: Mapping[str, Any]) -> Mapping[str, Any]:
    """`extra_body`, if it can be written as JSON: what the contract knows is checked field by field."""
    try:
        _ENCODER.encode(extra_body).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"{endpoint.name}: the body cannot be written as JSON: {error}") from None
    return extra_body


def filled(path: str, parameters: Iterable[tuple[str, Kind, Any]]) -> str:
    """The path with its parameters filled in and escaped; one that could lead elsewhere is refused."""
    for name, kind, value in parameters:
        text = _text(kind.write(value, name, Writing()))
        if len(text) > _LONGEST_ID:
            raise InvalidArgument(f"an id of {len(text)} characters is too long", _ID_REMEDY, field=name)
        if _UNSAFE_ID.search(text):
            raise InvalidArgument(f"{text[:60]!r} is not an id", _ID_REMEDY, field=name)
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
    """The caller's headers, in lowercase; those that the client sets itself are refused."""
    if not isinstance(extra, (Mapping, NoneType)):
        raise wrong_type("extra_headers", "a dict", extra)
    checked = {}
    for name, value in (extra or {}).items():
        if not _is_plain(name) or not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS or not _is_plain(value):
            raise InvalidArgument(f"the header {name!r} cannot be set to this value", field="extra_headers")
        checked[name.lower()] = value
    return checked


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


def _remote_path(value: object) -> str:
    """What the encoder does not know: the placeholder of a file, which has been uploaded by now."""
    if isinstance(value, Placeholder) and value.path is not None:
        return value.path
    raise TypeError(f"{value!r} is not JSON serializable")


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_remote_path)


def encoded(request: Request[Any]) -> bytes | None:
    """The JSON bytes of the body, or None if it has none. Each file is written as its remote path."""
    if request.body is None:
        return None
    try:
        return _ENCODER.encode(request.body).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"{request.name}: the body cannot be written as JSON: {error}") from None


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
