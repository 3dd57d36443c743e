"""The OpenAPI document as a plain dictionary: loading, validating, following references.

Rule: everything in here is untrusted. What leaves this module for a template goes through `texts` or `views`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from .problems import InvalidSpec

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_MAX_LINES = 20
_FREE_NAMES = {"properties", "responses", "schemas", "paths", "parameters", "requestBodies"}


class Contract:
    """One OpenAPI document."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    def resolve(self, node: Any) -> dict[str, Any]:
        """`node` with its `$ref` followed; what stands beside the `$ref` wins over what it leads to."""
        seen: list[str] = []
        merged: dict[str, Any] = {}
        while isinstance(node, dict):
            merged = {**node, **merged}
            reference = node.get("$ref")
            if not isinstance(reference, str) or reference in seen or not reference.startswith("#/"):
                break
            seen.append(reference)
            node = self._at(reference)
        merged.pop("$ref", None)
        return merged

    def _at(self, reference: str) -> Any:
        node: Any = self.raw
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            node = node.get(key, {}) if isinstance(node, dict) else {}
        return node

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Path, method and the raw operation, in the order of the document."""
        for path, item in self.raw.get("paths", {}).items():
            for method in METHODS:
                if isinstance(item, dict) and isinstance(item.get(method), dict):
                    yield path, method, item[method]

    def operation(self, path: str, method: str) -> dict[str, Any]:
        """The raw operation, with the parameters of its path item."""
        item = self.raw["paths"][path]
        operation = dict(item[method])
        operation["parameters"] = [
            self.resolve(parameter) for parameter in [*operation.get("parameters", []), *item.get("parameters", [])]
        ]
        return operation

    def json_media(self, holder: Any) -> dict[str, Any]:
        """The media type object of a request body or a response: JSON if there is any, else the first."""
        content = self.resolve(holder).get("content") or {}
        names = [name for name in content if "json" in name] or list(content)
        return dict(content[names[0]]) if names else {}

    def for_the_generator(self) -> dict[str, Any]:
        """The document without what must not reach generated code by itself.

        Defaults are the service's business: openapi-python-client would send them with every request. Examples are
        for people; the reference pages take them from the document itself.
        """
        cleaned = _without(json.loads(json.dumps(self.raw)), {"default", "example", "examples"})
        cleaned.pop("webhooks", None)
        _drop_bare_requirements(cleaned)
        return cleaned  # type: ignore[no-any-return]


def _without(node: Any, names: set[str], *, free: bool = False) -> Any:
    """`node` without the keywords in `names`; `free` where keys are names of the document's own."""
    if isinstance(node, list):
        return [_without(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without(value, names, free=not free and key in _FREE_NAMES)
        for key, value in node.items()
        if free or key not in names
    }


def _drop_bare_requirements(node: Any) -> None:
    """Remove `anyOf` and its like where they only say which fields must occur: openapi-python-client would take
    the object for a choice of empty objects and lose its fields."""
    if isinstance(node, list):
        for item in node:
            _drop_bare_requirements(item)
    if not isinstance(node, dict):
        return
    for keyword in ("anyOf", "oneOf"):
        choices = node.get(keyword)
        if "properties" in node and isinstance(choices, list) and all(set(c) == {"required"} for c in choices):
            del node[keyword]
    for value in node.values():
        _drop_bare_requirements(value)


def load(path: Path) -> Contract:
    """Read and validate the document.

    Raises:
        InvalidSpec: it cannot be read, is not YAML or JSON, or is not valid OpenAPI 3.0 or 3.1.
    """
    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        raw = json.loads(json.dumps(raw, default=str))
    except (OSError, UnicodeDecodeError, YAMLError, ValueError, RecursionError) as error:
        raise InvalidSpec(f"{path.name} cannot be read:", [str(error)]) from None
    if not isinstance(raw, dict) or not isinstance(raw.get("openapi"), str):
        raise InvalidSpec(f"{path.name} is not an OpenAPI document:", ["it has no `openapi` version"])
    _validate(path, raw)
    return Contract(raw)


def _validate(path: Path, raw: dict[str, Any]) -> None:
    version = raw["openapi"]
    if not version.startswith(("3.0", "3.1")):
        raise InvalidSpec(f"{path.name} cannot be used:", [f"OpenAPI {version[:20]}; known are 3.0 and 3.1"])
    validator = OpenAPIV30SpecValidator if version.startswith("3.0") else OpenAPIV31SpecValidator
    try:
        errors = [
            f"{'/'.join(str(part) for part in error.absolute_path) or 'document'}: {error.message[:200]}"
            for error in validator(raw).iter_errors()
        ]
    except Exception as error:  # noqa: BLE001  (see the next line)
        # The validator follows references itself and fails in its own ways on those that lead nowhere.
        errors = [f"{type(error).__name__}: {str(error)[:200]}"]
    if errors:
        raise InvalidSpec(f"{path.name} is not a valid OpenAPI document:", errors[:_MAX_LINES])
