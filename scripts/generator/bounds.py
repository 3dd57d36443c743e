"""What a document may cost: how large it is, how deep, and how much its aliases and references expand to.

Rule: counted before anything is expanded, with each part looked at once. An honest document is long or it is short; a
hostile one is short and expands to something long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from ruamel.yaml.nodes import MappingNode, SequenceNode

MOST_CHARACTERS = 64 * 1024 * 1024
"""Twice the largest description of an API that we know of, that of Microsoft Graph."""
MOST_LEVELS = 100
_GROWTH = 20
"""How many times larger than written a document may become; honest ones double."""
_GRANTED = 50_000
"""Nodes that any document may expand to."""
_SELF = ("allOf", "anyOf", "oneOf", "not")
"""Keywords through which a schema must not contain itself: checking a value would never end."""
_PARTS = (*_SELF, "items")

Size = tuple[int, int]


def check_nodes(root: Any) -> None:
    """Raise ValueError if the nodes of a YAML document expand to too much; an alias is the node it stands for."""

    def inner(node: Any) -> Iterable[Any]:
        if isinstance(node, MappingNode):
            return [each for pair in node.value for each in pair]
        return node.value if isinstance(node, SequenceNode) else ()

    size, nodes = _check(root, inner)
    if size > _GRANTED + _GROWTH * nodes:
        raise ValueError(f"its aliases expand to more than {_GROWTH} times as much as is written")


def check_values(root: Any) -> None:
    """Raise ValueError if a document of plain values is nested too deeply."""

    def inner(value: Any) -> Iterable[Any]:
        return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()

    _check(root, inner)


def _check(root: Any, inner: Callable[[Any], Iterable[Any]]) -> tuple[int, int]:
    """How many nodes there are when every alias stands for its own copy, and how many as written."""
    known: dict[int, Size] = {}
    try:
        size, levels = _measured(root, inner, known)
    except RecursionError:
        size, levels = 0, MOST_LEVELS + 1
    if levels > MOST_LEVELS:
        raise ValueError(f"it is nested more than {MOST_LEVELS} levels deep")
    return size, len(known)


def _measured(node: Any, inner: Callable[[Any], Iterable[Any]], known: dict[int, Size]) -> Size:
    """The number of nodes in `node`, including itself, and their depth."""
    if (found := known.get(id(node))) is not None:
        if not found[0]:
            raise ValueError("an alias stands for something that the alias is part of")
        return found
    known[id(node)] = (0, 0)
    sizes = [_measured(each, inner, known) for each in inner(node)]
    known[id(node)] = (1 + sum(size for size, _ in sizes), 1 + max((levels for _, levels in sizes), default=0))
    return known[id(node)]


class Compositions:
    """How much the schemas of a document expand to when the references in `allOf` and the others are followed."""

    def __init__(self, document: dict[str, Any], target: Callable[[str], Any]) -> None:
        self._document = document
        self._target = target
        self._sizes: dict[int, int] = {}

    def problem(self) -> str | None:
        """Why the document cannot be expanded, or None if it can."""
        nodes, seen = list(_dicts(self._document)), dict[int, bool]()
        try:
            for node in nodes:
                if self._holds_itself(node, seen):
                    return f"a schema holds itself through `$ref`, {', '.join(_SELF)}: {str(node)[:100]}"
            total = sum(self._size(node) for node in nodes if "$ref" in node or any(key in node for key in _SELF))
        except RecursionError:
            return "its references lead from one to the next too often"
        if total > _GRANTED + _GROWTH * len(nodes):
            through = ", ".join(("$ref", *_PARTS))
            return f"its schemas expand to more than {_GROWTH} times as much as is written, through {through}"
        return None

    def _size(self, node: Any) -> int:
        """How many schemas there are in `node`; a list in itself, as recursive types have, counts once."""
        if id(node) not in self._sizes:
            self._sizes[id(node)] = 1
            self._sizes[id(node)] = 1 + sum(self._size(part) for part in self._inner(node, _PARTS))
        return self._sizes[id(node)]

    def _holds_itself(self, node: Any, state: dict[int, bool]) -> bool:
        if id(node) in state:
            return state[id(node)]
        state[id(node)] = True  # until all of it is seen
        state[id(node)] = any(self._holds_itself(part, state) for part in self._inner(node, _SELF))
        return state[id(node)]

    def _inner(self, node: Any, keywords: Iterable[str]) -> Iterator[Any]:
        if not isinstance(node, dict):
            return
        if isinstance(node.get("$ref"), str):
            target = None
            with suppress(LookupError, TypeError, ValueError):  # in examples, it may not be a reference
                target = self._target(node["$ref"])
            yield target
        for keyword in keywords:
            value = node.get(keyword)
            yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict))


def _dicts(root: Any) -> Iterator[dict[str, Any]]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
