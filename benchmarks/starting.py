"""What it costs to start: imports, modules, memory, the first client, the first answer, the command line.

Rule: every figure comes from fresh processes, and a bare interpreter runs in every round.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .race import Effort, Figures, Server, alternate, column, serving
from .table import OURS, RAW, VENDOR, Samples

BARE = "bare"
_KEY = "mhk_benchmark"
_IMPORT = {
    BARE: "",
    OURS: "import magic_hour_workflows",
    RAW: "import httpx",
    VENDOR: "import magic_hour",
}
_IMPORT_CLIENT = {**_IMPORT, OURS: "from magic_hour_workflows import Client", RAW: "from httpx import Client"}
_IMPORT_CLIENT[VENDOR] = "from magic_hour import Client"
_CLIENT = {
    BARE: "",
    OURS: f"{_IMPORT_CLIENT[OURS]}\nClient({_KEY!r})",
    RAW: f"{_IMPORT_CLIENT[RAW]}\nClient()",
    VENDOR: f"{_IMPORT_CLIENT[VENDOR]}\nClient(token={_KEY!r})",
}
_INSIDE = """
import json, sys
from benchmarks.contestants.course import peak_mib
before, peak = len(sys.modules), peak_mib()
{program}
print(json.dumps({{"modules": len(sys.modules) - before, "memory": peak_mib() - peak}}))
"""
_ANSWER = {
    OURS: f"from magic_hour_workflows import Client\nClient({_KEY!r}, base_url=url).v1.image_projects.get('some')",
    RAW: "import httpx\n"
    f"httpx.Client().get(url + '/v1/image-projects/some', headers={{'authorization': 'Bearer {_KEY}'}}).json()",
    VENDOR: f"from magic_hour import Client\nClient(token={_KEY!r}, base_url=url).v1.image_projects.get(id='some')",
}
_TIMED = """
import time
url = {url!r}
began = time.perf_counter()
{program}
print(time.perf_counter() - began)
"""


def measure(wanted: set[str], effort: Effort) -> dict[str, Samples]:
    """The figures of the wanted rows of this group."""
    times = effort.times(15, 3)
    found: dict[str, Samples] = {}
    for name, programs in (("import", _IMPORT), ("import-client", _IMPORT_CLIENT), ("client", _CLIENT)):
        if f"start/{name}" in wanted:
            found[f"start/{name}"] = _over_bare(programs, times)
    if wanted & {"start/modules", "start/memory", "start/modules-client"}:
        found["start/modules"] = column(_inside(_IMPORT, 1), "modules")
        inside = _inside(_IMPORT_CLIENT, effort.times(5))
        found["start/modules-client"] = column(inside, "modules")
        found["start/memory"] = column(inside, "memory")
    if "start/first-answer" in wanted:
        with serving() as server:
            found["start/first-answer"] = _first_answer(server, times)
    for option in ("help", "version"):
        if f"start/{option}" in wanted:
            found[f"start/{option}"] = _command_line(f"--{option}", times)
    return found


def _python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def _seconds(command: Sequence[str]) -> Figures:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {"seconds": time.perf_counter() - began}


def _over_bare(programs: Mapping[str, str], times: int) -> Samples:
    for program in programs.values():
        _seconds(_python(program))  # writes the bytecode
    taken = alternate([*programs], times, lambda who: _seconds(_python(programs[who])))
    seconds = column(taken, "seconds", 1000)
    bare = seconds.pop(BARE)
    return {who: [own - none for own, none in zip(several, bare, strict=True)] for who, several in seconds.items()}


def _inside(programs: Mapping[str, str], times: int) -> dict[str, list[Figures]]:
    def one(who: str) -> Figures:
        command = _python(_INSIDE.format(program=programs[who]))
        figures: Figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        return figures

    return alternate([who for who in programs if who != BARE], times, one)


def _first_answer(server: Server, times: int) -> Samples:
    def one(who: str) -> Figures:
        command = _python(_TIMED.format(url=server.url, program=_ANSWER[who]))
        return {"seconds": float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)}

    for who in _ANSWER:
        one(who)  # writes the bytecode
    return column(alternate([*_ANSWER], times, one), "seconds", 1000)


def _command_line(option: str, times: int) -> Samples:
    commands = {
        OURS: [str(Path(sys.executable).with_name("magic-hour")), option],
        RAW: _python("import httpx, attrs"),
    }
    return column(alternate([*commands], times, lambda who: _seconds(commands[who])), "seconds", 1000)
