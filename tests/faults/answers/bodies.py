"""Correct HTTP with a wrong body: distorted JSON, and content encodings."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator

from .answer import ID, ID_OR_UNKNOWN, KEY, UNKNOWN, Answer, Told, good, whole

MIB = 1024 * 1024


def distortions() -> Iterator[Answer]:
    """JSON of an accepted job with something wrong in it."""
    for text in _NO_IDS:
        yield _json(f"the id {text[:30]} of {len(text)}", f'{{"id": {text}, "credits_charged": 5}}', UNKNOWN)
    yield _json("no id", '{"credits_charged": 5}', UNKNOWN)
    for reported in _IDS:
        text = f'{{"id": {json.dumps(reported)}, "credits_charged": 5}}'
        yield _json(f"the id {reported[:30]!a} of {len(reported)}", text, ID, reported=reported)
    for credits in _CREDITS:
        text = f'{{"id": "@", "credits_charged": {credits}}}'
        yield _json(f"credits {credits[:30]} of {len(credits)}", text, ID if len(credits) < 1000 else ID_OR_UNKNOWN)
    for what, text in _WHOLE.items():
        yield _json(what, text, ID)
    for what, text in _LOOSE.items():
        yield _json(what, text, ID_OR_UNKNOWN)
    for what, text in _BROKEN.items():
        yield _json(what, text, UNKNOWN)
    for encoding in (
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "utf-32-le",
        "utf-32-be",
        "utf-7",
        "cp037",
    ):
        may = UNKNOWN if encoding == "cp037" else ID_OR_UNKNOWN
        yield _bytes(f"in {encoding}", lambda id, e=encoding: good(id).decode().encode(e), may)
    for what, change in _CHANGES.items():
        yield _bytes(what, lambda id, change=change: change(good(id)), UNKNOWN)
    surrogate = lambda id: whole(good(id).replace(b'"cuid', b'"\xed\xa0\x80cuid'))  # noqa: E731
    yield Answer("JSON", "a surrogate in UTF-8", surrogate, True, ID_OR_UNKNOWN, reported="\ud800@")
    for depth in (10, 100, 900, 5000, 100_000):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            nested = f'{{"id": "@", "credits_charged": 5, "more": {opening * depth}1{closing * depth}}}'
            yield _json(f"{depth} times {opening}", nested, ID if depth < 500 else ID_OR_UNKNOWN)
    for size in (10_000, 1_000_000):
        yield _json(f"{size} letters more", f'{{"id": "@", "credits_charged": 5, "x": "{"x" * size}"}}', ID)
        yield _json(f"{size} spaces behind", f'{{"id": "@", "credits_charged": 5}}{" " * size}', ID)


def _json(what: str, text: str, may: frozenset[Told], reported: str = "@") -> Answer:
    return Answer("JSON", what, lambda id: whole(text.replace("@", id).encode()), True, may, reported=reported)


def _bytes(
    what: str, make: Callable[[str], bytes], may: frozenset[Told], headers: str = "", kind: str = "JSON"
) -> Answer:
    return Answer(kind, what, lambda id: whole(make(id), headers=headers), True, may)


_NO_IDS = [
    *('""', "null", "7", "-1", "0", "0.5", "true", "false", "[]", "{}", '["@"]', '{"id": "@"}', "NaN", "Infinity"),
    *("1e999", "9" * 30, "9" * 5000, '"', '"@', "@", "'@'", '"\\', '"\\x40"', '"\\u12"', "undefined", "None", ""),
]
_IDS = [
    *("@\x1b[31m", "\x1b]0;title\x07@", "@\r\nX: y", "@\0", "@\x7f", "@\x9b31m", "@\u202eabc", "@\u200b", "@\ufeff"),
    *("@\ud800", "\udfff@", "@\U0001f600", "@\udc80", "@ @", " @", "@ ", "@/../x", "../@", "@?a=b", "@#x", "@%2e",
     "@\\"),
    *("@" + "x" * 500, "@" + "x" * 100_000, "@é", "@漢字", "@'; DROP TABLE paid; --", '@"<script>', "{{ @ }}", "-@",
     "@\t"),
    *("@https://h.example/?signature=abcdef0123", "$(@)", "@\u2028", "@`id`", "@" + "\x1b" * 50),
]  # fmt: skip
_CREDITS = [
    *("NaN", "-NaN", "Infinity", "-Infinity", "1e999", "-1e999", "-1", "-0", "-0.0", "0", "0.5", "5.0", "1e300",
     "-1e300"),
    *("1e9", "1e10", "1e-300", "9" * 30, "-" + "9" * 30, "9" * 400, '"5"', '""', '"NaN"', "null", "true", "false", "[]",
     "[5]"),
    *("{}", '{"amount": 5}', "9" * 5000, "1" + "0" * 308, "1e308", '"\\ud800"', "5e-324", "0." + "3" * 400),
]  # fmt: skip
_CREDITS.remove("-NaN")  # not JSON in any reading
_WHOLE = {
    "no credits": '{"id": "@"}',
    "only what is needed": '{"id":"@","credits_charged":5}',
    "fields that nobody knows": '{"id": "@", "credits_charged": 5, "new": {"a": [1, null]}, "": 0}',
    "the id last": '{"credits_charged": 5, "x": 1, "id": "@"}',
    "fields of nonsense": '{"id": "@", "credits_charged": 5, "frame_cost": "many", "status": 7, "downloads": null}',
    "white space": ' \r\n\t{ "id" :\n"@" , "credits_charged":\t5 }\r\n',
    "an escaped id": '{"\\u0069d": "@", "credits_charged": 5}',
    "a pollution of prototypes": '{"__proto__": {"id": "x"}, "__class__": "y", "id": "@", "credits_charged": 5}',
    "the key": f'{{"id": "@", "credits_charged": 5, "echo": "{KEY}"}}',
    "names of methods": '{"id": "@", "credits_charged": 5, "to_dict": 1, "self": 2, "additional_properties": {}}',
}
_LOOSE = {
    "two ids": '{"id": "other", "id": "@", "credits_charged": 5}',
    "two ids, alike": '{"id": "@", "id": "@", "credits_charged": 5}',
    "two credits": '{"id": "@", "credits_charged": 5, "credits_charged": -5}',
    "a huge whole number": f'{{"id": "@", "credits_charged": 5, "x": {"9" * 5000}}}',
    "a huge exponent": '{"id": "@", "credits_charged": 5, "x": 1e99999999}',
    "NaN in an unknown field": '{"id": "@", "credits_charged": 5, "x": NaN}',
    "a lone surrogate in an unknown field": '{"id": "@", "credits_charged": 5, "x": "\\ud800"}',
    "10,000 fields": '{"id": "@", "credits_charged": 5' + "".join(f', "x{n}": {n}' for n in range(10_000)) + "}",
    "10,000 times one field": '{"id": "@", "credits_charged": 5' + ', "x": 1' * 10_000 + "}",
}
_BROKEN = {
    **{
        f"only {text!r}": text
        for text in ("null", "true", "5", '"@"', "[]", "{}", "", " ", "\r\n", "NaN", "0", '["@", 5]')
    },
    "a list of a job": '[{"id": "@", "credits_charged": 5}]',
    "the job inside of data": '{"data": {"id": "@", "credits_charged": 5}}',
    "the id under another name": '{"project_id": "@", "credits_charged": 5}',
    "the name in capitals": '{"ID": "@", "credits_charged": 5}',
    "single quotes": "{'id': '@', 'credits_charged': 5}",
    "no quotes": "{id: @, credits_charged: 5}",
    "a comma behind": '{"id": "@", "credits_charged": 5,}',
    "no comma": '{"id": "@" "credits_charged": 5}',
    "a comment": '{"id": "@", /* five */ "credits_charged": 5}',
    "text behind": '{"id": "@", "credits_charged": 5} and more',
    "the job twice": '{"id": "@", "credits_charged": 5}{"id": "@", "credits_charged": 5}',
    "the job twice, in lines": '{"id": "@", "credits_charged": 5}\n{"id": "@", "credits_charged": 5}',
    "text before": 'ok: {"id": "@", "credits_charged": 5}',
    "a guard against inclusion": ')]}\',\n{"id": "@", "credits_charged": 5}',
    "a callback": 'callback({"id": "@", "credits_charged": 5})',
    "an event stream": 'data: {"id": "@", "credits_charged": 5}\n\n',
    "YAML": "id: @\ncredits_charged: 5\n",
    "XML": "<job><id>@</id></job>",
    "HTML": "<html><body>@</body></html>",
    "a form": "id=@&credits_charged=5",
    "an escape in a string": '{"id": "@\x1b[31m", "credits_charged": 5}',
    "a NUL in a string": '{"id": "@\0", "credits_charged": 5}',
    "a NUL behind": '{"id": "@", "credits_charged": 5}\0',
    "a line break in a string": '{"id": "@\n", "credits_charged": 5}',
    "doubly encoded": json.dumps('{"id": "@", "credits_charged": 5}'),
    "smart quotes": "{\u201cid\u201d: \u201c@\u201d}",
    "braces without end": "{" * 100_000,
    "an error with 200": f'{{"error": {{"code": "no_luck", "message": "{KEY}"}}}}',
}
_CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a byte that is no UTF-8": lambda body: body.replace(b"credits", b"cr\xff"),
    "an id that is no UTF-8": lambda body: body.replace(b'"cuid', b'"\xc3('),
    "a half of a letter": lambda body: body.replace(b'"cuid', b'"\xe6\xbc'),
    "an overlong letter": lambda body: body.replace(b'"cuid', b'"\xc0\xaf'),
    "backwards": lambda body: body[::-1],
    "every second byte": lambda body: body[::2],
    "only zeros": lambda body: bytes(len(body)),
    "every bit turned": lambda body: bytes(255 - byte for byte in body),
    **{f"truncated to {at}": lambda body, at=at: body[:at] for at in range(1, 53, 5)},
    **{f"the brace {at} turned": lambda body, at=at: body[:at] + b"\x00" + body[at + 1 :] for at in (0, 1, 5, 8)},
}


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def _zeros(pack: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda body: pack(body + b" " * 40 * MIB)


_PACKED: list[tuple[str, str, Callable[[bytes], bytes], frozenset[Told]]] = [
    ("gzip", "gzip", gzip.compress, ID),
    ("x-gzip", "x-gzip", gzip.compress, ID),
    ("gzip in capitals", "GZIP", gzip.compress, ID_OR_UNKNOWN),
    ("deflate", "deflate", zlib.compress, ID),
    ("raw deflate", "deflate", _raw_deflate, ID_OR_UNKNOWN),
    ("gzip of gzip", "gzip, gzip", lambda body: gzip.compress(gzip.compress(body)), ID_OR_UNKNOWN),
    ("gzip of deflate", "deflate, gzip", lambda body: gzip.compress(zlib.compress(body)), ID_OR_UNKNOWN),
    ("gzip and identity", "identity, gzip", gzip.compress, ID_OR_UNKNOWN),
    ("4 times gzip", ",".join(["gzip"] * 4),
     lambda body: gzip.compress(gzip.compress(gzip.compress(gzip.compress(body)))), ID_OR_UNKNOWN),
    ("100 times gzip, said", ",".join(["gzip"] * 100), gzip.compress, UNKNOWN),
    *((f"plain, said to be {name!r}", name, bytes, ID) for name in ("identity", "")),
    *((f"plain, said to be {name!r}", name, bytes, ID_OR_UNKNOWN) for name in ("aws-chunked", "none", "br", "zstd",
     "compress", "utf-8", "gzip", "deflate", "exi", "x", ",,,", "*", "\xe9")),
    ("gzip, said to be plain", "identity", gzip.compress, UNKNOWN),
    ("gzip, said to be deflate", "deflate", gzip.compress, ID_OR_UNKNOWN),
    ("deflate, said to be gzip", "gzip", zlib.compress, ID_OR_UNKNOWN),
    ("gzip, said to be br", "br", gzip.compress, ID_OR_UNKNOWN),
    ("gzip, said to be zstd", "zstd", gzip.compress, ID_OR_UNKNOWN),
    ("gzip in two parts", "gzip", lambda body: gzip.compress(body[:20]) + gzip.compress(body[20:]), ID_OR_UNKNOWN),
    ("gzip with bytes behind", "gzip", lambda body: gzip.compress(body) + b"more", ID_OR_UNKNOWN),
    ("gzip with a wrong checksum", "gzip", lambda body: gzip.compress(body)[:-8] + bytes(8), ID_OR_UNKNOWN),
    ("gzip without its end", "gzip", lambda body: gzip.compress(body)[:-8], ID_OR_UNKNOWN),
    ("gzip cut in its head", "gzip", lambda body: gzip.compress(body)[:5], UNKNOWN),
    ("gzip cut in its body", "gzip", lambda body: gzip.compress(body)[:30], UNKNOWN),
    ("gzip with a bit turned", "gzip",
     lambda body: (lambda p: p[:20] + bytes([p[20] ^ 255]) + p[21:])(gzip.compress(body)), ID_OR_UNKNOWN),
    ("gzip of nothing", "gzip", lambda body: gzip.compress(b""), UNKNOWN),
    ("nothing, said to be gzip", "gzip", lambda body: b"", UNKNOWN),
    ("deflate cut", "deflate", lambda body: zlib.compress(body)[:20], UNKNOWN),
    ("noise, said to be gzip", "gzip", lambda body: bytes(range(256)), UNKNOWN),
    ("noise, said to be deflate", "deflate", lambda body: bytes(range(256)), UNKNOWN),
    ("noise, said to be br", "br", lambda body: bytes(range(256)), UNKNOWN),
    ("noise, said to be zstd", "zstd", lambda body: b"(\xb5/\xfd" + bytes(range(256)), UNKNOWN),
    ("a gzip bomb", "gzip", _zeros(lambda body: gzip.compress(body, 1)), UNKNOWN),
    ("a deflate bomb", "deflate", _zeros(lambda body: zlib.compress(body, 1)), UNKNOWN),
    ("a bomb of two layers", "gzip, gzip", _zeros(lambda body: gzip.compress(gzip.compress(body, 1))), UNKNOWN),
]  # fmt: skip


def encodings() -> Iterator[Answer]:
    """A good body in several content encodings, true or false."""
    for what, name, pack, may in _PACKED:
        yield _bytes(what, lambda id, pack=pack: pack(good(id)), may, f"Content-Encoding: {name}\r\n", "encoding")
