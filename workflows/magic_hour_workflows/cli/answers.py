"""Commands that print an answer: those of operations without a body, such as `account`.

Rule: the contract decides which these are; whatever the answer has is shown.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import typer

from magic_hour_client._runtime.pages import iterate
from magic_hour_client._runtime.redaction import escaped
from magic_hour_client.endpoints import endpoint

from .._operations import operations, resolved
from .command import among, command, option
from .terminal import Terminal


def add(groups: Mapping[str, typer.Typer]) -> None:
    """Add the commands to their groups; those of no group to the program itself, which has the name ""."""
    for name, description in operations().items():
        about = description.get("command")
        if about and "body" not in description and about.get("group", "") in groups:
            _add(groups[about.get("group", "")], name, description)


def _add(group: typer.Typer, operation: str, description: Mapping[str, Any]) -> None:
    about, help = description["command"], str(description.get("description") or description["summary"])
    cursor = description.get("pages", {}).get("cursor")  # the command asks for the next page itself
    asked = [parameter for parameter in description.get("parameters", ()) if parameter["name"] != cursor]
    options = [_option(parameter) for parameter in asked]

    @command(group, about["name"], *about.get("examples", ()), help=help, options=options)
    def show(terminal: Terminal, values: Mapping[str, Any] = MappingProxyType({})) -> None:
        called = endpoint(operation)
        with terminal.client() as client:
            if called.pages is None:
                answer = client.send(called.request(**values)).to_dict()
                terminal.result(answer, value_lines(answer))
                return
            pages = iterate(client, called, values, timeout=None, extra_headers=None)
            items = [item.to_dict() for item in pages]
        lines = [line for item in items for line in (*value_lines(item), "")]
        terminal.result({called.pages.items: items}, lines[:-1])


def _option(parameter: Mapping[str, Any]) -> inspect.Parameter:
    """The option for a parameter of the query."""
    schema = resolved(parameter.get("schema", {}))
    kind: Any = {"integer": int, "number": float}.get(str(schema.get("type")), str)
    name, choices = str(parameter["name"]).replace("-", "_"), schema.get("enum") or ()
    return option(
        name,
        kind | None,
        f"--{name.replace('_', '-')}",
        help=str(parameter.get("description", "")) + (f" Known: {', '.join(map(str, choices))}." if choices else ""),
        metavar="TEXT" if kind is str else "NUMBER",
        autocompletion=among(choices),
    )


def value_lines(answer: Mapping[str, Any]) -> list[str]:
    """An answer, one line per known value."""
    known = {key: value for key, value in answer.items() if value not in (None, [], {})}
    width = max(map(len, known), default=0)
    return [escaped(f"{key:<{width}}  {_plain(value)}") for key, value in known.items()]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, list):
        return "; ".join(_plain(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
