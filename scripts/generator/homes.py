"""Which module a resource and its operations are in, in `resources/`, `api/` and the resources with workflows.

Rule: what makes one kind of projects shares the module of the resource that gets them, and every other resource has a
module of its own. Operations of one kind are so alike that a dozen of them take little more room than one in a file;
they load in a third of a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from .endpoint_views import EndpointView, ResourceView, own_module

Homes = dict[tuple[str, ...], str]


def homes(endpoints: Iterable[EndpointView], gets: Mapping[str, EndpointView]) -> Homes:
    """The module of each resource that makes or gets projects; `gets` are the operations that get each kind."""
    makers = {view.resource: gets[str(view.project_kind)] for view in endpoints if str(view.project_kind) in gets}
    getters = {get.resource: get for get in gets.values()}
    return {resource: own_module(get.resource) for resource, get in {**makers, **getters}.items()}


def moved(endpoints: Iterable[EndpointView], homes: Homes) -> list[EndpointView]:
    """The operations, with the module of `api` as their tag; those of one tag stay together."""
    views = list(endpoints)
    modules = {view.tag: homes[view.resource] for view in views if view.resource in homes}
    return [attrs.evolve(view, tag=modules.get(view.tag, view.tag)) for view in views]


def by_module(nodes: Iterable[ResourceView]) -> list[tuple[str, list[ResourceView]]]:
    """The resources of each module, by their names."""
    found: dict[str, list[ResourceView]] = {}
    for node in sorted(nodes, key=lambda node: node.resource):
        found.setdefault(node.module, []).append(node)
    return list(found.items())
