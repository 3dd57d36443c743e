"""What a row asked for, for those who look at its results: the prompt and the input files.

Rule: which fields these are comes from the contract. Parameters are never changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from .._assets import ITEMS
from .._operations import paid
from ._entries import endpoint_of

_PROMPT = "style.prompt"
"""The field with the prompt, where the contract names no other."""


def prompt_of(endpoint: str, parameters: Mapping[str, Any]) -> str | None:
    """The text that the outputs should show or say.

    Example:
        >>> prompt_of("ai_meme_generator", {"style": {"topic": "Mondays", "template": "Random"}})
        'Mondays'
    """
    found = next(_at(parameters, _prompt_field(endpoint)), None)
    return found if isinstance(found, str) and found.strip() else None


def inputs_of(endpoint: str, parameters: Mapping[str, Any]) -> list[str]:
    """The input files, each once: paths, URLs and remote paths as they were given.

    Example:
        >>> inputs_of("ai_image_editor", {"assets": {"image_file_paths": ["/a.png", "/b.png", "/a.png"]}})
        ['/a.png', '/b.png']
    """
    found = (value for field in endpoint_of(endpoint).assets for value in _at(parameters, field.path))
    return list(dict.fromkeys(value for value in found if isinstance(value, str)))


@cache
def _prompt_field(endpoint: str) -> tuple[str, ...]:
    operation = next(operation for name, operation in paid().items() if name.split(".")[1] == endpoint)
    return tuple(str(operation.get("prompt", _PROMPT)).split("."))


def _at(node: Any, path: Sequence[str]) -> Iterator[Any]:
    """The values at a path, as in the contract's rows of input files."""
    if not path:
        yield node
    elif path[0] == ITEMS:
        for item in node if isinstance(node, list) else ():
            yield from _at(item, path[1:])
    elif isinstance(node, Mapping) and path[0] in node:
        yield from _at(node[path[0]], path[1:])
