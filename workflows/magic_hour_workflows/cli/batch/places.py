"""Which batch a command is about: a file, or a database of several machines.

Rule: what is typed wins over the environment, that over what lies about; a password is never shown, nor typed back.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import attrs

from magic_hour_client.errors import InvalidArgument

from ...wording import shown

VARIABLE = "MAGIC_HOUR_BATCH_DATABASE"


@attrs.frozen
class Where:
    """Where a batch is remembered.

    Attributes:
        database: what `Batch` takes as its database.
        options: what other commands about this batch have to be told.
    """

    database: str = attrs.field(repr=False)
    options: Sequence[str] = ()

    def command(self, *words: str) -> str:
        """A command about this batch, to be pasted into a shell."""
        return shlex.join(["magic-hour", "batch", words[0], *self.options, *words[1:]])


def where(database: str | None, manifest: str | None) -> Where:
    """The batch that was typed, or is in the environment, or is the only one in the current folder.

    Raises:
        InvalidArgument: none of these, or more than one.
    """
    if database:
        return Where(database, ("--database", without_password(database)))
    if known := os.environ.get(VARIABLE):
        return Where(known)  # the next command finds it there as well
    from ...batch.database import SUFFIX, database_of

    if manifest is not None:
        beside = str(database_of(None, manifest))
        return Where(beside, ("--database", beside))
    found = sorted(path.name for path in Path().glob(f"*{SUFFIX}"))
    if len(found) == 1:
        return Where(found[0], ("--database", found[0]))
    here = shown(os.getcwd())
    what = f"{len(found)} batches in {here} ({', '.join(map(shown, found[:5]))})" if found else f"no batch in {here}"
    message = (
        f"`database`: there {'are' if found else 'is'} {what}; say which with --database, a MANIFEST or {VARIABLE}"
    )
    raise InvalidArgument(message, field="database")


def without_password(database: str) -> str:
    """A database as it may be shown.

    >>> without_password("postgresql://me:secret@db/portraits?password=secret"), without_password("foxes.batch.sqlite")
    ('postgresql://me:***@db/portraits?password=***', 'foxes.batch.sqlite')
    """
    if "://" not in database:
        return database
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(database)
    except ArgumentError:
        return "URL"
    secret = {name: "***" for name in url.query if "password" in name.lower()}
    return url.update_query_dict(secret).render_as_string(hide_password=True).replace("%2A%2A%2A", "***")
