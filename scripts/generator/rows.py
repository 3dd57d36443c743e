"""What the contract says beyond types, and what every reader of such a row shares.

Rule: whatever a row names must exist. A mistake in a row stops the generator with its place.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from openapi_python_client.parser.properties import ModelProperty

from .models import ROLES, Models
from .walk import extensions

# spec/README.md says what each of them means; a test compares the two.
EXTENSIONS = {"x-charges-credits", "x-project-kind", "x-task", "x-command", "x-credits", "x-median-seconds"}
EXTENSIONS |= {"x-emulator", "x-upload-urls", "x-pages", "x-balance", "x-asset", "x-implied", "x-before"}
EXTENSIONS |= {"x-deprecation", "x-deprecated-values", "x-ends-job", "x-essential", "x-secret"}
_LIKE = 0.85  # `x-credit` is like `x-credits`; `x-deprecated`, which other tools read, is not like `x-deprecation`

_TYPES: dict[type, set[str]] = {
    bool: {"boolean"},
    int: {"integer", "number"},
    float: {"number"},
    str: {"string"},
}


class Rows:
    """Reads the rows of one operation.

    Args:
        models: the models of the document.
        place: the operation, for messages, such as `POST /v1/things`.
        body: the model of its body, if it has one.
    """

    def __init__(self, models: Models, place: str, body: ModelProperty | None) -> None:
        self.models = models
        self.body = body
        self.place = place
        self.problems: list[str] = []

    def wrong(self, where: str, what: str) -> None:
        self.problems.append(f"{self.place}: {where}: {what}")

    def field(self, place: str, path: Any) -> dict[str, Any] | None:
        """The schema of a field of the body, by its names with dots; reported if there is none."""
        fields: Mapping[str, Any] | None = {} if self.body is None else self.models.fields(self.body)
        found = None
        for name in str(path).split("."):
            if fields is None or name not in fields:
                self.wrong(place, f"{shown(path)} is not a field of the body")
                return None
            found = fields[name]
            fields = self.models.fields_below(found)
        return found

    def check_value(self, place: str, value: Any, field: dict[str, Any]) -> None:
        """A value must have the type of its field: in YAML, yes is a text and 720 a number."""
        types = types_of(field)
        if type(value) not in _TYPES or (types and not types & _TYPES[type(value)]):
            self.wrong(place, f"{shown(value)} is no {' or '.join(sorted(types)) or 'plain value'}")


def check_document(models: Models) -> Iterator[str]:
    """A line for each mistake in rows that are not those of one operation."""
    operations = list(models.contract.operations())
    yield from _check_roles(models)
    yield from _check_essential(models)
    yield from _check_commands(operations)
    yield from _check_uploads(operations)
    yield from _check_names_of_extensions(models.contract.raw)


def _check_roles(models: Models) -> Iterator[str]:
    """A line for each field of a file that nobody could upload to."""
    for model in models.models.values():
        for name, field in models.fields(model).items():
            for node in (field, models.contract.schema(field.get("items"))):
                roles = node.get("x-asset", [])
                roles = roles if isinstance(roles, list) else [roles]
                if "x-asset" in node and (not roles or not all(role in ROLES for role in roles)):
                    yield (
                        f"schema {model.class_info.name}: {name}.x-asset: {shown(node['x-asset'])} is not "
                        f"made of {', '.join(ROLES)}"
                    )
                elif "x-asset" in node and not types_of(node) <= {"string", "array"}:
                    yield f"schema {model.class_info.name}: {name}.x-asset: only a string can be the path of a file"


def _check_names_of_extensions(document: dict[str, Any]) -> Iterator[str]:
    """A line for each extension whose name looks like one of ours, in a document that has others of ours.

    All other extensions belong to other tools.
    """
    found = list(extensions(document))
    if not any(name in EXTENSIONS for _, name in found):
        return
    for where, name in found:
        near = difflib.get_close_matches(name, EXTENSIONS - {name}, 1, _LIKE)
        if near and name not in EXTENSIONS:
            yield f"{where}: {shown(name)} is not an extension; did you mean {near[0]}?"


def _check_essential(models: Models) -> Iterator[str]:
    """A line for each field that is called essential and does not exist."""
    for model in models.models.values():
        names = models.source(model).get("x-essential", [])
        known = models.fields(model)
        if not isinstance(names, list):
            yield f"schema {model.class_info.name}: x-essential: expected a list of fields"
            continue
        for name in names:
            if name not in known:
                yield f"schema {model.class_info.name}: x-essential: {shown(name)} is not a field of this object"


def _check_commands(operations: list[tuple[str, str, dict[str, Any]]]) -> Iterator[str]:
    """A line for each command of the command line that two operations have, or whose group does not exist."""
    taken: dict[tuple[Any, Any], str] = {}
    kinds = [operation["x-project-kind"] for _, _, operation in operations if "x-project-kind" in operation]
    for path, method, operation in operations:
        command = operation.get("x-command")
        if command is None:
            continue
        place = f"{method.upper()} {path}"
        if not isinstance(command, dict) or not all(
            isinstance(word, str) and word for word in (command.get("group", "-"), command.get("name"))
        ):
            yield f"{place}: x-command: expected a name and, but for a command of its own, a group"
            continue
        words = command.get("group", ""), command["name"]
        if kinds and "group" in command and words[0] not in kinds:
            yield f"{place}: x-command.group: {shown(words[0])} is not a kind of project"
        if words in taken:
            yield f"{place}: x-command: {taken[words]} is `{' '.join(words).strip()}` already"
        taken.setdefault(words, place)


def _check_uploads(operations: list[tuple[str, str, dict[str, Any]]]) -> Iterator[str]:
    """A line for each operation that gives URLs to upload to and does not say where stored files are."""
    for path, method, operation in operations:
        row = operation.get("x-upload-urls", True)
        if row is not True and not (
            isinstance(row, list) and row and all(isinstance(each, str) and each.strip("/") for each in row)
        ):
            yield f"{method.upper()} {path}: x-upload-urls: expected true, or what paths of stored files begin with"


def default_of(field: Mapping[str, Any]) -> Any:
    """The default of a field, wherever the document was read from."""
    return field.get("x-default", field.get("default"))


def types_of(field: Mapping[str, Any]) -> set[str]:
    """The types of JSON that a field may have, but for null; none if the document does not say."""
    types = field.get("type") or []
    found = {types} if isinstance(types, str) else {str(each) for each in types}
    for choice in (*(field.get("anyOf") or []), *(field.get("oneOf") or [])):
        found |= types_of(choice) if isinstance(choice, dict) else set()
    return found - {"null"}


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def shown(value: Any) -> str:
    return ascii(value)[:80]
