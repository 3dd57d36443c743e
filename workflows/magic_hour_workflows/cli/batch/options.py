"""The options of the batch commands, and which batch a command is about: a file, or a database for several machines.

Rule: an option overrides the environment, and the environment what is in the current folder; a password is never shown,
and never part of a suggested command.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import attrs
import typer

from magic_hour_client.errors import InvalidArgument

from ..._formatting import shown, typed
from ..command import Argument, Option
from ..terminal import Terminal

VARIABLE = "MAGIC_HOUR_BATCH_DATABASE"
_PER_MINUTE = {"min": 1.0, "s": 60.0, "h": 1 / 60}


def per_minute(text: str | None) -> float | None:
    """The rate in rows per minute; a plain number is that already.

    Raises:
        typer.BadParameter: not a rate.

    >>> per_minute("2/s"), per_minute("90"), per_minute("600/h")
    (120.0, 90.0, 10.0)
    """
    if text is None:
        return None
    number, _, unit = text.partition("/")
    try:
        rate = float(number) * _PER_MINUTE[unit.strip() or "min"]
    except (ValueError, KeyError):
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise typer.BadParameter(f"{text!r} is not a rate; use 60/min, 2/s or 1000/h")
    return rate


Manifest = Annotated[str, Argument(metavar="MANIFEST", help="The rows: a .csv, .jsonl or .ndjson file.")]
OfManifest = Annotated[str | None, Argument(metavar="[MANIFEST]", help="The manifest of the batch.")]
FromManifest = Annotated[str | None, Option("--manifest", metavar="FILE", help="The manifest of the batch.")]
Keys = Annotated[
    list[str] | None, Argument(metavar="[KEY]...", help="The failed rows to retry; all of them by default.")
]
Key = Annotated[str, Argument(metavar="KEY", help="The key of the row.")]
Project = Annotated[str | None, Option("--project", metavar="ID", help="The id of its job.")]
NotCharged = Annotated[
    bool, Option("--not-charged", help="No such job was found: wait, then confirm that there is none.")
]
Folder = Annotated[str, Option("--output", "-o", metavar="DIR", help="The folder for the outputs; created if missing.")]
Endpoint = Annotated[
    str | None,
    Option(
        "--endpoint", metavar="NAME", help="The endpoint of rows that do not name one; `magic-hour schema` lists them."
    ),
]
Concurrency = Annotated[
    int | None,
    Option(
        "--concurrency",
        metavar="N",
        help="Maximum number of rows in progress, on all machines together; 16 if never set.",
    ),
]
Rate = Annotated[
    str | None,
    Option(
        "--rate",
        metavar="N/min",
        callback=per_minute,
        help="Maximum submission rate: 60/min, 2/s or 1000/h; unlimited if never set.",
    ),
]
MaxCredits = Annotated[
    float | None,
    Option(
        "--max-credits",
        metavar="N",
        help="Credit limit of the whole batch. Rows that would exceed it are not started, and are listed.",
    ),
]
NoCheckBalance = Annotated[
    bool, Option("--no-check-balance", help="Start even if the account has too few credits for the rows that are left.")
]
DatabaseOf = Annotated[
    str | None,
    Option(
        "--database",
        metavar="PATH|URL",
        help=f"The batch database: a file, or postgresql://... for several machines. Default: {VARIABLE}, or "
        "NAME.batch.sqlite next to the manifest NAME.",
    ),
]
DryRun = Annotated[bool, Option("--dry-run", help="Check every row, show what it will do and cost; send nothing.")]
StepTimeout = Annotated[
    float | None,
    Option(
        "--timeout",
        metavar="SECONDS",
        help="Time limit of each step of a row; 1800 by default. The next run resumes jobs that were accepted.",
    ),
]
Open = Annotated[bool, Option("--open", help="Open the report in a browser.")]


@attrs.frozen
class BatchLocation:
    """Where a batch is stored."""

    database: str = attrs.field(repr=False)
    options: Sequence[str] = ()
    """What other commands about this batch need, in this folder and this shell."""
    service: Sequence[str] = ()
    """The options that say which service they use."""

    def command(self, *words: str) -> str:
        """A command about this batch, to be pasted into this shell."""
        return typed(["magic-hour", "batch", words[0], *self.options, *self.service, *words[1:]])

    @property
    def portable_options(self) -> list[str]:
        """The options for commands that are typed in another folder or another shell."""
        is_url = "://" in self.database
        database = without_password(self.database) if is_url else os.path.abspath(os.path.expanduser(self.database))
        return ["--database", database, *self.service]


def locate(terminal: Terminal, database: str | None, manifest: str | None) -> BatchLocation:
    """The batch of the options, or of the environment, or the only one in the current folder.

    Raises:
        InvalidArgument: none of these, or more than one.
    """
    service = ["--base-url", terminal.base_url] if terminal.base_url else []
    return attrs.evolve(_locate(database, manifest), service=[*service, *["--allow-http"] * terminal.allow_http])


def _locate(database: str | None, manifest: str | None) -> BatchLocation:
    if database:
        return BatchLocation(database, ("--database", without_password(database)))
    if known := os.environ.get(VARIABLE):
        hidden = without_password(known)
        # A password is not repeated; this shell has it in the variable.
        return BatchLocation(known, ("--database", hidden) if hidden == known else ())
    from ...batch._database import SUFFIX, database_of

    if manifest is not None:
        beside = str(database_of(None, manifest))
        return BatchLocation(beside, ("--database", beside))
    found = sorted(path.name for path in Path().glob(f"*{SUFFIX}"))
    if len(found) == 1:
        return BatchLocation(found[0], ("--database", found[0]))
    here = shown(os.getcwd())
    problem = f"{len(found)} batches in {here} ({', '.join(map(shown, found[:5]))})" if found else f"no batch in {here}"
    raise InvalidArgument(problem, f"pass a MANIFEST or --database, or set {VARIABLE}", field="database")


def without_password(database: str) -> str:
    """A database as it can be shown, and typed again where the password is in `~/.pgpass` or `PGPASSWORD`.

    >>> without_password("postgresql://me:secret@db/portraits?password=secret"), without_password("foxes.batch.sqlite")
    ('postgresql://me@db/portraits', 'foxes.batch.sqlite')
    """
    if "://" not in database:
        return database
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        return "URL"
    query = {name: value for name, value in url.query.items() if "password" not in name.lower()}
    plain = URL.create(url.drivername, url.username, None, url.host, url.port, url.database, query)
    return plain.render_as_string(hide_password=True)
