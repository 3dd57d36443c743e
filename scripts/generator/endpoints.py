"""Endpoints and the tree of resources they hang on.

Rule: `POST /v1/files/upload-urls` is `client.v1.files.upload_urls.create`: the path without its parameters is the
resource, the verb is the method. Where two operations would be the same method, both are called by operationId.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import Any, TypeVar

import attrs
from openapi_python_client import strings
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.openapi import Endpoint
from openapi_python_client.parser.properties import ModelProperty
from openapi_python_client.parser.responses import Response

from .emulator_rows import EmulatorRows
from .endpoint_views import EndpointView, ResourceView
from .homes import homes, moved
from .links import Links, TaskView
from .names import attribute
from .prices import Prices
from .problems import WrongRow
from .rows import Rows, check_document
from .rules import Rules
from .shapes import Side
from .texts import Code, raw
from .views import FieldView, Views

T = TypeVar("T")

_PREFIX = "field_"
_VERBS = {"get": "get", "post": "create", "put": "replace", "patch": "update", "delete": "delete"}


class Endpoints:
    """All operations of a document, by path and method, and the resources they make."""

    def __init__(self, views: Views, data: GeneratorData) -> None:
        self.views = views
        self.contract = views.contract
        self.by_place: dict[tuple[str, str], EndpointView] = {}
        self._problems: list[str] = []
        self._parsed = {
            (_bare(raw(endpoint.path)), endpoint.method): (str(tag), endpoint)
            for tag, collection in data.endpoint_collections_by_tag.items()
            for endpoint in collection.endpoints
        }
        names = self._method_names()
        for path, method, _ in self.contract.operations():
            found = self._parsed.get((_bare(path), method))
            if found is not None:
                self.by_place[_bare(path), method] = self._view(path, method, names[path, method], *found)
        here = moved(self.all(), homes(self.all(), self.project_gets()))
        self.by_place = dict(zip(self.by_place, here, strict=True))

    def view(self, endpoint: Endpoint) -> EndpointView:
        """The view of what the generator parsed; templates call this."""
        return self.by_place[_bare(raw(endpoint.path)), endpoint.method]

    def all(self) -> list[EndpointView]:
        return list(self.by_place.values())

    def _method_names(self) -> dict[tuple[str, str], str]:
        wanted = {(p, m): (_resource(p), _VERBS.get(m, m)) for p, m, _ in self.contract.operations()}
        counts = Counter(wanted.values())
        names = {}
        for path, method, operation in self.contract.operations():
            resource, verb = wanted[path, method]
            clash = counts[resource, verb] > 1
            by_id = operation.get("operationId") or f"{verb}_{path.strip('/')}"
            names[path, method] = attribute(str(by_id).replace("/", "_")) if clash else verb
        return names

    def _view(self, path: str, method: str, name: str, tag: str, endpoint: Endpoint) -> EndpointView:
        operation = self.contract.operation(path, method)
        body = _json_body(endpoint)
        model = self.views.models.get(str(body.class_info.name)) if isinstance(body, ModelProperty) else None
        flat = self._fields(model, "request")
        parameters = {place: self._parameters(operation, endpoint, place) for place in ("path", "query", "header")}
        others = {view.attribute for views in parameters.values() for view in views}
        if flat is not None and others & {field.attribute for field in flat}:
            flat = None
        named = flat if flat is not None else self._whole_body(body, operation)
        keywords = [*parameters["query"], *parameters["header"], *named]
        results, annotation = self._results(endpoint)
        media = self.contract.json_media(operation.get("requestBody"))
        plain = method == "get" and not parameters["path"] and not keywords
        place = f"{method.upper()} {ascii(path)[1:-1]}"
        rows = self._rows(operation, place, model, annotation, parameters["query"], plain)
        return EndpointView(
            resource=_resource(path),
            method_name=name,
            tag=tag,
            module=str(strings.PythonIdentifier(str(endpoint.name), _PREFIX)),  # as Project names the file
            method=method.upper(),
            path=path,
            charges=operation.get("x-charges-credits") is True,
            project_kind=_text(operation.get("x-project-kind")),
            task=_resource(path)[-1] if "x-task" in operation else None,
            **rows,
            assets=self.views.assets(model),
            path_parameters=parameters["path"],
            query_parameters=parameters["query"],
            header_parameters=parameters["header"],
            body_model=None if model is None else str(model.class_info.name),
            body_fields=flat,
            body_names=tuple(field.attribute for field in flat or []),
            body_required=tuple(field.attribute for field in flat or [] if field.required),
            body_kind=None if body is None else self.views.shapes.kind(body),
            has_body=body is not None,
            keywords=sorted(keywords, key=lambda field: not field.required),
            generate_keywords=self._generate_keywords(model, keywords, parameters["path"], flat),
            results=results,
            result_annotation=annotation,
            result_description=self._result_description(operation),
            summary_line=str(operation.get("summary") or name),
            description=str(operation.get("description") or ""),
            example=media.get("example"),
            source=operation,
        )

    def _rows(
        self,
        operation: dict[str, Any],
        place: str,
        body: ModelProperty | None,
        result: str,
        query: list[FieldView],
        plain: bool,
    ) -> dict[str, Any]:
        """What the rows of an operation say, as fields of its view. A `plain` one is a GET without parameters."""
        prices, rules = Prices(self.views, place, body), Rules(self.views, place, body)
        emulator = EmulatorRows(self.views, place, body)
        links = Links(self.views, place, self._model_of(result))
        emulator.check(operation)
        self._read(emulator, None)
        return {
            "pages": self._read(links, links.pages(operation.get("x-pages"), query)),
            "balance": self._read(links, links.balance(operation.get("x-balance"), plain=plain)),
            "prices": self._read(prices, prices.prices(operation.get("x-credits"))),
            "rules": self._read(rules, rules.rules()),
        }

    def _read(self, rows: Rows, found: T) -> T:
        """What was found in rows, with what is wrong with them noted."""
        self._problems += rows.problems
        rows.problems.clear()
        return found

    def _model_of(self, annotation: str) -> ModelProperty | None:
        """The model of an answer, if it is one."""
        return self.views.models.get(annotation.removeprefix("_models."))

    @cached_property
    def tasks(self) -> dict[str, TaskView]:
        """Every kind of free job without a project."""
        gets = {str(view.source.get("operationId")): view for view in self.all()}
        found: dict[str, TaskView] = {}
        for view in self.all():
            if view.task is None:
                continue
            row = view.source["x-task"]
            get = gets.get(str(row.get("get"))) if isinstance(row, dict) else None
            place = f"{view.method} {ascii(view.path)[1:-1]}"
            links = Links(self.views, place, None if get is None else self._model_of(get.result_annotation))
            if view.task in found or view.task in self.project_gets():
                links.wrong("x-task", f"there are jobs of the kind {view.task} already")
            elif view.charges or view.project_kind is not None:
                links.wrong("x-task", "a task is free and has no project")
            task = self._read(links, links.task(row, gets, view.task))
            found |= {} if task is None else {view.task: task}
        return found

    def balance(self) -> tuple[str, str] | None:
        """The operation that says how many credits can be spent, and the field of its answer."""
        return next(((view.call_name, view.balance) for view in self.all() if view.balance is not None), None)

    def check_rows(self) -> None:
        """Every row must name what exists.

        Raises:
            WrongRow: listing each mistake with its place.
        """
        self.tasks  # noqa: B018  (its rows are read when it is first asked for)
        for view in [view for view in self.all() if view.balance is not None][1:]:
            self._problems.append(f"{view.method} {view.path}: x-balance: another operation says it already")
        if lines := [*self._problems, *check_document(self.views)]:
            raise WrongRow("these rows of the document are wrong:", lines)

    def _fields(self, model: ModelProperty | None, side: Side) -> list[FieldView] | None:
        return None if model is None else [self.views.field(model, prop, side) for prop in self.views.properties(model)]

    def _generate_keywords(
        self,
        model: ModelProperty | None,
        keywords: list[FieldView],
        path: list[FieldView],
        flat: list[FieldView] | None,
    ) -> list[FieldView]:
        """The fields of the body as `generate` takes them; none if the operation needs anything else."""
        if path or keywords != flat:
            return []
        return sorted(self._fields(model, "generate_request") or [], key=lambda field: not field.required)

    def _parameters(self, operation: dict[str, Any], endpoint: Endpoint, place: str) -> list[FieldView]:
        views = []
        for prop in getattr(endpoint, f"{place}_parameters"):
            raws = [p for p in operation["parameters"] if p.get("in") == place and p.get("name") == raw(prop.name)]
            source = {**self.contract.resolve(raws[0].get("schema")), **raws[0]} if raws else {}
            view = self.views.view(prop, source, "request")
            if place == "path":  # what can be an id is checked more strictly, and without a word on lengths
                view = attrs.evolve(view, kind=self.views.shapes.kind(prop))
            views.append(view)
        return views

    def _whole_body(self, body: Any, operation: dict[str, Any]) -> list[FieldView]:
        if body is None:
            return []
        description = self.contract.resolve(operation.get("requestBody")).get("description") or "What to send."
        return [self.views.view(body, {"description": description}, "request")]

    def _results(self, endpoint: Endpoint) -> tuple[list[tuple[int, Code]], Code]:
        """Status and kind of every success, and the annotation for all of them."""
        successes = [
            (status, response)
            for response in endpoint.responses.patterns
            if (status := success_status(response)) is not None
        ]
        if not successes and endpoint.responses.default is not None:
            successes = [(200, endpoint.responses.default)]
        results, annotations = [], []
        for status, response in successes:
            empty = response.source["attribute"] != "response.json()"
            results.append((status, Code("None") if empty else self.views.shapes.kind(response.prop)))
            annotations.append("None" if empty else self.views.shapes.annotation(response.prop, "result"))
        return results, Code(" | ".join(dict.fromkeys(annotations)) or "None")

    def _result_description(self, operation: dict[str, Any]) -> str:
        for status, response in (operation.get("responses") or {}).items():
            if str(status).startswith("2"):
                return str(self.contract.resolve(response).get("description") or "The answer.")
        return "The answer."

    def project_gets(self) -> dict[str, EndpointView]:
        """Every kind of project that an operation makes and the document lets one get: the operation that gets it."""
        kinds = dict.fromkeys(view.project_kind for view in self.all() if view.project_kind)
        gets = {_bare(view.path): view for view in self.all() if view.method == "GET"}
        found: dict[str, EndpointView] = {}
        for kind in kinds:
            views = [view for path, view in gets.items() if path.endswith(f"/{kind}-projects/{{}}")]
            found |= {str(kind): views[0]} if views else {}
        return found

    def upload_urls(self) -> EndpointView | None:
        """The operation that gives URLs to upload input files to."""
        return next((view for view in self.all() if view.source.get("x-upload-urls")), None)

    def stored(self) -> list[str]:
        """What paths in the service's storage begin with."""
        view = self.upload_urls()
        return [] if view is None or view.source["x-upload-urls"] is True else list(view.source["x-upload-urls"])

    def resources(self) -> list[ResourceView]:
        """The roots of the tree, everything in the order of the document."""
        described = {
            str(tag.get("name")): str(tag.get("description") or "") for tag in self.contract.raw.get("tags") or []
        }
        nodes: dict[tuple[str, ...], ResourceView] = {}
        for endpoint in self.all():
            for depth in range(1, len(endpoint.resource) + 1):
                resource = endpoint.resource[:depth]
                if resource not in nodes:
                    text = described.get(".".join(resource)) or f"The resources under `{'/'.join(resource)}`."
                    nodes[resource] = ResourceView(resource=resource, description=text)
                    if depth > 1:
                        nodes[resource[:-1]].children.append(nodes[resource])
            nodes[endpoint.resource].operations.append(endpoint)
        for kind, view in self.project_gets().items():
            nodes[view.resource].project_kind, nodes[view.resource].project = kind, view
        for kind, task in self.tasks.items():
            nodes[task.get.resource].project_kind, nodes[task.get.resource].project = kind, task.get
            nodes[task.get.resource].task = task
        if (urls := self.upload_urls()) is not None:
            nodes[urls.resource[:-1] or urls.resource].uploads = True
        for resource, home in homes(self.all(), self.project_gets()).items():
            nodes[resource].home = home
        return list(nodes.values())


def success_status(response: Response) -> int | None:
    """The status of an answer that the client reads, or the first of a range; None for all others, which are errors."""
    lowest = (response.status_code.range or (0, 0))[0]
    return lowest if 200 <= lowest < 300 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _bare(path: str) -> str:
    """The path without the names of its parameters, which the generator changes."""
    return re.sub(r"\{[^{}]*\}", "{}", path)


def _resource(path: str) -> tuple[str, ...]:
    parts = [part for part in path.split("/") if part and "{" not in part]
    return tuple(attribute(part) for part in parts) or ("root",)


def _json_body(endpoint: Endpoint) -> Any:
    return next((body.prop for body in endpoint.bodies if body.body_type.value == "json"), None)
