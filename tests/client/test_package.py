"""The packages as packages: what can be imported, and that the client stands alone."""

import importlib
import importlib.resources

import pytest

from client.harness import KEY, polite, server
from programs import python

PACKAGES = ["magic_hour_client", "magic_hour_client.models", "magic_hour_workflows"]
MODULES = [
    "magic_hour_client.errors",
    "magic_hour_client.params",
    "magic_hour_client.types",
    "magic_hour_workflows.errors",
    "magic_hour_workflows.events",
    "magic_hour_workflows._backend",
]


ALONE = """
import asyncio, sys
for name in ("magic_hour_workflows", "magic_hour_emulator"):
    sys.modules[name] = None  # importing it fails
from magic_hour_client import AsyncClient, Client
with Client(sys.argv[2], base_url=sys.argv[1]) as client:
    print(client.v1.ai_image_generator.create(image_count=1, style={"prompt": "A red fox"}).id)
    print(client.v1.image_projects.get("cuid-1").status)
async def main():
    async with AsyncClient(sys.argv[2], base_url=sys.argv[1]) as client:
        print((await client.v1.video_projects.get("cuid-1")).status)
asyncio.run(main())
"""


@pytest.mark.slow
def test_the_client_works_without_the_other_packages() -> None:
    with server(polite) as running:
        done = python("-W", "error", "-c", ALONE, running.url, KEY)
    assert (done.stdout.split(), done.stderr) == (["cuid-1", "complete", "complete"], "")


@pytest.mark.parametrize("name", [*PACKAGES, *MODULES])
def test_every_public_name_can_be_imported(name: str) -> None:
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        assert getattr(module, public) is not None
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("name", PACKAGES)
def test_a_lazy_package_knows_exactly_its_public_names(name: str) -> None:
    package = importlib.import_module(name)
    if name != "magic_hour_workflows":  # whose list is made of those of its modules
        listed = {public for public in package.__all__ if not public.startswith("_")}
        assert set(package._EXPORTS) <= listed
        assert listed - set(package._EXPORTS) <= set(getattr(package, "_MODULES", ()))
    with pytest.raises(AttributeError, match="no_such_name"):
        package.no_such_name  # noqa: B018


@pytest.mark.parametrize("package", ["magic_hour_client", "magic_hour_workflows"])
def test_the_types_are_for_everybody(package: str) -> None:
    assert (importlib.resources.files(package) / "py.typed").is_file()
