"""The objects of the document: their fields, and where in them files and rules are.

Rule: counted before anything is listed. Objects that share their parts have many more paths than objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import attrs
from openapi_python_client.parser.properties import ModelProperty
from openapi_python_client.parser.properties.list_property import ListProperty
from openapi_python_client.parser.properties.union import UnionProperty

from .contract import Contract
from .names import attribute
from .problems import LostOperation
from .texts import raw

ROLES = ("image", "audio", "video", "gif")
_MOST_PLACES = 1000
ITEMS = "*"
Path = tuple[str, ...]


@attrs.frozen(kw_only=True)
class AssetView:
    """A field of a request that holds an input file."""

    path: tuple[str, ...]
    roles: tuple[str, ...]


class Models:
    """The objects of one document, by name."""

    def __init__(self, contract: Contract, models: dict[str, ModelProperty]) -> None:
        self.contract = contract
        self.models = models
        self._sources: dict[str, dict[str, Any]] = {}
        self._fields: dict[str, dict[str, dict[str, Any]]] = {}
        self.with_assets = self._that_hold(self._has_asset)
        """Names of the models with files somewhere in them."""
        self.with_rules = self._that_hold(self._has_rule)
        """The same for rules."""

    def properties(self, model: ModelProperty | None) -> list[Any]:
        """The properties of a model: required ones first, each group by name."""
        if model is None:
            return []
        groups = (model.required_properties or [], model.optional_properties or [])
        return [prop for group in groups for prop in sorted(group, key=lambda prop: raw(prop.name))]

    def source(self, model: ModelProperty) -> dict[str, Any]:
        """The model's schema in the document, with the parts of an `allOf` merged."""
        name = str(model.class_info.name)
        if name not in self._sources:
            dumped = model.data.model_dump(by_alias=True, exclude_unset=True, mode="json")
            self._sources[name] = self.contract.schema(dumped)
        return self._sources[name]

    def field_source(self, model: ModelProperty, prop: Any) -> dict[str, Any]:
        properties = self.source(model).get("properties") or {}
        return self.contract.schema(properties.get(raw(prop.name), {}))

    def _has_asset(self, field: dict[str, Any]) -> bool:
        return bool(asset_roles(self.contract, field))

    def _has_rule(self, field: dict[str, Any]) -> bool:
        return "x-before" in field or "x-implied" in field

    def _that_hold(self, wanted: Callable[[dict[str, Any]], bool]) -> set[str]:
        """Names of the models with such a field somewhere below them, or with conditions if those are wanted."""
        holders: dict[str, list[str]] = {}
        waiting: list[str] = []
        for name, model in self.models.items():
            if wanted == self._has_rule and self.source(model).get("x-conditions"):
                waiting.append(name)
            if any(wanted(field) for field in self.fields(model).values()):
                waiting.append(name)
            for prop in self.properties(model):
                for _, inner in _objects(prop):
                    holders.setdefault(inner, []).append(name)
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(holders.get(name, ()))
        return found

    def places(self, model: ModelProperty | None, holders: set[str]) -> list[tuple[Path, ModelProperty]]:
        """The model and the models in it that are among `holders`, each with its path; `*` are the items of a list.

        Raises:
            LostOperation: there are too many to list.
        """
        found = list(islice(self._places(model, holders), _MOST_PLACES + 1))
        if len(found) > _MOST_PLACES and model is not None:
            lines = [f"{model.class_info.name} has more than {_MOST_PLACES} objects with files or rules in it"]
            raise LostOperation("The document cannot be used:", lines)
        return found

    def _places(
        self, model: ModelProperty | None, holders: set[str], path: Path = (), seen: tuple[str, ...] = ()
    ) -> Iterator[tuple[Path, ModelProperty]]:
        # Only where there are any: objects that share their parts have many more paths than objects.
        if model is None or str(model.class_info.name) not in holders - set(seen):
            return
        yield path, model
        for prop in self.properties(model):
            for steps, name in _objects(prop):
                inner, here = self.models.get(name), (*path, raw(prop.name), *steps)
                yield from self._places(inner, holders, here, (*seen, str(model.class_info.name)))

    def fields(self, model: ModelProperty) -> dict[str, dict[str, Any]]:
        """The schema of each field of a model, by its name in the document."""
        name = str(model.class_info.name)
        if name not in self._fields:
            self._fields[name] = {raw(prop.name): self.field_source(model, prop) for prop in self.properties(model)}
        return self._fields[name]

    def fields_below(self, field: dict[str, Any]) -> dict[str, dict[str, Any]] | None:
        """The fields of the object that a field holds; None if it holds none."""
        choices = [self.contract.schema(choice) for key in ("anyOf", "oneOf") for choice in field.get(key) or []]
        found = next((each["properties"] for each in (field, *choices) if each.get("properties")), None)
        return None if found is None else {name: self.contract.schema(inner) for name, inner in found.items()}

    def assets(self, model: ModelProperty | None) -> list[AssetView]:
        """The asset fields of a model and of the models in it."""
        found: list[AssetView] = []
        for path, holder in self.places(model, self.with_assets):
            steps = tuple(step if step == ITEMS else attribute(step) for step in path)
            for name, source in self.fields(holder).items():
                if roles := asset_roles(self.contract, source):
                    items = (ITEMS,) if type_is(source, "array") else ()
                    found.append(AssetView(path=(*steps, attribute(name), *items), roles=roles))
        return found


def _objects(prop: Any) -> Iterator[tuple[Path, str]]:
    """The names of the models that a field holds, each with the steps to it."""
    if isinstance(prop, ModelProperty):
        yield (), str(prop.class_info.name)
    elif isinstance(prop, ListProperty):
        for steps, name in _objects(prop.inner_property):
            yield (ITEMS, *steps), name
    elif isinstance(prop, UnionProperty):
        for inner in prop.inner_properties:
            yield from _objects(inner)


def type_is(source: dict[str, Any], name: str) -> bool:
    """Whether a schema is of this type, or null."""
    types = source.get("type")
    return name in types if isinstance(types, list) else types == name


def asset_roles(contract: Contract, source: dict[str, Any]) -> tuple[str, ...]:
    """What a file in this field, or in its items, can be used as; empty if it takes no files."""
    for node in (source, contract.resolve(source.get("items"))):
        roles = node.get("x-asset")
        found = roles if isinstance(roles, list) else [roles]
        if found and all(role in ROLES for role in found):
            return tuple(dict.fromkeys(str(role) for role in found))
    return ()
