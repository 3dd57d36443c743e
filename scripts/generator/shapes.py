"""What a property of the document is in Python: its annotation for people, its kind for the runtime.

Rule: both come from the same property, in this one place, and only from names that passed `names`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from openapi_python_client.parser.properties import LiteralEnumProperty, ModelProperty
from openapi_python_client.parser.properties.boolean import BooleanProperty
from openapi_python_client.parser.properties.const import ConstProperty
from openapi_python_client.parser.properties.date import DateProperty
from openapi_python_client.parser.properties.datetime import DateTimeProperty
from openapi_python_client.parser.properties.float import FloatProperty
from openapi_python_client.parser.properties.int import IntProperty
from openapi_python_client.parser.properties.list_property import ListProperty
from openapi_python_client.parser.properties.none import NoneProperty
from openapi_python_client.parser.properties.string import StringProperty
from openapi_python_client.parser.properties.union import UnionProperty
from openapi_python_client.parser.properties.uuid import UuidProperty

from .texts import Code, literal

Side = Literal["model", "answer", "result", "request", "params", "generate", "generate_request"]
"""Where an annotation is used: in a model that is (also) sent, in one that is only received, in a method's result or
its signature, in a TypedDict, in one of `generate`, or in the signature of `generate`."""
_OWN = ("model", "answer")
GENERATE_SIDES = ("generate", "generate_request")

_SIMPLE: dict[type, tuple[str, str]] = {
    BooleanProperty: ("bool", "BOOLEAN"),
    IntProperty: ("int", "INTEGER"),
    FloatProperty: ("float", "NUMBER"),
    StringProperty: ("str", "STRING"),
    DateProperty: ("_dt.date", "DATE"),
    DateTimeProperty: ("_dt.datetime", "DATETIME"),
    UuidProperty: ("_uuid.UUID", "UUID_STRING"),
    NoneProperty: ("None", "NULL"),
}
_OF_NUMBERS = {"least": "minimum", "most": "maximum", "above": "exclusiveMinimum", "below": "exclusiveMaximum"}
_BOUNDS: dict[type, dict[str, str]] = {
    StringProperty: {"least": "minLength", "most": "maxLength"},
    ListProperty: {"least": "minItems", "most": "maxItems"},
    IntProperty: _OF_NUMBERS,
    FloatProperty: _OF_NUMBERS,
}
"""The keywords of the document that bound a value of each kind, by what the runtime calls the bound."""


def _within(prop: Any, source: dict[str, Any]) -> str:
    """The code that gives a kind the bounds of its schema; empty if it has none."""
    kind = type(prop)
    if isinstance(prop, LiteralEnumProperty):
        kind = StringProperty if prop.value_type is str else IntProperty
    source = dict(source)
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(source.get(exclusive), bool):  # as OpenAPI 3.0 says it
            source[exclusive] = source.pop(bound, None) if source[exclusive] else None
    bounds = {name: source.get(keyword) for name, keyword in _BOUNDS.get(kind, {}).items()}
    told = [f"{name}={number}" for name, value in bounds.items() if (number := _number(value)) is not None]
    return f".within({', '.join(told)})" if told else ""


def _number(value: Any) -> Code | None:
    """A bound as Python; 1 for the 1.0 that openapi-python-client makes of it. None if it is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return literal(int(value) if whole else value)


def maps_among(models: dict[str, ModelProperty]) -> dict[str, Any]:
    """Names and values of the objects with any keys and no fields. One that holds itself stays a model: Python
    cannot write its type down otherwise."""
    maps = {
        name: model.additional_properties
        for name, model in models.items()
        if not (model.required_properties or model.optional_properties) and model.data.additionalProperties is not False
    }

    def holds(prop: Any, name: str, seen: tuple[str, ...]) -> bool:
        inner = str(prop.class_info.name) if isinstance(prop, ModelProperty) else ""
        if inner in maps and inner not in seen:
            return inner == name or holds(maps[inner], name, (*seen, inner))
        parts = [prop.inner_property] if isinstance(prop, ListProperty) else getattr(prop, "inner_properties", [])
        return any(holds(part, name, seen) for part in parts)

    return {name: value for name, value in maps.items() if not holds(value, name, ())}


class Shapes:
    """Annotations and kinds for the properties of one document."""

    def __init__(self, maps: dict[str, Any], with_assets: set[str], schema: Callable[[Any], dict[str, Any]]) -> None:
        self._schema = schema
        """Finds the schema behind a reference."""
        self.maps = maps
        """The values of objects with any keys and no fields: dicts, not models."""
        self.with_assets = with_assets
        """Models with an asset field somewhere below them."""

    def annotation(self, prop: Any, side: Side, *, asset: bool = False) -> Code:
        """The type of the property, as if it were required."""
        return Code(self._annotation(prop, side, asset))

    def _annotation(self, prop: Any, side: Side, asset: bool) -> str:
        if type(prop) in _SIMPLE:
            return "_types.AssetSource" if asset else _SIMPLE[type(prop)][0]
        if isinstance(prop, LiteralEnumProperty):
            return self._enum(prop, side)
        if isinstance(prop, ConstProperty):
            return f"_t.Literal[{literal(prop.value.raw_value)}]"
        if isinstance(prop, ListProperty):
            inner = self._annotation(prop.inner_property, side, asset)
            if side in (*_OWN, "result"):
                return f"list[{inner}]"
            return f"Iterable[{inner}]" if asset else f"Sequence[{inner}]"
        if isinstance(prop, ModelProperty):
            return self._model(prop, side)
        if isinstance(prop, UnionProperty):
            wholes = [self._annotation(inner, side, asset) for inner in prop.inner_properties]
            parts = [part for whole in wholes for part in ([whole] if "[" in whole else whole.split(" | "))]
            return " | ".join(sorted(dict.fromkeys(parts), key=lambda part: part == "None"))
        return "_t.Any"

    def _enum(self, prop: LiteralEnumProperty, side: Side) -> str:
        name = str(prop.class_info.name)
        known = name if side in _OWN else f"_models.{name}"
        return f"{known} | {prop.value_type.__name__}"  # what is known is offered, not enforced

    def _model(self, prop: ModelProperty, side: Side) -> str:
        name = str(prop.class_info.name)
        if name in self.maps:
            inner = self._annotation(self.maps[name], side, False)
            return f"dict[str, {inner}]" if side in (*_OWN, "result") else f"Mapping[str, {inner}]"
        if side in _OWN:
            return name
        if side == "result":
            return f"_models.{name}"
        package = "_params." if side in ("request", "generate_request") else ""
        ending = "GenerateParams" if side in GENERATE_SIDES and name in self.with_assets else "Params"
        return f"_models.{name} | {package}{name}{ending} | _types.AnyDict"

    def kind(self, prop: Any, source: Any = None, *, asset: bool = False) -> Code:
        """The expression for the runtime's kind of the property; `source` is its schema, which has the bounds."""
        return Code(self._kind(prop, source or {}, asset))

    def _kind(self, prop: Any, source: dict[str, Any], asset: bool = False) -> str:
        if type(prop) in _SIMPLE:
            name = _SIMPLE[type(prop)][1]
            return f"_schema.{'ASSET' if asset and name == 'STRING' else name}{_within(prop, source)}"
        if isinstance(prop, LiteralEnumProperty):
            return f"_schema.{'STRING' if prop.value_type is str else 'INTEGER'}{_within(prop, source)}"
        if isinstance(prop, ListProperty):
            inner = self._kind(prop.inner_property, self._schema(source.get("items")), asset)
            return f"_schema.List({inner}){_within(prop, source)}"
        if isinstance(prop, ModelProperty) and str(prop.class_info.name) in self.maps:
            values = self._schema(source.get("additionalProperties"))
            return f"_schema.Map({self._kind(self.maps[str(prop.class_info.name)], values)})"
        if isinstance(prop, ModelProperty):
            return f'_schema.Object("{prop.class_info.name}")'
        if isinstance(prop, UnionProperty):
            parts = self._parts(prop, source)
            present = [inner for inner in prop.inner_properties if not isinstance(inner, NoneProperty)]
            present = present or prop.inner_properties
            kinds = list(dict.fromkeys(self._kind(inner, parts[id(inner)], asset) for inner in present))
            return kinds[0] if len(kinds) == 1 else f"_schema.Union(({', '.join(kinds)},))"
        return "_schema.ANY"

    def _parts(self, prop: UnionProperty, source: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """The schema of each kind of a union: its own, and the keywords next to `anyOf`, which hold for all."""
        choices = source.get("anyOf") or source.get("oneOf") or []
        if len(choices) != len(prop.inner_properties):
            choices = [{}] * len(prop.inner_properties)
        beside = {key: value for key, value in source.items() if key not in ("anyOf", "oneOf")}
        pairs = zip(prop.inner_properties, choices, strict=True)
        return {id(inner): {**beside, **self._schema(choice)} for inner, choice in pairs}

    def nullable(self, prop: Any) -> bool:
        """Whether null is a value of its own."""
        if isinstance(prop, UnionProperty):
            return any(isinstance(inner, NoneProperty) for inner in prop.inner_properties)
        return isinstance(prop, NoneProperty)

    def mentions(self, prop: Any) -> list[Any]:
        """The models and enums that the property names directly."""
        if isinstance(prop, ModelProperty) and str(prop.class_info.name) in self.maps:
            return self.mentions(self.maps[str(prop.class_info.name)])
        if isinstance(prop, ModelProperty | LiteralEnumProperty):
            return [prop]
        if isinstance(prop, ListProperty):
            return self.mentions(prop.inner_property)
        if isinstance(prop, UnionProperty):
            return [found for inner in prop.inner_properties for found in self.mentions(inner)]
        return []
