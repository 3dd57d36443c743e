"""Truncated answers, and answers with broken HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .answer import ID, ID_OR_UNKNOWN, UNKNOWN, Answer, Ends, Told, chunked, good, in_chunks, rich, whole

_ID = "cuid-0000"
"""As long as every other id, so that positions are the same."""


def cuts() -> Iterator[Answer]:
    """A good answer that ends at each of its bytes, with a close, a reset or silence."""
    length = len(rich(_ID))
    for at in range(length):
        yield _cut(rich, at, "close")
    for at in range(0, length, 3):
        yield _cut(rich, at, "reset")
    for at in range(0, length, 30):
        yield _cut(rich, at, "hold")
    for at in range(0, len(_pieces(_ID)), 2):
        yield _cut(_pieces, at, "close")
    yield Answer("cut", "not at all", rich, True, ID)
    yield Answer("cut", "not at all", rich, True, ID, ends="hold")
    yield Answer("cut", "not at all", rich, True, ID_OR_UNKNOWN, ends="reset")
    for at in range(1, len(good(_ID)), 4):  # no length and no chunks: the body ends with the connection
        yield Answer("cut", f"without a length, at {at}", _endless(at), True, UNKNOWN)


def _pieces(id: str) -> bytes:
    return in_chunks(chunked(good(id), 10, 7))


def _cut(make: Callable[[str], bytes], at: int, ends: Ends) -> Answer:
    return Answer("cut", f"{make.__name__} at {at}", lambda id: make(id)[:at], True, UNKNOWN, ends=ends)


def _endless(at: int) -> Callable[[str], bytes]:
    return lambda id: b"HTTP/1.1 200 OK\r\n\r\n" + good(id)[:at]


_LENGTHS: dict[str, frozenset[Told]] = {
    **dict.fromkeys(
        ["-1", "-77", "NaN", "1e2", "0x4d", "77 77", "7 7", "", "+77", "77.0", "1_0", "\xb2", "--"], ID_OR_UNKNOWN
    ),
    **dict.fromkeys(["0", "1", "10", "76"], UNKNOWN),
    **dict.fromkeys(["100000", "999999999", "9" * 19, "9" * 400], UNKNOWN),
}
"""Values of Content-Length: too short is not JSON any more, too long is never complete."""


def framing() -> Iterator[Answer]:
    """A good body in wrong HTTP."""
    yield from _lengths()
    yield from _heads_and_chunks()
    yield from _other_bytes()
    yield from _sizes()


def _lengths() -> Iterator[Answer]:
    for value, may in _LENGTHS.items():
        yield _answer(
            f"Content-Length {value[:20]!r} of {len(value)}",
            lambda id, v=value: _headed(id, f"Content-Length: {v}"),
            may,
        )
    for first, second in [("@", "@"), ("@", "5"), ("5", "@"), ("@", "999"), ("0", "@"), ("@", "x")]:
        yield _answer(
            f"two lengths {first} {second}", lambda id, a=first, b=second: _headed(id, _length(id, a), _length(id, b))
        )
        yield _answer(
            f"lengths {first}, {second} in a line",
            lambda id, a=first, b=second: _headed(id, f"{_length(id, a)}, {_length(id, b)[16:]}"),
        )


def _heads_and_chunks() -> Iterator[Answer]:
    for name, head in _HEADS.items():
        yield _answer(
            name, lambda id, head=head: _headed(id, *(line.replace("@", str(len(good(id)))) for line in head))
        )
    for name, line in _STATUS_LINES.items():
        yield _answer(
            f"status line {name}",
            lambda id, line=line: (
                line.encode("latin-1") + b"\r\n" + _headed(id, _length(id, "@")).partition(b"\r\n")[2]
            ),
        )
    for name, make in _CHUNKS.items():
        yield _answer(f"chunks {name}", lambda id, make=make: in_chunks(make(good(id))))


def _other_bytes() -> Iterator[Answer]:
    for name, before in _BEFORE.items():
        yield _answer(f"after {name}", lambda id, before=before: before + rich(id))
    for name, other in _NO_HTTP.items():
        yield _answer(f"{name} alone", lambda id, other=other: other, UNKNOWN)
    yield _answer("HTTP/0.9", good)
    yield _answer("HTTP/0.9 with text behind", lambda id: good(id) + b"\r\n\r\nbye")
    yield _answer("bare line feeds", lambda id: rich(id).replace(b"\r\n", b"\n"))
    yield _answer("bare carriage returns", lambda id: rich(id).replace(b"\r\n", b"\r"))
    yield _answer("a second answer behind", lambda id: rich(id) + whole(b"{}", status="500 Oh"))
    yield _answer("bytes behind", lambda id: rich(id) + b"\0" * 1000)
    yield _answer("no length", lambda id: _headed(id), ID)
    yield _answer("no length, kept open", lambda id: _headed(id), ID_OR_UNKNOWN, "hold")
    yield _answer("a length that never comes", lambda id: _headed(id, "Content-Length: 5000"), UNKNOWN, "hold")
    yield _answer(
        "chunks that never end", lambda id: in_chunks(b"%x\r\n%b\r\n" % (len(good(id)), good(id))), UNKNOWN, "hold"
    )


def _sizes() -> Iterator[Answer]:
    for size in (1000, 60_000, 99_000, 101_000, 1_000_000):
        yield _answer(f"a header of {size}", lambda id, n=size: _headed(id, _length(id, "@"), f"X-Long: {'x' * n}"))
        yield _answer(f"a header name of {size}", lambda id, n=size: _headed(id, _length(id, "@"), f"{'x' * n}: x"))
        yield _answer(f"a reason of {size}", lambda id, n=size: whole(good(id), status=f"200 {'O' * n}"))
    for count in (100, 1000, 10_000):
        yield _answer(
            f"{count} headers", lambda id, n=count: _headed(id, _length(id, "@"), *(f"X{i}: 1" for i in range(n)))
        )
        yield _answer(f"{count} equal headers", lambda id, n=count: _headed(id, _length(id, "@"), *["X: 1"] * n))
        yield _answer(
            f"{count} cookies",
            lambda id, n=count: _headed(id, _length(id, "@"), *(f"Set-Cookie: a{i}=1" for i in range(n))),
        )


def _answer(
    what: str, make: Callable[[str], bytes], may: frozenset[Told] = ID_OR_UNKNOWN, ends: Ends = "close"
) -> Answer:
    return Answer("framing", what, make, True, may, ends=ends)


def _length(id: str, value: str) -> str:
    return f"Content-Length: {value.replace('@', str(len(good(id))))}"


def _headed(id: str, *lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin-1") + good(id)


_HEADS: dict[str, tuple[str, ...]] = {
    "a space before the colon": ("Content-Length : @",),
    "a folded header": ("X: a", " b", "Content-Length: @"),
    "a folded first header": (" Content-Length: @",),
    "a header without a colon": ("Content-Length: @", "nonsense"),
    "a header without a name": ("Content-Length: @", ": x"),
    "a NUL in a header": ("Content-Length: @", "X: a\0b"),
    "a NUL in a header name": ("Content-Length: @", "X\0: a"),
    "an escape in a header": ("Content-Length: @", "X: \x1b[31m"),
    "a carriage return in a header": ("Content-Length: @", "X: a\rb"),
    "Latin-1 in a header": ("Content-Length: @", "X: \xe9\xff"),
    "Latin-1 in a header name": ("Content-Length: @", "\xe9: x"),
    "a length in capitals": ("CONTENT-LENGTH: @",),
    "a length with tabs": ("Content-Length:\t@\t",),
    "chunked and a length": ("Transfer-Encoding: chunked", "Content-Length: @"),
    "an unknown transfer coding": ("Transfer-Encoding: gzip",),
    "gzip, chunked": ("Transfer-Encoding: gzip, chunked",),
    "identity transfer coding": ("Transfer-Encoding: identity", "Content-Length: @"),
    "two chunked": ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "chunked twice in a line": ("Transfer-Encoding: chunked, chunked",),
    "chunked, misspelt": ("Transfer-Encoding: xchunked",),
    "chunked in another case": ("Transfer-Encoding: ChUnKeD",),
    "an upgrade": ("Content-Length: @", "Connection: Upgrade", "Upgrade: h2c"),
    "keep-alive": ("Content-Length: @", "Connection: keep-alive"),
    "a trailer announced": ("Content-Length: @", "Trailer: X"),
    "no type": ("Content-Length: @",),
    "another type": ("Content-Type: text/html", "Content-Length: @"),
    "a type with an unknown charset": ("Content-Type: application/json; charset=utf-99", "Content-Length: @"),
    "a type with a wrong charset": ("Content-Type: application/json; charset=utf-16", "Content-Length: @"),
    "a broken type": ('Content-Type: ;;;="', "Content-Length: @"),
    "a location": ("Content-Length: @", "Location: http://127.0.0.1:9/elsewhere"),
    "a retry-after": ("Content-Length: @", "Retry-After: 5"),
    "a broken cookie": ("Content-Length: @", "Set-Cookie: =;=;\x01"),
    "a content range": ("Content-Length: @", "Content-Range: bytes 0-9/100"),
}
_STATUS_LINES = {
    "HTTP/1.0": "HTTP/1.0 200 OK",
    "HTTP/1.2": "HTTP/1.2 200 OK",
    "HTTP/2": "HTTP/2 200",
    "HTTP/2.0": "HTTP/2.0 200 OK",
    "HTTP/3.7": "HTTP/3.7 200 OK",
    "HTTP/11.1": "HTTP/11.1 200 OK",
    "small letters": "http/1.1 200 ok",
    "without a reason": "HTTP/1.1 200",
    "with an empty reason": "HTTP/1.1 200 ",
    "with two spaces": "HTTP/1.1  200 OK",
    "with a tab": "HTTP/1.1\t200\tOK",
    "with a space before": " HTTP/1.1 200 OK",
    "without a status": "HTTP/1.1",
    "with a status of two digits": "HTTP/1.1 20 OK",
    "with a status of four digits": "HTTP/1.1 2000 OK",
    "with a negative status": "HTTP/1.1 -200 OK",
    "with letters as status": "HTTP/1.1 abc OK",
    "with a status with a fraction": "HTTP/1.1 200.5 OK",
    "with superscript digits": "HTTP/1.1 2\xb2\xb3 OK",
    "with a NUL": "HTTP/1.1 200 O\0K",
    "with an escape": "HTTP/1.1 200 \x1b[31mOK",
    "with Latin-1": "HTTP/1.1 200 D\xe9j\xe0",
    "of ICY": "ICY 200 OK",
    "of HTTPS": "HTTPS/1.1 200 OK",
    "empty": "",
    "of RTSP": "RTSP/1.0 200 OK",
}
_CHUNKS: dict[str, Callable[[bytes], bytes]] = {
    "of one byte": lambda body: chunked(body, *[1] * (len(body) - 1)),
    "with extensions": lambda body: b"%x;a=b;c\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "with a long extension": lambda body: b"%x;%b\r\n%b\r\n0\r\n\r\n" % (len(body), b"x" * 200_000, body),
    "with trailers": lambda body: b"%x\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(body), body),
    "with broken trailers": lambda body: b"%x\r\n%b\r\n0\r\nnonsense\r\n\r\n" % (len(body), body),
    "with leading zeros": lambda body: b"%020x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "with many leading zeros": lambda body: b"%0300x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "in capitals": lambda body: b"%X\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "with a prefix 0x": lambda body: b"0x%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "of a negative size": lambda body: b"-%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "of no number": lambda body: b"size\r\n%b\r\n0\r\n\r\n" % body,
    "of an empty size": lambda body: b"\r\n%b\r\n0\r\n\r\n" % body,
    "of a huge size": lambda body: b"ffffffffffffffff\r\n%b\r\n0\r\n\r\n" % body,
    "of a size beyond all": lambda body: b"%b\r\n%b\r\n0\r\n\r\n" % (b"f" * 500, body),
    "one too short": lambda body: b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 1, body),
    "one too long": lambda body: b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) + 1, body),
    "without the line break behind": lambda body: b"%x\r\n%b0\r\n\r\n" % (len(body), body),
    "with other bytes behind": lambda body: b"%x\r\n%bxx0\r\n\r\n" % (len(body), body),
    "with line feeds only": lambda body: b"%x\n%b\n0\n\n" % (len(body), body),
    "with spaces": lambda body: b" %x \r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "without a last one": lambda body: b"%x\r\n%b\r\n" % (len(body), body),
    "without a last line break": lambda body: b"%x\r\n%b\r\n0\r\n" % (len(body), body),
    "ended at once": lambda body: b"0\r\n\r\n" + body,
    "ended twice": lambda body: chunked(body) + b"0\r\n\r\n",
    "not in chunks": lambda body: body,
    "with a NUL": lambda body: b"%x\0\r\n%b\r\n0\r\n\r\n" % (len(body), body),
}
_EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BEFORE = {
    "100": _CONTINUE,
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "103": _EARLY,
    "199": b"HTTP/1.1 199 What\r\n\r\n",
    "100 and 103": _CONTINUE + _EARLY,
    "10 times 100": _CONTINUE * 10,
    "1,000 times 100": _CONTINUE * 1000,
    "10,000 times 100": _CONTINUE * 10_000,
    "1,000 times 103": _EARLY * 1000,
    "a 100 with a body": b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\n{}",
    "another status line": b"HTTP/1.1 200 OK\r\n",
    "the status line of a refusal": b"HTTP/1.1 400 Bad\r\n",
    "an empty line": b"\r\n",
    "1,000 empty lines": b"\r\n" * 1000,
    "a NUL": b"\0",
    "a byte order mark": b"\xef\xbb\xbf",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "a preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}
_NO_HTTP = {
    "a preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "frames of HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18),
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "a greeting of SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a greeting of SMTP": b"220 mail.example ESMTP\r\n",
    "our own request": b"POST /v1/ai-image-generator HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTML": b"<html><body>502 Bad Gateway</body></html>",
    "NUL bytes": bytes(1000),
    "200,000 letters": b"x" * 200_000,
    "a line break": b"\r\n",
    "100 and nothing": _CONTINUE,
    "103 and nothing": _EARLY,
    "1,000 times 100 and nothing": _CONTINUE * 1000,
    "101": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
}
