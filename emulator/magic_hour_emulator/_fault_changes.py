"""Changes to the service's own response: its JSON, its bytes, and its status line and headers on the wire.

Rule: pure functions from a fault and a correct response to a wrong one. A change that finds nothing to change leaves
the response alone, and the fault has not fired.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from ._fault_responses import Headers, Response
from .faults import Fault

__all__ = ["CHANGING", "HEAD_CHANGES", "changed", "changed_request"]

Json = dict[str, Any]
_CREDITS: Final = ("credits_charged", "frame_cost", "estimated_frame_cost", "total_frame_cost")
_NEW_FIELDS: Final = {"added_text": "x", "added_list": [1, None], "added_object": {"deep": {}}}


def changed_request(fault: Fault, headers: Headers) -> Headers:
    """The request's headers, changed so that the storage answers what the fault needs: another range, or none."""
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


def changed(fault: Fault, response: Response) -> Response | None:
    """The response with the fault in it; None if it has nothing that the fault could change."""
    change = _CHANGES.get(fault.kind)
    if change is not None:
        return change(fault, response) if 200 <= response.status < 300 and response.body else None
    return _with_changed_json(fault, response)


# --- JSON


def _with_changed_json(fault: Fault, response: Response) -> Response | None:
    if not 200 <= response.status < 300 or response.get("content-type") != "application/json":
        return None
    body: Json = json.loads(response.body)
    if not _JSON_CHANGES[fault.kind](fault, body):
        return None
    return response.having({}, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


def _holders(body: Any, path: str) -> list[tuple[Json, str]]:
    """The objects that have the field at a dotted path, in which `*` stands for every item of a list."""
    *parents, name = path.split(".")
    found = [body]
    for step in parents:
        found = [item for each in found for item in each] if step == "*" else [each.get(step, {}) for each in found]
    return [(each, name) for each in found if isinstance(each, dict) and name in each]


def _remove(fault: Fault, body: Json) -> bool:
    holders = _holders(body, fault["field"])
    for holder, name in holders:
        del holder[name]
    return bool(holders)


def _set(value: Callable[[Fault], Any]) -> Callable[[Fault, Json], bool]:
    def change(fault: Fault, body: Json) -> bool:
        holders = _holders(body, fault["field"])
        for holder, name in holders:
            holder[name] = value(fault)
        return bool(holders)

    return change


def _add_fields(fault: Fault, body: Json) -> bool:
    for holder in [body, *(item for value in body.values() if isinstance(value, list) for item in value)]:
        holder.update(_NEW_FIELDS)
    return True


def _set_status(fault: Fault, body: Json) -> bool:
    body["status"] = fault["value"]
    return True


def _add_half_a_credit(fault: Fault, body: Json) -> bool:
    names = [name for name in _CREDITS if name in body]
    for name in names:
        body[name] += 0.5
    return bool(names)


# --- bytes


def _grow(fault: Fault, response: Response) -> Response:
    return response.having({}, response.body[:-1] + b',"padding":"' + b"x" * fault["size"] + b'"}')


def _deepen(fault: Fault, response: Response) -> Response:
    nested = b"[" * fault["depth"] + b"]" * fault["depth"]
    return response.having({}, response.body[:-1] + b',"nested":' + nested + b"}")


def _wrong_bytes(fault: Fault, response: Response) -> Response:
    """Other bytes beside the checksum of the right ones, in a header that storage services use for it."""
    wrong = response.having({}, _inverted(response.body))
    name = fault["checksum"]
    applies = response.status == 200 or name == "content-md5"  # the others are checksums of the whole file
    return wrong if name is None or not applies else wrong.having({name: _CHECKSUMS[name](response.body)})


def _inverted(content: bytes) -> bytes:
    """Every byte replaced by another one, so that parts of both files never fit together."""
    return content.translate(bytes(255 - value for value in range(256)))


def _other_range(fault: Fault, response: Response) -> Response | None:
    given = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.get("content-range") or "")
    if response.status != 206 or given is None:
        return None
    first, last, total = map(int, given.groups())
    if fault["how"] == "no_header":
        return response.having({"content-range": None})
    if fault["how"] == "other_total":
        return response.having({"content-range": f"bytes {first}-{last}/{total + 1}"})
    if fault["how"] == "short":
        return response.having({}, response.body[: len(response.body) // 2])
    return response  # `changed_request` has shifted the range already


def _another_file(fault: Fault, response: Response) -> Response:
    tag = (response.get("etag") or '""').strip('"')
    return response.having({"etag": f'"changed-{tag}"', "last-modified": None}, _inverted(response.body))


_CHANGES: Final[Mapping[str, Callable[[Fault, Response], Response | None]]] = {
    "truncated": lambda fault, response: response.having({}, response.body[: len(response.body) // 2]),
    "malformed_json": lambda fault, response: response.having({}, response.body[:-1] + b",}"),
    "huge_body": _grow,
    "deep_json": _deepen,
    "no_content_type": lambda fault, response: response.having({"content-type": None}),
    "range_ignored": lambda fault, response: response,
    "range_wrong": _other_range,
    "changed_etag": _another_file,
    "wrong_bytes": _wrong_bytes,
}
_JSON_CHANGES: Final[Mapping[str, Callable[[Fault, Json], bool]]] = {
    "missing_field": _remove,
    "null_field": _set(lambda fault: None),
    "wrong_field": _set(lambda fault: fault["value"]),
    "new_fields": _add_fields,
    "unknown_status": _set_status,
    "fractional_credits": _add_half_a_credit,
}
_CHECKSUMS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "x-amz-checksum-sha256": lambda content: _base64(hashlib.sha256(content).digest()),
    "content-md5": lambda content: _base64(_md5(content)),
    "x-goog-hash": lambda content: f"md5={_base64(_md5(content))}",
}
CHANGING: Final = frozenset({*_CHANGES, *_JSON_CHANGES})


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


# --- status line and headers on the wire, where an HTTP server does not let an application get them wrong


def _without_length(fault: Fault, head: bytes) -> bytes:
    return _LENGTH.sub(b"", head) + b"\r\nConnection: close"


def _with_other_length(fault: Fault, head: bytes) -> bytes:
    def other(match: re.Match[bytes]) -> bytes:
        return b"\r\nContent-Length: %d" % max(0, int(match[1]) + fault["difference"])

    return _LENGTH.sub(other, head)


_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
HEAD_CHANGES: Final[Mapping[str, Callable[[Fault, bytes], bytes]]] = {
    "no_length": _without_length,
    "wrong_length": _with_other_length,
}
