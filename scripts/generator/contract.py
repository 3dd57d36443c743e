"""The OpenAPI document as a plain dictionary: loading, validating, following references.

Rule: everything in here is untrusted. What leaves this module for a template goes through `texts` or `views`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema.validators import validator_for
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from openapi_spec_validator.schemas import schema_v31
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from .bounds import Compositions
from .bundle import read_bundled
from .conditions import conditions_of, is_condition, own_conditions, without_conditions
from .overlay import laid_over
from .problems import InvalidSpec
from .walk import references, transformed, without

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_MAX_LINES = 20


class Contract:
    """One OpenAPI document."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    def resolve(self, node: Any) -> dict[str, Any]:
        """`node` with its `$ref` followed; keywords next to the `$ref` take precedence over its target."""
        seen: list[str] = []
        merged: dict[str, Any] = {}
        while isinstance(node, dict):
            merged = {**node, **merged}
            reference = node.get("$ref")
            if not isinstance(reference, str) or reference in seen or not reference.startswith("#/"):
                break
            seen.append(reference)
            node = self.at(reference)
        merged.pop("$ref", None)
        return merged

    def schema(self, node: Any, seen: tuple[str, ...] = ()) -> dict[str, Any]:
        """Like `resolve`, with the properties and requirements of all parts of an `allOf` put together, and all
        conditions under `x-conditions`."""
        whole = self.resolve(node)
        conditions = [*own_conditions(whole), *conditions_of(whole)]
        for part in whole.pop("allOf", None) or []:
            name = str(part.get("$ref", "")) if isinstance(part, dict) else ""
            if is_condition(part) or (name and name in seen):
                continue
            inner = self.schema(part, (*seen, name))
            conditions += own_conditions(inner)
            properties = {**(inner.get("properties") or {}), **(whole.get("properties") or {})}
            required = [*(inner.get("required") or []), *(whole.get("required") or [])]
            whole = {**inner, **whole}
            if properties:
                whole.update(properties=properties, required=required)
        if conditions:
            whole["x-conditions"] = conditions
        return whole

    def at(self, reference: str) -> Any:
        """The target of a reference within the document; a LookupError if there is none."""
        node: Any = self.raw
        for part in reference[2:].split("/") if reference != "#" else []:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if not isinstance(node, dict | list):
                raise LookupError(reference)
            node = node[int(key)] if isinstance(node, list) else node[key]
        return node

    def dangling(self) -> Iterator[str]:
        """Every reference that leads out of the document, or nowhere. None is ever followed out: reading a document
        must not read other files or ask the network."""
        for where, reference in references(self.raw):
            try:
                if reference != "#" and not reference.startswith("#/"):
                    yield f"{where}: the reference {reference!r} leads out of the document"
                elif not isinstance(self.at(reference), dict | bool):
                    yield f"{where}: the reference {reference!r} leads to nothing usable"
            except (LookupError, TypeError, ValueError):
                yield f"{where}: the reference {reference!r} leads nowhere"

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

    def answer(self, operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Status and content of the first answer that is a success."""
        answers = ((str(status), response) for status, response in (operation.get("responses") or {}).items())
        status, response = next((each for each in answers if each[0].startswith("2")), ("", {}))
        return status, self.resolve(response)

    def json_media(self, holder: Any) -> dict[str, Any]:
        """The media type object of a request body or a response: JSON if there is any, else the first."""
        content = self.resolve(holder).get("content") or {}
        names = [name for name in content if "json" in name] or list(content)
        return dict(content[names[0]]) if names else {}

    def as_one_file(self) -> bytes:
        """The document with everything that its files have, but for descriptions, as JSON."""
        mark = {"x-generated": "Generated by scripts/generate.py from the contract. Do not edit."}
        whole = mark | transformed(self.raw, without("description"))
        return (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode()

    def for_the_generator(self) -> dict[str, Any]:
        """The document without what must not reach generated code by itself.

        Defaults are the service's business: openapi-python-client would send them with every request. Examples are
        for people; the reference pages take them from the document itself. Conditions would become objects without
        fields. What the rules of fields need of all this is kept in extensions.
        """
        cleaned: dict[str, Any] = transformed(self.raw, self._kept_for_rules)
        return transformed(cleaned, without("default", "example", "examples", "webhooks"))  # type: ignore[no-any-return]

    def _kept_for_rules(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema with its conditions under `x-conditions`, its default under `x-default`, and the fields that follow
        from others not under `required`, where callers could not leave them out, but under `x-completed`."""
        if isinstance(schema.get("default"), str | int | float):
            schema = {**schema, "x-default": schema["default"]}
        schema = without_conditions(schema)
        properties, required = schema.get("properties"), schema.get("required")
        if not isinstance(properties, dict) or not isinstance(required, list):
            return schema
        completed = [name for name in required if "x-implied" in self.resolve(properties.get(name))]
        needed = {"required": [name for name in required if name not in completed], "x-completed": completed}
        others = {key: value for key, value in schema.items() if key != "required"}
        return {**others, **{key: names for key, names in needed.items() if names}}


def load(path: Path, overlays: Sequence[Path] = ()) -> Contract:
    """Read and validate the document with the files that it refers to and the overlays laid over it; InvalidSpec if
    it is not valid OpenAPI 3.0 or 3.1."""
    raw = read_bundled(path)
    for overlay in overlays:
        raw = laid_over(raw, overlay)
    if not isinstance(raw.get("openapi"), str):
        raise InvalidSpec(f"{path.name} is not an OpenAPI document:", ["it has no `openapi` version"])
    contract = Contract(raw)
    _validate(path, contract)
    return contract


def _validate(path: Path, contract: Contract) -> None:
    raw, version = contract.raw, contract.raw["openapi"]
    if not version.startswith(("3.0", "3.1")):
        raise InvalidSpec(f"{path.name} cannot be used:", [f"OpenAPI {version[:20]}; known are 3.0 and 3.1"])
    if lost := list(contract.dangling()):
        raise InvalidSpec(f"{path.name} cannot be used:", lost[:_MAX_LINES])
    if problem := Compositions(raw, contract.at).problem():
        raise InvalidSpec(f"{path.name} cannot be used:", [problem])
    # Without patterns: defaults are checked against them, and some would take years.
    raw = transformed(raw, without("pattern", "patternProperties"))
    validator = OpenAPIV30SpecValidator if version.startswith("3.0") else _V31Validator
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


class _V31Validator(OpenAPIV31SpecValidator):
    """Knows the anchors of OpenAPI's own schema; otherwise they are looked for at every `$dynamicRef`, which takes as
    long as all other checks together."""

    _registry = (DRAFT202012.create_resource(dict(schema_v31)) @ Registry()).crawl()
    schema_validator = validator_for(schema_v31)(schema_v31, registry=_registry)
