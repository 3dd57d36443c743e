"""What templates know of one operation, and of one resource of the tree.

Rule: data only. `endpoints` reads it off the document.
"""

from __future__ import annotations

from typing import Any

import attrs

from .links import PagesView, TaskView
from .models import AssetView
from .rules import RuleView
from .texts import Code
from .views import FieldView


@attrs.frozen(kw_only=True)
class EndpointView:
    """One operation."""

    resource: tuple[str, ...]
    method_name: str
    tag: str
    module: str
    method: str
    path: str
    charges: bool
    project_kind: str | None
    task: str | None
    pages: PagesView | None
    balance: str | None
    prices: dict[str, Any]
    assets: list[AssetView]
    rules: list[RuleView]
    path_parameters: list[FieldView]
    query_parameters: list[FieldView]
    header_parameters: list[FieldView]
    body_model: str | None
    body_fields: list[FieldView] | None
    body_names: tuple[str, ...]
    body_required: tuple[str, ...]
    body_kind: Code | None
    has_body: bool
    keywords: list[FieldView]
    generate_keywords: list[FieldView]
    results: list[tuple[int, Code]]
    result_annotation: Code
    result_description: str
    summary_line: str
    description: str
    example: Any
    source: dict[str, Any]
    example_lines: list[Code] = attrs.field(factory=list)
    generate_lines: list[Code] = attrs.field(factory=list)
    nested_docs: dict[str, list[Code]] = attrs.field(factory=dict)
    """For the docstring of `generate`: lines about the fields inside a field."""

    @property
    def generates(self) -> bool:
        """Whether there is a `generate` for it: it makes a job, paid or a task, and takes only fields of its body."""
        starts = (self.charges and self.project_kind is not None) or self.task is not None
        return starts and bool(self.generate_keywords)

    @property
    def page_keywords(self) -> list[FieldView]:
        """The parameters of an operation with pages, but for the cursor."""
        return [field for field in self.keywords if self.pages is not None and field.attribute != self.pages.cursor]

    @property
    def call_name(self) -> str:
        return ".".join((*self.resource, self.method_name))


@attrs.define(kw_only=True)
class ResourceView:
    """One node of the tree under the client."""

    resource: tuple[str, ...]
    description: str
    operations: list[EndpointView] = attrs.field(factory=list)
    children: list[ResourceView] = attrs.field(factory=list)
    project_kind: str | None = None
    """The kind of projects that it gets, if any."""
    project: EndpointView | None = None
    """The operation that gets one."""
    task: TaskView | None = None
    """The tasks that it gets, if any."""
    uploads: bool = False
    """Whether the upload URLs of input files are below it."""
    home: str | None = None
    """The module that it shares, see `homes`."""

    @property
    def generators(self) -> list[EndpointView]:
        return [operation for operation in self.operations if operation.generates]

    @property
    def starts_tasks(self) -> bool:
        return any(operation.task is not None for operation in self.generators)

    @property
    def extended_children(self) -> list[ResourceView]:
        return [child for child in self.children if child.is_extended]

    @property
    def is_extended(self) -> bool:
        """Whether the resource with workflows differs from the one of the low-level client."""
        own = bool(self.generators) or self.project is not None or self.uploads
        return own or bool(self.extended_children)

    @property
    def path(self) -> str:
        return ".".join(self.resource)

    @property
    def attribute(self) -> str:
        return self.resource[-1]

    @property
    def module(self) -> str:
        """The module of its class, which other resources may share."""
        return self.home or own_module(self.resource)

    @property
    def class_name(self) -> str:
        return "".join(part.title().replace("_", "") for part in self.resource)


def own_module(resource: tuple[str, ...]) -> str:
    """What a module with this resource alone is called."""
    return "_".join(resource)
