"""What is wrong with a manifest: every mistake with its line, its key and its field, and the error that holds them all.

Rule: a mistake says what a single call would have said; nobody mends a thousand rows one error at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from magic_hour_client.errors import InvalidArgument

from .._formatting import shown

SHOWN = 20
"""How many mistakes stand in the message of the error; `mistakes` has all of them."""


@attrs.frozen
class Mistake:
    """One thing that is wrong.

    Attributes:
        line: where the row begins in the manifest, or which one it is in an iterable, counted from 1.
        key: the key of the row, if it has one.
        field: the field or column that is meant, such as `style.prompt`, if there is one.
        message: what is wrong and what to do, in the words of a single call.

    Example:
        >>> print(Mistake(3, "anna", "image_count", "`image_count`: expected a whole number, got str"))
        line 3, key anna: `image_count`: expected a whole number, got str
    """

    line: int
    key: str | None
    field: str | None
    message: str

    def __str__(self) -> str:
        row = f"line {self.line}" if self.key is None else f"line {self.line}, key {shown(self.key)}"
        field = f"`{self.field}`: " if self.field and f"`{self.field}`" not in self.message else ""
        return f"{row}: {field}{self.message}"


class ManifestError(InvalidArgument):
    """Some rows of a manifest cannot be right. Nothing was uploaded or charged.

    Attributes:
        mistakes: all of them, by line.

    Example:
        >>> print(ManifestError("foxes.csv", [Mistake(2, None, "key", "`key`: it is empty")]))
        foxes.csv: 1 mistake, so nothing was uploaded or charged
          line 2: `key`: it is empty
    """

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        self.mistakes: list[Mistake] = sorted(mistakes, key=lambda mistake: mistake.line)
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
        lines = [f"{source}: {count}, so nothing was uploaded or charged"]
        lines += [f"  {mistake}" for mistake in self.mistakes[:SHOWN]]
        if len(mistakes) > SHOWN:
            lines.append(f"  ... and {len(mistakes) - SHOWN} more")
        super().__init__("\n".join(lines))
