"""Every paid operation of the contract, from local files to decoded media: sync, async, dry run, batch.

Rule: what is tried is read from the contract, so a new operation is tried without an edit here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batch.local_batch import LocalBatch
from magic_hour_emulator import Emulator
from magic_hour_workflows import estimate_credits
from magic_hour_workflows._results import plain_number
from magic_hour_workflows.batch import RowStatus
from magic_hour_workflows.cli import main
from media import media_type
from paid_operations import PAID, Body, PaidOperation, input_files
from worlds import World

each = pytest.mark.parametrize("operation", PAID, ids=str)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return input_files(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def complete(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """How many times each operation went all the way; the run ends with a line that says so."""
    counted: Counter[str] = Counter()
    yield counted
    kinds = Counter(operation.endpoint.project_kind for operation in PAID)
    parts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    both = sum(counted[operation.name] == 2 for operation in PAID)
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{both} of {len(PAID)} paid operations ({parts}): from local files to media, sync and async")


def within(credits: int, operation: PaidOperation, body: Body) -> bool:
    """Whether a charge is within the estimate."""
    estimate = estimate_credits(operation.name, **body)
    assert plain_number(credits) is not None
    return estimate.credits <= credits and (estimate.at_most is None or credits <= estimate.at_most)


@each
@pytest.mark.parametrize("mode", ["sync", "asyncio"])
def test_from_local_files_to_media(
    operation: PaidOperation,
    mode: str,
    options: dict[str, Any],
    emulator: Emulator,
    files: dict[str, Path],
    tmp_path: Path,
    complete: Counter[str],
) -> None:
    body = operation.example(files) if mode == "sync" else operation.with_all_files(files)
    folder = tmp_path / "made"
    result = World(mode).call(
        lambda client: getattr(client.v1, operation.resource).generate(**body, download_directory=folder), **options
    )
    assert (result.status, result.kind) == ("complete", operation.endpoint.project_kind)
    assert result.downloaded_paths
    assert sorted(folder.iterdir()) == sorted(result.downloaded_paths)
    assert {media_type(path) for path in result.downloaded_paths} == {operation.media_type(body)}
    [charge] = emulator.ledger.charges
    assert charge.credits == result.credits_charged
    assert within(charge.credits, operation, body)
    assert len(emulator.jobs[0].inputs) >= len(operation.files_in(body))
    complete[operation.name] += 1


@each
def test_dry_runs_agree_with_the_library(
    operation: PaidOperation, emulator: Emulator, files: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    body = operation.with_all_files(files)
    assert main([*operation.command(body), "--dry-run", "--format", "json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["operation"] == operation.name
    assert shown["estimated_credits"] == estimate_credits(operation.name, **body).to_dict()
    local = {path.name for path in files.values() if json.dumps(str(path))[1:-1] in json.dumps(body)}
    assert {each["name"] for each in shown["uploads"]} == local
    assert not emulator.ledger.creates


@pytest.mark.usefixtures("small_pictures")  # large ones are in `test_from_local_files_to_media`
def test_one_batch_of_all(emulator: Emulator, files: dict[str, Path], tmp_path: Path) -> None:
    local = LocalBatch(emulator, tmp_path)
    bodies = {operation.resource: {**operation.example(files), "name": operation.resource} for operation in PAID}
    manifest = tmp_path / "all.jsonl"
    rows = [{"key": name, "endpoint": name, **body} for name, body in bodies.items()]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    batch = local.batch(manifest)
    plan = batch.plan
    done = local.ran(batch)
    assert {key: (row.status, row.error) for key, row in done.items()} == dict.fromkeys(bodies, (RowStatus.SAVED, None))
    assert local.charged == Counter(bodies.keys())
    for operation in PAID:
        body, row = bodies[operation.resource], done[operation.resource]
        assert within(int(row.credits or 0), operation, body)
        assert {media_type(path) for path in row.paths} == {operation.media_type(body)}
    assert plan.credits <= emulator.ledger.charged
