"""Rows laid over a document: OpenAPI Overlay 1.0, with plain paths as targets.

Rule: an action that changes nothing is a mistake, so a target that is not in the document stops the generator.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

from .bounds import check_values
from .bundle import read_document
from .problems import InvalidSpec

_STEP = re.compile(r"""\.([A-Za-z_$][\w$-]*)|\[('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\d+)\]""")
_KEYS = {"overlay", "info", "extends", "actions"}
_ACTION_KEYS = {"target", "description", "update", "remove"}


def laid_over(document: dict[str, Any], path: Path) -> dict[str, Any]:
    """A copy of `document` with the actions of the overlay at `path`, one after the other.

    Raises:
        InvalidSpec: it is not an overlay, or an action cannot be applied; its place is said.
    """
    overlay = read_document(path)
    whole: dict[str, Any] = copy.deepcopy(document)
    problem = _problem_with(overlay)
    for number, action in enumerate(overlay["actions"] if problem is None else []):
        try:
            _apply(whole, action)
            check_values(whole)
        except ValueError as error:
            problem = f"actions/{number}: {error}"
            break
    if problem is not None:
        raise InvalidSpec(f"{path.name} cannot be laid over the document:", [problem])
    return whole


def _problem_with(overlay: dict[str, Any]) -> str | None:
    """Why it is not an overlay, or None."""
    version, actions = overlay.get("overlay"), overlay.get("actions")
    if not isinstance(version, str) or not version.startswith("1."):
        return "`overlay` must be the version of the format, such as 1.0.0"
    if odd := sorted(key for key in overlay.keys() - _KEYS if not key.startswith("x-")):
        return f"unknown: {odd[0]!r}; known are {', '.join(sorted(_KEYS))}"
    if not isinstance(actions, list) or not actions:
        return "`actions` must be a list of at least one"
    return None


def _apply(document: dict[str, Any], action: Any) -> None:
    """One action.

    Raises:
        ValueError: it cannot be applied.
    """
    if not isinstance(action, dict) or not isinstance(action.get("target"), str):
        raise ValueError("it needs a `target`")
    if odd := sorted(key for key in action.keys() - _ACTION_KEYS if not key.startswith("x-")):
        raise ValueError(f"unknown: {odd[0]!r}; known are {', '.join(sorted(_ACTION_KEYS))}")
    steps = _steps(action["target"])
    if action.get("remove") is True:
        _remove(document, steps, action["target"])
    elif "update" in action:
        found = _find(document, steps, action["target"])
        if isinstance(found, list):
            found.append(copy.deepcopy(action["update"]))
        elif isinstance(found, dict) and isinstance(action["update"], dict):
            _merge(found, action["update"], action["target"])
        else:
            raise ValueError(f"{action['target']} is a plain value: update the object that has it")
    else:
        raise ValueError("it needs an `update`, or `remove: true`")


def _steps(target: str) -> list[str | int]:
    """The keys and numbers of a path such as `$.paths['/v1/things'].post.tags[0]`."""
    steps: list[str | int] = []
    place = 1
    while place < len(target):
        found = _STEP.match(target, place)
        if found is None:
            break
        name, quoted = found.groups()
        steps.append(name if name is not None else int(quoted) if quoted.isdigit() else _unquoted(quoted))
        place = found.end()
    if not target.startswith("$") or place != len(target):
        raise ValueError(f"{target!r} is not a plain path, such as $.paths['/v1/things'].post")
    return steps


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _find(document: Any, steps: list[str | int], target: str) -> Any:
    node = document
    for step in steps:
        fits = isinstance(node, list) if isinstance(step, int) else isinstance(node, dict)
        if not fits or (step not in node if isinstance(step, str) else step >= len(node)):
            raise ValueError(f"{target} is not in the document: there is no {step!r}")
        node = node[step]
    return node


def _remove(document: dict[str, Any], steps: list[str | int], target: str) -> None:
    if not steps:
        raise ValueError("the whole document cannot be removed")
    _find(document, steps, target)
    parent = _find(document, steps[:-1], target)
    del parent[steps[-1]]


def _merge(node: dict[str, Any], update: dict[str, Any], target: str) -> None:
    """Put `update` into `node`: objects are merged, lists are joined, plain values are replaced."""
    for key, value in update.items():
        known = node.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value, f"{target}[{json.dumps(key)}]")
        elif isinstance(known, list) and isinstance(value, list):
            known.extend(copy.deepcopy(value))
        elif isinstance(known, dict | list) and isinstance(value, dict | list):
            raise ValueError(f"{target}[{json.dumps(key)}] is {'an object' if isinstance(known, dict) else 'a list'}")
        else:
            node[key] = copy.deepcopy(value)
