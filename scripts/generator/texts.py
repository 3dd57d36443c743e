"""The only ways for text of the document into generated files.

Rule: a template may print what these filters return, identifiers that `names` let through, and code that `shapes`
made of such. Anything else of the document stops the rendering (`guard`).
"""

from __future__ import annotations

import textwrap
import unicodedata
from typing import Any

from jinja2 import Undefined
from openapi_python_client.schema import UntrustedString
from openapi_python_client.strings import PythonCode

WIDTH = 116


class Code(str):
    """Python code made by this generator; safe to print."""

    __slots__ = ()


def raw(value: Any) -> str:
    """The text behind `value`, whatever the generator wrapped it in."""
    if isinstance(value, UntrustedString):
        return value.get_untrusted_value()
    if isinstance(value, PythonCode):
        return value.as_unembedded_code()
    return "" if value is None else str(value)


def printable(value: Any) -> str:
    """The text without control characters and without line ends other than `\\n`."""
    text = raw(value).replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "".join(c for c in text if c == "\n" or not unicodedata.category(c).startswith(("C", "Zl", "Zp")))


def literal(value: Any) -> Code:
    """`value` as a Python literal."""
    if isinstance(value, UntrustedString | PythonCode):
        value = raw(value)
    if value is not None and not isinstance(value, str | int | float | bool | tuple | list | dict):
        raise TypeError(f"no literal for {type(value).__name__}")
    return Code(ascii(_plain(value)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    return str(value) if isinstance(value, str) else value


def doc(value: Any, indent: int = 0) -> Code:
    """`value` as part of a docstring: it can neither end the string nor escape anything; wrapped and indented."""
    text = printable(value).strip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if text.endswith('"'):
        text = text[:-1] + '\\"'
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    lines: list[str] = []
    for paragraph in filter(None, paragraphs):
        wrapped = textwrap.wrap(paragraph, WIDTH - indent, break_long_words=False, break_on_hyphens=False)
        lines += [*([""] if lines else []), *wrapped]
    return Code(("\n" + " " * indent).join(lines).replace("\n" + " " * indent + "\n", "\n\n"))


def markdown(value: Any) -> Code:
    """`value` as text in a Markdown table: one line, no cell, tag or comment of its own."""
    text = " ".join(printable(value).split())
    return Code(text.replace("<", "&lt;").replace(">", "&gt;").replace("|", "\\|"))


def guard(value: Any) -> Any:
    """Stops a template from printing what was not made safe (jinja2's `finalize`)."""
    if value is None or isinstance(value, Undefined | UntrustedString | PythonCode):
        raise TypeError(f"a template prints {type(value).__name__} without a filter")
    return value
