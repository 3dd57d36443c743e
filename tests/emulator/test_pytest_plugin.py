"""The pytest plugin: what it gives to a test, and what fails one. Each test runs pytest again, as a user would.

Rule: one run of pytest has many small tests, because a run costs more than a test.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from programs import python
from publishing import ROOT

pytest_plugins = ["pytester"]

PLAIN = ("-p", "no:cacheprovider", "-p", "no:schemathesis")  # the second takes half a second to load
PAGE = ROOT / "docs" / "testing.md"
EXAMPLE = ROOT / "examples" / "tests_with_emulator"
HEAD = """
import os, socket, sys, threading, urllib.request
import httpx, pytest
from magic_hour_emulator import samples
from magic_hour_emulator.faults import Fault

def create(service, name=None, prompt="A red fox"):
    body = {"image_count": 1, "style": {"prompt": prompt}} | ({} if name is None else {"name": name})
    headers = {"Authorization": f"Bearer {os.environ['MAGIC_HOUR_API_KEY']}"}
    try:
        httpx.post(f"{os.environ['MAGIC_HOUR_BASE_URL']}/v1/ai-image-generator", json=body, headers=headers)
    except httpx.TransportError:
        pass
"""
LOST = '@pytest.mark.magic_hour(faults=[Fault("close", on="create", phase="after")])'


def outcomes(pytester: pytest.Pytester, tests: str, *arguments: str) -> dict[str, str]:
    """What became of each test."""
    pytester.makepyfile(test_it=HEAD + tests)
    done = pytester.runpytest("-v", *PLAIN, *arguments)
    text = "\n".join(done.outlines)
    return dict(re.findall(r"^test_it\.py::test_(\w+) (PASSED|FAILED|ERROR)", text, re.MULTILINE)) | {"": text}


def test_what_a_test_gets(pytester: pytest.Pytester) -> None:
    tests = """
def test_first(magic_hour):
    create(magic_hour)
    assert magic_hour.ledger.charged == 5

@pytest.fixture
def proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

def test_proxy(proxy, magic_hour):
    create(magic_hour)
    assert magic_hour.ledger.charged == 5

def test_empty_again(magic_hour):
    assert magic_hour.ledger.charged == 0 and not list(magic_hour.requests)

@pytest.mark.magic_hour(credits=4, frozen=True)
class TestMarked:
    def test_marked(self, magic_hour):
        assert (magic_hour.ledger.balance, magic_hour.clock.frozen) == (4, True)
        create(magic_hour)
        assert magic_hour.requests[-1].status == 402

    @pytest.mark.magic_hour(credits=3)
    def test_nearest(self, magic_hour):
        assert (magic_hour.ledger.balance, magic_hour.clock.frozen) == (3, True)

@pytest.mark.magic_hour(seed=5)
def test_seed(magic_hour):
    create(magic_hour)
    from magic_hour_emulator._jobs import Ids
    assert magic_hour.ledger.creates[0].id == Ids(5).next()

def test_client(magic_hour, magic_hour_client):
    style = {"prompt": "A red fox"}
    job = magic_hour_client.v1.ai_image_generator.generate(image_count=1, style=style, download_outputs=False)
    assert magic_hour.ledger.creates[0].id == job.id

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_async_client(magic_hour, magic_hour_async_client, anyio_backend):
    async with magic_hour_async_client as client:
        assert (await client.v1.account.get()).credits

def test_without(monkeypatch):
    assert "MAGIC_HOUR_BASE_URL" not in os.environ
    assert socket.getaddrinfo.__name__ == "getaddrinfo" and socket.socket.connect is not None
"""
    found = outcomes(pytester, tests)
    assert "10 passed" in found[""], found[""]


def test_what_fails_a_test(pytester: pytest.Pytester) -> None:
    tests = f"""
@pytest.mark.magic_hour(faults=[Fault("close", on="create")])
def test_never_fired(magic_hour):
    pass

@pytest.mark.magic_hour(faults=[Fault("close", on="create")])
def test_cleared(magic_hour):
    magic_hour.faults.clear()

{LOST}
def test_lost_then_again(magic_hour):
    create(magic_hour, "first")
    create(magic_hour, "another name")

{LOST}
def test_lost_then_another(magic_hour):
    create(magic_hour)
    create(magic_hour, prompt="Another picture")

{LOST}
def test_lost_then_again_with_a_file(magic_hour, magic_hour_client):
    assets = {{"image_file_path": samples.portrait()}}
    for _ in range(2):
        try:
            magic_hour_client.v1.ai_headshot_generator.generate(assets=assets, download_outputs=False)
        except Exception:
            pass

def test_same_name(magic_hour):
    create(magic_hour, "fox")
    create(magic_hour, "fox")

@pytest.mark.magic_hour(repeats=True)
def test_same_name_is_meant(magic_hour):
    create(magic_hour, "fox")
    create(magic_hour, "fox")

def test_two_without_a_name(magic_hour):
    create(magic_hour)
    create(magic_hour)

def test_other_host(magic_hour):
    try:
        httpx.get("https://api.magichour.ai/v1/account")
    except Exception:
        pass

def test_other_address_in_a_thread(magic_hour):
    def connect():
        try:
            with socket.socket() as plain:
                plain.connect(("192.0.2.1", 443))
        except BaseException as error:
            print("REFUSED BY", type(error).__name__)
    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()

@pytest.mark.magic_hour(hosts=["no-such-host.invalid"])
def test_allowed_host(magic_hour):
    with pytest.raises(OSError):
        socket.create_connection(("no-such-host.invalid", 443), timeout=1)

@pytest.mark.magic_hour(credit=4)
def test_misspelt(magic_hour):
    pass

def test_own_failure(magic_hour):
    create(magic_hour, "fox")
    create(magic_hour, "fox")
    assert False, "its own"

def test_no_sdk(magic_hour, monkeypatch, request):
    monkeypatch.setitem(sys.modules, "magic_hour_workflows", None)
    request.getfixturevalue("magic_hour_client")
"""
    found = outcomes(pytester, tests)
    text = found.pop("")
    assert {name for name, outcome in found.items() if outcome == "PASSED"} == {
        "cleared", "lost_then_another", "same_name_is_meant", "two_without_a_name", "allowed_host",
    }, text  # fmt: skip
    assert len(found) == 14
    for line in (
        "a fault never fired: close on create",
        "double charge: ai-image-generator was paid for twice (5 credits for",
        "double charge: ai-headshot-generator was paid for twice (50 credits for",
        "the answer to the first was hit by the fault close",
        "both are called 'fox'",
        "connection to another host: 'api.magichour.ai'",
        "connection to another host: '192.0.2.1'",
        "REFUSED BY Failed",
        "the marker magic_hour takes credits, frozen, seed, faults, hosts, repeats; got credit",
        "this fixture needs the SDK: pip install magic-hour-workflows",
        " Captured magic_hour requests call ",
        "POST /v1/ai-image-generator -> 200 (fault: close)",
        "2 paid jobs, 10 credits charged, 0 refunded",
    ):
        assert line in text, f"{line}\n{text}"
    own = text.partition("_ test_own_failure _")[2].partition("_ test_no_sdk _")[0]
    assert "its own" in own
    assert "double charge" not in own, "a failure of the test itself is not hidden"
    assert "mhk_local" not in text


@pytest.mark.parametrize("workers", ["2", pytest.param("4", marks=pytest.mark.long)])
def test_each_worker_has_its_own_server(workers: str, pytester: pytest.Pytester) -> None:
    tests = """
@pytest.mark.parametrize("number", range(8))
def test_it(magic_hour, number, worker_id):
    create(magic_hour)
    assert magic_hour.ledger.charged == 5
    print("AT", worker_id, magic_hour.url)
"""
    text = outcomes(pytester, tests, "-n", workers, "-rP")[""]
    places = set(re.findall(r"^AT (gw\d) (\S+)$", text, re.MULTILINE))
    assert "8 passed" in text
    assert len(places) == len({worker for worker, _ in places}) == len({url for _, url in places}) > 1


def test_hosts_of_the_ini_file(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmagic_hour_hosts = no-such-host.invalid\n")
    tests = """
def test_it(magic_hour):
    with pytest.raises(OSError):
        socket.getaddrinfo("no-such-host.invalid", 443)
"""
    assert outcomes(pytester, tests)["it"] == "PASSED"


def test_the_guide_from_nothing_to_a_red_and_a_green_test(pytester: pytest.Pytester) -> None:
    page = PAGE.read_text(encoding="utf-8")
    program, green, red = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    [report] = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    pytester.makepyfile(posters=program, test_green=green, test_red=red)
    pytester.syspathinsert()
    done = pytester.runpytest(*PLAIN)
    done.assert_outcomes(passed=1, failed=1)
    for line in report.splitlines():
        assert line in "\n".join(done.outlines)


def test_the_example_project(pytester: pytest.Pytester) -> None:
    for path in EXAMPLE.glob("*.py"):
        shutil.copy(path, pytester.path / path.name)
    pytester.syspathinsert()
    pytester.runpytest(*PLAIN).assert_outcomes(passed=3)


def test_it_costs_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    """pytest imports it in every project that has the emulator."""
    code = """
import sys, pytest
before = set(sys.modules)
import magic_hour_emulator.pytest_plugin
print(*sorted(set(sys.modules) - before))
"""
    done = python("-c", code, cwd=tmp_path)
    assert done.stderr == ""
    assert set(done.stdout.split()) <= {
        "magic_hour_emulator", "magic_hour_emulator._version", "magic_hour_emulator.pytest_plugin",
    }  # fmt: skip
