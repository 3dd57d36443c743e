"""What a property of the document is in Python: its annotation for people, its kind for the runtime.

Rule: both come from the same property, in this one place, and only from names that passed `names`.
"""

from __future__ import annotations

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

Side = Literal["model", "result", "request", "params", "generate"]
"""Where an annotation stands: in a model, a method's result, its signature, a TypedDict, or one of `generate`."""

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


class Shapes:
    """Annotations and kinds for the properties of one document."""

    def __init__(self, open_enums: set[str], with_assets: set[str]) -> None:
        self.open_enums = open_enums
        """Enums that only occur in answers: an unknown value must survive."""
        self.with_assets = with_assets
        """Models with an asset field somewhere below them."""

    def annotation(self, prop: Any, side: Side, *, asset: bool = False) -> str:
        """The type of the property, without what being optional adds."""
        if type(prop) in _SIMPLE:
            return "_types.AssetSource" if asset else _SIMPLE[type(prop)][0]
        if isinstance(prop, LiteralEnumProperty):
            return self._enum(prop, side)
        if isinstance(prop, ConstProperty):
            return f"_t.Literal[{literal(prop.value.raw_value)}]"
        if isinstance(prop, ListProperty):
            inner = self.annotation(prop.inner_property, side, asset=asset)
            return f"list[{inner}]" if side in ("model", "result") else f"Sequence[{inner}]"
        if isinstance(prop, ModelProperty):
            return self._model(prop, side)
        if isinstance(prop, UnionProperty):
            parts = [self.annotation(inner, side, asset=asset) for inner in prop.inner_properties]
            return " | ".join(sorted(dict.fromkeys(parts), key=lambda part: part == "None"))
        return "_t.Any"

    def _enum(self, prop: LiteralEnumProperty, side: Side) -> str:
        name = str(prop.class_info.name)
        known = name if side == "model" else f"_models.{name}"
        if name not in self.open_enums:
            return known
        return f"{known} | {prop.value_type.__name__}"

    def _model(self, prop: ModelProperty, side: Side) -> str:
        name = str(prop.class_info.name)
        if side == "model":
            return name
        if side == "result":
            return f"_models.{name}"
        if side == "request":
            return f"_models.{name} | _params.{name}Params"
        ending = "GenerateParams" if side == "generate" and name in self.with_assets else "Params"
        return f"_models.{name} | {name}{ending}"

    def kind(self, prop: Any) -> Code:
        """The expression for the runtime's kind of the property."""
        return Code(self._kind(prop))

    def _kind(self, prop: Any) -> str:
        if type(prop) in _SIMPLE:
            return f"_schema.{_SIMPLE[type(prop)][1]}"
        if isinstance(prop, LiteralEnumProperty):
            return "_schema.STRING" if prop.value_type is str else "_schema.INTEGER"
        if isinstance(prop, ListProperty):
            return f"_schema.List({self._kind(prop.inner_property)})"
        if isinstance(prop, ModelProperty):
            return f'_schema.Object("{prop.class_info.module_name}", "{prop.class_info.name}")'
        if isinstance(prop, UnionProperty):
            kinds = list(dict.fromkeys(self._kind(inner) for inner in self.present(prop)))
            return kinds[0] if len(kinds) == 1 else f"_schema.Union(({', '.join(kinds)},))"
        return "_schema.ANY"

    def present(self, prop: UnionProperty) -> list[Any]:
        """The kinds of a union but for null; null alone if there is nothing else."""
        return [inner for inner in prop.inner_properties if not isinstance(inner, NoneProperty)] or [
            *prop.inner_properties
        ]

    def nullable(self, prop: Any) -> bool:
        """Whether null is a value of its own."""
        if isinstance(prop, UnionProperty):
            return any(isinstance(inner, NoneProperty) for inner in prop.inner_properties)
        return isinstance(prop, NoneProperty)


def models_in(prop: Any) -> list[Any]:
    """The models and enums that the property mentions directly."""
    if isinstance(prop, ModelProperty | LiteralEnumProperty):
        return [prop]
    if isinstance(prop, ListProperty):
        return models_in(prop.inner_property)
    if isinstance(prop, UnionProperty):
        return [found for inner in prop.inner_properties for found in models_in(inner)]
    return []
