"""What a request has to pass before the service looks at it: where it comes from, its JSON, and its schema.

Rule: whatever is refused here is refused with a `Refusal` and has changed nothing. A body costs a bounded amount of
memory. Messages name the field and the limit; they never repeat the body.

Any web page that a browser on this machine opens can send requests to loopback. The controls need no key, so they check
the headers that a page cannot forge: `Host` (a name rebound to 127.0.0.1 is still the page's own name), `Origin` and
`Sec-Fetch-Site`. The storage needs no such check, because its signed URLs are the permission.
"""

import ipaddress
import json
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry
from starlette.requests import Request
from starlette.responses import Response

__all__ = [
    "MAX_BODY_BYTES",
    "BodyCheck",
    "QueryCheck",
    "Refusal",
    "check_origin",
    "local_only",
    "loopback_address",
    "read_json",
]

Endpoint = Callable[[Request], Awaitable[Response]]

# Our own limit: bodies of this API are a prompt and a few names, files go to storage.
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
# The contract's bodies are four levels deep. Python's own JSON tools recurse and fail at about a thousand.
_MAX_LEVELS: Final = 100
# More digits than any number of the contract; JSON does not promise that larger numbers stay distinct (RFC 8259, 6).
_MAX_DIGITS: Final = 20
_FORBIDDEN: Final = "forbidden"


class Refusal(Exception):
    """The service answers this request with an error: a status, a code for programs and a message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> dict[str, str]:
        """The body of the error, in the service's form."""
        return {"code": self.code, "message": self.message}


# --- where a request comes from


def loopback_address(host: str) -> str:
    """The loopback address that `host` names. ValueError for every other host."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{host!r} is not an address of this machine's loopback interface") from None
    if not address.is_loopback:
        raise ValueError(f"the emulator listens on the loopback interface only, not on {host}")
    return host


def local_only(endpoint: Endpoint, allowed_hosts: Iterable[str]) -> Endpoint:
    """`endpoint`, for requests to a loopback name or an allowed one, unless a page of another site sends them."""
    allowed = frozenset(allowed_hosts)

    async def guarded(request: Request) -> Response:
        if not _is_local(_host_name("//" + request.headers.get("host", "")), allowed):
            message = "The controls answer to loopback names only; allow others with `allowed_hosts` (--allow-host)"
            raise Refusal(403, _FORBIDDEN, message)
        check_origin(request, allowed)
        return await endpoint(request)

    return guarded


def check_origin(request: Request, allowed_hosts: Iterable[str]) -> None:
    """Refuse requests of web pages of another site. Programs send neither of these headers."""
    origins = [_host_name(origin) for origin in request.headers.getlist("origin")]
    cross_site = "cross-site" in request.headers.getlist("sec-fetch-site")
    if cross_site or not all(_is_local(origin, allowed_hosts) for origin in origins):
        raise Refusal(403, _FORBIDDEN, "Requests from web pages of another origin are refused")


def _host_name(url: str) -> str:
    """The host of a URL in lower case; empty if there is none, as in the origin `null`."""
    try:
        return (urlsplit(url).hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _is_local(name: str, allowed_hosts: Iterable[str]) -> bool:
    if name == "localhost" or name.endswith(".localhost") or name in allowed_hosts:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


# --- JSON within limits


async def read_json(request: Request, *, may_be_empty: bool = False) -> dict[str, Any]:
    """The JSON object in the request's body. Raises `Refusal` for anything else, and for a body that is too large."""
    content = await _read(request)
    if may_be_empty and not content:
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refusal(400, "invalid_request", "The header Content-Type must be application/json")
    try:
        body: Any = json.loads(content, parse_constant=_parse_constant, parse_float=_parse_float, parse_int=_parse_int)
        if _is_too_deep(body):
            raise ValueError(f"it is nested more than {_MAX_LEVELS} levels deep")
        json.dumps(body, ensure_ascii=False).encode()  # an unpaired surrogate cannot be sent back or drawn
    except RecursionError:
        raise Refusal(400, "invalid_request", "The body is not JSON: it is nested too deeply") from None
    except ValueError as malformed:
        raise Refusal(400, "invalid_request", f"The body is not JSON: {malformed}") from malformed
    if not isinstance(body, dict):
        raise Refusal(400, "invalid_request", "The body must be a JSON object")
    return body


async def _read(request: Request) -> bytes:
    too_large = Refusal(413, "payload_too_large", f"The body must have at most {MAX_BODY_BYTES} bytes")
    if int(request.headers.get("content-length", 0)) > MAX_BODY_BYTES:
        raise too_large
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise too_large
    return bytes(content)


def _is_too_deep(body: Any) -> bool:
    level = [body]
    for _ in range(_MAX_LEVELS):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True


def _parse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _parse_int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number is too large")
    return int(text)


# --- the schema


def _multiple_of(_: Any, step: float, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(InvalidOperation):  # the quotient has more digits than the decimal context allows
            if not Decimal(str(value)) % Decimal(str(step)):  # as floats, 0.29 is not a multiple of 0.01
                return
        yield ValidationError(f"{value!r} is not a multiple of {step}")


def _properties(validator: Any, properties: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    yield from Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, schema)
    for name, inner in properties.items() if isinstance(instance, dict) else ():
        if "x-before" in inner:
            row = inner["x-before"] if isinstance(inner["x-before"], dict) else {"field": inner["x-before"]}
            yield from _out_of_order(name, row, instance)


def _out_of_order(first: str, row: dict[str, Any], instance: dict[str, Any]) -> Iterator[ValidationError]:
    """The contract's own keyword: one number comes before another, within limits."""
    start, end = instance.get(first, 0), instance.get(row["field"])
    if not isinstance(start, int | float) or not isinstance(end, int | float):
        return
    apart = Decimal(str(end)) - Decimal(str(start))
    if apart <= 0 or not row.get("at_least", 0) <= apart <= row.get("at_most", math.inf):
        limits = "".join(f", by {words} {row[key]}" for key, words in _LIMITS.items() if key in row)
        yield ValidationError(f"must be after {first}{limits}", validator="x-before", path=(row["field"],))


_LIMITS: Final = {"at_least": "at least", "at_most": "at most"}
_Validator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"multipleOf": _multiple_of, "properties": _properties}
)

# What each keyword of the schema asks for; the name of the field comes before it.
_MESSAGES: Final = {
    "minLength": "must not be shorter than {limit} character(s)",
    "maxLength": "must have at most {limit} characters",
    "minItems": "must have at least {limit} item(s)",
    "maxItems": "must have at most {limit} items",
    "minimum": "must be {limit} or more",
    "maximum": "must be {limit} or less",
    "multipleOf": "must be in steps of {limit}",
    "pattern": "must match {limit}",
}


class BodyCheck:
    """Validates the bodies of one operation."""

    def __init__(self, schema: dict[str, Any], registry: Registry[Any]) -> None:
        self._validator = _Validator(schema, registry=registry)

    def problem(self, body: Any) -> str | None:
        """Everything that is wrong with `body`, by field, in one line; None if it is valid."""
        errors = sorted(self._validator.iter_errors(body), key=lambda error: list(map(str, error.absolute_path)))
        return "; ".join(dict.fromkeys(map(_describe, errors))) or None


class QueryCheck:
    """Reads the query of one operation: numbers as numbers, with the contract's defaults, within its bounds."""

    def __init__(self, schemas: Mapping[str, dict[str, Any]], registry: Registry[Any]) -> None:
        self._schemas = schemas
        self._checks = {
            name: _Validator({"type": "object", "properties": {name: schema}}, registry=registry)
            for name, schema in self._schemas.items()
        }

    def values(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The values of a query; unknown names are ignored. Raises `Refusal` if one is wrong."""
        values = {name: schema["default"] for name, schema in self._schemas.items() if "default" in schema}
        for name in self._schemas.keys() & query.keys():
            values[name] = _number(query[name]) if _is_number(self._schemas[name]) else query[name]
            errors = [_describe(error) for error in self._checks[name].iter_errors({name: values[name]})]
            if errors:
                raise Refusal(422, "unprocessable_entity", "; ".join(errors))
        return values


def _is_number(schema: Mapping[str, Any]) -> bool:
    types = schema.get("type")
    return bool({"integer", "number"} & set([types] if isinstance(types, str) else types or ()))


def _number(text: str) -> Any:
    try:
        return _parse_int(text)
    except ValueError:
        return text


def _describe(error: ValidationError) -> str:
    field = _field(error)
    limit: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "required":
            return "; ".join(f"{_join(field, name)} is required" for name in limit if name not in given)
        case "anyOf" | "oneOf" if all(inner.validator == "required" for inner in error.context):
            names = [_join(field, name) for inner in error.context for name in _names(inner)]
            return f"{' or '.join(names)} is required"
        case "anyOf" | "oneOf":
            return _describe(error.context[-1])
        case "type":
            return f"{field} must be {_types(limit)}"
        case "enum":
            return f"{field} must be one of {', '.join(map(str, limit))}"
        case "x-before":
            return f"{field} {error.message}"
        case keyword:
            message = _MESSAGES.get(str(keyword), f"violates `{keyword}` of the contract")
            return f"{field} {message.format(limit=limit)}"


def _field(error: ValidationError) -> str:
    text = ""
    for part in error.absolute_path:
        text = f"{text}[{part}]" if isinstance(part, int) else _join(text, str(part))
    return text


def _names(missing: ValidationError) -> list[str]:
    value: Any = missing.validator_value
    return [str(name) for name in value]


def _join(parent: str, name: str) -> str:
    return f"{parent}.{name}" if parent else name


def _types(limit: Any) -> str:
    names = [limit] if isinstance(limit, str) else list(limit)
    return " or ".join(f"an {name}" if name[0] in "aeio" else f"a {name}" for name in names)
