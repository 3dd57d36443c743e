"""Registering a command: its own options, those that all share, its examples, and what happens around it.

Rule: a command is a plain function of a `Terminal` and its own options; everything around it is here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer

from .exit_status import EXIT_CODES
from .terminal import Terminal

Work = TypeVar("Work", bound=Callable[..., object])

FORMATS = ("text", "json")


def option(
    name: str, kind: Any, *names: str, default: Any = None, help: str, metavar: str | None = None, **more: Any
) -> inspect.Parameter:
    """One option of a command, as a parameter of the function behind it."""
    info = typer.Option(*names, help=help, metavar=metavar, show_default=False, **more)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def typed(parameter: inspect.Parameter) -> set[str]:
    """What is typed for an option: all its names."""
    [info] = parameter.annotation.__metadata__
    return {name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)}


def among(choices: Sequence[object]) -> Callable[[str], list[str]]:
    """Completion for an option with known values."""
    return lambda incomplete: [str(choice) for choice in choices if str(choice).startswith(incomplete)]


def _format(value: str) -> str:
    if value not in FORMATS:
        raise typer.BadParameter(f"{value!r} is neither text nor json")
    return value


SHARED = (
    option(
        "format",
        str,
        "--format",
        default="text",
        metavar="text|json",
        callback=_format,
        autocompletion=among(FORMATS),
        help="How to print results on stdout. Progress and errors go to stderr.",
    ),
    option("base_url", str | None, "--base-url", metavar="URL", help="The service; MAGIC_HOUR_BASE_URL if not given."),
    option("allow_http", bool, "--allow-http", default=False, help="Allow plain http:// to other machines than this."),
    option(
        "quiet", bool, "--quiet", "-q", default=False, help="No progress; only the line with a job's id, and errors."
    ),
    option("verbose", bool, "--verbose", "-v", default=False, help="Log what is done, on stderr."),
    option("debug", bool, "--debug", default=False, help="Show a traceback with an error."),
)
"""The options of every command that talks to the service."""

SHARED_NAMES = tuple(parameter.name for parameter in SHARED)


def command(
    group: typer.Typer, name: str, *, help: str, examples: Sequence[str], options: Sequence[inspect.Parameter] = ()
) -> Callable[[Work], Work]:
    """Add a command to a group.

    Args:
        group: where it belongs.
        name: what is typed.
        help: what it does; the first sentence stands in lists.
        examples: complete command lines; the tests run them.
        options: options beyond the parameters of the function, given to it in `values`.
    """

    def register(work: Work) -> Work:
        own = [p for p in list(inspect.signature(work, eval_str=True).parameters.values())[1:] if p.name != "values"]
        takes_values = bool(options)

        def run(**given: Any) -> None:
            shared = {key: given.pop(key) for key in SHARED_NAMES}
            terminal = Terminal(json=shared.pop("format") == "json", **shared)
            arguments = {parameter.name: given.pop(parameter.name) for parameter in own}
            if takes_values:
                arguments["values"] = given
            raise typer.Exit(terminal.run(lambda: work(terminal, **arguments)))

        keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        run.__signature__ = inspect.Signature([*options, *keywords, *SHARED])  # type: ignore[attr-defined]
        group.command(name, help=f"{help}\n\n{shown(examples)}", short_help=help.partition(". ")[0].rstrip("."))(run)
        return work

    return register


def shown(examples: Sequence[str]) -> str:
    """Examples as they stand in a help text; the mark keeps them from being filled up like prose."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in examples)])


def exit_codes() -> str:
    """The exit codes as they stand in a help text."""
    return "\n".join(["\b", "Exit codes:", *(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())])
