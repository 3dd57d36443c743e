"""What the contract says for the emulator: the fields that its rows name must exist.

Rule: which media and rows there are, the emulator itself checks when it starts; it does not know the models.
"""

from __future__ import annotations

from typing import Any

from .rows import Rows, is_number, shown


class EmulatorRows(Rows):
    """Reads the rows of one operation that the emulator uses."""

    def check(self, operation: dict[str, Any]) -> None:
        """Note each field that is named and not there, and a duration that is no number."""
        median = operation.get("x-median-seconds", 1)
        if not is_number(median) or median <= 0:
            self.wrong("x-median-seconds", f"{shown(median)} is not a number of seconds")
        row = operation.get("x-emulator", {})
        if not isinstance(row, dict) or ("x-emulator" in operation and "media" not in row):
            self.wrong("x-emulator", "expected rows, among them `media`")
            return
        for place, path in self._named(row):
            self.field(f"x-emulator.{place}", path)

    def _named(self, row: dict[str, Any]) -> list[tuple[str, Any]]:
        """The fields that the rows name, each with its row."""
        found: list[tuple[str, Any]] = [(name, row[name]) for name in ("prompt",) if name in row]
        if isinstance(row.get("count"), str):
            found.append(("count", row["count"]))
        if isinstance(row.get("media"), dict):
            found += [("media", path) for path in row["media"]]
        longest = row.get("longest", [])
        for limits in longest if isinstance(longest, list) else []:
            found += [("longest", path) for path in limits if path != "seconds"]
        return found
