"""One answer to a paid create as raw bytes, and its meaning: was the job accepted, what may be reported to callers?

Rule: the meaning is defined beside the bytes, from HTTP and the contract, never from what the client does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Told = Literal["id", "unknown", "refused"]
Ends = Literal["close", "reset", "hold"]

ID = frozenset[Told]({"id"})
UNKNOWN = frozenset[Told]({"unknown"})
ID_OR_UNKNOWN = ID | UNKNOWN
"""A client may read the answer or give it up: both account for the job."""
REFUSED = frozenset[Told]({"refused"})
REFUSED_OR_UNKNOWN = REFUSED | UNKNOWN

KEY = "mhk_answers_0123456789/canary"
"""The API key, with a character that JSON may escape."""
SECONDS, SILENT_SECONDS, SLOWED_SECONDS = 60.0, 3.0, 1.5
"""The timeout of a call; of one that gets no further bytes, with time for a busy machine to connect; and of one with a
Retry-After."""


@dataclass(frozen=True)
class Answer:
    """What a server answers.

    Attributes:
        kind: the class it belongs to.
        what: what is special about it.
        make: the bytes, given the id of the job.
        accepted: whether the service accepted the job and charged it.
        may: what may be reported to the caller.
        reported: the id as in this answer, `@` for the plain one.
        ends: how the connection ends.
        slowed: whether the service says that it did nothing and asks to retry.
    """

    kind: str
    what: str
    make: Callable[[str], bytes]
    accepted: bool
    may: frozenset[Told]
    reported: str = "@"
    ends: Ends = "close"
    slowed: bool = False

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} ({self.ends})"

    @property
    def seconds(self) -> float:
        return SLOWED_SECONDS if self.slowed else SILENT_SECONDS if self.ends == "hold" else SECONDS

    def id(self, plain: str) -> str:
        """The id that is reported to the caller."""
        return self.reported.replace("@", plain)


def good(id: str) -> bytes:
    """The body of a successful create."""
    return json.dumps({"id": id, "credits_charged": 5, "frame_cost": 5}).encode()


def whole(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A plain HTTP response. `headers` end with a line break."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}"
    return f"{head}\r\n".encode("latin-1") + body


def rich(id: str) -> bytes:
    """A good response with the headers that a service usually sends."""
    more = "Date: Mon, 30 Nov 2026 12:00:00 GMT\r\nServer: cloud\r\nX-Request-Id: 7f9c\r\nConnection: close\r\n"
    return whole(good(id), headers=more)


def chunked(body: bytes, *sizes: int) -> bytes:
    """A body in chunks of these sizes, with the rest in the last one."""
    parts, at = [], 0
    for size in [*sizes, len(body) - sum(sizes)]:
        part, at = body[at : at + size], at + size
        parts.append(b"%x\r\n%b\r\n" % (len(part), part))
    return b"".join([*parts, b"0\r\n\r\n"])


def in_chunks(body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n{headers}\r\n"
    return head.encode() + body
