"""What is published: two sdists, the wheel made from each, and what their metadata says."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections import Counter

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import magic_hour_emulator
from magic_hour_client.endpoints import ENDPOINTS
from publishing import EMULATOR, LITTER, PACKAGES, ROOT, STEM, VERSION, Published, run

pytestmark = pytest.mark.slow


def test_an_index_would_take_them(published: Published) -> None:
    assert len(re.findall(r"^Checking .*PASSED", published.made.stdout, re.MULTILINE)) == 4


def test_what_lies_about_is_not_published(published: Published) -> None:
    assert published.sdist_names.isdisjoint(LITTER)
    assert published.emulator.sdist_names.isdisjoint(name.removeprefix("emulator/") for name in LITTER)


def test_the_same_content_gives_the_same_bytes(published: Published) -> None:
    assert published.sdist.read_bytes() == published.first_sdist.read_bytes()


def test_the_sdist_holds_what_git_does(published: Published) -> None:
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a clone")

    def listed(*options: str) -> set[str]:
        return set(run("git", "ls-files", "-z", *options, cwd=ROOT).stdout.split("\0")) - {""}

    tracked = {name for name in listed() if (ROOT / name).exists()}
    assert tracked
    assert tracked - published.sdist_names == set()
    assert published.sdist_names - tracked - listed("-o", "--exclude-standard") == {"PKG-INFO"}


def test_the_wheel_holds_the_three_packages_and_nothing_else(published: Published) -> None:
    expected: set[str] = set()
    for package, folder in PACKAGES.items():
        inside = f"{folder}/{package}/"
        names = {name.removeprefix(f"{folder}/") for name in published.sdist_names if name.startswith(inside)}
        assert f"{package}/py.typed" in names
        expected |= names
    about = {name for name in published.wheel_names if name.startswith(f"{STEM}.dist-info/")}
    assert published.wheel_names - about == expected
    assert {name.split("/")[0] for name in published.wheel_names} == {*PACKAGES, f"{STEM}.dist-info"}


def test_the_emulator_is_a_distribution_of_its_own(published: Published) -> None:
    archives = published.emulator
    tree = {name.removeprefix("emulator/") for name in published.sdist_names if name.startswith("emulator/")}
    assert archives.sdist_names - tree == {"PKG-INFO", ".gitignore"}
    assert tree <= archives.sdist_names
    about = {name for name in archives.wheel_names if name.startswith(f"{archives.stem}.dist-info/")}
    assert archives.wheel_names - about == {name for name in tree if name.startswith("magic_hour_emulator/")}
    assert {"magic_hour_emulator/py.typed", "magic_hour_emulator/spec/contract.json"} <= archives.wheel_names
    assert f"{archives.stem}.dist-info/licenses/LICENSE" in about
    entry_points = zipfile.ZipFile(archives.wheel).read(f"{archives.stem}.dist-info/entry_points.txt").decode()
    assert "[pytest11]\nmagic_hour = magic_hour_emulator.pytest_plugin" in entry_points
    assert (ROOT / "emulator/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_is_no_larger_than_it_needs_to_be(published: Published) -> None:
    """Operations that are alike are compressed together: those of one kind of projects share their files."""
    parts: Counter[str] = Counter()
    for entry in zipfile.ZipFile(published.wheel).infolist():
        generated = entry.filename.startswith(("magic_hour_client/", "magic_hour_resources/"))
        parts["generated" if generated and "/_runtime/" not in entry.filename else "other"] += entry.compress_size
    each = parts["generated"] // len(ENDPOINTS)
    assert each <= 3700, f"an operation takes {each} bytes of generated code"
    size = published.wheel.stat().st_size
    assert size <= 500_000, f"the wheel has {size} bytes: {parts['generated']} generated, {parts['other']} other"


def test_the_emulator_holds_the_samples_with_their_licences_and_the_contract(published: Published) -> None:
    wheel = zipfile.ZipFile(published.emulator.wheel)
    for name in ("portrait.jpg", "voice.mp3", "README.md"):
        packed = wheel.read(f"magic_hour_emulator/samples/{name}")
        assert packed == (ROOT / "emulator/magic_hour_emulator/samples" / name).read_bytes()
    contract = wheel.read("magic_hour_emulator/spec/contract.json")
    assert contract == (ROOT / "emulator/magic_hour_emulator/spec/contract.json").read_bytes()


def test_both_have_one_version(published: Published) -> None:
    """They read one contract, so the extra asks for exactly the emulator of its own version."""
    assert published.metadata["Version"] == VERSION == magic_hour_emulator.__version__
    assert published.emulator.metadata["Version"] == VERSION
    needs = [Requirement(need) for need in published.metadata.get_all("Requires-Dist")]
    assert {need.specifier for need in needs if need.name == EMULATOR} == {SpecifierSet(f"=={VERSION}")}


def test_pythons(published: Published) -> None:
    tested = re.search(
        r'^versions="([\d. ]+)"$', (ROOT / "scripts/test_all.sh").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert tested
    prefix = "Programming Language :: Python :: "
    classifiers = published.metadata.get_all("Classifier")
    promised = {name.removeprefix(prefix) for name in classifiers if re.fullmatch(rf"{prefix}3\.\d+", name)}
    assert promised == {
        name.removeprefix(prefix) for name in published.emulator.metadata.get_all("Classifier") if prefix + "3." in name
    }
    assert promised >= {"3.11", "3.12", "3.13"}
    assert promised <= set(tested[1].split()), "no version is promised that `make test-all` does not test"
    required = SpecifierSet(published.metadata["Requires-Python"])
    assert all(version in required for version in promised)
    assert "3.10" not in required
    assert "Typing :: Typed" in classifiers


def test_description_and_licence(published: Published) -> None:
    assert published.metadata["Description-Content-Type"] == "text/markdown"
    assert published.metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert published.emulator.metadata.get_payload() == (ROOT / "emulator/README.md").read_text(encoding="utf-8")
    assert len(published.metadata["Summary"]) < 200
    assert published.metadata["License-Expression"] == "MIT"
    assert f"{STEM}.dist-info/licenses/LICENSE" in published.wheel_names


def test_extras(published: Published) -> None:
    extras = set(published.metadata.get_all("Provides-Extra"))
    assert extras >= {"cli", "emulator", "generate", "all"}
    requirements = list(map(Requirement, published.metadata.get_all("Requires-Dist")))

    def needed(extra: str) -> set[str]:
        of_it = (need for need in requirements if need.marker and need.marker.evaluate({"extra": extra}))
        return {f"{need.name}{sorted(need.extras)}{need.specifier}" for need in of_it}

    assert needed("all") == set().union(*(needed(extra) for extra in extras - {"all"}))
    assert {need.name for need in requirements if need.marker is None} == {
        "httpx",
        "attrs",
        "anyio",
        "filetype",
        "sniffio",
    }
