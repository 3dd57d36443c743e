"""Walking a document: what is a keyword, what is a name of the document's own, and what is only data.

Rule: a `$ref` in an example, a value or an extension is never one to follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

FREE_NAMES = {"paths", "properties", "patternProperties", "$defs", "responses", "content", "headers", "callbacks"}
FREE_NAMES |= {"links", "mapping", "schemas", "parameters", "requestBodies", "securitySchemes", "pathItems"}
_DATA = {"servers", "enum", "const", "default", "example", "examples"}
"""Keywords whose values are not schemas; so are those of extensions. (Variables of `servers` must have defaults.)"""

Change = Callable[[dict[str, Any]], dict[str, Any]]


def transformed(node: Any, change: Change, *, free: bool = False) -> Any:
    """A copy of `node` with every object of keywords as `change` makes it; `free` where keys are names of the
    document's own. Examples and other data stay as they are."""
    if isinstance(node, list):
        return [transformed(item, change) for item in node]
    if not isinstance(node, dict):
        return node
    found = {}
    for key, value in (node if free else change(node)).items():
        kept = not free and is_data(key)
        found[key] = value if kept else transformed(value, change, free=not free and key in FREE_NAMES)
    return found


def without(*names: str) -> Change:
    return lambda node: {key: value for key, value in node.items() if key not in names}


def is_data(key: str) -> bool:
    return key in _DATA or key.startswith("x-")


def references(node: Any, where: str = "", *, free: bool = False) -> Iterator[tuple[str, str]]:
    """Place and target of every `$ref`, but for those in examples and other values that are only data."""
    items = enumerate(node) if isinstance(node, list) else node.items() if isinstance(node, dict) else ()
    for key, value in items:
        if not free and key == "$ref" and isinstance(value, str):
            yield where or "document", value
        if not free and isinstance(key, str) and is_data(key):
            continue
        yield from references(value, f"{where}/{key}".lstrip("/"), free=not free and key in FREE_NAMES)


def extensions(node: Any, where: str = "", *, free: bool = False) -> Iterator[tuple[str, str]]:
    """Place and name of every extension: each key that begins with `x-` and is not a name of the document's own."""
    items = enumerate(node) if isinstance(node, list) else node.items() if isinstance(node, dict) else ()
    for key, value in items:
        if not free and isinstance(key, str) and key.startswith("x-"):
            yield where or "document", key
        elif free or not (isinstance(key, str) and is_data(key)):
            yield from extensions(value, f"{where}/{key}".lstrip("/"), free=not free and key in FREE_NAMES)
