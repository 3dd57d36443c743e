"""One answer to a paid create, as raw bytes, and what it means: was the job accepted, what may callers be told?

Rule: what an answer means is decided where it is written, by HTTP and the contract, never by what the client makes of
it.
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
"""Where a client may read an answer or give it up: both account for the job."""
REFUSED = frozenset[Told]({"refused"})
REFUSED_OR_UNKNOWN = REFUSED | UNKNOWN

KEY = "mhk_answers_0123456789/canary"
"""The API key, with a character that JSON may escape."""
SECONDS, SILENT_SECONDS, SLOWED_SECONDS = 60.0, 3.0, 1.5
"""The time limit of a call; of one to which nothing comes any more, with room for a busy machine to connect in; and of
one that is told to come back."""


@dataclass(frozen=True)
class Answer:
    """What a server answers.

    Attributes:
        kind: the class it belongs to.
        what: what is special about it.
        make: the bytes, given the id of the job.
        accepted: whether the service accepted the job and charged it.
        may: what the caller may be told.
        told: the id as this answer spells it, `@` for the plain one.
        ends: what becomes of the connection.
        slowed: whether the service says that it did nothing and that the request may be repeated.
    """

    kind: str
    what: str
    make: Callable[[str], bytes]
    accepted: bool
    may: frozenset[Told]
    told: str = "@"
    ends: Ends = "close"
    slowed: bool = False

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} ({self.ends})"

    @property
    def seconds(self) -> float:
        return SLOWED_SECONDS if self.slowed else SILENT_SECONDS if self.ends == "hold" else SECONDS

    def id(self, plain: str) -> str:
        """The id that a caller is told of."""
        return self.told.replace("@", plain)


def good(id: str) -> bytes:
    """The body of a create that went well."""
    return json.dumps({"id": id, "credits_charged": 5, "frame_cost": 5}).encode()


def whole(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """An answer in the plainest frame. `headers` end with a line break."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}"
    return f"{head}\r\n".encode("latin-1") + body


def rich(id: str) -> bytes:
    """A good answer with headers as the service's front has them."""
    more = "Date: Mon, 30 Nov 2026 12:00:00 GMT\r\nServer: cloud\r\nX-Request-Id: 7f9c\r\nConnection: close\r\n"
    return whole(good(id), headers=more)


def chunked(body: bytes, *sizes: int) -> bytes:
    """A body in chunks of these sizes and the rest in a last one."""
    parts, at = [], 0
    for size in [*sizes, len(body) - sum(sizes)]:
        part, at = body[at : at + size], at + size
        parts.append(b"%x\r\n%b\r\n" % (len(part), part))
    return b"".join([*parts, b"0\r\n\r\n"])


def in_chunks(body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n{headers}\r\n"
    return head.encode() + body
