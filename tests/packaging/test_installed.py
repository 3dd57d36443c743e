"""What pip makes of the wheels and of the sdists in empty environments."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from magic_hour_emulator import Emulator
from publishing import EMULATOR, NAME, PACKAGES, STEM, VERSION, Environment, Published

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["wheel", pytest.param("sdist", marks=pytest.mark.long)])
def installed(
    request: pytest.FixtureRequest, published: Published, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    clients, emulator = getattr(published, request.param), getattr(published.emulator, request.param)
    return Installed(tmp_path_factory.mktemp("environments"), clients, emulator)


class Installed:
    """Environments with the clients alone, with the emulator alone and with both; each is made when it is needed."""

    def __init__(self, folder: Path, clients: Path, emulator: Path) -> None:
        self._folder = folder
        self._clients = clients
        self._emulator = emulator

    @cached_property
    def bare(self) -> Environment:
        environment = Environment(self._folder / "bare")
        environment.install(f"{NAME} @ {self._clients.as_uri()}")
        return environment

    @cached_property
    def _with_emulator(self) -> Environment:
        environment = Environment(self._folder / "emulator")
        environment.install(f"{EMULATOR} @ {self._emulator.as_uri()}")
        return environment

    @property
    def emulator_alone(self) -> Environment:
        assert NAME not in self._with_emulator.distributions, "tests of the emulator alone come before those of both"
        return self._with_emulator

    @cached_property
    def with_extras(self) -> Environment:
        self._with_emulator.install(f"{NAME}[cli,emulator] @ {self._clients.as_uri()}")
        return self._with_emulator


def closure(names: Iterable[str], distributions: dict[str, importlib.metadata.Distribution]) -> set[str]:
    """The distributions and all that they need, without extras, as their metadata says."""
    needed: set[str] = set()
    waiting = [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        for text in distributions[name].requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(requirement.name))
    return needed


def test_four_libraries_are_all_it_takes(installed: Installed) -> None:
    distributions = installed.bare.distributions
    assert set(distributions) == closure(["httpx", "attrs", "anyio", "filetype", "sniffio"], distributions) | {NAME}


def test_nothing_is_called_what_a_user_may_call_something(installed: Installed) -> None:
    environment = installed.bare
    owned = {path.parts[0] for path in environment.distributions[NAME].files or () if ".." not in path.parts}
    assert owned == {*PACKAGES, f"{STEM}.dist-info"}
    code = (
        "import importlib.util as u; names = 'generated', 'workflows', 'emulator', 'tests', 'scripts', 'examples'\n"
        "print([name for name in names if u.find_spec(name)])"
    )
    assert environment.run("python", "-I", "-c", code).stdout == "[]\n"


def test_both_clients_can_be_made(installed: Installed) -> None:
    code = """
import magic_hour_client, magic_hour_workflows
for package in magic_hour_client, magic_hour_workflows:
    with package.Client(token="mhk_made_up", base_url="http://127.0.0.1:1") as client:
        print(client.v1.ai_image_generator.create.__name__, package.__file__)
print(magic_hour_workflows.__version__)
"""
    environment = installed.bare
    done = environment.run("python", "-I", "-W", "error", "-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    low, high, version = done.stdout.splitlines()
    assert low == f"create {environment.packages / 'magic_hour_client/__init__.py'}"
    assert high == f"create {environment.packages / 'magic_hour_workflows/__init__.py'}"
    assert version == VERSION


def test_without_the_extra_the_command_says_what_to_install(installed: Installed) -> None:
    for arguments in ([], ["--version"], ["image", "generate", "--prompt", "A red fox"]):
        done = installed.bare.run("magic-hour", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(r"[^\n]*pip install 'magic-hour-workflows\[cli\]'[^\n]*\n", done.stderr)


def test_the_emulator_works_without_the_clients(installed: Installed) -> None:
    """Another language would do the same over HTTP."""
    environment = installed.emulator_alone
    owned = {path.parts[0] for path in environment.distributions[EMULATOR].files or () if ".." not in path.parts}
    assert owned == {"magic_hour_emulator", f"magic_hour_emulator-{VERSION}.dist-info"}
    code = """
import json, urllib.request
from magic_hour_emulator import Emulator, samples
with Emulator(speed=50) as service:
    body = json.dumps({"image_count": 1, "style": {"prompt": "A red fox"}}).encode()
    headers = {"Authorization": f"Bearer {service.token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{service.url}/v1/ai-image-generator", body, headers)
    with urllib.request.urlopen(request) as answer:
        print(answer.status, service.ledger.charged, samples.portrait().stat().st_size > 0)
"""
    done = environment.run("python", "-I", "-W", "error", "-c", code)
    assert (done.stdout, done.stderr) == ("200 5 True\n", "")
    done = environment.run("magic-hour-emulator", "--version")
    assert done.stdout == f"magic-hour-emulator {VERSION}\n"


def test_with_the_extra_the_command_works(installed: Installed) -> None:
    environment = installed.with_extras
    version = environment.run("magic-hour", "--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert VERSION in version.stdout.split()
    schema = environment.run("magic-hour", "schema")
    assert (schema.returncode, schema.stderr) == (0, "")
    assert json.loads(schema.stdout)


def test_the_emulator_brings_its_contract_and_samples(installed: Installed) -> None:
    code = """
from magic_hour_emulator import Emulator, samples
from magic_hour_workflows import Client
with Emulator(speed=50) as service, Client(token=service.token, base_url=service.url, poll_interval=0.05) as client:
    result = client.v1.ai_headshot_generator.generate(
        assets={"image_file_path": samples.portrait()}, download_directory="outputs"
    )
    print(result.downloaded_paths[0].read_bytes()[1:4])
"""
    done = installed.with_extras.run("python", "-I", "-W", "error", "-c", code)
    assert (done.stdout, done.stderr) == ("b'PNG'\n", "")


def test_the_oldest_versions_allowed_work(published: Published, emulator: Emulator, tmp_path: Path) -> None:
    """Newer ones are what every other test runs with."""
    requirements = map(Requirement, published.metadata.get_all("Requires-Dist"))
    needed = (need for need in requirements if need.marker is None or need.marker.evaluate({"extra": "cli"}))
    oldest = [f"{need.name}=={bound.version}" for need in needed for bound in need.specifier if bound.operator == ">="]
    assert len(oldest) == 7
    environment = Environment(tmp_path / "environment")
    environment.install(f"{NAME}[cli] @ {published.wheel.as_uri()}", *oldest, PIP_CONSTRAINT="")
    done = environment.run(
        "magic-hour", *("image", "generate", "--image-count", "1", "--prompt", "A red fox", "--output", "outputs/"),
        MAGIC_HOUR_API_KEY=emulator.token, MAGIC_HOUR_BASE_URL=emulator.url, MAGIC_HOUR_POLL_INTERVAL="0.05",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [path.suffix for path in (environment.folder / "outputs").iterdir()] == [".png"]
    wrong = environment.run("magic-hour", "image", "generate", "--no-such-option", MAGIC_HOUR_API_KEY=emulator.token)
    assert wrong.returncode == 2
    assert "--no-such-option" in wrong.stderr
