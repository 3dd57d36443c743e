"""What the contract says about fields together: which follow from others, which need others, which come before others.

Rule: a rule is data, the contract's own JSON Schema, and is checked on the JSON of a body before anything is sent. Only
what the service can never accept is refused: defaults count as if they were given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from .errors import Argument, InvalidArgument
from .json_schema import COMPARED, is_number, meets, values_of, wrong_value
from .schema import merged

_NOTHING: Mapping[str, Any] = MappingProxyType({})
Pieces = tuple[object, ...]


class Before(NamedTuple):
    """Two numbers in order, and how far apart they may be."""

    first: str
    second: str
    at_least: float | None = None
    at_most: float | None = None


class Rule(NamedTuple):
    """What the contract says about the fields of one object together.

    `path` leads from the body to the object; `*` are the items of a list.
    """

    path: tuple[str, ...] = ()
    implied: Mapping[str, Mapping[str, Any]] = _NOTHING
    """Fields that follow from others: the value of the field by the other field that is given."""
    completed: tuple[str, ...] = ()
    """Fields that the service needs, and that callers may leave out where they follow."""
    defaults: Mapping[str, Any] = _NOTHING
    before: tuple[Before, ...] = ()
    conditions: tuple[Mapping[str, Any], ...] = ()
    retired: tuple[str, ...] = ()
    """Deprecated fields, which no message recommends."""


def complete(rules: Sequence[Rule], body: Any) -> None:
    """Write the values that follow from others into a body."""
    for rule in rules:
        for _, place in _places(body, rule.path):
            for name, values in rule.implied.items():
                following = _following(values, place)
                if place.get(name) is None and len(following) == 1:
                    place[name] = following[0]
                elif place.get(name) is None and not following and name in rule.completed and name in rule.defaults:
                    place[name] = rule.defaults[name]


def check(rules: Sequence[Rule], body: Any, extra_body: Mapping[str, Any] | None = None) -> None:
    """Check a complete body.

    Args:
        rules: the rules of its operation.
        body: the body without `extra_body`.
        extra_body: goes around the rules: what it adds is not checked, and what it mends is not reported.

    Raises:
        InvalidArgument: a rule is broken.
    """
    for error in broken(rules, body):
        if not extra_body or str(error) in {str(each) for each in broken(rules, merged(body, extra_body))}:
            raise error


def broken(rules: Sequence[Rule], body: Any) -> Iterator[InvalidArgument]:
    """An error for each rule that a body breaks."""
    for rule in rules:
        for where, place in _places(body, rule.path):
            given = {name: value for name, value in place.items() if value is not None}
            yield from _not_complete(rule, given, where)
            scope = _Scope(rule, where, given)
            whole = _with_defaults(rule.defaults, given)
            for before in rule.before:
                yield from scope.out_of_order(before, whole)
            for condition in rule.conditions:
                yield from scope.unmet(condition, whole, where, ())


def _places(node: Any, path: Sequence[str], where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects at `path`, each with its name for messages."""
    if not path:
        if isinstance(node, dict):
            yield where, node
        return
    step, *rest = path
    if step == "*":
        for number, item in enumerate(node if isinstance(node, list) else []):
            yield from _places(item, rest, f"{where}[{number}]")
    elif isinstance(node, Mapping):
        yield from _places(node.get(step), rest, _join(where, step))


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _following(values: Mapping[str, Any], place: Mapping[str, Any]) -> list[Any]:
    """The different values that follow from the fields that are given; an empty list or text is as good as none."""
    following = [value for name, value in values.items() if place.get(name) not in (None, "", [], {})]
    return [value for number, value in enumerate(following) if value not in following[:number]]


def _not_complete(rule: Rule, given: Mapping[str, Any], where: str) -> Iterator[InvalidArgument]:
    for name, values in rule.implied.items():
        if name in given:
            continue
        field = _join(where, name)
        sources = [Argument(_join(where, source)) for source in values if source not in rule.retired]
        if len(_following(values, given)) > 1:
            there = [source for source in sources if source.name.rpartition(".")[2] in given]
            remedy = ("give only one of them, or ", Argument(field))
            yield InvalidArgument(("it cannot follow from ", *_listed(there, " and ")), remedy, field=field)
        elif name in rule.completed:
            yield InvalidArgument("required, but missing", ("give ", *_listed(sources, " or ")), field=field)


def _with_defaults(defaults: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """What is given, and what counts where nothing is given; objects that are not given stay away."""
    whole = dict(given)
    for name, value in defaults.items():
        if not isinstance(value, Mapping):
            whole.setdefault(name, value)
        elif isinstance(whole.get(name), Mapping):
            inner = {key: item for key, item in whole[name].items() if item is not None}
            whole[name] = _with_defaults(value, inner)
    return whole


class _Scope(NamedTuple):
    """Explains what is wrong with one object, or with what is in it."""

    rule: Rule
    where: str
    given: Mapping[str, Any]

    def out_of_order(self, before: Before, whole: Mapping[str, Any]) -> Iterator[InvalidArgument]:
        first, second = whole.get(before.first), whole.get(before.second)
        if not is_number(first) or not is_number(second):
            return
        field, start = _join(self.where, before.second), Argument(_join(self.where, before.first))
        apart = round(second - first, 9)  # as it is written: 2.2 - 1.2 is 1
        if apart <= 0:
            problem = (f"{second:g} is not after ", start, f" {first:g}")
            yield InvalidArgument(problem, "give a larger number", field=field)
        elif before.at_most is not None and apart > before.at_most:
            yield InvalidArgument(
                (f"must be at most {before.at_most:g} after ", start, f", got {apart:g}"), "ask for less", field=field
            )
        elif before.at_least is not None and apart < before.at_least:
            yield InvalidArgument(
                (f"must be at least {before.at_least:g} after ", start, f", got {apart:g}"), "ask for more", field=field
            )

    def unmet(self, schema: Mapping[str, Any], value: Any, where: str, when: Pieces) -> Iterator[InvalidArgument]:
        """What of `schema` a value does not meet, as errors that name field and remedy."""
        if "if" in schema:
            fits = meets(schema["if"], value)
            reason = self._reason(schema["if"], where, negative=not fits)
            branch = schema.get("then" if fits else "else", _NOTHING)
            yield from self.unmet(branch, value, where, (*when, " and ", *reason) if when else (" when ", *reason))
        if isinstance(value, Mapping):
            yield from self._missing(schema, value, where, when)
            for name, inner in schema.get("properties", {}).items():
                if name in value:
                    yield from self.unmet(inner, value[name], _join(where, name), when)
        for part in schema.get("allOf", ()):
            yield from self.unmet(part, value, where, when)
        if problem := wrong_value(schema, value):
            yield InvalidArgument((problem, *when), self._remedy("give another value", when), field=where or None)
        for keyword in ("anyOf", "oneOf", "not"):
            if keyword in schema and not meets({keyword: schema[keyword]}, value):
                yield self._no_choice(keyword, schema[keyword], value, where, when)

    def _missing(
        self, schema: Mapping[str, Any], value: Mapping[str, Any], where: str, when: Pieces
    ) -> Iterator[InvalidArgument]:
        for name in schema.get("required", ()):
            if name not in value:
                problem = ("needed", *when) if when else ("required, but missing",)
                yield InvalidArgument(problem, self._remedy("give it", when), field=_join(where, name))

    def _no_choice(self, keyword: str, schema: Any, value: Any, where: str, when: Pieces) -> InvalidArgument:
        """The error for a choice of fields that none or too many of are given."""
        choices = [schema] if keyword == "not" else schema
        names = [name for choice in choices for name in choice.get("required", ())]
        named = [Argument(_join(where, name)) for name in names if name not in self.rule.retired]
        there = [name for name in names if isinstance(value, Mapping) and name in value]
        if keyword == "not" and there:
            return InvalidArgument(
                ("cannot be used", *when), self._remedy("leave it out", when), field=_join(where, there[-1])
            )
        if there and named:
            both = ("only one of ", *_listed(named, " and "), " can be used", *when)
            return InvalidArgument(both, "leave the others out", field=_join(where, there[-1]))
        if named:
            give = ("give ", *_listed(named, " or ")) if len(named) > 1 else ("give at least one",)
            return InvalidArgument(("required, but missing", *when), give, field=named[0].name)
        return InvalidArgument(("these values do not go together", *when), "change one of them", field=where or None)

    def _remedy(self, first: str, when: Pieces) -> Pieces:
        """What to do: as `first` says, or change what the condition is about."""
        about = next((piece for piece in when if isinstance(piece, Argument)), None)
        return (first,) if about is None else (f"{first}, or change ", about)

    def _reason(self, schema: Mapping[str, Any], where: str, *, negative: bool = False) -> Pieces:
        """A condition in words, such as `video_source` is youtube."""
        if set(schema) == {"not"}:
            return self._reason(schema["not"], where, negative=not negative)
        told: list[Pieces] = []
        for name, inner in schema.get("properties", {}).items():
            field = _join(where, name)
            if "properties" in inner:
                told.append(self._reason(inner, field, negative=negative))
            elif (values := values_of(inner)) is not None:
                verb = " is not " if negative else " is "
                unsaid = where == self.where and name not in self.given and not negative
                told.append((Argument(field), verb, values, ", the default" if unsaid else ""))
            else:
                words = " and ".join(f"{words} {inner[key]}" for key, (_, words) in COMPARED.items() if key in inner)
                told.append((Argument(field), " is not " if negative else " is ", words or "as it is"))
        for name in schema.get("required", ()):
            if name not in schema.get("properties", {}):
                told.append((Argument(_join(where, name)), " is not given" if negative else " is given"))
        joint = " or " if negative else " and "
        pieces = tuple(piece for number, part in enumerate(told) for piece in ((joint, *part) if number else part))
        return pieces or ("these values are given",)


def _listed(names: Sequence[object], joint: str) -> Pieces:
    return tuple(piece for number, name in enumerate(names) for piece in ((joint, name) if number else (name,)))
