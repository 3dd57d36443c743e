"""Which batch a command is about: a file, or a database of several machines.

Rule: what is typed wins over the environment, that over what lies about; a password is never shown, nor typed back.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import attrs

from magic_hour_client.errors import InvalidArgument

from ..._formatting import shown, typed
from ..terminal import Terminal

VARIABLE = "MAGIC_HOUR_BATCH_DATABASE"


@attrs.frozen
class Where:
    """Where a batch is remembered.

    Attributes:
        database: what `Batch` takes as its database.
        options: what other commands about this batch have to be told, typed in this folder and this shell.
        service: what they have to be told about the service.
    """

    database: str = attrs.field(repr=False)
    options: Sequence[str] = ()
    service: Sequence[str] = ()

    def command(self, *words: str) -> str:
        """A command about this batch, to be pasted into this shell."""
        return typed(["magic-hour", "batch", words[0], *self.options, *self.service, *words[1:]])

    @property
    def anywhere(self) -> list[str]:
        """What commands have to be told that are typed elsewhere, and later."""
        url = "://" in self.database
        database = without_password(self.database) if url else os.path.abspath(os.path.expanduser(self.database))
        return ["--database", database, *self.service]


def where(terminal: Terminal, database: str | None, manifest: str | None) -> Where:
    """The batch that was typed, or is in the environment, or is the only one in the current folder.

    Raises:
        InvalidArgument: none of these, or more than one.
    """
    service = ["--base-url", terminal.base_url] if terminal.base_url else []
    return attrs.evolve(_where(database, manifest), service=[*service, *["--allow-http"] * terminal.allow_http])


def _where(database: str | None, manifest: str | None) -> Where:
    if database:
        return Where(database, ("--database", without_password(database)))
    if known := os.environ.get(VARIABLE):
        hidden = without_password(known)
        # A password is not repeated; this shell has it in the variable.
        return Where(known, ("--database", hidden) if hidden == known else ())
    from ...batch._database import SUFFIX, database_of

    if manifest is not None:
        beside = str(database_of(None, manifest))
        return Where(beside, ("--database", beside))
    found = sorted(path.name for path in Path().glob(f"*{SUFFIX}"))
    if len(found) == 1:
        return Where(found[0], ("--database", found[0]))
    here = shown(os.getcwd())
    what = f"{len(found)} batches in {here} ({', '.join(map(shown, found[:5]))})" if found else f"no batch in {here}"
    raise InvalidArgument(
        f"there {'are' if found else 'is'} {what}",
        f"say which with --database, a MANIFEST or {VARIABLE}",
        field="database",
    )


def without_password(database: str) -> str:
    """A database as it may be shown, and typed again where the password is in `~/.pgpass` or `PGPASSWORD`.

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
    shown_as = URL.create(url.drivername, url.username, None, url.host, url.port, url.database, query)
    return shown_as.render_as_string(hide_password=True)
