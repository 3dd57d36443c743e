"""The tree of commands: all groups, `schema`, `demo`, `emulator`; and version, wrong usage, Ctrl-C before a command.

Rule: nothing slow is imported before a command needs it, and of the tree only what was typed is prepared, so that
commands, --help and completion are fast. `demo` and `emulator` parse their own arguments, `--help` included, but report
errors like every command.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from copy import copy
from typing import Annotated, Any, get_args

import attrs
import typer

from magic_hour_client.endpoints import JOBS, PROJECTS, UPLOAD_URLS
from magic_hour_client.errors import InvalidArgument
from magic_hour_client.types import ProjectKind

from .. import __version__
from .._operations import complete, document, operations
from . import answers, batch, exit_status, generate, job_log, jobs, signals
from .command import Argument, Option, command, exit_codes, new_group
from .flags import Flag, flags
from .generate import TAKEN
from .printing import prepare, to_stderr
from .terminal import Terminal

PROGRAM = "magic-hour"
HELP = f"""
Make images, videos and speech from prompts and local files, and save them on disk.

Set the API key in the environment variable MAGIC_HOUR_API_KEY. Results go to stdout, everything else to stderr.

\b
Examples:
  magic-hour image generate --image-count 1 --prompt "A red fox in the snow" --output fox.png
  magic-hour video face-swap --video clip.mp4 --image portrait.jpg --start-seconds 0 --end-seconds 2
  magic-hour image wait cuid-example

{exit_codes()}
"""

_GROUPS = {"audio": "Create speech; manage audio jobs."}


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """The tree of commands, or the part of it that the arguments name: typer takes 4 ms to prepare a command."""
    app, files = new_group(HELP), new_group("Upload files to the service's storage.")
    jobs.add_upload(files)
    others = {"files": files, "jobs": job_log.GROUP, "batch": batch.GROUP}
    groups = {} if others.keys() & arguments[:1] else _media_groups(arguments)
    for name, group in {**groups, **others}.items():
        app.add_typer(group, name=name)
    answers.add({"": app, **groups})
    _add_schema(app)
    _add_program(app, "demo", _demo, "Try the client on this machine, free of charge.")
    _add_program(app, "emulator", _emulator, "Run the service on this machine, free of charge.")
    app.callback()(_root)
    return _named(app, arguments)


def _media_groups(arguments: Sequence[str]) -> dict[str, typer.Typer]:
    """The groups of commands that create media, or only the named one."""
    kinds = get_args(ProjectKind)
    named = [kind for kind in kinds if kind in arguments[:1]] or kinds
    groups = {kind: new_group(_GROUPS.get(kind, f"Create and edit {kind}s; manage {kind} jobs.")) for kind in named}
    generate.add(groups, arguments)
    for kind, group in groups.items():
        jobs.add(group, kind)
    return groups


def _named(app: typer.Typer, arguments: Sequence[str]) -> typer.Typer:
    """The app without the commands beside the named one; with all of them if none is, since help lists them."""
    commands = [command for command in app.registered_commands if command.name in arguments[:1]]
    groups = [copy(group) for group in app.registered_groups if group.name in arguments[:1]]
    if not commands and not groups:
        return app
    for group in groups:
        group.typer_instance = _named(group.typer_instance, arguments[1:]) if group.typer_instance else None
    part = copy(app)
    part.registered_commands, part.registered_groups = commands, groups
    return part


def run(arguments: Sequence[str]) -> int:
    """Run the program; returns the exit code."""
    prepare()
    with signals.first_ends():
        try:
            return build(arguments)(arguments, prog_name=PROGRAM, standalone_mode=False) or 0
        except typer.TyperException as error:
            return _wrong_usage(error, arguments)
        except KeyboardInterrupt as interruption:
            return Terminal(json=_asks_for_json(arguments), submits=True).fail(interruption)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        raise typer.Exit


def _root(
    version: Annotated[bool, Option("--version", help="Print the version.", is_eager=True, callback=_version)] = False,
) -> None: ...


def _wrong_usage(error: typer.TyperException, arguments: Sequence[str]) -> int:
    """Report wrong usage; where a command is missing, print the help."""
    text = error.format_message()
    if text.startswith("Usage:"):
        to_stderr(text)
        return exit_status.USAGE
    context = getattr(error, "ctx", None)
    where = f"{PROGRAM if context is None else context.command_path} --help"
    text = f"{text} See {where}" if text.endswith(("?", ")")) else f"{text.rstrip('.')}; see {where}"
    return Terminal(json=_asks_for_json(arguments)).fail(exit_status.UsageError(text))


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether a command line that could not be parsed asks for JSON."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(name == "--format=json" or (name, value) == ("--format", "json") for name, value in pairs)


# schema: the contract for programs, such as agents that need to know what they can call. Always JSON.

_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
Operation = Annotated[
    list[str] | None,
    Argument(
        metavar="[OPERATION]",
        help="A command such as `image generate`, a resource, or the full name of an operation. Default: all "
        "operations.",
    ),
]


def _add_schema(app: typer.Typer) -> None:
    examples = ("magic-hour schema", "magic-hour schema image generate", "magic-hour schema image get")

    @command(app, "schema", *examples)
    def schema(terminal: Terminal, operation: Operation = None) -> None:
        """Print operations as JSON, with their JSON Schema, prices and flags."""
        terminal.json = True
        words = " ".join(operation or [])
        names = [name for name in operations() if f"{command_of(name)} ".startswith(f"{words} ".lstrip())]
        if len(names) > 1:
            listed = [{"name": name, "command": command_of(name), **_short(name)} for name in names]
            terminal.contract({"version": document()["version"], "operations": listed})
            return
        name = operation_named(words)
        own = [_described(flag) for flag in flags(name, TAKEN)] if "command" in operations()[name] else []
        terminal.contract({**complete(name), "command": command_of(name), "flags": own})


def command_of(name: str) -> str | None:
    """The command for an operation."""
    operation = operations()[name]
    if about := operation.get("command"):
        return " ".join(about[word] for word in ("group", "name") if word in about)
    if name == UPLOAD_URLS:
        return "files upload"
    if tasks := [kind for kind, job in JOBS.items() if job.is_task and job.get == name]:
        return command_of(next(key for key, other in operations().items() if other.get("task") == tasks[0]))
    kinds = [kind for kind, get in PROJECTS.items() if operations()[get]["path"] == operation["path"]]
    return f"{kinds[0]} {operation['method'].lower()}" if kinds else None


def operation_named(words: str) -> str:
    """The full name of the operation that was meant."""
    for name in operations():
        if words in (name, command_of(name), f"{PROGRAM} {command_of(name)}") or f"v1.{words}.create" == name:
            return name
    known = ", ".join(f"`{command_of(name)}`" for name in operations() if command_of(name))
    raise InvalidArgument(f"no operation is called {words!r}", f"known are {known}", field="operation")


def _short(name: str) -> dict[str, Any]:
    wanted = ("summary", "method", "path", "charges_credits", "project_kind")
    return {key: value for key, value in operations()[name].items() if key in wanted}


def _described(flag: Flag) -> dict[str, Any]:
    data = attrs.asdict(flag, filter=lambda attribute, _: attribute.name not in ("path", "number", "implied"))
    data["keys"] = [{**attrs.asdict(key), "type": _JSON_TYPES[key.type]} for key in flag.keys]
    return {"field": flag.field, **data, "type": _JSON_TYPES[flag.type], "negative": flag.negative}


# demo and emulator

Program = Callable[[Sequence[str]], int]


def _demo(arguments: Sequence[str]) -> int:
    from ..demo import run

    return run(arguments, program=f"{PROGRAM} demo")


def _emulator(arguments: Sequence[str]) -> int:
    from magic_hour_emulator.__main__ import main

    return main(arguments, program=f"{PROGRAM} emulator")


def _add_program(app: typer.Typer, name: str, program: Program, help: str) -> None:
    settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

    def run(context: typer.Context) -> None:
        raise typer.Exit(Terminal().run(lambda: _run_program(program, context.args)))

    app.command(name, help=help, context_settings=settings)(run)


def _run_program(program: Program, arguments: Sequence[str]) -> int:
    try:
        return program(arguments)
    except SystemExit as ended:  # argparse exits by itself after --help and for wrong arguments
        return ended.code if isinstance(ended.code, int) else 0
