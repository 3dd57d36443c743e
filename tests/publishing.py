"""The distributions of this checkout, built as `make dist` does, and empty environments to install them in."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

import magic_hour_workflows

ROOT = Path(__file__).resolve().parents[1]
NAME = "magic-hour-workflows"
EMULATOR = "magic-hour-emulator"
VERSION = magic_hour_workflows.__version__
STEM = f"magic_hour_workflows-{VERSION}"
PACKAGES = {
    "magic_hour_client": "generated",
    "magic_hour_resources": "generated",
    "magic_hour_workflows": "workflows",
}
"""The packages of the clients' distribution, and the folder that each is in."""
LITTER = [
    ".env",
    ".coverage",
    ".venv-3.99/bin/python",
    "notes.txt",
    "outputs/portrait.png",
    "dist/old.whl",
    "emulator/dist/old.whl",
    "tests/.pytest_cache/README.md",
    "tests/.coverage.machine.123",
    "tests/__pycache__/conftest.cpython-311.pyc",
    "workflows/magic_hour_workflows/__pycache__/client.cpython-311.pyc",
    "emulator/magic_hour_emulator/__pycache__/client.cpython-311.pyc",
]
"""What lies about in a checkout that somebody works in."""


def run(*command: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program with the versions of constraints.txt, builds included, and without an outer make's say."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS", "PYTHONPATH"))}
    pinned = (ROOT / "constraints.txt").as_uri()  # a URI, because pip splits a list of paths at spaces
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, "PIP_CONSTRAINT": pinned, "PIP_BUILD_CONSTRAINT": pinned, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,  # builds and downloads, which a busy machine and a slow network make long
    )


class Archives:
    """The sdist and the wheel of one distribution, in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.stem = f"{name.replace('-', '_')}-{VERSION}"
        self.sdist = folder / f"{self.stem}.tar.gz"
        self.wheel = folder / f"{self.stem}-py3-none-any.whl"

    @cached_property
    def sdist_names(self) -> set[str]:
        with tarfile.open(self.sdist) as archive:
            return {member.name.removeprefix(f"{self.stem}/") for member in archive if member.isfile()}

    @cached_property
    def wheel_names(self) -> set[str]:
        return set(zipfile.ZipFile(self.wheel).namelist())

    @cached_property
    def metadata(self) -> Any:
        return importlib.metadata.PathDistribution(zipfile.Path(self.wheel) / f"{self.stem}.dist-info").metadata


class Published(Archives):
    """An sdist of this checkout, and what `make dist` gives where that sdist was unpacked and worked with."""

    def __init__(self, folder: Path) -> None:
        built = run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
        assert built.returncode == 0, built.stdout + built.stderr
        self.first_sdist = folder / f"{STEM}.tar.gz"
        with tarfile.open(self.first_sdist) as archive:
            archive.extractall(folder, filter="data")
        project = folder / STEM
        for name in LITTER:
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text("mhk_live_lies_about", encoding="utf-8")
        # -o: the environment is the one these tests run in, and is not made anew.
        self.made = run("make", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.stamp", "dist", cwd=project)
        assert self.made.returncode == 0, self.made.stdout + self.made.stderr
        super().__init__(project / "dist", NAME)
        self.emulator = Archives(project / "dist", EMULATOR)
        both = [self.emulator.wheel, self.emulator.sdist, self.wheel, self.sdist]
        assert sorted((project / "dist").iterdir()) == both


class Environment:
    """An empty environment: not even pip is in it, the one of this environment works on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False, symlinks=True)
        place = {"base": str(folder), "platbase": str(folder)}
        self.programs = Path(sysconfig.get_path("scripts", "venv", vars=place))
        self.packages = Path(sysconfig.get_path("purelib", "venv", vars=place))
        self.python = self.programs / "python"

    def install(self, *requirements: str, **variables: str) -> None:
        pip = [sys.executable, "-m", "pip", "--python", self.python]
        done = run(*pip, "install", "--quiet", "--no-compile", *requirements, cwd=self.folder, **variables)
        assert done.returncode == 0, done.stderr

    def run(self, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return run(self.programs / program, *arguments, cwd=self.folder, **variables)

    @property
    def distributions(self) -> dict[str, importlib.metadata.Distribution]:
        found = importlib.metadata.distributions(path=[str(self.packages)])
        return {canonicalize_name(distribution.name): distribution for distribution in found}
