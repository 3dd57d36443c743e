"""Reasons not to generate: names that would break the code, and parts that would silently be missing.

Rule: openapi-python-client ends with exit code 0 in all of these cases, so they are checked here, and every
finding is reported at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from openapi_python_client import strings
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.openapi import Endpoint

from .contract import Contract
from .endpoint_views import EndpointView, own_module
from .endpoints import Endpoints, success_status
from .examples import type_of
from .names import (
    CALL_OPTIONS,
    CLIENT_NAMES,
    ERRORS,
    GENERATE_OPTIONS,
    LONGEST,
    PROJECT_METHODS,
    problem_with,
    problem_with_class,
)
from .problems import LostOperation, UnusableName
from .texts import printable, raw
from .views import FieldView, Views


def check_nothing_lost(contract: Contract, data: GeneratorData) -> None:
    """Every operation of the document must have been parsed, without a single warning."""
    collections = data.endpoint_collections_by_tag.values()
    errors = [*data.errors, *(error for collection in collections for error in collection.parse_errors)]
    endpoints = [endpoint for collection in collections for endpoint in collection.endpoints]
    parts = [(printable(part) for part in (error.header, error.detail) if part) for error in errors]
    lines = [" ".join(each).replace("\n", " ")[:300] for each in parts]
    wanted = sum(1 for _ in contract.operations())
    if wanted != len(endpoints):
        lines.append(f"{wanted} operations in the document, {len(endpoints)} would be in the client")
    lines += [
        f"{path}: a path behind a reference is not supported"
        for path, item in contract.raw.get("paths", {}).items()
        if isinstance(item, dict) and "$ref" in item
    ]
    lines += [
        f"{method.upper()} {path}: the parameter {parameter['name']!r} is written in a style that is not supported"
        for path, method, _ in contract.operations()
        for parameter in contract.operation(path, method)["parameters"]
        if not _plainly_written(parameter)
    ]
    for endpoint in endpoints:
        lines += [f"{endpoint.method.upper()} {printable(endpoint.path)}: {loss}" for loss in _losses(endpoint)]
    if lines:
        raise LostOperation("parts of the document would be missing from the client:", lines)


def _plainly_written(parameter: dict[str, Any]) -> bool:
    """Whether the generated client can write the parameter: lists by repeating the name, nothing nested."""
    usual = {"query": "form", "cookie": "form"}.get(parameter.get("in", ""), "simple")
    listed = type_of(parameter.get("schema") or {}) in ("array", "object")
    return parameter.get("style", usual) == usual and not (
        usual == "form" and listed and not parameter.get("explode", True)
    )


def _losses(endpoint: Endpoint) -> Iterator[str]:
    """Parts of an operation that the client would lack, although openapi-python-client read them."""
    if endpoint.bodies and not any(body.body_type.value == "json" for body in endpoint.bodies):
        yield "its body is not JSON, which this generator does not write"
    if endpoint.cookie_parameters:
        yield "cookie parameters are not supported"
    for response in endpoint.responses:
        if success_status(response) and response.source["attribute"] not in ("response.json()", "None"):
            yield "its answer is not JSON, which this generator does not read"


def check_names(views: Views, endpoints: Endpoints) -> None:
    """Every name must be usable in Python as it is, and free."""
    found = (*_models(views), *_operations(endpoints), *_resources(endpoints))
    if lines := [line for line in found if line]:
        raise UnusableName("these names cannot be used:", lines)


def check_kinds(endpoints: Endpoints) -> None:
    """Every kind of job must have its GET: without it, a paid job could not be waited for."""
    gets = endpoints.project_gets()
    lines = [
        f"{_place(view)} makes projects of the kind {ascii(view.project_kind)[:80]}, "
        "but the document has no GET for them at .../<kind>-projects/{id}"
        for view in endpoints.all()
        if view.project_kind is not None and view.project_kind not in gets
    ]
    if lines:
        raise LostOperation("jobs that could not be waited for:", lines)


def _models(views: Views) -> Iterator[str | None]:
    classes = {**views.models, **views.enums}
    yield from (problem_with_class(name) for name in sorted(classes))
    dicts = [*(f"{name}Params" for name in views.sent), *(f"{name}GenerateParams" for name in views.shapes.with_assets)]
    yield from (f"the dicts of several schemas would be called {name}" for name in _repeated(dicts))
    for name, model in views.models.items():
        yield from _fields(f"schema {name}", [views.field(model, prop, "model") for prop in views.properties(model)])


def _operations(endpoints: Endpoints) -> Iterator[str | None]:
    for view in endpoints.all():
        where = _place(view)
        fields = [*view.path_parameters, *view.keywords]
        yield from _fields(where, fields)
        options = GENERATE_OPTIONS if view.charges or view.task is not None else CALL_OPTIONS
        for name in sorted(options & {field.attribute for field in fields}):
            yield f"{where}: the field {name!r} collides with our own option of that name"


def _fields(of: str, fields: list[FieldView]) -> Iterator[str | None]:
    taken: set[str] = set()
    for field in fields:
        yield problem_with(field.name, of=of, taken=taken)
        taken.add(field.attribute)


def _resources(endpoints: Endpoints) -> Iterator[str | None]:
    nodes = endpoints.resources()
    for node in nodes:
        of = f"resource {ascii(node.path)[1:-1]}"
        names = [operation.method_name for operation in node.operations]
        names += [child.attribute for child in node.children]
        names += [*(["generate"] * len(node.generators)), *(PROJECT_METHODS if node.project is not None else [])]
        names += ["upload_file"] if node.uploads else []
        names += ["iterate" for operation in node.operations if operation.pages is not None]
        yield problem_with(node.module, of=of) or problem_with_class(node.class_name)
        yield from (problem_with(name, of=of) for name in (node.attribute, *names))
        yield from (f"{of}: several things would be called {name!r}" for name in _repeated(names))
        modules = _repeated(operation.module for operation in node.operations)
        yield from (f"{of}: several operationIds would be the module {name!r}" for name in modules)
        if len(node.resource) == 1 and node.attribute in CLIENT_NAMES:
            yield f"{of}: the client has a method {node.attribute!r} already"
    classes = _repeated(prefix + node.class_name for node in nodes for prefix in ("", "Async"))
    yield from (f"the classes of several resources would be called {name}" for name in classes)
    files = [own_module(node.resource).lower() for node in nodes]
    files += [f"api {view.tag}/{view.module}" for view in endpoints.all()]
    yield from (f"several resources or operations would be written to {name}" for name in _repeated(files))
    for view in endpoints.all():
        for what, name in (("operationId", view.module), ("tag", view.tag)):
            if not (name.isidentifier() and name.isascii()) or len(name) > LONGEST:
                yield f"{_place(view)}: its {what} cannot be a module name"


def _place(view: EndpointView) -> str:
    return f"{view.method} {ascii(view.path)[1:-1]}"


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def check_metadata(data: GeneratorData) -> None:
    """The title becomes the names of the package and of the base error."""
    title, error = ascii_title(data), f"{strings.pascal_case(ascii_title(data))}Error"
    package = f"{strings.snake_case(title)}_client"
    if problem_with(package, of="") or not title[:1].isalpha() or not error.isidentifier():
        raise UnusableName("these names cannot be used:", [f"`info.title` {title[:80]!r} cannot be a package name"])
    if error in ERRORS:
        raise UnusableName("these names cannot be used:", [f"`info.title` would name two errors {error!r}"])


def ascii_title(data: GeneratorData) -> str:
    return "".join(c for c in raw(data.title) if c.isascii()).strip()
