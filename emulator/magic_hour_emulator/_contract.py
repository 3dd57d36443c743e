"""The contract as data: routes, request bodies, prices and assets, as the OpenAPI document in `spec/` defines them.

Rule: nothing that the document states is repeated in the emulator's code.
"""

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from ._prices import Price
from ._request_checks import BodyCheck

__all__ = ["AssetField", "Contract", "Json", "Operation", "load_contract"]

Json = dict[str, Any]

_METHODS = ("get", "put", "post", "delete", "patch")
_OWN_NAME = "contract.json"
"""Written by scripts/generate.py: all files of `spec/` in one."""
_EXAMPLE_ASSET = re.compile(r"^api-assets/id/[\w.-]+$")
_VERBS: Final = {"POST": "create", "GET": "get", "DELETE": "delete"}


@dataclass(frozen=True)
class AssetField:
    """A field of a request body that names an input file. `*` in the path stands for the items of a list."""

    path: tuple[str, ...]
    role: str
    """What it is used as; of several roles, the first."""
    deprecated: bool

    def values(self, body: Json) -> list[str]:
        """The values of this field in a body."""
        found: list[Any] = [body]
        for step in self.path:
            if step == "*":
                found = [item for values in found for item in values]
            else:
                found = [value[step] for value in found if step in value]
        return found


@dataclass(frozen=True)
class Operation:
    """One operation of the service."""

    id: str
    method: str
    path: str
    kind: str | None
    price: Price | None
    assets: tuple[AssetField, ...]
    check: BodyCheck | None

    @property
    def resource(self) -> str:
        """The part of the path after `/v1/`, without parameters, such as `ai-image-generator`."""
        return re.sub(r"/\{.*", "", self.path.removeprefix("/v1/"))

    @property
    def name(self) -> str:
        """The operation as clients call it, such as `v1.ai_image_generator.create`."""
        resource = self.resource.replace("-", "_").replace("/", ".")
        return f"v1.{resource}.{_VERBS.get(self.method, self.method.lower())}"


@dataclass(frozen=True)
class Contract:
    """All operations, and the assets in the document's examples."""

    operations: tuple[Operation, ...]
    example_assets: frozenset[str]


def load_contract(path: Path | None = None) -> Contract:
    """Read the OpenAPI document: `path`, which is one file, else the one packaged with the emulator."""
    if path is None:
        return _own_contract()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times faster
    try:
        return _parse(yaml.load(path.read_text(encoding="utf-8"), Loader=loader))  # noqa: S506  # both are safe
    except (KeyError, TypeError, AttributeError, yaml.YAMLError) as wrong:
        raise ValueError(f"{path} is not an OpenAPI document: {wrong}") from wrong


@functools.cache
def _own_contract() -> Contract:
    return _parse(json.loads((files("magic_hour_emulator") / "spec" / _OWN_NAME).read_text(encoding="utf-8")))


def _parse(document: Json) -> Contract:
    registry: Registry[Any] = Registry().with_resource("urn:contract", DRAFT202012.create_resource(document))
    operations = tuple(
        _operation(document, registry, route, method, item[method])
        for route, item in document["paths"].items()
        for method in _METHODS
        if method in item
    )
    return Contract(operations, frozenset(text for text in _strings(document) if _EXAMPLE_ASSET.match(text)))


def _operation(document: Json, registry: Registry[Any], route: str, method: str, item: Json) -> Operation:
    schema = item.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return Operation(
        id=item["operationId"],
        method=method.upper(),
        path=route,
        kind=item.get("x-project-kind"),
        price=Price(item.get("x-credits")) if item.get("x-charges-credits") else None,
        assets=tuple(_assets(document, schema, ())) if schema else (),
        check=BodyCheck(_absolute(schema), registry) if schema else None,
    )


def _absolute(schema: Json) -> Json:
    """The schema of a body, with its reference resolved against the registered document."""
    reference = schema.get("$ref")
    return {**schema, "$ref": f"urn:contract{reference}"} if isinstance(reference, str) else schema


def _assets(document: Json, schema: Json, path: tuple[str, ...]) -> Iterator[AssetField]:
    schema = _resolve(document, schema)
    if "x-asset" in schema:
        roles = schema["x-asset"]
        yield AssetField(path, roles if isinstance(roles, str) else roles[0], bool(schema.get("deprecated")))
    for name, property in schema.get("properties", {}).items():
        yield from _assets(document, property, (*path, name))
    if isinstance(schema.get("items"), dict):
        yield from _assets(document, schema["items"], (*path, "*"))


def _resolve(document: Json, schema: Json) -> Json:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    if not reference.startswith("#/"):
        raise KeyError(f"{reference} is in another file")
    target: Any = document
    for part in reference.removeprefix("#/").split("/"):
        target = target[part]
    return {**_resolve(document, target), **schema}


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value)
