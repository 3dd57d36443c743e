"""The test's end of `program.py`: a process that stays, because importing the vendor's SDK takes longer than using it.

Rule: a call that is not answered in time ends the process, and the test says so.
"""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("program.py")
_ANSWER_SECONDS = 60
_END_SECONDS = 10

Json = dict[str, Any]

FOX = {"image_count": 1, "style": {"prompt": "A red fox"}}
# The emulator's own examples: nothing has to be uploaded first.
EXAMPLE = {"image_file_path": "api-assets/id/1234.png"}
TALK = {
    "assets": {**EXAMPLE, "audio_file_path": "api-assets/id/1234.mp3"},
    "start_seconds": 0.0,
    "end_seconds": 1.0,
}


class Session:
    """A running program, `sync` or `async`."""

    def __init__(self, python: Path, mode: str, folder: Path) -> None:
        self._complaints = folder / "stderr.txt"
        with self._complaints.open("w") as stderr:
            self._process = subprocess.Popen(
                [str(python), "-I", str(PROGRAM), mode],  # -I: nothing of this project is on its path
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=folder,
                env={"MAGIC_HOUR_POLL_INTERVAL": "0.02"},  # and nothing else: no key, no proxy of this machine
                text=True,
            )

    def run(self, client: Json, calls: list[Json]) -> list[Json]:
        """Make these calls with one client; each outcome has a `result` or an `error`."""
        assert self._process.stdin
        assert self._process.stdout
        alarm = threading.Timer(_ANSWER_SECONDS, self._process.kill)
        alarm.start()
        try:
            self._process.stdin.write(json.dumps({"client": client, "calls": calls}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            alarm.cancel()
        if not line:
            pytest.fail(f"the vendor's SDK gave no answer:\n{self._complaints.read_text()[-2000:]}", pytrace=False)
        outcomes: list[Json] = json.loads(line)
        return outcomes

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._process.communicate(timeout=_END_SECONDS)  # ends its input, and so the program
        finally:
            self._process.kill()
            self._process.wait()


class Vendor:
    """The vendor's SDK, connected to an emulator."""

    def __init__(self, session: Session, url: str, key: str | None) -> None:
        self._session = session
        self._client = {"token": key, "base_url": url}

    def with_key(self, key: str | None) -> Vendor:
        """The same with another key, or with none."""
        return Vendor(self._session, self._client["base_url"] or "", key)

    def result(self, method: str, **arguments: Any) -> Any:
        """What `client.v1.<method>` returns; it must not raise."""
        return self.results([(method, arguments)])[0]

    def results(self, calls: list[tuple[str, Json]]) -> list[Any]:
        """What several calls return; with the async client they run at the same time."""
        outcomes = self._session.run(self._client, [{"method": name, "arguments": given} for name, given in calls])
        assert [outcome["error"] for outcome in outcomes if "error" in outcome] == []
        return [outcome["result"] for outcome in outcomes]

    def error(self, method: str, **arguments: Any) -> Json:
        """What `client.v1.<method>` raises: its type, and the status and the body it carries."""
        (outcome,) = self._session.run(self._client, [{"method": method, "arguments": arguments}])
        assert "error" in outcome, outcome
        error: Json = outcome["error"]
        return error
