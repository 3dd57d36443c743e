"""The fields of an operation as flags: name, type, choices and help, from the contract.

Rule: a new field of the contract is a new flag; no field is named here.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import attrs

from .._hints import meant
from .._operations import Schema, operations
from .objects import METAVARS, Key, keys_of, metavar, parsed_json, parsed_objects, roles
from .schemas import DEEPEST, plain_type, simplified

_SHORT = 50
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_HELP_WIDTH = 46
"""Columns for help beside the names of options, on a terminal of 80."""
_FILE_SUFFIX = re.compile(r"_(file_)?(path|file)s?$")
_OF_A_FILE = re.compile(r" ?(?:Each is e|E)ither the URL of [^.]*? or the `file_path` of an upload\.")
"""What descriptions of the contract say about files; help also offers local ones."""
_QUOTED = re.compile(r"`([A-Za-z_][\w.]*)(?:: ([^`]+))?`")
"""A field in a description, maybe with a value."""


@attrs.frozen(kw_only=True)
class Flag:
    """One field of a request as a flag.

    Attributes:
        path: where the value goes in the request.
        flag: such as `--prompt`.
        number: which field of the operation it is.
        type: the Python type of a value; str if it is written as JSON.
        description: the contract's description.
        required: the service needs it.
        choices: the values that the contract lists; others are sent too, since the service may accept more.
        retired: values that still work, with a warning.
        many: may be given several times.
        is_json: written as JSON, because it is not a plain value.
        keys: the fields of the objects in a list, each of which is written `NAME=VALUE,...`.
        roles: what the value can be used as, such as `image`, if it is an input file.
        deprecation: what to do instead, for a field the service has retired.
        implied: names of the fields next to it that imply its value.
    """

    path: tuple[str, ...]
    flag: str = ""
    number: int = 0
    type: type
    description: str
    required: bool
    choices: tuple[Any, ...] = ()
    retired: tuple[Any, ...] = ()
    many: bool = False
    is_json: bool = False
    keys: tuple[Key, ...] = ()
    roles: tuple[str, ...] = ()
    deprecation: str | None = None
    implied: tuple[str, ...] = ()

    @property
    def parameter(self) -> str:
        """A unique name for the value in Python."""
        return f"field_{self.number}"

    @property
    def role(self) -> str | None:
        """The first of its roles, which can name the flag."""
        return self.roles[0] if self.roles else None

    @property
    def reads_stdin(self) -> bool:
        """Whether `-` reads the value from stdin: a file or a free text."""
        return bool(self.role) or (self.type is str and not (self.many or self.is_json or self.choices))

    @property
    def negative(self) -> str | None:
        """The flag for false, if the field is true or false."""
        return f"--no-{self.flag.removeprefix('--')}" if self.type is bool and not self.many else None

    @property
    def field(self) -> str:
        return ".".join(self.path)

    @property
    def metavar(self) -> str | None:
        if self.is_json:
            return "JSON"
        if self.keys:
            return metavar(self.keys)
        if self.negative:
            return None
        return "FILE" if self.role else METAVARS[self.type]

    def warning(self, value: object) -> str | None:
        """A warning for a value that the contract does not list: it is sent, and charged even if it is a mistake."""
        given = value if isinstance(value, list) else [value]
        new = [item for item in given if item is not None and item not in (*self.choices, *self.retired)]
        if not new or not self.choices or self.deprecation:
            return None
        hint = meant(str(new[0]), self.choices) or f"known are {', '.join(map(str, self.choices))}"
        return f"{self.flag} {new[0]} is unknown; it is sent as given; {hint}"

    @property
    def help(self) -> str:
        parts = [_without_sources(self.description)]
        if self.role:
            parts.append(f"{_LOCAL}; - reads a file or another command's JSON from stdin.")
        elif self.reads_stdin:
            parts.append("- reads it from stdin.")
        if self.many:
            parts.append("Can be repeated.")
        if self.deprecation:
            parts.insert(0, f"Deprecated: {self.deprecation}.")
        known = ", ".join(map(str, self.choices))
        if self.choices and len(known) <= _SHORT:
            parts.append(f"Known: {known}.")
        text = "\n\n".join([" ".join(part for part in parts if part), *map(_about, self.keys)])
        return f"{text}\n\n\b\n{_list(known)}" if len(known) > _SHORT else text


def flags(operation: str, taken: Collection[str] = ()) -> list[Flag]:
    """The flags of an operation: required ones first, then files, retired ones last.

    Args:
        operation: its full name.
        taken: flags with another meaning.
    """
    body = operations()[operation].get("body", {})
    named = _worded(_named(list(_fields(body, (), True)), taken))
    return sorted(named, key=lambda flag: (flag.deprecation is not None, not flag.required, not flag.role))


def parameters(operation: str, found: Sequence[Flag], values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of `generate` from the values of flags.

    Required objects are always included, so that errors name the missing field inside.

    Raises:
        InvalidArgument: a value should be JSON and is not.
    """
    body = simplified(operations()[operation].get("body", {}))
    result: dict[str, Any] = {
        name: {}
        for name in body.get("required", [])
        if simplified(body.get("properties", {}).get(name, {})).get("properties")
    }
    for flag in found:
        value = values.get(flag.parameter)
        if value is None or value == []:
            continue
        node = result
        for part in flag.path[:-1]:
            node = node.setdefault(part, {})
        node[flag.path[-1]] = _given(flag, value)
    return result


def _given(flag: Flag, value: Any) -> Any:
    if flag.keys:
        return parsed_objects(flag.field, flag.keys, value)
    return parsed_json(flag.field, value) if flag.is_json else value


def _fields(schema: Schema, path: tuple[str, ...], required: bool) -> Iterator[Flag]:
    whole = simplified(schema)
    for name, inner in whole.get("properties", {}).items():
        here, found = (*path, name), simplified(inner)
        needed = required and name in whole.get("required", []) and "x-implied" not in found
        if found.get("properties") and len(here) < DEEPEST:
            yield from _fields(inner, here, needed)
        else:
            yield _flag(found, here, needed)


def _flag(schema: Schema, path: tuple[str, ...], required: bool) -> Flag:
    many = schema.get("type") == "array"
    value = simplified(schema.get("items", {})) if many else schema
    nodes = [value, *value.get("anyOf", [])]
    retired = dict.fromkeys(choice for node in nodes for choice in node.get("x-deprecated-values", {}))
    known = dict.fromkeys(choice for node in nodes for choice in node.get("enum", []) if choice is not None)
    kind = plain_type(nodes)
    keys = keys_of(value) if many and kind is None else ()
    return Flag(
        path=path,
        type=kind or str,
        description=" ".join(str(schema.get("description", "")).split()),
        required=required,
        choices=tuple(choice for choice in known if choice not in retired),
        retired=tuple(retired),
        many=many and (kind is not None or bool(keys)),
        is_json=kind is None and not keys,
        keys=keys,
        implied=tuple(schema.get("x-implied", {})),
        roles=roles(nodes),
        deprecation=schema.get("x-deprecation", "leave it out") if schema.get("deprecated") else None,
    )


def _named(found: Sequence[Flag], taken: Collection[str]) -> list[Flag]:
    """Short names where they are free: the role of a file, or the last part of the path; else the whole path.

    The last part is in the singular if it can be repeated, and that of a file is without `_file_path`.

    Outer fields that are not retired choose first. A role names a file only if it is the only one with that role: of
    two, the order would decide which one is meant.
    """
    used = set(taken)
    counts = Counter(flag.role for flag in found if flag.deprecation is None)
    named = []
    for number, flag in sorted(enumerate(found), key=lambda each: (each[1].deprecation is not None, len(each[1].path))):
        short = flag.role if flag.role and counts[flag.role] <= 1 else _short_name(flag)
        for words in ((short,), flag.path, ("field", *flag.path), ("field", *flag.path, str(number))):
            candidate = attrs.evolve(flag, flag=_dashed(words), number=number)
            if not used & {candidate.flag, candidate.negative}:
                break
        used |= {candidate.flag, candidate.negative or candidate.flag}
        named.append(candidate)
    return sorted(named, key=lambda flag: flag.number)


def _short_name(flag: Flag) -> str:
    name = flag.path[-1]
    if flag.role:
        return _FILE_SUFFIX.sub("", name)
    return re.sub(r"(?<=[^s])s$", "", name) if flag.many else name


_LOCAL = "A local file, a URL, or the `file_path` of an upload"


def _without_sources(description: str) -> str:
    return _OF_A_FILE.sub("", description)


def _about(key: Key) -> str:
    """A paragraph about a field of the objects in a list."""
    where = f" {_LOCAL}." if key.roles else ""
    return f"{key.name}: {_without_sources(key.description)}{where}"


def _worded(named: Sequence[Flag]) -> list[Flag]:
    """The flags with descriptions that name each other as they are typed."""
    names = Counter(flag.path[-1] for flag in named)
    known = {flag.path[-1]: flag.flag for flag in named if names[flag.path[-1]] == 1}

    def typed(found: re.Match[str]) -> str:
        name, value = found[1].rpartition(".")[2], found[2]
        if name not in known:
            return found[0]
        return f"{known[name]} {value}" if value else known[name]

    worded = []
    for flag in named:
        description = _QUOTED.sub(typed, flag.description)
        if by := [known[name] for name in flag.implied if name in known]:
            description = f"{description} Implied by {' and '.join(by)}."
        worded.append(attrs.evolve(flag, description=description))
    return worded


def _list(known: str) -> str:
    """A long list with fixed line breaks: a formatter would break names at their hyphens."""
    return textwrap.fill(f"Known: {known}.", _HELP_WIDTH, break_on_hyphens=False, break_long_words=False)


def _dashed(words: Sequence[str]) -> str:
    """Words as an option, without characters that need quotes."""
    return "--" + (re.sub(r"[^a-z0-9]+", "-", _CAPITAL.sub("-", "-".join(words)).lower()).strip("-") or "field")
