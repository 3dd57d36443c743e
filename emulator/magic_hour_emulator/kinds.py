"""The table of faults: everything that the emulator can be told to do wrong, where, when, and with which parameters.

Rule: what can go wrong is named here and nowhere else. Tests and documentation walk this table, so a kind tells
precisely in which steps and phases it makes sense, and which parameters are worth trying.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

__all__ = ["KINDS", "REQUIRED", "STEPS", "Kind", "Parameters", "Phase", "Side", "Step"]

Step = Literal["upload-urls", "put", "create", "get", "delete", "download"]
Phase = Literal["before", "after"]
Side = Literal["socket", "answer", "job", "storage"]
Parameters = Mapping[str, Any]

STEPS: Final[tuple[Step, ...]] = get_args(Step)
_API: Final[tuple[Step, ...]] = ("upload-urls", "create", "get", "delete")
_JSON: Final[tuple[Step, ...]] = ("upload-urls", "create", "get")
_READS: Final[tuple[Step, ...]] = ("get", "delete", "download")

_BEFORE: Final[tuple[Phase, ...]] = ("before",)
_AFTER: Final[tuple[Phase, ...]] = ("after",)
_BOTH: Final[tuple[Phase, ...]] = ("before", "after")


class _Required:
    """Stands for a parameter that has no default."""

    def __repr__(self) -> str:
        return "required"


REQUIRED: Final = _Required()


@dataclass(frozen=True)
class Kind:
    """One way to go wrong.

    `side` is what misbehaves: the socket, the service's answer, the job, or the storage. `parameters` are those that it
    takes, with their defaults. `variants` are sets of parameters worth testing, by step or "*" for all steps.
    """

    name: str
    summary: str
    side: Side
    steps: tuple[Step, ...]
    phases: tuple[Phase, ...]
    parameters: Parameters = field(default_factory=dict[str, Any])
    variants: Mapping[str, Sequence[Parameters]] = field(default_factory=dict[str, Sequence[Parameters]])

    def cases(self, step: Step) -> Sequence[Parameters]:
        """The parameters worth testing at a step."""
        return self.variants.get(step, self.variants.get("*", ({},)))

    def objection(self, name: str, value: Any) -> str | None:
        """What is wrong with the value of a parameter, or None."""
        if value is None and (self.parameters[name] is None or (self.name, name) in _MAY_BE_NONE):
            return None
        allowed = _CHOICES.get((self.name, name))
        if allowed is not None:
            return None if value in allowed else f"must be one of {', '.join(map(str, allowed))}"
        check, wish = _CHECKS[name]
        return None if check(value) else wish


def _is_number(value: Any, *, least: float = 0, whole: bool = False) -> bool:
    return isinstance(value, int if whole else (int, float)) and not isinstance(value, bool) and value >= least


_COUNT: Final = (lambda value: _is_number(value, whole=True), "must be a whole number, 0 or more")
_ABOVE: Final = (lambda value: _is_number(value) and value > 0, "must be a number, more than 0")
_TEXT: Final = (lambda value: isinstance(value, str), "must be text")
_CHECKS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    **dict.fromkeys(("at_byte", "depth", "retry_after", "size"), _COUNT),
    **dict.fromkeys(("rate", "per_second"), _ABOVE),
    **dict.fromkeys(("code", "field", "message"), _TEXT),
    "date": (lambda value: isinstance(value, bool), "must be true or false"),
    "difference": (
        lambda value: _is_number(value, least=-math.inf, whole=True) and value != 0,
        "must be a whole number, not 0",
    ),
    "seconds": (_is_number, "must be a number, 0 or more"),
    "status": (lambda value: isinstance(value, int) and 400 <= value <= 599, "must be from 400 to 599"),
    "value": (lambda value: True, ""),
}
_CHOICES: Final[Mapping[tuple[str, str], Sequence[Any]]] = {
    ("job_stuck", "status"): ("draft", "queued", "rendering"),
    ("range_wrong", "how"): ("shifted", "other_total", "no_header"),
    ("redirect", "status"): (301, 302, 303, 307, 308),
    ("redirect", "to"): ("same", "other"),
    ("wrong_bytes", "checksum"): ("x-amz-checksum-sha256", "content-md5", "x-goog-hash"),
}
_MAY_BE_NONE: Final = frozenset({("rate_limited", "retry_after"), ("unavailable", "retry_after")})


def _each(**values: Sequence[Any]) -> tuple[Parameters, ...]:
    """One set of parameters for each value: `_each(status=(500, 502))`."""
    return tuple({name: value} for name, several in values.items() for value in several)


_WAITS: Final = ({"retry_after": 1}, {"retry_after": 1, "date": True}, {"retry_after": 0}, {"retry_after": 3600})
# What answers have that a client may read (API-FACTS, Operations); of the two old names of a cost, images' alone.
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "upload-urls": ("items", "items.*.upload_url", "items.*.file_path", "items.*.expires_at"),
    "create": ("id", "credits_charged", "frame_cost"),
    "get": (
        *("id", "name", "status", "type", "created_at", "enabled", "credits_charged", "total_frame_cost", "error"),
        *("downloads", "downloads.*.url", "downloads.*.expires_at"),
    ),
}
_FIELD_VARIANTS: Final = {step: _each(field=names) for step, names in _FIELDS.items()}
# `error` is null in every good answer.
_NULL_VARIANTS: Final = {
    step: _each(field=[name for name in names if name != "error"]) for step, names in _FIELDS.items()
}


def _table() -> Iterator[Kind]:
    yield Kind(
        "reset", "TCP reset, instead of a reply or in the middle of its body", "socket", STEPS, _BOTH, {"at_byte": None}
    )
    yield Kind("close", "the connection is closed without a reply", "socket", STEPS, _BOTH)
    yield Kind(
        "hang",
        "no reply; the connection stays open, or is closed after `seconds`",
        "socket",
        STEPS,
        _BOTH,
        {"seconds": None},
    )
    yield Kind("delay", "everything as usual, but `seconds` later", "socket", STEPS, _BOTH, {"seconds": 1.0})
    yield Kind("garbage", "bytes that are not HTTP, then the connection is closed", "socket", STEPS, _BOTH)
    yield Kind("drip", "the reply, headers too, at `rate` bytes per second", "socket", STEPS, _AFTER, {"rate": 10})
    yield Kind(
        "cut",
        "the connection is closed after `at_byte` bytes of the body",
        "socket",
        (*_JSON, "download"),
        _AFTER,
        {"at_byte": 10},
    )
    yield Kind(
        "stall",
        "nothing more comes after `at_byte` bytes of the body",
        "socket",
        (*_JSON, "download"),
        _AFTER,
        {"at_byte": 10},
    )
    yield Kind(
        "upload_reset",
        "TCP reset when `at_byte` bytes of the body have been read",
        "socket",
        ("put",),
        _BEFORE,
        {"at_byte": 0},
    )
    yield Kind(
        "upload_stall", "no more is read after `at_byte` bytes of the body", "socket", ("put",), _BEFORE, {"at_byte": 0}
    )
    yield Kind(
        "upload_slow", "the body is read at `rate` bytes per second", "socket", ("put",), _BEFORE, {"rate": 1_000_000}
    )

    yield Kind(
        *("rate_limited", "429 with Retry-After", "answer", STEPS, _BEFORE),
        {"retry_after": 1, "date": False},
        {"*": (*_WAITS, {"retry_after": None})},
    )
    yield Kind(
        *("unavailable", "503 of the service itself, with Retry-After", "answer", STEPS, _BEFORE),
        {"retry_after": 1, "date": False},
        {"*": (*_WAITS, {"retry_after": None})},
    )
    yield Kind(
        "rate_limit",
        "429 for more than `per_second` requests in a second of the emulator's clock",
        "answer",
        STEPS,
        _BEFORE,
        {"per_second": 1},
    )
    yield Kind(
        *(
            "status",
            "an error of the service, in the form of its own errors",
            "answer",
            STEPS,
            _BOTH,
            {"status": 500, "code": None, "message": None},
        ),
        {"*": _each(status=(400, 403, 408, 500, 502, 504))},
    )
    yield Kind(
        *("proxy_error", "an error page of a gateway in front of the service", "answer", STEPS, _BOTH, {"status": 503}),
        {"*": _each(status=(500, 502, 503, 504, 520))},
    )
    yield Kind("not_found", "404, as before a new thing is known everywhere", "answer", _READS, _BEFORE)
    yield Kind("html", "200 with a page of HTML, as captive portals do", "answer", STEPS, _BOTH)
    yield Kind("binary", "200 with bytes that are not text, labelled as JSON", "answer", _JSON, _BOTH)
    yield Kind("empty", "200 with nothing in it", "answer", (*_JSON, "download"), _BOTH)
    yield Kind("malformed_json", "200 with JSON that is not well-formed", "answer", _JSON, _BOTH)
    yield Kind("truncated", "half of the answer, with the length of that half", "answer", _JSON, _AFTER)
    yield Kind(
        "huge_body", "an answer that is `size` bytes longer", "answer", _JSON, _AFTER, {"size": 64 * 1024 * 1024}
    )
    yield Kind(
        "deep_json", "an answer with a field of `depth` nested lists", "answer", _JSON, _AFTER, {"depth": 100_000}
    )
    yield Kind("no_content_type", "an answer without Content-Type", "answer", (*_JSON, "download"), _AFTER)
    yield Kind(
        "missing_field",
        "an answer without one of its fields",
        "answer",
        _JSON,
        _AFTER,
        {"field": REQUIRED},
        _FIELD_VARIANTS,
    )
    yield Kind(
        "null_field",
        "an answer with null in one of its fields",
        "answer",
        _JSON,
        _AFTER,
        {"field": REQUIRED},
        _NULL_VARIANTS,
    )
    yield Kind(
        "wrong_field",
        "an answer with `value` in one of its fields",
        "answer",
        _JSON,
        _AFTER,
        {"field": REQUIRED, "value": {"unexpected": True}},
        _FIELD_VARIANTS,
    )
    yield Kind("new_fields", "an answer with fields that nobody knows yet", "answer", _JSON, _AFTER)
    yield Kind(
        "unknown_status",
        "a project with a status that nobody knows yet",
        "answer",
        ("get",),
        _AFTER,
        {"value": "paused"},
    )
    yield Kind(
        "fractional_credits", "half a credit more in every number of credits", "answer", ("create", "get"), _AFTER
    )

    yield Kind(
        *("job_error", "the job ends in `error`, with a refund", "job", ("create",), _AFTER),
        {"code": "unknown_error", "message": "The emulator was asked to fail this job"},
    )
    yield Kind("job_canceled", "the job is canceled at once", "job", ("create",), _AFTER)
    yield Kind(
        *("job_stuck", "the job stays in a `status` for ever", "job", ("create",), _AFTER, {"status": "queued"}),
        {"*": _each(status=("queued", "rendering", "draft"))},
    )

    yield Kind("expired_url", "403: the URL has expired", "storage", ("put", "download"), _BEFORE)
    yield Kind(
        *("redirect", "a redirect to the same URL, of this origin or of another one", "storage", STEPS, _BOTH),
        {"status": 307, "to": "same"},
        {"*": tuple({"status": status, "to": to} for status in (302, 307) for to in ("same", "other"))},
    )
    yield Kind("range_ignored", "200 and everything, where a range was asked for", "storage", ("download",), _AFTER)
    yield Kind(
        *("range_wrong", "206 that is not what was asked for", "storage", ("download",), _AFTER, {"how": "shifted"}),
        {"*": _each(how=("shifted", "other_total", "no_header"))},
    )
    yield Kind(
        "changed_etag",
        "the file has become another one of the same length, with another ETag",
        "storage",
        ("download",),
        _AFTER,
    )
    yield Kind(
        *(
            "wrong_length",
            "a Content-Length that is not the body's",
            "storage",
            ("download",),
            _AFTER,
            {"difference": 10},
        ),
        {"*": _each(difference=(10, -10))},
    )
    yield Kind("no_length", "a body that ends when the connection is closed", "storage", ("download",), _AFTER)
    yield Kind(
        *("wrong_bytes", "other bytes of the right length, with the checksum of the right ones if asked", "storage"),
        *(("download",), _AFTER, {"checksum": None}),
        {"*": _each(checksum=(None, "x-amz-checksum-sha256", "content-md5", "x-goog-hash"))},
    )


KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _table()}
