"""Answers that are not what they should be: pure functions from a fault, and the true answer, to a wrong one.

Rule: nothing here reads a socket or changes the service; what the client gets is wrong, what happened is not.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final
from xml.sax.saxutils import escape

from .faults import Fault

__all__ = ["CHANGED", "HEADS", "Answer", "Circumstances", "asked_otherwise", "changed", "instead"]

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Answer:
    """Status, headers and body as they go out. Names of headers are in lower case."""

    status: int
    headers: Headers
    body: bytes

    def get(self, name: str) -> str | None:
        """The value of a header."""
        return dict(self.headers).get(name)

    def having(self, headers: Mapping[str, str | None], body: bytes | None = None) -> "Answer":
        """This answer with headers changed, added or, with None, removed, and perhaps with another body."""
        length = {} if body is None else {"content-length": str(len(body))}
        merged = {**dict(self.headers), **length, **headers}
        kept = tuple((name, value) for name, value in merged.items() if value is not None)
        return replace(self, headers=kept, body=self.body if body is None else body)


# --- in place of the service's answer

_HTML: Final = "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
_XML: Final = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
# As the service calls them (API-FACTS, Errors); what has no name of its own is called by its status.
_CODES: Final = {
    **{400: "invalid_request", 401: "unauthorized", 402: "insufficient_credits", 403: "plan_upgrade_required"},
    **{404: "not_found", 422: "unprocessable_entity", 429: "too_many_requests", 500: "internal_server_error"},
    503: "service_unavailable",
}
# As object storage calls them.
_STORAGE_CODES: Final = {
    **{403: "AccessDenied", 404: "NoSuchKey", 408: "RequestTimeout", 429: "SlowDown", 500: "InternalError"},
    503: "SlowDown",
}


@dataclass(frozen=True)
class Circumstances:
    """What an answer may depend on besides its fault.

    `now` is the machine's time, which clients compare dates with; `next_second` says in how many seconds the emulator's
    clock will be in its next one; `location` is where a redirect points to.
    """

    storage: bool
    now: float
    next_second: int
    location: str


def instead(fault: Fault, about: Circumstances) -> Answer:
    """What is answered whatever the service would say."""
    return _INSTEAD[fault.kind](fault, about)


def _slowed(status: int) -> "_Instead":
    def answer(fault: Fault, about: Circumstances) -> Answer:
        wait, date = fault["retry_after"], fault["date"]
        header = None if wait is None else formatdate(about.now + wait, usegmt=True) if date else str(wait)
        return _error(status, about.storage).having({"retry-after": header})

    return answer


def _error(status: int, storage: bool, code: str | None = None, message: str | None = None) -> Answer:
    message = message or f"The emulator was asked to answer {status} {_phrase(status)}".strip()
    if storage:
        code = code or _STORAGE_CODES.get(status, f"Error{status}")
        return _plain(status, "application/xml", _XML.format(code=escape(code), message=escape(message)).encode())
    body = {"code": code or _CODES.get(status, f"error_{status}"), "message": message}
    return _plain(status, "application/json", json.dumps(body).encode())


def _page(status: int, title: str) -> Answer:
    return _plain(status, "text/html; charset=utf-8", _HTML.format(title=title.strip()).encode())


def _plain(status: int, media_type: str, body: bytes) -> Answer:
    return Answer(status, (("content-type", media_type), ("content-length", str(len(body)))), body)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Web server is returning an unknown error" if status == 520 else ""


_Instead = Callable[[Fault, Circumstances], Answer]
_INSTEAD: Final[Mapping[str, _Instead]] = {
    "rate_limited": _slowed(429),
    "unavailable": _slowed(503),
    "rate_limit": lambda _, about: _error(429, about.storage).having({"retry-after": str(about.next_second)}),
    "status": lambda fault, about: _error(fault["status"], about.storage, fault["code"], fault["message"]),
    "not_found": lambda _, about: _error(404, about.storage),
    "expired_url": lambda _, about: _error(403, storage=True, message="The URL has expired."),
    "proxy_error": lambda fault, _: _page(fault["status"], f"{fault['status']} {_phrase(fault['status'])}"),
    "redirect": lambda fault, about: _plain(fault["status"], "text/plain", b"").having({"location": about.location}),
    "html": lambda _, __: _page(200, "Welcome to our network"),
    "binary": lambda _, __: _plain(200, "application/json", bytes(range(256))),
    "empty": lambda _, __: _plain(200, "application/json", b""),
    "malformed_json": lambda _, __: _plain(200, "application/json", b'{"id": "none", "credits_charged": 5,}'),
}

# --- the service's answer, changed

Json = dict[str, Any]
_CREDITS: Final = ("credits_charged", "frame_cost", "estimated_frame_cost", "total_frame_cost")
_NEW: Final = {"added_text": "x", "added_list": [1, None], "added_object": {"deep": {}}}


def asked_otherwise(fault: Fault, headers: Headers) -> Headers:
    """The headers of a request that makes the storage give what the fault needs: another range, or none."""
    asked = dict(headers)
    if fault.kind == "range_wrong" and fault["how"] == "shifted":
        asked["range"] = re.sub(r"\d+", lambda number: _shifted(int(number[0])), asked["range"], count=1)
    changed_since = fault.kind == "changed_etag" and "if-range" in asked and "changed-" not in asked["if-range"]
    if fault.kind == "range_ignored" or changed_since:
        asked.pop("range", None)
    if fault.kind == "changed_etag":
        asked.pop("if-range", None)
    return tuple(asked.items())


def _shifted(first: int) -> str:
    return str(first - 1 if first else 1)


def changed(fault: Fault, answer: Answer) -> Answer | None:
    """The answer with a fault in it; None if there is nothing in it to change."""
    change = _CHANGES.get(fault.kind)
    if change is not None:
        return change(fault, answer) if 200 <= answer.status < 300 and answer.body else None
    return _with_json(fault, answer)


def _with_json(fault: Fault, answer: Answer) -> Answer | None:
    if not 200 <= answer.status < 300 or answer.get("content-type") != "application/json":
        return None
    body: Json = json.loads(answer.body)
    if not _JSON_CHANGES[fault.kind](fault, body):
        return None
    return answer.having({}, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


def _at(body: Any, path: str) -> list[tuple[Json, str]]:
    """The objects that have the field of a dotted path, in which `*` stands for each item of a list."""
    *way, name = path.split(".")
    found = [body]
    for step in way:
        found = [item for each in found for item in each] if step == "*" else [each.get(step, {}) for each in found]
    return [(each, name) for each in found if isinstance(each, dict) and name in each]


def _remove(fault: Fault, body: Json) -> bool:
    places = _at(body, fault["field"])
    for place, name in places:
        del place[name]
    return bool(places)


def _put(value: Any) -> Callable[[Fault, Json], bool]:
    def put(fault: Fault, body: Json) -> bool:
        places = _at(body, fault["field"])
        for place, name in places:
            place[name] = value(fault)
        return bool(places)

    return put


def _add_fields(fault: Fault, body: Json) -> bool:
    for place in [body, *(item for value in body.values() if isinstance(value, list) for item in value)]:
        place.update(_NEW)
    return True


def _set_status(fault: Fault, body: Json) -> bool:
    body["status"] = fault["value"]
    return True


def _add_half_a_credit(fault: Fault, body: Json) -> bool:
    named = [name for name in _CREDITS if name in body]
    for name in named:
        body[name] += 0.5
    return bool(named)


def _grow(fault: Fault, answer: Answer) -> Answer:
    return answer.having({}, answer.body[:-1] + b',"padding":"' + b"x" * fault["size"] + b'"}')


def _deepen(fault: Fault, answer: Answer) -> Answer:
    nested = b"[" * fault["depth"] + b"]" * fault["depth"]
    return answer.having({}, answer.body[:-1] + b',"nested":' + nested + b"}")


def _wrong_bytes(fault: Fault, answer: Answer) -> Answer:
    """Other bytes; the checksum, which services differ in naming, is that of the right ones. None is on record for the
    service's own storage, so these are what others call it."""
    wrong = answer.having({}, _inverted(answer.body))
    name = fault["checksum"]
    fits = answer.status == 200 or name == "content-md5"  # the others are of the whole file
    return wrong if name is None or not fits else wrong.having({name: _CHECKSUMS[name](answer.body)})


def _inverted(content: bytes) -> bytes:
    """Other bytes at each place, the same for the same bytes, so that parts of both do not fit together."""
    return content.translate(bytes(255 - value for value in range(256)))


def _other_range(fault: Fault, answer: Answer) -> Answer | None:
    given = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.get("content-range") or "")
    if answer.status != 206 or given is None:
        return None
    first, last, total = map(int, given.groups())
    if fault["how"] == "no_header":
        return answer.having({"content-range": None})
    if fault["how"] == "other_total":
        return answer.having({"content-range": f"bytes {first}-{last}/{total + 1}"})
    if fault["how"] == "short":
        return answer.having({}, answer.body[: len(answer.body) // 2])
    return answer  # what was asked for has been changed already


def _another_file(fault: Fault, answer: Answer) -> Answer:
    tag = (answer.get("etag") or '""').strip('"')
    return answer.having({"etag": f'"changed-{tag}"', "last-modified": None}, _inverted(answer.body))


_CHANGES: Final[Mapping[str, Callable[[Fault, Answer], Answer | None]]] = {
    "truncated": lambda fault, answer: answer.having({}, answer.body[: len(answer.body) // 2]),
    "malformed_json": lambda fault, answer: answer.having({}, answer.body[:-1] + b",}"),
    "huge_body": _grow,
    "deep_json": _deepen,
    "no_content_type": lambda fault, answer: answer.having({"content-type": None}),
    "range_ignored": lambda fault, answer: answer,
    "range_wrong": _other_range,
    "changed_etag": _another_file,
    "wrong_bytes": _wrong_bytes,
}
_JSON_CHANGES: Final[Mapping[str, Callable[[Fault, Json], bool]]] = {
    "missing_field": _remove,
    "null_field": _put(lambda fault: None),
    "wrong_field": _put(lambda fault: fault["value"]),
    "new_fields": _add_fields,
    "unknown_status": _set_status,
    "fractional_credits": _add_half_a_credit,
}
_CHECKSUMS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "x-amz-checksum-sha256": lambda content: _base64(hashlib.sha256(content).digest()),
    "content-md5": lambda content: _base64(_md5(content)),
    "x-goog-hash": lambda content: f"md5={_base64(_md5(content))}",
}

CHANGED: Final = frozenset({*_CHANGES, *_JSON_CHANGES})


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


# --- the head of an answer on the wire, which an HTTP server would not let an application get wrong


def _without_length(fault: Fault, head: bytes) -> bytes:
    return _LENGTH.sub(b"", head) + b"\r\nConnection: close"


def _with_other_length(fault: Fault, head: bytes) -> bytes:
    def other(match: re.Match[bytes]) -> bytes:
        return b"\r\nContent-Length: %d" % max(0, int(match[1]) + fault["difference"])

    return _LENGTH.sub(other, head)


_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
HEADS: Final[Mapping[str, Callable[[Fault, bytes], bytes]]] = {
    "no_length": _without_length,
    "wrong_length": _with_other_length,
}
