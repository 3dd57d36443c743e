"""How a batch is displayed: statistics in plain lines and in a panel, with a clock set by the test."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from magic_hour_workflows.batch._rows import RowResult, RowStatus, Summary
from magic_hour_workflows.cli.batch.display import (
    HEARTBEAT_SECONDS,
    LAST_ERRORS,
    WINDOW_SECONDS,
    Lines,
    Panel,
    Stats,
    row_line,
)
from magic_hour_workflows.events import Created, Downloading, StatusChanged, Uploading

HALF = Summary(
    counts={RowStatus.SAVED: 45, RowStatus.FAILED: 5, RowStatus.RUNNING: 8, RowStatus.WAITING: 42}, credits=1225
)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def row(key: str = "fox", status: RowStatus = RowStatus.SAVED, error: str | None = None) -> RowResult:
    paths = [Path("out/fox-1.png")] if status is RowStatus.SAVED else []
    return RowResult(
        key=key, endpoint="ai_image_generator", status=status, credits=5, paths=paths, seconds=2.34, error=error
    )


def drawn(panel: Panel, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(panel)
    return out.getvalue()


def test_speed_is_that_of_the_last_minute(clock: Clock) -> None:
    stats = Stats(HALF, clock)
    assert (stats.rows_per_minute, stats.seconds_left) == (None, None)
    clock.seconds = 30
    for _ in range(10):
        stats.row_ended(row())
    assert stats.rows_per_minute == 20
    assert stats.seconds_left == 150
    clock.seconds = 30 + WINDOW_SECONDS + 1
    assert stats.rows_per_minute is None, "nothing ended in the last minute"


def test_states_of_what_is_under_way(clock: Clock) -> None:
    stats = Stats(HALF, clock)
    stats.on_event("a", Uploading(name="x", sent=0, total=1))
    stats.on_event("b", Created(id="1", kind="image", credits_charged=5, name="n"))
    stats.on_event("c", StatusChanged(id="2", kind="image", status="rendering", elapsed=1))
    stats.on_event("d", StatusChanged(id="3", kind="image", status="paused", elapsed=1))
    stats.on_event("e", StatusChanged(id="4", kind="image", status="complete", elapsed=1))
    stats.on_event("f", Downloading(id="5", name="x", received=1, total=2))
    assert stats.activities == [("uploading", 1), ("queued", 1), ("rendering", 1), ("saving", 2), ("paused", 1)]
    stats.row_ended(row("b"))
    assert ("queued", 1) not in stats.activities


def test_the_last_errors(clock: Clock) -> None:
    stats = Stats(HALF, clock)
    for number in range(LAST_ERRORS + 2):
        stats.row_ended(row(f"k{number}", RowStatus.FAILED, "no face"))
    stats.row_ended(row("left", RowStatus.SKIPPED, "too expensive"))
    assert [error.key for error in stats.errors] == ["k2", "k3", "k4"]


def test_a_line_for_each_row() -> None:
    assert row_line(row()) == "saved     fox: fox-1.png, 5 credits, 2.3 s"
    assert row_line(row(status=RowStatus.FAILED, error="no\nface")) == "failed    fox: no face"
    assert row_line(row(status=RowStatus.RUNNING, error="gone")) == "left      fox: gone"
    assert "\x1b" not in row_line(row("\x1b[2J", RowStatus.FAILED, "x\x1b[2J"))


def test_a_heartbeat_when_nothing_was_said(clock: Clock) -> None:
    said: list[str] = []
    lines = Lines(Stats(HALF, clock), said.append, quiet=False, now=clock)
    clock.seconds = HEARTBEAT_SECONDS - 1
    lines.tick(None)
    assert said == []
    clock.seconds = HEARTBEAT_SECONDS
    lines.tick(None)
    lines.tick(None)
    assert said == ["50 of 100 rows done, 5 failed, 8 running; 1,225 credits"]
    clock.seconds += HEARTBEAT_SECONDS - 1
    lines.row_ended(row())
    clock.seconds += HEARTBEAT_SECONDS - 1
    lines.tick(None)
    assert len(said) == 2, "the line of a row is a sign of life too"


def test_why_it_halts_is_said_once_also_to_the_quiet(clock: Clock) -> None:
    said: list[str] = []
    lines = Lines(Stats(HALF, clock), said.append, quiet=True, now=clock)
    lines.row_ended(row())
    for _ in range(3):
        lines.tick("too few credits")
    clock.seconds = 100
    lines.tick("too few credits")
    assert said == ["magic-hour: too few credits: no more jobs are submitted; waiting for those in progress"]


def test_the_panel(clock: Clock) -> None:
    stats = Stats(HALF, clock)
    clock.seconds = 60
    for _ in range(25):
        stats.row_ended(row())
    stats.on_event("b", Created(id="1", kind="image", credits_charged=5, name="n"))
    stats.row_ended(row("[red]k", RowStatus.FAILED, "no face " * 30))
    panel = Panel(stats, "foxes.csv")
    panel.tick("interrupted")
    title, bar, counts, speed, doing, error, halted, *more = drawn(panel, 100).splitlines()
    assert title == "foxes.csv  50 of 100  50%"
    assert bar == "━" * 72
    assert counts == "45 saved · 5 failed · 8 running · 42 waiting"
    assert speed == "26 rows/min, about 1 min 55 s left · 1,225 credits"
    assert doing == "queued 1"
    assert error.startswith("failed    [red]k: no face")
    assert len(error) == 100
    assert halted.startswith("interrupted: no more jobs are submitted")
    assert more in ([], ["Ctrl-C again stops at once, and no job is lost"]) or "no job is lost" in more[-1]


def test_the_panel_of_nothing(clock: Clock) -> None:
    assert "0 of 0" in drawn(Panel(Stats(Summary(counts={}, credits=0), clock), "x"), 12)
