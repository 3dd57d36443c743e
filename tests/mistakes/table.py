"""The table of docs/mistakes.md, parsed: what it promises for each mistake.

Rule: the page is the single list. Nothing about an error is repeated in the tests.
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
    problem: str
    remedy: str | None
    in_terminal: bool

    def message(self, field: str | None) -> str:
        """The whole message, with the field under this name."""
        text = self.problem if self.remedy is None else f"{self.problem}; {self.remedy}"
        return f"{field}: {text}" if field else text


def says(promised: str, text: str) -> bool:
    """Whether a text is what the page promises; what is in braces may be anything."""
    return re.fullmatch(".+?".join(map(re.escape, re.split(r"\{[a-z ]+\}", promised))), text) is not None


def rows() -> list[Row]:
    """Every row, in the order of the page."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [_row([cell.strip() for cell in line.strip("|").split(" | ")]) for line in lines[1:]]


def _row(cells: list[str]) -> Row:
    name, error, field, problem, remedy, terminal = cells
    return Row(
        name=name,
        error=error.strip("`"),
        field=None if field == _NONE else field.strip("`"),
        problem=problem.replace("\\_", "_"),
        remedy=None if remedy == _NONE else remedy,
        in_terminal=terminal != _NONE,
    )
