"""`schema`: the contract for programs, such as agents that want to know what they may call.

Rule: always JSON; what the generator wrote down, and how to say it here.
"""

from __future__ import annotations

from typing import Annotated, Any

import attrs
import typer

from magic_hour_client.errors import InvalidArgument

from .._operations import complete, document, operations
from .command import command
from .flags import Flag, flags
from .generate import COMMANDS, TAKEN
from .terminal import Terminal

_OTHERS = {
    "v1.files.upload_urls.create": "files upload",
    "v1.image_projects.get": "image get",
    "v1.image_projects.delete": "image delete",
    "v1.video_projects.get": "video get",
    "v1.video_projects.delete": "video delete",
}
_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
Operation = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[OPERATION]",
        help="A command such as `image generate`, a resource such as ai_image_generator, or the whole name of an "
        "operation. All of them if not given.",
        show_default=False,
    ),
]


def add(app: typer.Typer) -> None:
    """Add `schema` to the program."""
    examples = ("magic-hour schema", "magic-hour schema image generate", "magic-hour schema v1.image_projects.get")
    help = "Print operations as JSON, with their JSON Schema, prices and flags."

    @command(app, "schema", help=help, examples=examples)
    def schema(terminal: Terminal, operation: Operation = None) -> None:
        terminal.json = True
        group = " ".join(operation or [])
        names = [name for name in operations() if f"{said(name)} ".startswith(f"{group} ".lstrip())]
        if len(names) > 1:
            listed = [{"name": name, "command": said(name), **_short(name)} for name in names]
            terminal.result({"version": document()["version"], "operations": listed}, [])
            return
        name = named(group)
        mine = [_described(flag) for flag in flags(name, TAKEN)] if name in COMMANDS else []
        terminal.result({**complete(name), "command": said(name), "flags": mine}, [])


def said(name: str) -> str | None:
    """What is typed for an operation."""
    about = COMMANDS.get(name)
    return f"{about.group} {about.name}" if about is not None else _OTHERS.get(name)


def named(words: str) -> str:
    """The whole name of the operation that was meant.

    Raises:
        InvalidArgument: there is none.
    """
    for name in operations():
        if words in (name, said(name), f"magic-hour {said(name)}") or f"v1.{words}.create" == name:
            return name
    known = ", ".join(f"`{said(name)}`" for name in operations() if said(name))
    raise InvalidArgument(f"no operation is called {words!r}", f"known are {known}", field="operation")


def _short(name: str) -> dict[str, Any]:
    wanted = ("summary", "method", "path", "charges_credits", "project_kind")
    return {key: value for key, value in operations()[name].items() if key in wanted}


def _described(flag: Flag) -> dict[str, Any]:
    told = attrs.asdict(flag, filter=lambda attribute, _: attribute.name not in ("path", "type", "number"))
    return {"field": flag.field, "type": _JSON_TYPES[flag.type], "negative": flag.negative, **told}
