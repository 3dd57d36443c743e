"""Rows by which operations lead to others: free tasks to their GET, pages to the next page, and who knows the balance.

Rule: as for all rows, what is named must exist; an operation that could not be followed to its end stops the generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
from openapi_python_client.parser.properties import ModelProperty
from openapi_python_client.parser.properties.list_property import ListProperty

from .names import attribute
from .rows import Rows, shown, types_of
from .texts import Code, raw
from .views import FieldView, Views

if TYPE_CHECKING:
    from .endpoint_views import EndpointView

_PAGES = {"cursor", "next", "items"}
_TASK = {"get", "done", "failed", "outputs"}
_OF_EVERY_RESULT = {"id", "kind", "status", "credits_charged", "downloaded_paths", "project"}
"""What the result of every job has; the answer of a task adds its other fields."""


@attrs.frozen(kw_only=True)
class PagesView:
    """How pages follow each other, with the annotation of their items."""

    cursor: str
    next: str
    items: str
    item: Code


@attrs.frozen(kw_only=True)
class ResultField:
    """One field of the answer of a task, in its result."""

    attribute: str
    annotation: Code
    listed: bool
    description: str


@attrs.frozen(kw_only=True)
class TaskView:
    """A kind of free job without a project."""

    kind: str
    get: EndpointView
    done: tuple[str, ...]
    failed: tuple[str, ...]
    outputs: str | None
    fields: list[ResultField]

    @property
    def result_name(self) -> str:
        """The class of its results."""
        return f"{self.kind.title().replace('_', '')}Result"

    @property
    def module(self) -> str:
        """The module with that class."""
        return "_".join(self.get.resource)


class Links(Rows):
    """Reads the rows of one operation that are about its answer."""

    def __init__(self, views: Views, place: str, answer: ModelProperty | None) -> None:
        super().__init__(views, place, None)
        self.views = views
        self._answer = answer

    def pages(self, row: Any, query: list[FieldView]) -> PagesView | None:
        if row is None:
            return None
        if not isinstance(row, dict) or row.keys() != _PAGES:
            self.wrong("x-pages", f"expected {', '.join(sorted(_PAGES))}")
            return None
        if row["cursor"] not in [field.name for field in query]:
            self.wrong("x-pages.cursor", f"{shown(row['cursor'])} is not a parameter of the query")
        items = self._property("x-pages.items", row["items"])
        if self._property("x-pages.next", row["next"]) is None or items is None:
            return None
        if not isinstance(items, ListProperty):
            self.wrong("x-pages.items", f"{shown(row['items'])} is not a list")
            return None
        names = {key: attribute(str(name)) for key, name in row.items()}
        return PagesView(**names, item=self.views.shapes.annotation(items.inner_property, "result"))

    def balance(self, row: Any, *, plain: bool) -> str | None:
        """The field with the balance; `plain` says whether the operation is a GET without parameters."""
        if row is None:
            return None
        if not plain:
            self.wrong("x-balance", "only a GET without parameters can say it")
        if self._property("x-balance", row) is None or self._answer is None:
            return None
        if not types_of(self.views.fields(self._answer)[row]) & {"integer", "number"}:
            self.wrong("x-balance", f"{shown(row)} is not a number")
        return attribute(str(row))

    def task(self, row: Any, gets: Mapping[str, EndpointView], kind: str) -> TaskView | None:
        """The task that a row describes; here the answer is that of its GET."""
        if not isinstance(row, dict) or row.keys() - _TASK or not _TASK - {"outputs"} <= row.keys():
            self.wrong("x-task", "expected get, done, failed and, where there are any, outputs")
            return None
        get = gets.get(str(row["get"]))
        if get is None or get.method != "GET" or len(get.path_parameters) != 1 or get.keywords:
            self.wrong("x-task.get", f"{shown(row['get'])} is not the operationId of a GET by an id alone")
            return None
        for name in ("id", "status"):
            self._property(f"x-task.get: {row['get']}", name)
        states = {name: self._states(name, row[name]) for name in ("done", "failed")}
        if "outputs" in row:
            self._check_outputs(row["outputs"])
        outputs = attribute(str(row["outputs"])) if "outputs" in row else None
        return TaskView(kind=kind, get=get, outputs=outputs, fields=self._result_fields(), **states)

    def _states(self, name: str, states: Any) -> tuple[str, ...]:
        if not isinstance(states, list) or not states or not all(isinstance(state, str) for state in states):
            self.wrong(f"x-task.{name}", "expected a list of statuses")
            return ()
        known = self.views.fields(self._answer).get("status", {}).get("enum") if self._answer else None
        for state in states:
            if known and state not in known:
                self.wrong(f"x-task.{name}", f"{shown(state)} is not a status of its answer")
        return tuple(states)

    def _check_outputs(self, name: Any) -> None:
        found = self._property("x-task.outputs", name)
        inner = found.inner_property if isinstance(found, ListProperty) else None
        model = self.views.models.get(str(inner.class_info.name)) if isinstance(inner, ModelProperty) else None
        if found is not None and (model is None or "url" not in self.views.fields(model)):
            self.wrong("x-task.outputs", f"{shown(name)} is not a list of objects with a `url`")

    def _result_fields(self) -> list[ResultField]:
        found = []
        for prop in self.views.properties(self._answer):
            name = attribute(raw(prop.name))
            if name in _OF_EVERY_RESULT or self._answer is None:
                continue
            view = self.views.view(prop, self.views.field_source(self._answer, prop), "result")
            listed = isinstance(prop, ListProperty)
            annotation = self.views.shapes.annotation(prop, "result")
            optional = annotation if listed or self.views.shapes.nullable(prop) else f"{annotation} | None"
            text = f"{view.description.rstrip('.')}; {'empty' if listed else 'None'} until then."
            found.append(
                ResultField(
                    attribute=name,
                    annotation=Code(optional),
                    listed=listed,
                    description=text,
                )
            )
        return found

    def _property(self, place: str, name: Any) -> Any:
        """The property of the answer that has this name; reported if there is none."""
        for prop in self.views.properties(self._answer):
            if raw(prop.name) == name:
                return prop
        self.wrong(place, f"{shown(name)} is not a field of the answer")
        return None
