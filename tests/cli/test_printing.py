"""Progress while a command runs."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from magic_hour_workflows.cli import printing as progress
from magic_hour_workflows.cli.printing import Bars, Lines, is_live
from magic_hour_workflows.events import (
    Created,
    Downloading,
    Event,
    Retrying,
    StatusChanged,
    Uploading,
)

EVENTS: list[Event] = [
    Uploading(name="portrait.jpg", sent=0, total=1500),
    Uploading(name="portrait.jpg", sent=1500, total=1500),
    Created(id="abc", kind="image", credits_charged=5, name="n"),
    StatusChanged(id="abc", kind="image", status="rendering", elapsed=2.2),
    Retrying(step="v1.image_projects.get", reason="refused", attempt=1, delay=0.75),
    StatusChanged(id="abc", kind="image", status="complete", elapsed=4.9),
    Downloading(id="abc", name="abc-1.png", received=10, total=None),
    Downloading(id="abc", name="abc-1.png", received=2_500_000, total=2_500_000),
]


def resume(kind: str, id: str) -> str:
    return f"magic-hour {kind} wait {id}"


def lines(events: list[Event], **options: Any) -> list[str]:
    printed: list[str] = []
    show = Lines(printed.append, resume, **options)
    for event in events:
        show(event)
    return printed


def test_lines() -> None:
    assert lines(EVENTS) == [
        "uploaded portrait.jpg, 1.5 kB",
        "image job abc accepted for 5 credits; if interrupted, resume: magic-hour image wait abc",
        "rendering after 2 s",
        "refused; retrying in 0.8 s",
        "downloaded abc-1.png, 2.5 MB",
    ]


def test_quiet_says_what_must_be_said() -> None:
    assert lines(EVENTS, quiet=True) == [
        "image job abc accepted for 5 credits; if interrupted, resume: magic-hour image wait abc"
    ]


def test_bars() -> None:
    """The bars show files and the job; the line with the id stands above them and stays."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[detail]}"))
    with Progress(*columns, console=console, auto_refresh=False) as bars:
        show = Bars(bars, Lines(lambda text: bars.console.print(text, soft_wrap=True), resume, transfers=False))
        for event in EVENTS:
            show(event)
        bars.refresh()
        descriptions = [(task.description, task.completed, task.total) for task in bars.tasks]
    assert descriptions == [
        ("uploading portrait.jpg", 1500, 1500),
        ("complete", 1, 1),
        ("downloading abc-1.png", 2_500_000, 2_500_000),
    ]
    shown = screen.getvalue()
    assert "accepted for 5 credits; if interrupted, resume: magic-hour image wait abc" in shown
    assert "1.5 kB of 1.5 kB" in shown
    assert "━" in shown


@pytest.mark.parametrize(
    ("terminal", "name", "live"),
    [(True, "xterm", True), (True, "dumb", False), (True, "", False), (False, "xterm", False)],
)
def test_bars_only_where_somebody_watches(
    terminal: bool, name: str, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setenv("TERM", name)
    assert is_live(stream) is live


def test_sizes() -> None:
    assert [progress.size(count) for count in (0, 999, 1000, 5_300_000, 2_000_000_000, 3_000_000_000_000)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "5.3 MB",
        "2.0 GB",
        "3000.0 GB",
    ]
