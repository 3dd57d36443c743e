"""Which module of `models` a class is in.

Rule: what one resource alone uses is in the module of that resource, so that a reader has the parts of an operation
before them and a program loads them at once. Classes that the same several resources use are together too, in a
module called after the first of them.
"""

from __future__ import annotations

from typing import Any

import attrs
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.properties import ModelProperty

from .endpoint_views import own_module
from .endpoints import Endpoints
from .views import Views


@attrs.frozen(kw_only=True)
class ModuleView:
    """One module of `models`."""

    name: str
    resource: str | None
    """The resource that alone uses its classes."""
    enums: list[Any] = attrs.field(factory=list)
    models: list[ModelProperty] = attrs.field(factory=list)
    imports: list[str] = attrs.field(factory=list)
    """Classes of other modules that annotations name."""

    @property
    def classes(self) -> list[str]:
        found: list[Any] = [*self.enums, *self.models]
        return [str(each.class_info.name) for each in found]


def modules(views: Views, endpoints: Endpoints, data: GeneratorData) -> list[ModuleView]:
    """All modules, by name."""
    paths = {own_module(node.resource): node.path for node in endpoints.resources()}
    users = _users(views, endpoints, data)
    called: dict[tuple[str, ...], str] = {}
    found: dict[str, ModuleView] = {}
    for name, each in sorted({**views.enums, **views.models}.items()):
        resources = users.get(name, ())
        own = resources[0] if len(resources) == 1 else str(each.class_info.module_name)
        module = called.setdefault(resources, own.lower())
        view = found.setdefault(module, ModuleView(name=module, resource=paths.get(own)))
        if isinstance(each, ModelProperty):
            view.models.append(each)
        else:
            view.enums.append(each)
    for view in found.values():
        view.imports.extend(sorted(_mentioned(views, view) - set(view.classes)))
    return sorted(found.values(), key=lambda view: view.name)


def _users(views: Views, endpoints: Endpoints, data: GeneratorData) -> dict[str, tuple[str, ...]]:
    """The modules of the resources that use a class, by the name of the class."""
    users: dict[str, dict[str, None]] = {}
    for collection in data.endpoint_collections_by_tag.values():
        for endpoint in collection.endpoints:
            responses = [*endpoint.responses.patterns, *filter(None, [endpoint.responses.default])]
            names: set[str] = set()
            for prop in (*endpoint.list_all_parameters(), *(response.prop for response in responses)):
                views.collect(prop, names)
            for name in names:
                users.setdefault(name, {})[own_module(endpoints.view(endpoint).resource)] = None
    return {name: tuple(sorted(found)) for name, found in users.items()}


def _mentioned(views: Views, module: ModuleView) -> set[str]:
    props: list[Any] = [prop for model in module.models for prop in views.properties(model)]
    return {str(found.class_info.name) for prop in props for found in views.shapes.mentions(prop)}
