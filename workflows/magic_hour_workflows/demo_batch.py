"""A batch of 200 rows of four operations, with faults at every step, on this machine and free of charge.

    python -m magic_hour_workflows.demo_batch               media, results and the report, in outputs/batch-1/

Rule: everything is a command that could be typed at a terminal; only what a person would look up in the web app is read
from the emulator's ledger.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from .demo import DIRECT

if TYPE_CHECKING:
    from magic_hour_emulator import Emulator

ROWS = 200
FACES = 20
FAULTS = 0.05
"""The share of the requests of every step that fail."""
SEED = 7
HIGHEST_OWN = 4
"""The highest exit code of a batch that was not interrupted."""
_COLOURS = ("tan", "lightsteelblue", "palegreen", "plum", "salmon")
_PROMPTS = ("A red fox in the snow", "A lighthouse at dusk", "An orchid at night", "A kite over the dunes")
_EDITS = ("Give me sunglasses", "Make it sunset", "Add a straw hat", "Turn it into a sketch")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m magic_hour_workflows.demo_batch", description="A batch of rows.")
    parser.add_argument("--output", type=Path, default=Path("outputs"), help="where to save (default: outputs)")
    parser.add_argument("--rows", type=int, default=ROWS, help="how many rows (default: %(default)s)")
    parser.add_argument("--speed", type=float, default=1.0, help="how fast the service's time passes (default: 1)")
    arguments = parser.parse_args(argv)
    try:
        from magic_hour_emulator import Emulator

        folders = (arguments.output / f"batch-{number}" for number in count(1))
        folder = next(folder for folder in folders if not folder.exists())
        manifest = write_manifest(folder, arguments.rows)
        with Emulator(seed=SEED, speed=arguments.speed) as emulator:
            printed = {"MAGIC_HOUR_BASE_URL": emulator.url, "MAGIC_HOUR_API_KEY": emulator.token}
            with patch.dict(os.environ, {**printed, **DIRECT}):
                return _play(emulator, manifest, folder)
    except ModuleNotFoundError as error:
        remedy = "pip install 'magic-hour-workflows[batch,cli,emulator]'"
        print(f"demo: {error.name} is missing; {remedy}", file=sys.stderr)
        return 1


def _play(emulator: Emulator, manifest: Path, folder: Path) -> int:
    """Run the batch, settle doubtful rows, retry failed ones, and check the ledger."""
    from .batch import Batch, RowStatus, _settling

    let_things_go_wrong(emulator)
    code = _typed("run", str(manifest), "--output", str(folder))
    if code > HIGHEST_OWN:
        return code  # interrupted
    print(f"{len(emulator.faults.fired)} faults happened. From here on there are none:", file=sys.stderr)
    emulator.faults.clear()
    batch = Batch(manifest, output=folder)
    by_name = {create.name: create.id for create in emulator.ledger.creates}
    for row in batch.results():
        if row.status is RowStatus.DOUBTFUL:
            answer = ["--project", by_name[row.name]] if row.name in by_name else ["--not-charged"]
            # The answer is "no", after a wait of 1 s instead of 135 s: no request is late in this process.
            with patch.object(sys, "stdin", io.StringIO("no\n")), patch.object(_settling, "WAIT_SECONDS", 1.0):
                _typed("settle", row.key, *answer, "--manifest", str(manifest))
    if code:
        code = _typed("retry", "--manifest", str(manifest))
    _judge(emulator, batch.results())
    return code


def _typed(*words: str) -> int:
    from .cli import main as magic_hour

    arguments = ["batch", *words]
    print(f"$ {shlex.join(['magic-hour', *arguments])}", file=sys.stderr, flush=True)
    return magic_hour(arguments)


def _judge(emulator: Emulator, results: Sequence[Any]) -> None:
    """What the service's ledger says: the jobs that were charged and not refunded, and their rows."""
    refunded = {refund.id for refund in emulator.ledger.refunds}
    paid = {create.id for create in emulator.ledger.creates if create.id not in refunded}
    rows = Counter(row.id for row in results)
    twice = len(paid - rows.keys())
    print(f"ledger: {len(paid)} jobs paid for, {len(rows)} rows, {twice} jobs that belong to no row", file=sys.stderr)


def write_manifest(folder: Path, rows: int) -> Path:
    """The inputs and the manifest: as many rows of each endpoint, and few faces, so that uploads are shared."""
    from magic_hour_emulator import samples

    faces = _faces(folder / "faces")
    manifest = folder / "demo.jsonl"
    with manifest.open("w", encoding="utf-8") as file:
        for number in range(rows):
            row = _row(number, str(faces[number // 4 % len(faces)]), str(samples.voice()))
            file.write(json.dumps(row) + "\n")
    return manifest


def _row(number: int, face: str, voice: str) -> dict[str, Any]:
    turn = number // 4
    key = f"{('headshot', 'talk', 'image', 'edit')[number % 4]}-{turn + 1:03}"
    match number % 4:
        case 0:
            return {"key": key, "endpoint": "ai_headshot_generator", "assets": {"image_file_path": face}}
        case 1:
            assets = {"image_file_path": face, "audio_file_path": voice}
            return {"key": key, "endpoint": "ai_talking_photo", "assets": assets, "start_seconds": 0, "end_seconds": 1}
        case 2:
            style = {"prompt": _PROMPTS[turn % len(_PROMPTS)]}
            return {"key": key, "endpoint": "ai_image_generator", "image_count": 1 + turn % 2, "style": style}
        case _:
            style = {"prompt": _EDITS[turn % len(_EDITS)]}
            return {"key": key, "endpoint": "ai_image_editor", "assets": {"image_file_paths": [face]}, "style": style}


def _faces(folder: Path) -> list[Path]:
    """Different portraits: the sample, cropped more and more, in several tints."""
    from PIL import Image

    from magic_hour_emulator import samples

    folder.mkdir(parents=True)
    paths = []
    with Image.open(samples.portrait()) as portrait:
        for number in range(FACES):
            margin = 4 * number
            box = (margin, margin, portrait.width - margin, portrait.height - margin)
            light = Image.new("RGB", portrait.size, _COLOURS[number % len(_COLOURS)])
            face = Image.blend(portrait.convert("RGB").crop(box).resize(portrait.size), light, 0.15)
            paths.append(folder / f"face-{number + 1:02}.jpg")
            face.save(paths[-1], quality=85)
    return [path.absolute() for path in paths]


def let_things_go_wrong(emulator: Emulator) -> None:
    """Faults at every step, all of them realistic."""
    add = emulator.faults.add
    add("reset", on="create", phase="after", probability=FAULTS / 5, seed=1)  # accepted, but the response is lost
    add("rate_limited", on="create", probability=FAULTS * 2 / 5, seed=2)
    add(
        "job_error", on="create", probability=FAULTS * 2 / 5, seed=3, code="no_source_face", message="No face was found"
    )
    add("status", on="get", status=500, probability=FAULTS, seed=4)
    add("upload_reset", on="put", probability=FAULTS, seed=5)
    add("cut", on="download", at_byte=1000, probability=FAULTS, seed=6)


if __name__ == "__main__":
    sys.exit(main())
