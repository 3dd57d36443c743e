"""`make demo`, as a program: eight runs, and media that are what was asked for."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import av
import pytest
from PIL import Image

from magic_hour_workflows import demo, demo_batch
from programs import python

NO_PROXY_THERE = "http://127.0.0.1:9"
"""As in an office: nothing on this machine can be reached through it."""
ASPECTS = {"ai_headshot_generator": (4, 5), "ai_image_generator": (16, 9), "ai_image_editor": (1, 1)}


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), NO_PROXY_THERE)
    done = python("-m", "magic_hour_workflows.demo", "--output", "outputs", cwd=tmp_path, variables=proxies)
    assert done.returncode == 0, done.stderr
    header, *lines = done.stdout.splitlines()
    assert max(map(len, [header, *lines])) <= 100
    rows = [line.split() for line in lines]
    assert [row[:2] for row in rows if len(row) > 1] == [
        [name, kind] for kind in ("sync", "async") for name in demo.calls()
    ]
    assert len({row[-1] for row in rows}) == len(rows) == 10
    endpoint = ""
    for row in rows:  # a second file of a job has a line of its own
        endpoint, path = row[0] if len(row) > 1 else endpoint, tmp_path / row[-1]
        if endpoint == "ai_talking_photo":
            with av.open(str(path)) as media:
                assert sorted(stream.type for stream in media.streams) == ["audio", "video"]
                assert media.duration / av.time_base == pytest.approx(2.0, abs=0.1)
        else:
            with Image.open(path) as picture:
                width, height = ASPECTS[endpoint]
                assert picture.width * height == picture.height * width
                picture.verify()


def test_a_live_demo_without_a_key_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--live"]) == 1
    shown = capsys.readouterr()
    assert demo.LIVE_COST in shown.out
    assert "MAGIC_HOUR_API_KEY" in shown.err


def test_a_demo_without_the_emulator_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "magic_hour_emulator", None)
    assert demo.main([]) == 1
    assert "pip install" in capsys.readouterr().err


@pytest.mark.slow
def test_demo_batch(tmp_path: Path) -> None:
    done = python("-m", "magic_hour_workflows.demo_batch", "--rows", "12", "--speed", "5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^[1-9]\d* faults happened", done.stderr, re.MULTILINE)
    assert "ledger: 12 jobs paid for, 12 rows, 0 jobs that belong to no row" in done.stderr
    folder = tmp_path / "outputs" / "batch-1"
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["status"] for row in rows] == ["saved"] * 12
    assert {row["endpoint"] for row in rows} == set(demo.calls())
    assert all((folder / path).stat().st_size for row in rows for path in row["paths"])
    assert (folder / "report.html").is_file()


def test_a_batch_demo_without_the_emulator_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "magic_hour_emulator", None)
    assert demo_batch.main(["--output", str(tmp_path)]) == 1
    assert "pip install 'magic-hour-workflows[batch,cli,emulator]'" in capsys.readouterr().err
