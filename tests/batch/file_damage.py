"""Damages the saved files of a batch in every way that can happen on a disk.

    PYTHONPATH=tests python -m batch.file_damage --damages 1000 --seed 0

Rule: `verify` must find each damage, and the next run must repair it; a seed decides which file is damaged how.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from batch.local_batch import LocalBatch, image_row
from magic_hour_emulator import Emulator
from magic_hour_workflows.batch._rows import FileProblem, RowStatus

Damage = Callable[[Path, random.Random], None]


def truncate(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(1, path.stat().st_size))


def empty(path: Path, _: random.Random) -> None:
    os.truncate(path, 0)


def flip_a_byte(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def other_bytes(path: Path, chance: random.Random) -> None:
    path.write_bytes(chance.randbytes(path.stat().st_size))


def append(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes() + chance.randbytes(chance.randrange(1, 100)))


def remove(path: Path, _: random.Random) -> None:
    path.unlink()


def link(path: Path, _: random.Random) -> None:
    """To a file with the same bytes, which somebody else may change."""
    elsewhere = path.with_name(f"moved-{path.name}")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def dangling_link(path: Path, _: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def directory(path: Path, _: random.Random) -> None:
    path.unlink()
    path.mkdir()


def exchange(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


DAMAGES: dict[Damage, FileProblem] = {
    truncate: FileProblem.SIZE, empty: FileProblem.SIZE, flip_a_byte: FileProblem.CONTENT,
    other_bytes: FileProblem.CONTENT, append: FileProblem.SIZE, remove: FileProblem.MISSING, link: FileProblem.SYMLINK,
    dangling_link: FileProblem.SYMLINK, directory: FileProblem.NOT_A_FILE,
}  # fmt: skip
"""Each with the problem that must be found."""


def damage(paths: Sequence[Path], count: int, chance: random.Random) -> set[Path]:
    """Damage this many files, each in one way (an exchange counts as two); returns the damaged ones."""
    chosen = chance.sample(list(paths), count)
    damaged = set(chosen)
    ways: list[Damage | None] = [*DAMAGES, None]
    while chosen:
        path, way = chosen.pop(), chance.choice(ways)
        if way is None and chosen:
            exchange(path, chosen.pop())
        else:
            (way or remove)(path, chance)
    return damaged


def main() -> int:
    """Damage as many files as the command line asks for, in rounds; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--damages", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began, files, rounds = time.monotonic(), 4 * given.rows, 0
    with tempfile.TemporaryDirectory() as folder, Emulator(token="mhk_damage", speed=50, seed=0) as emulator:
        story = Story(LocalBatch(emulator, Path(folder)), rows=given.rows, seed=given.seed)
        while story.damaged < given.damages:
            rounds += 1
            story.round(min(given.damages - story.damaged, files * 3 // 4))
            print(f"round {rounds}: {story.damaged} of {given.damages} files damaged so far", flush=True)
    took = f"{time.monotonic() - began:.0f} s"
    print(
        f"{story.damaged} files damaged in {rounds} rounds, all found and made good; 0 new jobs, 0 files lost; {took}"
    )
    return 0


class Story:
    """A saved batch that is damaged and repaired, round after round.

    Args:
        local: where it is.
        rows: number of rows, with four outputs each.
        seed: decides what is damaged, and how.
    """

    def __init__(self, local: LocalBatch, *, rows: int, seed: int) -> None:
        self.local = local
        self.rows = [image_row(f"fox-{number}", image_count=4) for number in range(rows)]
        self.chance = random.Random(seed)
        self.damaged = 0
        local.run(self.rows)
        self.contents = {key: [path.read_bytes() for path in paths] for key, paths in self.saved().items()}
        self.charged = local.charged

    def saved(self) -> dict[str, list[Path]]:
        return {row.key: row.paths for row in self.local.batch().results() if row.status is RowStatus.SAVED}

    def round(self, count: int) -> None:
        """Damage this many files: exactly those are found, and the next run repairs them at no cost."""
        saved = self.saved()
        assert len(saved) == len(self.rows)
        paths = [path for paths in saved.values() for path in paths]
        damaged = damage(paths, count, self.chance)
        others = {path: content(path) for path in self.local.output.iterdir() if path.name[0] != "."}
        found = self.local.batch().verify()
        assert {each.path for each in found.damaged} == damaged
        assert (found.rows, found.files) == (len(self.rows), len(paths))
        ended = self.local.run(self.rows)
        assert set(ended) == {each.key for each in found.damaged}
        assert self.local.batch().verify().intact
        assert {key: [path.read_bytes() for path in paths] for key, paths in self.saved().items()} == self.contents
        assert self.local.charged == self.charged
        lost = [
            path for path, before in others.items() if content(path) != before and not is_rest(before, content(path))
        ]
        assert not lost, lost  # nothing was overwritten
        self.damaged += len(damaged)


def content(path: Path) -> bytes | str:
    """What has this name."""
    if path.is_symlink():
        return f"link to {os.readlink(path)}"
    return "directory" if path.is_dir() else path.read_bytes()


def is_rest(before: bytes | str, after: bytes | str) -> bool:
    """Whether a truncated or emptied file has been completed."""
    return isinstance(before, bytes) and isinstance(after, bytes) and after.startswith(before)


if __name__ == "__main__":
    sys.exit(main())
