"""The table of faults: everything that can go wrong in the emulator, where, when, and with which parameters.

Rule: a kind of fault is defined here and nowhere else. Tests and documentation are generated from this table, so a kind
says exactly which steps and phases it applies to, and which parameters are worth testing.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal, get_args

__all__ = ["KINDS", "REQUIRED", "STEPS", "WEBHOOK", "Kind", "Parameters", "Phase", "Side", "Step"]

Step = Literal["upload-urls", "put", "create", "get", "delete", "download", "webhook"]
Phase = Literal["before", "after"]
Side = Literal["socket", "response", "job", "storage", "webhook"]
Parameters = Mapping[str, Any]

WEBHOOK: Final[Step] = "webhook"
STEPS: Final[tuple[Step, ...]] = tuple(step for step in get_args(Step) if step != WEBHOOK)
"""The steps that are requests of a client."""
_Steps = tuple[Step, ...]
_JSON: Final[_Steps] = ("upload-urls", "create", "get")
_BODY: Final[_Steps] = (*_JSON, "download")
_EXISTING: Final[_Steps] = ("get", "delete", "download")
_PUT: Final[_Steps] = ("put",)
_CREATE: Final[_Steps] = ("create",)
_GET: Final[_Steps] = ("get",)
_DOWNLOAD: Final[_Steps] = ("download",)

_BEFORE: Final[tuple[Phase, ...]] = ("before",)
_AFTER: Final[tuple[Phase, ...]] = ("after",)
_BOTH: Final[tuple[Phase, ...]] = ("before", "after")


class _Required:
    """The default of a parameter that must be given."""

    def __repr__(self) -> str:
        return "required"


REQUIRED: Final = _Required()


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    `side` is what goes wrong: the socket, the service's response, the job, the storage, or a webhook. `parameters` are
    its parameters with their defaults. `variants` are sets of parameters worth testing, by step or "*" for all steps.
    """

    side: Side
    name: str
    steps: tuple[Step, ...]
    phases: tuple[Phase, ...]
    summary: str
    parameters: Parameters = field(default_factory=dict[str, Any])
    variants: Mapping[str, Sequence[Parameters]] = field(default_factory=dict[str, Sequence[Parameters]])

    def cases(self, step: Step) -> Sequence[Parameters]:
        """The parameters worth testing at a step."""
        return self.variants.get(step, self.variants.get("*", ({},)))

    def as_json(self) -> dict[str, Any]:
        """The kind as data, as `GET /_emulator/kinds` returns it, for forms that add a fault."""
        parameters = [
            {
                "name": name,
                "required": default is REQUIRED,
                "default": None if default is REQUIRED else default,
                "choices": _CHOICES.get((self.name, name)),
            }
            for name, default in self.parameters.items()
        ]
        about = {"name": self.name, "side": self.side, "summary": self.summary}
        return {**about, "steps": self.steps, "phases": self.phases, "parameters": parameters}

    def objection(self, name: str, value: Any) -> str | None:
        """What is wrong with the value of a parameter; None if it is valid."""
        if value is None and (self.parameters[name] is None or (self.name, name) in _MAY_BE_NONE):
            return None
        allowed = _CHOICES.get((self.name, name))
        if allowed is not None:
            return None if value in allowed else f"must be one of {', '.join(map(str, allowed))}"
        check, message = _CHECKS[name]
        return None if check(value) else message


def _is_number(value: Any, *, least: float = 0, whole: bool = False) -> bool:
    return (
        isinstance(value, int if whole else (int, float)) and not isinstance(value, bool) and least <= value < math.inf
    )


# A body has to fit into memory, a date into a year of four digits, and a delay into the timers of event loops.
_MAX_SIZE: Final = 1024**3
_MAX_SECONDS: Final = 24 * 3600
_COUNT: Final = (lambda value: _is_number(value, whole=True), "must be an integer of at least 0")
_SIZE: Final = (
    lambda value: _is_number(value, whole=True) and value <= _MAX_SIZE,
    f"must be an integer from 0 to {_MAX_SIZE}",
)
_ABOVE: Final = (lambda value: _is_number(value) and value > 0, "must be a number greater than 0")
_TEXT: Final = (lambda value: isinstance(value, str), "must be text")
_CHECKS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "at_byte": _COUNT,
    **dict.fromkeys(("depth", "retry_after", "size"), _SIZE),
    **dict.fromkeys(("rate", "per_second"), _ABOVE),
    **dict.fromkeys(("code", "field", "message"), _TEXT),
    "date": (lambda value: isinstance(value, bool), "must be true or false"),
    "difference": (
        lambda value: _is_number(value, least=-math.inf, whole=True) and value != 0,
        "must be an integer other than 0",
    ),
    "seconds": (
        lambda value: _is_number(value) and value <= _MAX_SECONDS,
        f"must be a number from 0 to {_MAX_SECONDS}",
    ),
    "status": (lambda value: isinstance(value, int) and 400 <= value <= 599, "must be from 400 to 599"),
    "value": (lambda value: True, ""),
}
_CHOICES: Final[Mapping[tuple[str, str], Sequence[Any]]] = {
    ("job_stuck", "status"): ("draft", "queued", "rendering"),
    ("range_wrong", "how"): ("shifted", "other_total", "no_header", "short"),
    ("redirect", "status"): (301, 302, 303, 307, 308),
    ("redirect", "to"): ("same", "other"),
    ("wrong_bytes", "checksum"): ("x-amz-checksum-sha256", "content-md5", "x-goog-hash"),
}
_MAY_BE_NONE: Final = frozenset({("rate_limited", "retry_after"), ("unavailable", "retry_after")})


def _each(**values: Sequence[Any]) -> tuple[Parameters, ...]:
    """One set of parameters for each value: `_each(status=(500, 502))`."""
    return tuple({name: value} for name, several in values.items() for value in several)


# The fields of responses that a client may read (spec/). `frame_cost` is the older name of the cost of an image.
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "upload-urls": ("items", "items.*.upload_url", "items.*.file_path", "items.*.expires_at"),
    "create": ("id", "credits_charged", "frame_cost"),
    "get": (
        *("id", "name", "status", "type", "created_at", "enabled", "credits_charged", "total_frame_cost", "error"),
        *("downloads", "downloads.*.url", "downloads.*.expires_at"),
    ),
}
_FIELD_VARIANTS: Final = {step: _each(field=names) for step, names in _FIELDS.items()}
# `error` is null in every successful response.
_NULL_VARIANTS: Final = {
    step: _each(field=[name for name in names if name != "error"]) for step, names in _FIELDS.items()
}


def _of_sockets() -> Iterator[Kind]:
    kind = partial(Kind, "socket")
    yield kind(
        "reset", STEPS, _BOTH, "TCP reset, without a response or after `at_byte` bytes of its body", {"at_byte": None}
    )
    yield kind("close", STEPS, _BOTH, "the connection is closed without a response")
    yield kind(
        "hang", STEPS, _BOTH, "no response; the connection is closed after `seconds`, if given", {"seconds": None}
    )
    yield kind("delay", STEPS, _BOTH, "the normal response, `seconds` later", {"seconds": 1.0})
    yield kind("garbage", STEPS, _BOTH, "bytes that are not HTTP, then the connection is closed")
    yield kind("drip", STEPS, _AFTER, "the response, including its headers, at `rate` bytes per second", {"rate": 10})
    yield kind("cut", _BODY, _AFTER, "the connection is closed after `at_byte` bytes of the body", {"at_byte": 10})
    yield kind("stall", _BODY, _AFTER, "nothing more is sent after `at_byte` bytes of the body", {"at_byte": 10})
    yield kind("upload_reset", _PUT, _BEFORE, "TCP reset after `at_byte` bytes of the body were read", {"at_byte": 0})
    yield kind("upload_stall", _PUT, _BEFORE, "nothing is read after `at_byte` bytes of the body", {"at_byte": 0})
    yield kind("upload_slow", _PUT, _BEFORE, "the body is read at `rate` bytes per second", {"rate": 1_000_000})


def _of_responses() -> Iterator[Kind]:
    kind = partial(Kind, "response")
    wait = {"retry_after": 1, "date": False}
    waits = {"*": (*_each(retry_after=(1, 0, 3600, None)), {"retry_after": 1, "date": True})}
    yield kind("rate_limited", STEPS, _BEFORE, "429 with Retry-After, in seconds or as a date", wait, waits)
    yield kind("unavailable", STEPS, _BEFORE, "503 of the service itself, with Retry-After", wait, waits)
    yield kind("rate_limit", STEPS, _BEFORE, "429 for more than `per_second` requests in a second", {"per_second": 1})
    error = {"status": 500, "code": None, "message": None}
    errors = {"*": _each(status=(400, 403, 408, 500, 502, 504))}
    yield kind("status", STEPS, _BOTH, "an error in the service's own form", error, errors)
    pages = {"*": _each(status=(500, 502, 503, 504, 520))}
    yield kind(
        "proxy_error", STEPS, _BOTH, "an error page of a gateway in front of the service", {"status": 503}, pages
    )
    yield kind("not_found", _EXISTING, _BEFORE, "404, as while a new resource has not been replicated yet")
    yield kind("html", STEPS, _BOTH, "200 with an HTML page, as from a captive portal")
    yield kind("binary", _JSON, _BOTH, "200 with bytes that are not text, labelled as JSON")
    yield kind("empty", _BODY, _BOTH, "200 with an empty body")
    yield kind("malformed_json", _JSON, _BOTH, "200 with malformed JSON")
    yield kind("truncated", _JSON, _AFTER, "half of the response, with the length of that half")
    yield kind("huge_body", _JSON, _AFTER, "a response that is `size` bytes longer", {"size": 64 * 1024 * 1024})
    yield kind("deep_json", _JSON, _AFTER, "a response with a field of `depth` nested lists", {"depth": 100_000})
    yield kind("no_content_type", _BODY, _AFTER, "a response without Content-Type")
    field, fields = {"field": REQUIRED}, _FIELD_VARIANTS
    yield kind("missing_field", _JSON, _AFTER, "a response without one of its fields", field, fields)
    yield kind("null_field", _JSON, _AFTER, "a response with null in one of its fields", field, _NULL_VARIANTS)
    value = {"value": {"unexpected": True}}
    yield kind("wrong_field", _JSON, _AFTER, "a response with `value` in one of its fields", {**field, **value}, fields)
    yield kind("new_fields", _JSON, _AFTER, "a response with fields that the contract does not have")
    yield kind(
        "unknown_status", _GET, _AFTER, "a project with a status that the contract does not have", {"value": "paused"}
    )
    yield kind("fractional_credits", ("create", "get"), _AFTER, "every number of credits is half a credit higher")


def _of_jobs() -> Iterator[Kind]:
    kind = partial(Kind, "job")
    error = {"code": "unknown_error", "message": "The emulator was asked to fail this job"}
    yield kind("job_error", _CREATE, _AFTER, "the job ends in `error`, with a refund", error)
    yield kind("job_canceled", _CREATE, _AFTER, "the job is canceled at once")
    stuck = {"*": _each(status=("queued", "rendering", "draft"))}
    yield kind("job_stuck", _CREATE, _AFTER, "the job stays in `status` forever", {"status": "queued"}, stuck)


def _of_storage() -> Iterator[Kind]:
    kind = partial(Kind, "storage")
    yield kind("expired_url", ("put", "download"), _BEFORE, "403: the URL has expired")
    place = {"status": 307, "to": "same"}
    places = {"*": tuple({"status": status, "to": to} for status in (302, 307) for to in ("same", "other"))}
    yield kind("redirect", STEPS, _BOTH, "a redirect to the same path on this origin or another one", place, places)
    yield kind("range_ignored", _DOWNLOAD, _AFTER, "200 with the whole file instead of the requested range")
    hows = {"*": _each(how=_CHOICES["range_wrong", "how"])}
    yield kind(
        "range_wrong", _DOWNLOAD, _AFTER, "206 with another range than the requested one", {"how": "shifted"}, hows
    )
    yield kind("changed_etag", _DOWNLOAD, _AFTER, "another file of the same length, with another ETag")
    differences = {"*": _each(difference=(10, -10))}
    yield kind("wrong_length", _DOWNLOAD, _AFTER, "a wrong Content-Length", {"difference": 10}, differences)
    yield kind("no_length", _DOWNLOAD, _AFTER, "a body without Content-Length that ends with the connection")
    sums = {"*": _each(checksum=(None, *_CHOICES["wrong_bytes", "checksum"]))}
    yield kind("wrong_bytes", _DOWNLOAD, _AFTER, "wrong bytes, in the right number", {"checksum": None}, sums)


def _of_webhooks() -> Iterator[Kind]:
    kind = partial(Kind, "webhook", steps=(WEBHOOK,), phases=_AFTER)
    yield kind("webhook_duplicate", summary="the event is delivered twice")
    yield kind("webhook_reordered", summary="a `started` event is delivered after the job's next event")
    yield kind("webhook_late", summary="the event is delivered `seconds` later", parameters={"seconds": 60.0})
    yield kind("webhook_lost", summary="the event is never delivered")
    yield kind("webhook_bad_signature", summary="the first attempt has a wrong signature")


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind for kind in (*_of_sockets(), *_of_responses(), *_of_jobs(), *_of_storage(), *_of_webhooks())
}
