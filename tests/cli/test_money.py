"""Paid jobs in broken surroundings: whatever happens to the terminal, the id or the doubt is reported, once."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from commands import Run
from magic_hour_emulator import Emulator
from magic_hour_workflows.cli import main
from programs import Program, python, ran
from servers import LIMIT_SECONDS, Server, says, serving, wait_until

PROGRAM = [sys.executable, "-m", "magic_hour_workflows"]
FOX = ("image", "generate", "--image-count", "1", "--prompt", "A red fox", "--name", "canary")
# A shell may have set SIGINT to be ignored for its background jobs, nohup SIGHUP, and children inherit that.
LISTENING = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "signal.signal(signal.SIGHUP, signal.SIG_DFL);"
    "from magic_hour_workflows.cli import main; sys.exit(main())"
)


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line for bash, with `mh` for the program and `fox` for a cheap job."""
    words = (
        f'mh() {{ {sys.executable} -m magic_hour_workflows "$@"; }}; fox() {{ mh {" ".join(map(repr, FOX))} "$@"; }};'
    )
    return ran("bash", "-c", f"{words} {script}", variables=environment, errors="surrogateescape")


class TestStreams:
    @pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "2> >(true)"])
    def test_results_come_without_stderr(self, folder: Path, emulator: Emulator, stderr: str) -> None:
        done = shell(f"fox --no-wait --format json {stderr}")
        [charge] = emulator.ledger.charges
        assert (done.returncode, json.loads(done.stdout)["id"]) == (0, charge.id)

    @pytest.mark.parametrize("stdout", ["full disk", "closed pipe"])
    def test_what_could_not_be_printed_is_told_on_stderr(self, folder: Path, emulator: Emulator, stdout: str) -> None:
        if stdout == "full disk":
            writing = os.open("/dev/full", os.O_WRONLY)
        else:
            reading, writing = os.pipe()
            os.close(reading)
        streams = {"capture_output": False, "stdout": writing, "stderr": subprocess.PIPE}
        done = ran(*PROGRAM, *FOX, "--output", "fox.png", **streams)
        os.close(writing)
        assert done.returncode == 1
        assert "it is: fox.png" in done.stderr
        assert "resume" not in done.stderr.splitlines()[-1], "it is here already"
        assert not re.search("Exception ignored|Traceback", done.stderr)
        assert (folder / "fox.png").exists()

    def test_without_stdout(self, folder: Path, emulator: Emulator) -> None:
        done = shell("fox --format json --output fox.png >&-")
        assert done.returncode == 0, done.stderr
        assert (folder / "fox.png").exists()

    @pytest.mark.parametrize("encoding", ["ascii", "utf-8:strict", "latin-1"])
    def test_names_that_are_no_ascii(self, folder: Path, emulator: Emulator, encoding: str) -> None:
        names = ("füchse", os.fsdecode(b"d\xff"))
        commands = [[*FOX, "--output", name, *more] for name in names for more in (["--format", "json"], [])]
        program = f"from magic_hour_workflows.cli import main; import sys; sys.exit(max(map(main, {commands!a})))"
        done = python("-c", program, variables={"PYTHONIOENCODING": encoding}, text=False)
        assert done.returncode == 0, done.stderr
        for name, line in zip(names, done.stdout.splitlines()[::2], strict=True):
            [path] = json.loads(line)["downloaded_paths"]
            assert Path(path).parent.name == name
            assert Path(path).exists()

    def test_paths_that_are_no_text_come_out_as_they_are(self, folder: Path, emulator: Emulator) -> None:
        done = shell("fox --output $'d\\xff' | xargs -d '\\n' test -f", LC_ALL="C.UTF-8")
        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize(
        "arguments",
        [
            ("image", "edit", "--image", "https://a.example/x.png?signature=deadbeef", "--prompt", "x", "--dry-run"),
            ("image", "get", "https://a.example/x?signature=deadbeef"),
            ("image", "generate", "--image-count", "https://a.example/x?signature=deadbeef", "--prompt", "x"),
            (*FOX, "--output", "s3://bucket/x.png?signature=deadbeef"),
            ("files", "upload", "https://a.example/x.png?signature=deadbeef", "--debug"),
        ],
    )
    @pytest.mark.parametrize("format", ["text", "json"])
    def test_signatures_that_were_typed_are_not_repeated(
        self, run: Run, arguments: tuple[str, ...], format: str
    ) -> None:
        done = run(*arguments, "--format", format)
        assert done.out + done.err
        assert "deadbeef" not in done.out + done.err


def resetting(connection: socket.socket, head: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\noops!"
NO_JSON = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\noops!"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"


class TestUnknown:
    """Exit code 4: it is unknown whether the job was accepted."""

    @pytest.mark.parametrize(
        "behave",
        [resetting, says(BAD_GATEWAY), says(NO_JSON), says(CUT)],
        ids=["reset", "502", "text", "cut"],
    )
    @pytest.mark.parametrize("format", ["text", "json"])
    def test_once_and_told(self, run: Run, monkeypatch: pytest.MonkeyPatch, behave: Any, format: str) -> None:
        with serving(behave) as server:
            monkeypatch.setenv("MAGIC_HOUR_BASE_URL", server.url)
            done = run(*FOX, "--format", format)
        assert done.code == 4
        assert len(server.heads) == 1, "sent once"
        self.check(done.out, done.err, format)

    @pytest.mark.parametrize(
        "numbers",
        [
            (signal.SIGINT,),
            (signal.SIGTERM,),
            (signal.SIGHUP,),
            (signal.SIGINT, signal.SIGINT),
            (signal.SIGINT, signal.SIGTERM, signal.SIGINT),
        ],
        ids=lambda numbers: "+".join(number.name for number in numbers),
    )
    def test_cut_off_while_submitting(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, numbers: tuple[signal.Signals, ...]
    ) -> None:
        """A second Ctrl-C does not turn the doubt into an interruption."""
        with serving(waiting) as server:
            monkeypatch.setenv("MAGIC_HOUR_BASE_URL", server.url)
            process = started(folder, *FOX, "--format", "json")
            until_asked(server, process)
            for number in numbers:
                process.send_signal(number)
            code, out, err = ended(process, folder)
        assert code == 4, err
        self.check(out, err, "json")

    def check(self, out: str, err: str, format: str) -> None:
        [line] = err.splitlines()
        assert line.startswith("magic-hour: ")
        assert "'canary'" in line, "the name to look for"
        assert "not sent again" in line
        assert ".." not in line.replace("...", "")
        if format == "json":
            error = json.loads(out)["error"]
            assert (error["type"], error["exit_code"], error["name"]) == ("SubmissionUnknown", 4, "canary")
            assert error["submitted_at"]
        else:
            assert out == ""


def waiting(connection: socket.socket, head: bytes) -> None:
    """Takes the request and never answers."""
    connection.settimeout(LIMIT_SECONDS)
    while connection.recv(65536):
        pass


def command_line(folder: Path, arguments: list[str]) -> int:
    """The command in a folder, as a shell starts it in the foreground."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.chdir(folder)
    return main(arguments)


def started(folder: Path, *arguments: str) -> Program:
    files = {"out": folder / "stdout", "err": folder / "stderr"}
    return Program(command_line, folder, [*arguments], environment={}, **files)


def ended(process: Program, folder: Path) -> tuple[int, str, str]:
    """Its exit code, and what it printed to both streams."""
    code = process.wait(LIMIT_SECONDS)
    return code, (folder / "stdout").read_text(), (folder / "stderr").read_text()


def until_asked(server: Server, process: Program) -> None:
    """Wait until the request is there."""
    wait_until(lambda: server.heads or process.poll() is not None)
    assert process.poll() is None


class TestSignals:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129), (signal.SIGTERM, 143)])
    def test_before_anything_was_submitted(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
    ) -> None:
        """While the request for an upload URL is unanswered."""
        with serving(waiting) as server:
            monkeypatch.setenv("MAGIC_HOUR_BASE_URL", server.url)
            process = started(folder, "image", "headshot", "--image", "portrait.jpg", "--format", "json")
            until_asked(server, process)
            process.send_signal(number)
            exited, out, err = ended(process, folder)
        assert exited == code
        assert "nothing was submitted or charged" in err
        assert json.loads(out)["error"]["type"] in ("Interrupted", "Terminated")

    def test_nohup_is_respected(self, folder: Path, emulator: Emulator) -> None:
        code = "import os, signal; os.kill(os.getpid(), signal.SIGHUP)"
        start = LISTENING.replace("signal.SIG_DFL", "signal.SIG_IGN")
        done = python("-c", start.replace("sys.exit(main())", f"c = main(); {code}; sys.exit(c)"), *FOX)
        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_the_demo_tells_what_it_paid_for(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
    ) -> None:
        with Emulator(token="mhk_test_canary", frozen=True, seed=0) as service:
            monkeypatch.setenv("MAGIC_HOUR_BASE_URL", service.url)
            process = started(folder, "demo", "--live")
            wait_until(lambda: (folder / "stderr").exists() and "\n" in (folder / "stderr").read_text())
            process.send_signal(number)
            exited, _, err = ended(process, folder)
            [charge] = service.ledger.charges
        assert exited == code
        *accepted, last = err.splitlines()  # a listener that is interrupted is told an id once more
        assert set(accepted) == {f"accepted: image job {charge.id}"}
        assert last.startswith("magic-hour: ")


def test_time_is_one_for_the_whole_chain(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job before is frozen: waiting for it uses up the timeout, and the command that resumes it is printed."""
    with Emulator(token="mhk_test_canary", frozen=True, seed=0) as service:
        monkeypatch.setenv("MAGIC_HOUR_BASE_URL", service.url)
        done = shell(
            "fox --no-wait --format json"
            " | mh image edit --image - --prompt x --timeout 0.5 --output night.png --format json"
        )
        [charge] = service.ledger.charges
    assert done.returncode == 124
    error = json.loads(done.stdout)["error"]
    assert error["resume"] == f"magic-hour image wait {charge.id}"
    assert error["project_id"] == charge.id
    assert "client.v1" not in done.stderr
