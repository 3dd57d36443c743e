"""The contract as data: routes, request bodies, prices and assets, as the OpenAPI document in `spec/` defines them.

Rule: nothing that the document states is repeated in the emulator's code.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from ._emulation import Emulation, Reading, parse_emulation, parse_reading
from ._fault_kinds import Step
from ._prices import Price
from ._schema_checks import BodyCheck, QueryCheck

__all__ = ["AssetField", "Contract", "Json", "Operation", "load_contract"]

Json = dict[str, Any]

_METHODS = ("get", "put", "post", "delete", "patch")
_OWN_NAME = "contract.json"
"""Written by scripts/generate.py: all files of `spec/` in one."""
_VERBS: Final = {"POST": "create", "GET": "get", "DELETE": "delete"}


@dataclass(frozen=True)
class AssetField:
    """A field of a request body that names an input file. `*` in the path stands for the items of a list."""

    path: tuple[str, ...]
    roles: tuple[str, ...]
    deprecated: bool

    def values(self, body: Json) -> list[str]:
        """The values of this field in a body."""
        found: list[Any] = [body]
        for step in self.path:
            if step == "*":
                found = [item for values in found for item in values]
            else:
                found = [value[step] for value in found if value.get(step) is not None]
        return found


@dataclass(frozen=True)
class Operation:
    """One operation of the service."""

    id: str
    method: str
    path: str
    kind: str | None
    """The kind of job that it makes or, as a GET or DELETE, is about. The kind of a task is the id of its GET."""
    step: Step | None
    charges: bool
    price: Price | None
    assets: tuple[AssetField, ...]
    check: BodyCheck | None
    query: QueryCheck
    emulation: Emulation | None
    reading: Reading | None
    answer: frozenset[str]
    """The fields of its answer."""
    example: Json
    """The documented body."""

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
    events: tuple[str, ...] = ()
    """The types of webhook events."""


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
    items = [
        (route, method, item[method])
        for route, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]
    about = dict(_job_routes(items))
    operations = tuple(_operation(document, registry, about, *item) for item in items)
    return Contract(operations, frozenset(_example_assets(document, items)), tuple(_events(document)))


def _events(document: Json) -> Iterator[str]:
    for item in document.get("webhooks", {}).values():
        schema = _resolve(document, _content(item["post"]["requestBody"])["schema"])
        yield from schema["properties"]["type"]["enum"]


def _example_assets(document: Json, items: list[tuple[str, str, Json]]) -> Iterator[str]:
    """The paths of stored files in the document's examples: `id` stands for that of a user."""
    rows = [item.get("x-upload-urls", True) for _, _, item in items]
    stored = [re.escape(prefix) for row in rows if row is not True for prefix in row]
    shape = re.compile(rf"(?:{'|'.join(stored)})id/[\w.-]+")
    return filter(shape.fullmatch, _strings(document))


def _job_routes(items: list[tuple[str, str, Json]]) -> Iterator[tuple[tuple[str, str], str]]:
    """The kind of jobs that each GET and DELETE is about, by method and path: of projects and of tasks."""
    routes = {item["operationId"]: (method, route) for route, method, item in items}
    for _, _, item in items:
        if "x-task" in item:
            yield routes[item["x-task"]["get"]], item["x-task"]["get"]
        elif "x-project-kind" in item:
            kind = item["x-project-kind"]
            for method in ("get", "delete"):
                yield (method, f"/v1/{kind}-projects/{{id}}"), kind


def _operation(
    document: Json, registry: Registry[Any], about: Mapping[tuple[str, str], str], route: str, method: str, item: Json
) -> Operation:
    request = _content(item.get("requestBody", {}))
    schema = request.get("schema")
    answer = _content(_resolve(document, item.get("responses", {}).get("200", {})))
    emulation = parse_emulation(item, _listed(document, item), f"{method.upper()} {route}")
    reading = parse_reading(item, answer.get("example", {}))
    return Operation(
        id=item["operationId"],
        method=method.upper(),
        path=route,
        kind=about.get((method, route)) or item.get("x-project-kind") or item.get("x-task", {}).get("get"),
        step=_step(item, method, (method, route) in about, emulation, reading),
        charges=bool(item.get("x-charges-credits")),
        price=Price(item.get("x-credits")) if item.get("x-charges-credits") else None,
        assets=tuple(_assets(document, schema, ())) if schema else (),
        check=BodyCheck(_absolute(schema), registry) if schema else None,
        query=QueryCheck(dict(_query(document, item)), registry),
        emulation=emulation,
        reading=reading,
        answer=frozenset(_resolve(document, answer.get("schema", {})).get("properties", ())),
        example=request.get("example", {}),
    )


def _query(document: Json, item: Json) -> Iterator[tuple[str, Json]]:
    """The parameters of the query, each with its schema."""
    for parameter in item.get("parameters", ()):
        parameter = _resolve(document, parameter)
        if parameter["in"] == "query":
            yield parameter["name"], _absolute(_resolve(document, parameter["schema"]))


def _listed(document: Json, item: Json) -> str | None:
    """The field of a task's GET that lists what the task made; None if the operation is no task."""
    wanted = item.get("x-task", {}).get("get")
    for other in document["paths"].values() if wanted else ():
        if other.get("get", {}).get("operationId") == wanted:
            schema = _resolve(document, _content(other["get"]["responses"]["200"])["schema"])
            fields: dict[str, Json] = {name: _resolve(document, field) for name, field in schema["properties"].items()}
            return next((name for name, field in fields.items() if field.get("type") == "array"), None)
    return None


def _step(
    item: Json, method: str, is_about_jobs: bool, emulation: Emulation | None, reading: Reading | None
) -> Step | None:
    """What an operation is to the emulator; None if it is not emulated."""
    if item.get("x-upload-urls"):
        return "upload-urls"
    if emulation is not None:
        return "create"
    if is_about_jobs:
        return "delete" if method == "delete" else "get"
    return "get" if reading is not None else None


def _content(part: Json) -> Json:
    content: Json = part.get("content", {}).get("application/json", {})
    return content


def _absolute(node: Any) -> Any:
    """A part of the document, with its references resolved against the registered document."""
    if isinstance(node, list):
        return [_absolute(each) for each in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    absolute = {"$ref": f"urn:contract{reference}"} if isinstance(reference, str) else {}
    return {**{name: _absolute(value) for name, value in node.items()}, **absolute}


def _assets(document: Json, schema: Json, path: tuple[str, ...]) -> Iterator[AssetField]:
    schema = _resolve(document, schema)
    if "x-asset" in schema:
        roles = schema["x-asset"]
        roles = (roles,) if isinstance(roles, str) else tuple(roles)
        yield AssetField(path, roles, bool(schema.get("deprecated")))
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
