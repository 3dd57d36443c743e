"""What the templates print: models, endpoints and their fields, computed once.

Rule: a template loops and prints, it decides nothing. Texts stay raw here and meet a filter in the template.
"""

from __future__ import annotations

from typing import Any

import attrs
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.properties import LiteralEnumProperty, ModelProperty

from .contract import Contract
from .models import Models, asset_roles
from .names import attribute
from .shapes import GENERATE_SIDES, Shapes, Side, maps_among
from .texts import Code, raw

_NO_DESCRIPTION = "Not described by the contract."


@attrs.frozen(kw_only=True)
class FieldView:
    """One field of a model, or one parameter of a method."""

    name: str
    attribute: str
    annotation: Code
    typed: Code
    signature: Code
    default: Code
    kind: Code
    description: str
    required: bool
    nullable: bool
    essential: bool = False
    secret: bool = False
    deprecation: str | None = None
    deprecated_values: dict[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class ModelView:
    """One object of the document, as a class and as TypedDicts."""

    name: str
    description: str
    fields: list[FieldView]
    extra: Code | None
    params_name: str
    params_fields: list[FieldView]
    generate_name: str
    generate_fields: list[FieldView]


class Views(Models):
    """Builds the views of one document."""

    def __init__(self, contract: Contract, data: GeneratorData) -> None:
        models = {str(model.class_info.name): model for model in data.models}
        maps = maps_among(models)
        super().__init__(contract, {name: model for name, model in models.items() if name not in maps})
        self.enums = {str(enum.class_info.name): enum for enum in data.enums}
        self.enum_order: dict[str, list[Any]] = {}
        self.shapes = Shapes(maps, with_assets=self.with_assets, schema=contract.schema)
        self.sent = self._reach(data)
        for model in self.models.values():
            self._remember_order(model)

    def _reach(self, data: GeneratorData) -> set[str]:
        """Names of the classes that requests contain, directly or nested."""
        sent: set[str] = set()
        for collection in data.endpoint_collections_by_tag.values():
            for endpoint in collection.endpoints:
                for prop in endpoint.list_all_parameters():
                    self.collect(prop, sent)
        return sent

    def collect(self, prop: Any, names: set[str]) -> None:
        """Add the names of the classes that a property holds, directly or nested."""
        for found in self.shapes.mentions(prop):
            name = str(found.class_info.name)
            if name in names:
                continue
            names.add(name)
            model = self.models.get(name)
            for inner in (*self.properties(model), getattr(model, "additional_properties", None)):
                self.collect(inner, names)

    def _remember_order(self, model: ModelProperty) -> None:
        for prop in self.properties(model):
            source = self.field_source(model, prop)
            for node in (source, source.get("items"), *(source.get("anyOf") or [])):
                values = self.contract.resolve(node).get("enum") or []
                for enum in self.shapes.mentions(prop):
                    if isinstance(enum, LiteralEnumProperty) and set(enum.values) == {
                        v for v in values if v is not None
                    }:
                        self.enum_order[str(enum.class_info.name)] = [value for value in values if value is not None]

    def enum_values(self, enum: LiteralEnumProperty) -> list[Any]:
        """The values in the order of the document."""
        ordered = self.enum_order.get(str(enum.class_info.name), sorted(enum.values, key=str))
        return list(dict.fromkeys(ordered))

    # -- models ---------------------------------------------------------------------------------------------------

    def model(self, model: ModelProperty) -> ModelView:
        """The view of one model; templates call this."""
        name = str(model.class_info.name)
        source = self.source(model)
        side: Side = "model" if name in self.sent else "answer"
        fields = [self.field(model, prop, side) for prop in self.properties(model)]
        with_assets = name in self.shapes.with_assets
        return ModelView(
            name=name,
            description=raw(model.description) or f"One `{name}`.",
            fields=[*(f for f in fields if not f.default), *(f for f in fields if f.default)],
            extra=self._extra(model, source),
            params_name=f"{name}Params",
            params_fields=[self.field(model, prop, "params") for prop in self.properties(model)],
            generate_name=f"{name}GenerateParams",
            generate_fields=[self.field(model, p, "generate") for p in self.properties(model)] if with_assets else [],
        )

    def _extra(self, model: ModelProperty, source: dict[str, Any]) -> Code | None:
        """The kind of values under unknown keys, if the document allows them explicitly."""
        if "additionalProperties" not in source or source["additionalProperties"] is False:
            return None
        return self.shapes.kind(model.additional_properties)

    def field(self, model: ModelProperty, prop: Any, side: Side) -> FieldView:
        """The view of one field of a model."""
        source = self.field_source(model, prop)
        essential = self.source(model).get("x-essential")
        return self.view(
            prop,
            source,
            side,
            asset=side in GENERATE_SIDES and bool(asset_roles(self.contract, source)),
            nullable_default=str(model.class_info.name) in self.sent,
            essential=isinstance(essential, list) and raw(prop.name) in essential,
        )

    def view(
        self,
        prop: Any,
        source: dict[str, Any],
        side: Side,
        *,
        asset: bool = False,
        nullable_default: bool = True,
        essential: bool = False,
    ) -> FieldView:
        """The view of one field or parameter whose schema is `source`."""
        annotation: str = self.shapes.annotation(prop, side, asset=asset)
        nullable = self.shapes.nullable(prop)
        optional = annotation if nullable or annotation == "_t.Any" else f"{annotation} | None"
        default = ""
        if not prop.required:
            default = "None"
            if nullable and nullable_default:
                optional, default = f"{annotation} | _types.Unset", "_types.UNSET"
        shown = annotation if prop.required else optional
        retired = deprecation(source)
        text = str(source.get("description") or raw(prop.description) or _NO_DESCRIPTION)
        return FieldView(
            name=raw(prop.name),
            attribute=attribute(raw(prop.name)),
            annotation=Code(shown),
            typed=Code(shown if prop.required else f"_t.NotRequired[{shown}]"),
            signature=Code(shown + (f" = {default}" if default else "")),
            default=Code(default),
            kind=self.shapes.kind(
                prop,
                None if side in ("answer", "result") else source,
                asset=bool(asset_roles(self.contract, source)),
            ),
            description=described(text, retired),
            required=prop.required,
            nullable=nullable,
            essential=essential,
            secret=source.get("x-secret") is True,
            deprecation=retired,
            deprecated_values=self._deprecated_values(source),
        )

    def _deprecated_values(self, source: dict[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for node in (source, *(source.get("anyOf") or [])):
            values = self.contract.resolve(node).get("x-deprecated-values")
            if isinstance(values, dict):
                found.update({str(key): str(value) for key, value in values.items()})
        return found


def deprecation(source: dict[str, Any]) -> str | None:
    """What to do instead of using a field, if it is deprecated."""
    if source.get("deprecated") is not True:
        return None
    remedy = source.get("x-deprecation")
    return remedy if isinstance(remedy, str) and remedy else "leave it out"


def described(text: str, retired: str | None) -> str:
    return f"Deprecated: {retired}. {text}" if retired else text
