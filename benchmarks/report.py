"""The figures as tables, for the terminal and for RESULTS.md.

Rule: medians, with the lowest and the highest in brackets; nothing about the machine but its cores, its system's name
and the versions of what ran.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby

from .table import CONTESTANTS, CURL, OURS, RAW, ROWS, TRANSFERS, VENDOR, Row, Samples, median, ratio

_PACKAGES = ("magic-hour-workflows", "magic_hour", "httpx", "httpcore", "h11", "anyio", "attrs", "pydantic")
_TITLES = {
    "start": "To begin",
    "requests": "One call",
    "wait": "Noticing that a job is done",
    "jobs": "Many jobs at once",
    "transfer": "One large file",
    "growth": "Growth with the number of jobs",
    "generation": "The generator",
    "server": "The server that all of this is measured against",
}


def group(row: Row) -> str:
    """The part of a name before its first slash."""
    return row.name.partition("/")[0]


def lines(found: Mapping[str, Samples], rows: Sequence[Row] = ROWS) -> Iterator[str]:
    """Markdown: a table for each group."""
    for name, members in groupby((row for row in rows if row.name in found), group):
        yield f"\n## {_TITLES[name]}\n"
        yield f"| row | unit | goal | {' | '.join(CONTESTANTS)} | ours / {RAW} | ours / {VENDOR} | met |"
        yield "|" + "---|" * (6 + len(CONTESTANTS))
        for row in members:
            yield line(row, found[row.name])


def line(row: Row, samples: Samples) -> str:
    """One row of a table."""
    goal = str(row.goal) if row.goal else ""
    met = row.goal.met(samples) if row.goal else None
    cells = [_cell(samples.get(who, ())) for who in CONTESTANTS]
    ratios = [_ratio(samples, RAW), _ratio(samples, VENDOR)]
    verdict = "" if met is None else "yes" if met else "**NO**"
    return f"| {' | '.join([row.name, row.unit, goal, *cells, *ratios, verdict])} |"


def _cell(samples: Sequence[float]) -> str:
    middle = median(samples)
    if middle is None:
        return ""
    spread = f" ({_number(min(samples))} to {_number(max(samples))})" if len(samples) > 1 else ""
    return f"{_number(middle)}{spread}"


def _ratio(samples: Samples, to: str) -> str:
    found = ratio(samples, to)
    return "" if found is None else f"{found:.2f}"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def missed(found: Mapping[str, Samples], rows: Sequence[Row] = ROWS) -> list[Row]:
    """The rows whose goal is not met."""
    return [row for row in rows if row.name in found and row.goal and row.goal.met(found[row.name]) is False]


def document(found: Mapping[str, Samples], seconds: float) -> str:
    """The whole of RESULTS.md."""
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    misses = missed(found)
    told = f"Missed: {', '.join(row.name for row in misses)}." if misses else "All goals are met."
    system = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    head = f"""# Results

Written by `make bench`; [README.md](README.md) says what each row means and how to read it.

{datetime.now(UTC):%Y-%m-%d}, {system}; {versions}. The run took {seconds / 60:.0f} minutes.

{told}

Medians, with the lowest and the highest in brackets. A ratio is the median over pairs taken side by side. An empty cell
means: not this contestant's work, or not done in time (the vendor's SDK is stopped after 40 seconds).

{beside_curl(found)}
"""
    how = [f"* `{row.name}`: {row.how}." for row in ROWS if row.name in found]
    return "\n".join([head.rstrip(), *lines(found), "\n## How each is measured\n", *_grouped(how), ""])


def beside_curl(found: Mapping[str, Samples]) -> str:
    """What raw httpx itself loses to curl, in a sentence.

    >>> beside_curl({"transfer/up/sync/rate": {"httpx": [90.0], "curl": [100.0]}})
    "Of curl's rate, raw httpx itself reaches 90 % (up/sync)."
    """
    rates = {way: found.get(f"transfer/{way}/rate", {}) for way in TRANSFERS}
    shares = {
        way: ratio({OURS: samples.get(RAW, ()), CURL: samples.get(CURL, ())}, CURL) for way, samples in rates.items()
    }
    told = [f"{100 * share:.0f} % ({way})" for way, share in shares.items() if share is not None]
    return f"Of curl's rate, raw httpx itself reaches {', '.join(told)}." if told else ""


def _grouped(how: Sequence[str]) -> list[str]:
    """Each explanation once, under the first row that has it."""
    seen: dict[str, str] = {}
    for text in how:
        name, _, explanation = text.partition(": ")
        seen.setdefault(explanation, name)
    return [f"{name}: {explanation}" for explanation, name in seen.items()]
