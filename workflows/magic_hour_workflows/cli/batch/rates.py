"""`--rate`: 60/min, 2/s, 1000/h.

Rule: rows a minute inside, as the library has it.
"""

from __future__ import annotations

import typer

_PER_MINUTE = {"min": 1.0, "s": 60.0, "h": 1 / 60}


def per_minute(typed: str | None) -> float | None:
    """What was typed, in rows a minute; a mere number is that already.

    Raises:
        typer.BadParameter: it is no rate.

    >>> per_minute("2/s"), per_minute("90"), per_minute("600/h")
    (120.0, 90.0, 10.0)
    """
    if typed is None:
        return None
    number, _, unit = typed.partition("/")
    try:
        rate = float(number) * _PER_MINUTE[unit.strip() or "min"]
    except (ValueError, KeyError):
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise typer.BadParameter(f"{typed!r} is no rate; give 60/min, 2/s or 1000/h")
    return rate
