"""Rules of the contract: values that follow from others, numbers in order, conditions.

Rule: a condition made of parts of JSON Schema that the client does not check is left to the service; one that names an
unknown field or keyword stops the generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from openapi_python_client.parser.properties import ModelProperty

from .rows import Rows, default_of, is_number, shown, types_of

_UNCHECKED = {
    *("$anchor", "$defs", "$dynamicRef", "$id", "$ref", "$schema", "additionalProperties", "contains", "maxContains"),
    *("dependentRequired", "dependentSchemas", "format", "maxProperties", "minContains", "minProperties"),
    *("multipleOf", "pattern", "patternProperties", "prefixItems", "propertyNames", "type", "unevaluatedItems"),
    *("items", "unevaluatedProperties", "uniqueItems", "nullable", "discriminator"),
}
"""Keywords of JSON Schema that conditions are not checked by."""
_NOTES = {"$comment", "title", "description", "deprecated", "examples", "example", "default"}
_NUMBERS = {
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "minItems", "maxItems"),
}
_CHOICES = ("allOf", "anyOf", "oneOf")
_BRANCHES = ("if", "then", "else", "not")


@attrs.frozen(kw_only=True)
class BeforeView:
    """Two numbers in order."""

    first: str
    second: str
    limits: dict[str, float]


@attrs.frozen(kw_only=True)
class RuleView:
    """What the contract says about the fields of one object together."""

    path: tuple[str, ...]
    data: dict[str, Any]
    before: list[BeforeView]


class Rules(Rows):
    """Reads the rules of one operation."""

    # -- rules ----------------------------------------------------------------------------------------------------

    def rules(self) -> list[RuleView]:
        """The rules of the body and of the objects in it; what is wrong with them is in `problems`."""
        found = []
        for path, model in self.models.places(self.body, self.models.with_rules):
            if (rule := self._rule(path, model)) is not None:
                found.append(rule)
        return found

    def _rule(self, path: tuple[str, ...], model: ModelProperty) -> RuleView | None:
        source = self.models.source(model)
        fields = self.models.fields(model)
        where = ".".join((*path, ""))
        before = [each for name, field in fields.items() if (each := self._before(where, name, field, fields))]
        implied = {
            name: values for name, field in fields.items() if (values := self._implied(where, name, field, fields))
        }
        conditions = [
            condition
            for number, condition in enumerate(source.get("x-conditions") or [])
            if self._is_checked(condition, fields, f"{where}condition {number + 1}")
        ]
        if not (before or implied or conditions):
            return None
        needed = {*(source.get("required") or []), *(source.get("x-completed") or [])}
        completed = tuple(name for name in implied if name in needed)
        named = (*completed, *(each.first for each in before))
        defaults = self._defaults({"required": named, "allOf": conditions}, fields)
        data = {
            "implied": implied,
            "completed": completed,
            "defaults": defaults,
            "conditions": tuple(conditions),
            "retired": tuple(name for name, field in fields.items() if field.get("deprecated") is True),
        }
        return RuleView(path=path, data={key: value for key, value in data.items() if value}, before=before)

    def _defaults(self, schema: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
        """What counts where the fields that a condition names are not given."""
        found: dict[str, Any] = {}
        for name in (*schema.get("required", ()), *schema.get("properties", ())):
            default = default_of(fields[name])
            if isinstance(default, str | int | float):
                found[name] = default
        for name, inner in schema.get("properties", {}).items():
            if (below := self.models.fields_below(fields[name])) and (nested := self._defaults(inner, below)):
                found[name] = {**found.get(name, {}), **nested}
        parts = [schema[key] for key in _BRANCHES if key in schema]
        for part in (*parts, *(part for key in _CHOICES for part in schema.get(key, ()))):
            found |= self._defaults(part, fields)
        return found

    def _before(self, where: str, name: str, field: dict[str, Any], fields: Mapping[str, Any]) -> BeforeView | None:
        row = field.get("x-before")
        if row is None:
            return None
        place = f"{where}{name}.x-before"
        limits = {key: value for key, value in row.items() if key != "field"} if isinstance(row, dict) else {}
        second = row.get("field") if isinstance(row, dict) else row
        if not isinstance(second, str) or second not in fields or second == name:
            self.wrong(place, f"{shown(second)} is not another field of the same object")
        elif not (types_of(field) <= {"integer", "number"} and types_of(fields[second]) <= {"integer", "number"}):
            self.wrong(place, "both fields must be numbers")
        elif limits.keys() - {"at_least", "at_most"} or not all(is_number(value) for value in limits.values()):
            self.wrong(place, f"{shown(limits)} is not made of the numbers `at_least` and `at_most`")
        else:
            return BeforeView(first=name, second=second, limits=limits)
        return None

    def _implied(self, where: str, name: str, field: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
        row, place = field.get("x-implied"), f"{where}{name}.x-implied"
        if row is None:
            return {}
        if not isinstance(row, dict) or not row:
            self.wrong(place, "expected fields, each with the value that follows from it")
            return {}
        for other, value in row.items():
            if other not in fields or other == name:
                self.wrong(place, f"{shown(other)} is not another field of the same object")
            self.check_value(place, value, field)
            if (values := field.get("enum")) and value not in values:
                self.wrong(place, f"{shown(value)} is not a value of {name}")
        return row

    # -- conditions -----------------------------------------------------------------------------------------------

    def _is_checked(self, schema: Any, fields: Mapping[str, Any] | None, place: str, *, is_if: bool = False) -> bool:
        """Whether the client can check a condition; what is wrong with it is reported.

        Args:
            schema: the condition, or a part of it.
            fields: the fields of the object that it is about; None for anything else.
            place: where it is, for messages.
            is_if: whether it decides about another part.
        """
        if not isinstance(schema, dict):
            return False
        checked = self._has_checked_keywords(schema, place)
        required, properties = schema.get("required", []), schema.get("properties", {})
        if not isinstance(required, list) or not isinstance(properties, dict):
            return False
        for name in (*required, *properties):
            if fields is not None and (not isinstance(name, str) or name not in fields):
                self.wrong(place, f"{shown(name)} is not a field of this object")
                return False
        if is_if and fields is not None:
            self._check_if(required, properties, fields, place)
        for name, inner in properties.items():
            below = None if fields is None else self.models.fields_below(fields[name])
            checked &= self._is_checked(inner, below, f"{place}.{name}", is_if=is_if)
        for keyword in _BRANCHES:
            if keyword in schema:
                part = schema[keyword]
                checked &= self._is_checked(part, fields, f"{place}, {keyword}", is_if=keyword == "if")
        for keyword in _CHOICES:
            parts = schema.get(keyword, [])
            checked &= isinstance(parts, list)
            for part in parts if isinstance(parts, list) else []:
                checked &= self._is_checked(part, fields, f"{place}, {keyword}", is_if=is_if)
        return checked

    def _has_checked_keywords(self, schema: Mapping[str, Any], place: str) -> bool:
        """Whether the client knows all keywords of a condition; words that are none are reported."""
        known = {*_CHOICES, *_BRANCHES, *_NUMBERS, *_NOTES, "properties", "required", "const", "enum"}
        for keyword in schema.keys() - known - _UNCHECKED:
            if not keyword.startswith("x-"):
                self.wrong(place, f"{shown(keyword)} is no keyword of JSON Schema")
        ignored = {"type"} if schema.get("type") == "object" else set()
        numbers = all(is_number(schema[key]) for key in _NUMBERS & schema.keys())
        return numbers and isinstance(schema.get("enum", []), list) and not schema.keys() & _UNCHECKED - ignored

    def _check_if(
        self, required: list[Any], properties: Mapping[str, Any], fields: Mapping[str, Any], place: str
    ) -> None:
        """An `if` holds for a field that is not given, which nobody means unless that is what the default says."""
        for name, inner in properties.items():
            if name in required or not isinstance(inner, dict):
                continue
            allowed = [inner["const"]] if "const" in inner else inner.get("enum")
            default = default_of(fields[name])
            if allowed is None or not isinstance(allowed, list) or default not in allowed:
                self.wrong(place, f"it needs `required: [{name}]`, since it would hold where {name} is not given")
