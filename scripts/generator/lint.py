"""Reasons not to generate: names that would break the code, and parts that would silently be missing.

Rule: openapi-python-client ends with exit code 0 in all of these cases, so they are looked for here, and every
finding is reported at once.
"""

from __future__ import annotations

from collections import Counter

from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.errors import GeneratorError

from .contract import Contract
from .endpoints import Endpoints
from .names import CALL_OPTIONS, CLIENT_NAMES, GENERATE_OPTIONS, problem_with, problem_with_class
from .problems import LostOperation, UnusableName
from .texts import printable, raw
from .views import Views


def check_nothing_lost(contract: Contract, data: GeneratorData) -> None:
    """Every operation of the document must have been parsed, without a single warning.

    Raises:
        LostOperation: listing each warning and each operation that is missing.
    """
    errors: list[GeneratorError] = [*data.errors]
    for collection in data.endpoint_collections_by_tag.values():
        errors.extend(collection.parse_errors)
    lines = [_line(error) for error in errors]
    wanted = sum(1 for _ in contract.operations())
    parsed = sum(len(collection.endpoints) for collection in data.endpoint_collections_by_tag.values())
    if wanted != parsed:
        lines.append(f"{wanted} operations in the document, {parsed} would be in the client")
    for collection in data.endpoint_collections_by_tag.values():
        for endpoint in collection.endpoints:
            where = f"{endpoint.method.upper()} {printable(endpoint.path)}"
            if endpoint.bodies and not any(body.body_type.value == "json" for body in endpoint.bodies):
                lines.append(f"{where}: its body is not JSON, which this generator does not write")
            if endpoint.cookie_parameters:
                lines.append(f"{where}: cookie parameters are not supported")
    if lines:
        raise LostOperation("parts of the document would be missing from the client:", lines)


def _line(error: GeneratorError) -> str:
    parts = [error.header, error.detail]
    return " ".join(printable(part) for part in parts if part).replace("\n", " ")[:300]


def check_names(views: Views, endpoints: Endpoints) -> None:
    """Every name must be usable in Python as it is, and free.

    Raises:
        UnusableName: listing each name that is not.
    """
    lines = [*_models(views), *_operations(endpoints), *_resources(endpoints)]
    if lines:
        raise UnusableName("these names cannot be used:", lines)


def _models(views: Views) -> list[str]:
    lines: list[str] = []
    for name in sorted({*views.models, *views.enums}):
        lines.append(problem_with_class(name) or "")
    files = Counter(
        str(found.class_info.module_name).lower() for found in (*views.models.values(), *views.enums.values())
    )
    lines += [f"several schemas would be written to the file {name}.py" for name, n in files.items() if n > 1]
    for name, model in views.models.items():
        taken: set[str] = set()
        for field in (views.field(model, prop, "model") for prop in views.properties(model)):
            lines.append(problem_with(field.name, of=f"schema {name}", taken=taken) or "")
            taken.add(field.attribute)
    return [line for line in lines if line]


def _operations(endpoints: Endpoints) -> list[str]:
    lines: list[str] = []
    for view in endpoints.all():
        where = f"{view.method} {ascii(view.path)[1:-1]}"
        taken: set[str] = set()
        for field in (*view.path_parameters, *view.keywords):
            lines.append(problem_with(field.name, of=where, taken=taken) or "")
            taken.add(field.attribute)
        options = GENERATE_OPTIONS if view.charges else CALL_OPTIONS
        for name in sorted(taken & options):
            lines.append(f"{where}: the field {name!r} collides with our own option of that name")
    return [line for line in lines if line]


def _resources(endpoints: Endpoints) -> list[str]:
    lines: list[str] = []
    for node in endpoints.resources():
        of = f"resource {ascii(node.path)[1:-1]}"
        lines.append(problem_with(node.attribute, of=of) or "")
        methods = Counter(operation.method_name for operation in node.operations)
        methods.update(child.attribute for child in node.children)
        lines += [f"{of}: several things would be called {name!r}" for name, count in methods.items() if count > 1]
        lines += [problem_with(name, of=of) or "" for name in methods]
        if len(node.resource) == 1 and node.attribute in CLIENT_NAMES:
            lines.append(f"{of}: the client has a method {node.attribute!r} already")
    modules = Counter(node.module for node in endpoints.resources())
    modules.update(f"api {view.tag}/{view.module}" for view in endpoints.all())
    lines += [f"several resources or operations would be written to {name}" for name, n in modules.items() if n > 1]
    lines += [
        f"operationId of {view.method} {ascii(view.path)[1:-1]} makes no module name"
        for view in endpoints.all()
        if not (view.module.isidentifier() and view.module.isascii() and view.tag.isascii() and view.tag.isidentifier())
    ]
    return [line for line in lines if line]


def check_metadata(data: GeneratorData) -> None:
    """The title becomes the names of the package and of the base error.

    Raises:
        UnusableName: it has no letters that could.
    """
    if not any(c.isascii() and c.isalpha() for c in raw(data.title)):
        raise UnusableName("these names cannot be used:", ["`info.title` has no letter to make a package name of"])
