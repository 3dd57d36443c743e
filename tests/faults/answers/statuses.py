"""Answers with every status: clear refusals, and those of a service or proxy that may have accepted the job."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from .answer import ID, ID_OR_UNKNOWN, KEY, REFUSED, REFUSED_OR_UNKNOWN, UNKNOWN, Answer, good, whole

_MAYBE_ACCEPTED = (408, 409, 425)
"""The 4xx that a proxy may send after the service has received the request."""
_BODIES = {
    "JSON": json.dumps({"code": "no_luck", "message": "It cannot be done."}).encode(),
    "HTML": b"<html><head><title>Error</title></head><body>nginx</body></html>",
    "nothing": b"",
    "hostile JSON": json.dumps(
        {"code": "\x1b[31m\ud800", "message": f"{KEY} \x1b]0;x\x07\u202e\r\nhttps://u:p@h/?sig=1"}
    ).encode(),
}
_STATUSES = {
    **dict.fromkeys((300, 301, 302, 303, 304, 305, 307, 308, 399), UNKNOWN),
    **dict.fromkeys(
        (500, 501, 502, 504, 505, 507, 508, 511, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530, 555, 599), UNKNOWN
    ),
    **dict.fromkeys((0, 1, 99, 600, 601, 666, 700, 777, 800, 900, 999), UNKNOWN),
    **dict.fromkeys(_MAYBE_ACCEPTED, UNKNOWN),
    **dict.fromkeys(
        (*range(400, 408), *range(410, 419), 421, 422, 423, 424, 426, 428, 431, 444, 451, 460, 499), REFUSED
    ),
}


def statuses() -> Iterator[Answer]:
    for status, may in _STATUSES.items():
        for name, body in _BODIES.items():
            yield Answer("status", f"{status:03} with {name}", _plain(f"{status:03} Oh", body), may == UNKNOWN, may)
    for status in (300, 302, 307, 404 - 1, 500, 502, 504, 599, 600, 999):
        accepted = status != 403
        may = UNKNOWN if accepted else REFUSED
        yield Answer(
            "status",
            f"{status} with a good body",
            lambda id, s=status: whole(good(id), status=f"{s} Oh"),
            accepted,
            may,
        )
    for status in range(200, 212):
        may = ID if status in (200, 201, 202) else ID_OR_UNKNOWN
        yield Answer(
            "status", f"{status} with a good body", lambda id, s=status: whole(good(id), status=f"{s} Oh"), True, may
        )
        for name, body in _BODIES.items():
            yield Answer("status", f"{status} with {name}", _plain(f"{status} Oh", body), True, UNKNOWN)
    for status in (301, 302, 303, 307, 308):
        for name, location in _LOCATIONS.items():
            header = f"Location: {location}\r\n"
            yield Answer("status", f"{status} to {name}", _plain(f"{status} Moved", b"", header), True, UNKNOWN)
    for status in (400, 403, 404, 422):
        short = _plain(f"{status} No", _BODIES["JSON"])("")[:-5]
        yield Answer("status", f"{status}, cut", lambda id, short=short: short, False, REFUSED_OR_UNKNOWN)
        endless = f"HTTP/1.1 {status} No\r\nContent-Length: 9000000\r\n\r\n{{".encode()
        yield Answer(
            "status", f"{status}, never ended", lambda id, e=endless: e, False, REFUSED_OR_UNKNOWN, ends="hold"
        )
    yield from _slowed()


def _plain(status: str, body: bytes, headers: str = "") -> Callable[[str], bytes]:
    return lambda id: whole(body, status=status, headers=headers)


_LOCATIONS = {
    "itself": "/v1/ai-image-generator",
    "another host": "http://127.0.0.1:9/",
    "nothing": "",
    "a broken host": "http://[bad/",
    "the key": f"https://x.example/{KEY}?sig={KEY}",
    "an escape": "http://x.example/\x1b[31m",
    "a script": "javascript:alert(1)",
    "a mail": "mailto:a@b.example",
    "data": "data:,x",
    "a scheme alone": "http:",
    "a scheme and slashes": "http://",
    "three slashes": "http:///a",
    "two slashes": "//",
    "a colon": ":",
    "another scheme": "ftp://x.example/",
    "no scheme at all": "1http://x",
    "a port out of range": "http://x:99999/",
    "a port of letters": "http://x:y/",
    "two ports": "http://x:1:2/",
    "a broken IPv6": "http://[::1/",
    "a zone of IPv6": "http://[fe80::1%25eth0]/",
    "bytes": "http://\xff\xfe/",
    "a host of bytes": "http://\xe2\x84\x80.example/",
    "a host of dots": "http://.../",
    "a label too long": f"http://{'a' * 64}.example/",
    "a host too long": f"http://{'a.' * 200}example/",
    "an address of 70,000": f"http://x.example/{'a' * 70_000}",
    "a user": "http://user:secret@127.0.0.1:9/",
    "an invalid escape": "http://x.example/%zz%",
    "a NUL, escaped": "http://x.example/%00",
    "a backslash": "http:\\\\x.example\\",
    "spaces": " http://x.example/ a b ",
    "a fragment": "#here",
    "a question": "?x=1",
    "dots": "../../../..",
}
_WAITS = ("0", "0.05", "1", "3600", "Mon, 30 Nov 2020 12:00:00 GMT", "Mon, 30 Nov 2099 12:00:00 GMT")
_NO_WAITS = (
    "", "-1", "soon", "1e999", "NaN", "Infinity", "9" * 400, "1,000", "\xb2", "Mon, 99 Nov 2020 12:00:00 GMT", KEY,
)  # fmt: skip
_LONG = "Mon, 30 Nov 2099 12:00:00 GMT"
"""Beyond the longest delay that is accepted, so it counts as none."""


def _slowed() -> Iterator[Answer]:
    for value in (*_WAITS, *_NO_WAITS):
        header, name = f"Retry-After: {value}\r\n", f"{value[:30]!r} of {len(value)}"
        slowed = _plain("429 Slow", b"{}", header)
        yield Answer("status", f"429, Retry-After {name}", slowed, False, REFUSED, slowed=True)
        clear = value in _WAITS and value != _LONG
        away = _plain("503 Away", b"{}", header)
        yield Answer("status", f"503, Retry-After {name}", away, not clear, REFUSED if clear else UNKNOWN, slowed=clear)
    for name, body in _BODIES.items():
        yield Answer("status", f"429 with {name}", _plain("429 Slow", body), False, REFUSED, slowed=True)
        clear = "JSON" in name  # only the service itself sends a code
        away = _plain("503 Away", body)
        yield Answer("status", f"503 with {name}", away, not clear, REFUSED if clear else UNKNOWN, slowed=clear)
    for code in ("", None, [], {}, " ", "\x1b"):
        body = json.dumps({"code": code, "message": "Service Unavailable"}).encode()
        yield Answer("status", f"503 with the code {code!r}", _plain("503 Away", body), True, UNKNOWN)
    message = b'{"message": "Service Unavailable"}'
    yield Answer("status", "503 with a message only", _plain("503 Away", message), True, UNKNOWN)
