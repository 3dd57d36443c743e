"""The only ways for text of the document into generated files.

Rule: a template may print what these filters return, identifiers that `names` let through, and code that `shapes`
made of such. Anything else of the document stops the rendering (`guard`).
"""

from __future__ import annotations

import math
import re
import textwrap
import unicodedata
from typing import Any

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
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("Python has no literal for infinity")
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    return str(value) if isinstance(value, str) else value


def doc(value: Any, indent: int = 0) -> Code:
    """`value` as part of a docstring: it can neither end the string nor escape anything; wrapped and indented."""
    text = re.sub(r'"(?="|\Z)', r"\"", printable(value).strip().replace("\\", "\\\\"))
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    lines: list[str] = []
    for paragraph in filter(None, paragraphs):
        wrapped = textwrap.wrap(paragraph, WIDTH - indent, break_long_words=False, break_on_hyphens=False)
        lines += [*([""] if lines else []), *wrapped]
    return Code(("\n" + " " * indent).join(lines).replace("\n" + " " * indent + "\n", "\n\n"))


def markdown(value: Any) -> Code:
    """`value` as one line of Markdown: no cell, tag or comment of its own, and no heading, list, quote or fence."""
    text = " ".join(printable(value).split())
    text = re.sub(r"^(#+ |[-+*] |```|~~~|([-*_=] ?){3})", r"\\\1", text)
    return Code(cell(text.replace("<", "&lt;").replace(">", "&gt;")))


def cell(text: str) -> str:
    """The text with its pipes escaped, and the backslashes before them, which could undo that."""
    return re.sub(r"(?<!\\)(\\*)\|", r"\1\1\\|", text)


def code(text: str) -> str:
    """Text for a Markdown code span in a table: it can end neither."""
    return cell(printable(text).replace("\n", " ").replace("`", "'").replace("<!--", "<! --"))


def guard(value: Any) -> Any:
    """Stops a template from printing what was not made safe (jinja2's `finalize`): all but code and dotted names."""
    if isinstance(value, Code):
        return value
    if not isinstance(value, str):
        raise TypeError(f"a template prints {type(value).__name__} without a filter")
    if not all(part.isidentifier() for part in value.split(".")):
        raise TypeError(f"a template prints {ascii(value)[:60]}, which is no name, without a filter")
    return value
