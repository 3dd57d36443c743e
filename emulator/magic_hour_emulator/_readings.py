"""GETs that are not about a job: the documented answer with the ledger's balance, and pages of what tests add.

Rule: rows of the contract say which operation answers what. Controls change the answers; a request changes nothing.
"""

import mimetypes
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ._clock import timestamp
from ._contract import Contract, Json, Operation
from ._emulation import Reading
from ._jobs import Ids
from ._ledger import Ledger
from ._request_checks import Refusal
from ._stored_files import DOWNLOAD_SECONDS, Signer, Uploads

__all__ = ["Readings"]

# The contract's default.
_PAGE: Final = 20


@dataclass
class Readings:
    """The answers of GETs that are not about a job, by resource. `storage_url` is known only later."""

    contract: Contract
    ledger: Ledger
    uploads: Uploads
    ids: Ids
    signer: Signer
    storage_url: Callable[[], str]
    _changed: dict[str, Json] = field(default_factory=dict)
    _items: dict[str, list[Json]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, operation: Operation, query: Mapping[str, Any]) -> Json:
        """The answer of a GET. Raises `Refusal` for a cursor that no page returned."""
        reading = operation.reading
        if reading is None:
            raise ValueError(f"{operation.id} is about jobs")
        if reading.items is not None:
            page, following = self._page(operation.resource, query, reading.cursor)
            return {reading.items: [self._with_urls(item) for item in page], reading.following: following}
        balance = {reading.balance: self.ledger.balance} if reading.balance else {}
        return {**reading.example, **self._changed.get(operation.resource, {}), **balance}

    def change(self, resource: str, fields: Mapping[str, Any]) -> None:
        """Let a GET answer these fields; its balance is set in the ledger. ValueError if there is no such field."""
        reading = self._find(resource, pages=False)
        unknown = set(fields) - set(reading.example)
        if unknown:
            raise ValueError(f"{resource} has no field {', '.join(sorted(unknown))}")
        if reading.balance is not None and reading.balance in fields:
            self.ledger.set_balance(fields[reading.balance])
        self._changed[resource] = {**self._changed.get(resource, {}), **fields}

    def add(self, resource: str, item: Mapping[str, Any], files: Sequence[Path]) -> Json:
        """Add an item to a list and return it; its assets are these files and the uploads that it names."""
        self._find(resource, pages=True)
        named = [str(dict(asset).get("file_path")) for asset in item.get("assets", ())]
        uploads = [(name, self.uploads.find(name)) for name in named]
        missing = [name for name, path in uploads if path is None]
        if missing:
            raise ValueError(f"not uploaded: {', '.join(missing)}")
        given = [(path.name, path) for path in files] + [(name, path) for name, path in uploads if path]
        stem = f"{resource}/{(item_id := self.ids.next())}"
        assets = [self._keep(f"{stem}/{at}", at == 0, *file) for at, file in enumerate(given)]
        added = {"name": None, **item, "id": item_id, "assets": assets}
        with self._lock:
            self._items.setdefault(resource, []).append(added)
        return self._with_urls(added)

    def clear(self) -> None:
        """Forget all changes and items."""
        with self._lock:
            self._changed.clear()
            self._items.clear()

    def _find(self, resource: str, *, pages: bool) -> Reading:
        known = {
            each.resource: each.reading
            for each in self.contract.operations
            if each.reading is not None and (each.reading.items is not None) == pages
        }
        if resource not in known:
            raise ValueError(f"no such resource: {resource!r}; there are {', '.join(known) or 'none'}")
        return known[resource]

    def _page(self, resource: str, query: Mapping[str, Any], cursor: str) -> tuple[list[Json], str | None]:
        """At most `limit` items after the cursor, and the next cursor; every other name filters on its field.

        A cursor is the id of the last item of the page before; `cursor` names the parameter that has it.
        """
        filters = {name: value for name, value in query.items() if name not in ("limit", cursor)}
        with self._lock:
            items = list(self._items.get(resource, ()))
        matching = [item for item in items if all(item.get(name) == value for name, value in filters.items())]
        if cursor in query:
            after = next((at for at, item in enumerate(matching, 1) if item["id"] == query[cursor]), None)
            if after is None:
                raise Refusal(422, "unprocessable_entity", f"{cursor}: no page of this list returned it")
            matching = matching[after:]
        page = matching[: query.get("limit", _PAGE)]
        return page, page[-1]["id"] if len(matching) > len(page) else None

    def _keep(self, stem: str, is_primary: bool, name: str, file: Path) -> Json:
        """Store a file that does not expire, as an asset of an item."""
        file_path = f"{stem}{PurePosixPath(name).suffix}"
        copy = self.uploads.new_file()
        shutil.copyfile(file, copy)
        self.uploads.store(file_path, copy, durable=True)
        kind = (mimetypes.guess_type(name)[0] or "image").partition("/")[0].upper()
        return {"file_path": file_path, "media_kind": kind, "is_primary": is_primary}

    def _with_urls(self, item: Json) -> Json:
        def signed(asset: Json) -> Json:
            url, expires = self.signer.sign(self.storage_url(), "GET", f"/{asset['file_path']}", DOWNLOAD_SECONDS)
            return {**asset, "url": url, "url_expires_at": timestamp(expires)}

        return {**item, "assets": [signed(asset) for asset in item["assets"]]}
