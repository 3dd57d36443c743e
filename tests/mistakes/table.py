"""The table of docs/mistakes.md, read back: what is promised for each mistake.

Rule: the page is the single list. Nothing about an error is written down a second time in the tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mistakes.md"
_NONE = "-"


@dataclass(frozen=True)
class Row:
    """One mistake: its name, and the error that it ends with."""

    name: str
    error: str
    field: str | None
    message: str
    in_terminal: bool

    @property
    def rest(self) -> re.Pattern[str]:
        """The message without the field before it; what is in braces may be anything."""
        parts = re.split(r"\{[a-z ]+\}", self.message)
        return re.compile(".+?".join(map(re.escape, parts)))

    def told_by(self, message: str, field: str) -> bool:
        """Whether a message says what the row promises, with the field under this name."""
        stands_alone = self.field is None or self.message.startswith(f"`{self.field}`")
        text = message.replace(field, f"`{self.field}`", 1) if self.field else message
        return self.rest.fullmatch(text if stands_alone else text.removeprefix(f"`{self.field}`: ")) is not None


def rows() -> list[Row]:
    """Every row, in the order of the page."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [_row([cell.strip() for cell in line.strip("|").split(" | ")]) for line in lines[1:]]


def _row(cells: list[str]) -> Row:
    name, error, field, message, terminal = cells
    return Row(
        name=name,
        error=error.strip("`"),
        field=None if field == _NONE else field.strip("`"),
        message=_plain(message),
        in_terminal=terminal != _NONE,
    )


def _plain(cell: str) -> str:
    code = re.fullmatch(r"`` (.*) ``", cell)
    return code[1] if code else cell.replace("\\_", "_")
