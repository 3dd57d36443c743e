"""`magic-hour batch`: what it prints, writes and charges, and its exit codes."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commands import Ended, Run
from magic_hour_emulator import Emulator
from magic_hour_workflows.batch._rows import RowResult, RowStatus, Summary
from magic_hour_workflows.cli.batch.options import VARIABLE, BatchLocation, locate, without_password
from magic_hour_workflows.cli.batch.status import RunContext, exit_code, finish
from magic_hour_workflows.cli.signals import Terminated
from magic_hour_workflows.cli.terminal import Terminal

Write = Callable[[int], str]


@pytest.fixture
def prompts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a manifest of this many images, and returns its name."""
    monkeypatch.delenv(VARIABLE, raising=False)

    def write(number: int) -> str:
        lines = [f"fox-{n},ai_image_generator,1,A red fox\n" for n in range(1, number + 1)]
        table = "key,endpoint,image_count,style.prompt\n" + "".join(lines)
        Path("foxes.csv").write_text(table, encoding="utf-8")
        return "foxes.csv"

    return write


def events(ended: Ended) -> list[dict[str, object]]:
    return [json.loads(line) for line in ended.out.splitlines()]


def commands_in(text: str, *words: str) -> list[list[str]]:
    """The commands that were printed, split as a shell splits them."""
    found = [
        shlex.split(line.partition("magic-hour batch ")[2]) for line in text.splitlines() if "magic-hour batch " in line
    ]
    return [["batch", *command] for command in found if command[: len(words)] == list(words)]


def test_run_saves_says_and_writes(run: Run, prompts: Write, emulator: Emulator) -> None:
    ended = run("batch", "run", prompts(3), "--output", "out")
    assert ended.code == 0
    files = ended.out.splitlines()
    assert [Path(name).name for name in files] == ["results.jsonl", "results.csv", "report.html"]
    assert all(Path(name).is_file() for name in files)
    assert "foxes.csv: 3 rows" in ended.err
    assert "15 credits for all rows" in ended.err
    assert sorted(line.split(",")[0] for line in ended.err.splitlines() if line.startswith("saved")) == [
        f"saved     fox-{n}: fox-{n}-1.png" for n in (1, 2, 3)
    ]
    assert "3 saved; 15 credits" in ended.err

    again = run("batch", "run", "foxes.csv", "--output", "out")
    assert again.code == 0
    assert "so far    3 saved; 15 credits" in again.err
    assert len(emulator.ledger.creates) == 3


def test_json_is_an_event_a_line(run: Run, prompts: Write) -> None:
    ended = run("batch", "run", prompts(2), "--output", "out", "--format", "json")
    plan, *rows, summary = events(ended)
    assert (plan["event"], plan["rows"], plan["credits"], plan["uploads"]) == ("plan", 2, 10, 0)
    assert sorted((row["event"], row["key"], row["status"], *row["paths"]) for row in rows) == [  # type: ignore[misc]
        ("row", "fox-1", "saved", "fox-1-1.png"),
        ("row", "fox-2", "saved", "fox-2-1.png"),
    ]
    assert (summary["event"], summary["credits"], summary["exit_code"]) == ("summary", 10, 0)
    assert summary["counts"] == {**dict.fromkeys(map(str, RowStatus), 0), "saved": 2}


def test_quiet_says_nothing_when_all_is_well(run: Run, prompts: Write) -> None:
    ended = run("batch", "run", prompts(1), "--output", "out", "--quiet")
    assert (ended.code, ended.err) == (0, "")


def test_dry_run_needs_no_key_and_sends_nothing(
    run: Run, prompts: Write, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAGIC_HOUR_API_KEY")
    Path("faces.csv").write_text(
        "key,assets.image_file_path\nanna,portrait.jpg\nanna again,room.jpg\n", encoding="utf-8"
    )
    command = ("batch", "run", "faces.csv", "--output", "out", "--endpoint", "ai-headshot-generator", "--dry-run")
    ended = run(*command)
    assert ended.code == 0
    assert "cost      100 credits for all rows" in ended.out
    assert "uploads   1 file, " in ended.out, "both have the same bytes"
    data = run(*command, "--format", "json").json
    assert (data["rows"], data["by_endpoint"], data["at_least"]) == (2, {"ai_headshot_generator": 2}, False)
    assert not emulator.requests.find()
    assert not Path("faces.batch.sqlite").exists()
    assert not Path("out").exists()


def test_all_mistakes_at_once(run: Run, prompts: Write, emulator: Emulator) -> None:
    lines = [json.dumps({"key": f"k{n}", "image_count": 0, "style": {"prompt": "x"}}) for n in range(25)]
    Path("wrong.jsonl").write_text("\n".join(lines), encoding="utf-8")
    command = ("batch", "run", "wrong.jsonl", "--output", "out", "--endpoint", "ai_image_generator")
    ended = run(*command)
    assert ended.code == 2
    assert "25 mistakes, so nothing was uploaded or charged" in ended.err
    assert all(f"line {n}, key k{n - 1}: `image_count`" in ended.err for n in range(1, 26))
    error = run(*command, "--format", "json").error
    assert (error["type"], error["exit_code"], len(error["mistakes"])) == ("ManifestError", 2, 25)
    assert (error["mistakes"][4]["line"], error["mistakes"][4]["field"]) == (5, "image_count")
    assert not emulator.requests.find()


def test_failed_rows_and_retry(run: Run, prompts: Write, emulator: Emulator) -> None:
    emulator.fail_next("no_source_face", "There is no face")
    first = run("batch", "run", prompts(2), "--output", "out")
    assert first.code == 3
    assert "There is no face" in first.err
    written = map(json.loads, Path("out/results.jsonl").read_text(encoding="utf-8").splitlines())
    [key] = [row["key"] for row in written if row["status"] == "failed"]
    wrong = run("batch", "retry", "nobody", "--manifest", "foxes.csv")
    assert wrong.code == 2
    assert "KEY: nobody did not fail" in wrong.err
    [shown] = commands_in(first.err, "retry")
    second = run(*shown, key)
    assert second.code == 0, second.err
    assert "1 failed row will be retried" in second.err
    assert len(emulator.ledger.creates) == 3


@pytest.mark.parametrize("charged", [True, False])
def test_doubtful_rows_and_settle(
    run: Run, prompts: Write, emulator: Emulator, charged: bool, answers: Callable[[str], list[float]]
) -> None:
    waited = answers("no\n")
    emulator.faults.add("close", on="create", phase="after" if charged else "before")
    first = run("batch", "run", prompts(2), "--output", "out")
    assert first.code == 4
    settle = commands_in(first.err, "settle")
    assert len(settle) == 2, "one for each answer"
    data = run("batch", "status", "foxes.csv", "--format", "json").json
    [row] = data["to_do"]
    assert (row["status"], data["counts"]["doubtful"]) == ("doubtful", 1)
    by_name = {create.name: create.id for create in emulator.ledger.creates}
    assert (row["name"] in by_name) is charged
    assert run(*settle[0], "--not-charged").code == 2, "one answer, not two"
    answer = [by_name[row["name"]] if word == "ID" else word for word in settle[0]] if charged else settle[1]
    settled = run(*answer)
    assert settled.code == 0, settled.err
    assert waited == ([] if charged else [135.0])
    assert charged or ("135 s" in settled.err and "is there a job named" in settled.err)
    [worker] = commands_in(settled.out, "worker")
    assert run(*worker).code == 0
    assert len(emulator.ledger.creates) == 2
    assert run(*answer).code == 2, "nothing is in doubt any more"


@pytest.mark.parametrize("answer", ["", "yes\n", "perhaps\n"])
def test_without_a_no_the_row_stays_in_doubt(
    run: Run, prompts: Write, emulator: Emulator, answer: str, answers: Callable[[str], list[float]]
) -> None:
    emulator.faults.add("close", on="create", phase="before")
    run("batch", "run", prompts(1), "--output", "out")
    answers(answer)
    settle = ("batch", "settle", "fox-1", "--not-charged", "--manifest", "foxes.csv")
    assert run(*settle).code == 4
    assert run("batch", "run", "foxes.csv", "--output", "out").code == 4
    assert not emulator.ledger.creates
    answers("no\n")
    assert run(*settle, "--format", "json").json["how"] == "not charged"  # settling again goes on
    assert run("batch", "run", "foxes.csv", "--output", "out").code == 0


@pytest.mark.parametrize(("status", "code"), [(RowStatus.DOUBTFUL, 4), (RowStatus.RUNNING, 130)])
def test_an_end_in_doubt_does_not_say_that_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: RowStatus, code: int
) -> None:
    """Ctrl-C twice while creates are unanswered; other rows are left."""
    rows = {"a": status, "b": RowStatus.WAITING}
    results = [RowResult(key=key, endpoint="ai_image_generator", status=each) for key, each in rows.items()]
    batch: Any = SimpleNamespace(
        results=lambda: results, summary=lambda: Summary(counts=Counter(rows.values()), credits=0)
    )
    ending = RunContext(location=BatchLocation("a.batch.sqlite"), resume="again", title="a", output=tmp_path)
    assert finish(Terminal(), batch, ending, KeyboardInterrupt()) == code
    assert ("no job is lost" in capsys.readouterr().err) is (code == 130)


def test_misspelt_values_are_remarked_on_before_a_batch_begins(run: Run, folder: Path, emulator: Emulator) -> None:
    model = ("nano-bananna", "nano-bananna", "of-tomorrow", "nano-banana")
    lines = [{"key": str(number), "endpoint": "ai_image_generator", "image_count": 1, "style": {"prompt": "a"},
              "model": name} for number, name in enumerate(model)]  # fmt: skip
    Path("m.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    ended = run("batch", "run", "m.jsonl", "--output", "out", "--dry-run")
    assert ended.err == "magic-hour: 2 rows: `model`: did you mean nano-banana?\n"
    assert not emulator.ledger.creates


def test_max_credits_says_which_rows_were_left(run: Run, prompts: Write, emulator: Emulator) -> None:
    ended = run("batch", "run", prompts(3), "--output", "out", "--max-credits", "10", "--rate", "100/s")
    assert ended.code == 3
    assert "left out  fox-" in ended.err
    assert emulator.ledger.charged == 10
    [again] = commands_in(ended.err, "run")
    assert again[again.index("--max-credits") + 1] == "10"
    assert "1 row is left; resume with (with a higher --max-credits): magic-hour batch run" in ended.err
    assert run("batch", "run", "foxes.csv", "--output", "out", "--max-credits", "15").code == 0
    assert emulator.ledger.charged == 15


def test_report_is_written_anew(run: Run, prompts: Write) -> None:
    run("batch", "run", prompts(1), "--output", "out")
    page = Path("out/report.html")
    page.unlink()
    ended = run("batch", "report")
    assert ended.code == 0
    assert page.is_file()
    assert Path(ended.out.splitlines()[-1]) == page.absolute()


def test_verify_finds_what_is_damaged_and_says_what_makes_it_good(
    run: Run, prompts: Write, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("batch", "run", prompts(3), "--output", "out")
    monkeypatch.delenv("MAGIC_HOUR_API_KEY")
    monkeypatch.setenv("MAGIC_HOUR_BASE_URL", "http://127.0.0.1:9")  # nothing answers there, and nothing is asked
    intact = run("batch", "verify", "foxes.csv")
    assert (intact.code, intact.err) == (0, "")
    assert intact.out.startswith("3 files, ")
    assert intact.out.endswith("of 3 saved rows: all intact\n")
    Path("out/fox-1-1.png").write_bytes(b"")
    Path("out/fox-3-1.png").unlink()
    data = run("batch", "verify", "foxes.csv", "--format", "json")
    assert data.code == 3
    assert data.json["damaged"] == [
        {"key": "fox-1", "path": str(Path("out/fox-1-1.png").absolute()), "problem": "wrong size"},
        {"key": "fox-3", "path": str(Path("out/fox-3-1.png").absolute()), "problem": "missing"},
    ]
    assert (data.json["rows"], data.json["files"]) == (3, 3)
    damaged = run("batch", "verify")
    assert damaged.code == 3
    assert f"damaged   fox-3: {Path('out/fox-3-1.png').absolute()}: missing" in damaged.out
    assert "of 3 saved rows: 2 damaged" in damaged.out
    assert "2 rows are damaged; download them again, at no charge: " in damaged.err
    monkeypatch.setenv("MAGIC_HOUR_API_KEY", emulator.token)
    monkeypatch.setenv("MAGIC_HOUR_BASE_URL", emulator.url)
    [again] = commands_in(damaged.err, "worker")
    assert run(*again).code == 0
    assert run("batch", "verify").code == 0
    assert len(emulator.ledger.creates) == 3


def test_every_command_that_is_shown_knows_the_database_and_the_service(
    run: Run, prompts: Write, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in another shell and another folder, in which the report is opened."""
    monkeypatch.delenv("MAGIC_HOUR_BASE_URL")
    emulator.faults.add("close", on="create", phase="after", nth=2)
    emulator.fail_next("no_source_face", "There is no face")
    place = Path("it's a folder") / "b.sqlite"
    place.parent.mkdir()
    options = ["--database", str(place), "--base-url", emulator.url]
    ended = run("batch", "run", prompts(3), "--output", "out", "--concurrency", "1", *options)
    assert ended.code == 4
    said = [*commands_in(ended.err, "retry"), *commands_in(ended.err, "settle")]
    said += commands_in(run("batch", "status", *options).err, "retry")
    assert [words[2:6] for words in said] == [options] * 4
    page = Path("out/report.html").read_text("utf-8")
    rows = json.loads(page.partition('id="data">')[2].partition("</script>")[0])["rows"]
    shown = [shlex.split(command) for row in rows for _, command in row.get("remedy", []) if command]
    anywhere = ["--database", str(place.absolute()), "--base-url", emulator.url]
    assert sorted(words[2] for words in shown) == ["retry", "settle", "settle"]
    assert [words[3:7] for words in shown] == [anywhere] * 3
    elsewhere = Path("elsewhere")
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    [settle] = [words for words in shown if "ID" in words]
    names = {create.id: create.name for create in emulator.ledger.creates}
    [lost] = [row["name"] for row in rows if row["status"] == "doubtful"]
    [found] = [id for id, name in names.items() if name == lost]
    assert run(*[found if word == "ID" else word for word in settle][1:]).code == 0
    [retry] = [words for words in shown if words[2] == "retry"]
    assert run(*retry[1:]).code == 0
    assert len(emulator.ledger.creates) == 4


@pytest.mark.parametrize(
    ("variable", "options", "anywhere"),
    [
        ("b.sqlite", ["--database", "b.sqlite"], None),
        ("postgresql://db/b", ["--database", "postgresql://db/b"], ["--database", "postgresql://db/b"]),
        ("postgresql://me:canary@db/b?password=canary", [], ["--database", "postgresql://me@db/b"]),
    ],
)
def test_a_database_of_the_environment_is_named_unless_that_would_show_a_password(
    monkeypatch: pytest.MonkeyPatch, variable: str, options: list[str], anywhere: list[str] | None
) -> None:
    monkeypatch.setenv(VARIABLE, variable)
    place = locate(Terminal(), None, "foxes.csv")
    assert list(place.options) == options
    assert place.portable_options == (anywhere or ["--database", str(Path(variable).absolute())])


def test_a_command_holds_nothing_that_a_terminal_acts_upon() -> None:
    place = locate(Terminal(base_url="http://x", allow_http=True), "a\x1b]0;b\x07.sqlite", None)
    assert place.command("retry") == "magic-hour batch retry --database ... --base-url http://x --allow-http"


def test_results_that_cannot_be_written_are_told(run: Run, prompts: Write) -> None:
    Path("out/report.html").mkdir(parents=True)
    ended = run("batch", "run", prompts(1), "--output", "out")
    assert ended.code == 1
    assert "could not be written" in ended.err
    Path("out/report.html").rmdir()
    [report] = commands_in(ended.err, "report")
    assert run(*report).code == 0


@pytest.mark.parametrize("rate", ["fast", "0/min", "-1", "3/day", "inf", "nan"])
def test_wrong_rates(run: Run, prompts: Write, rate: str) -> None:
    ended = run("batch", "run", prompts(1), "--output", "out", f"--rate={rate}")
    assert ended.code == 2
    assert "use 60/min, 2/s or 1000/h" in ended.err


def test_where_a_batch_is_found(run: Run, prompts: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    none = run("batch", "status")
    assert none.code == 2
    assert f"pass a MANIFEST or --database, or set {VARIABLE}" in none.err
    assert run("batch", "run", prompts(1), "--output", "out").code == 0
    only = run("batch", "status")
    assert "rows      1: 1 saved" in only.out
    assert run("batch", "status", "foxes.csv").out == only.out
    assert run("batch", "status", "--database", "foxes.batch.sqlite").out == only.out
    Path("other.batch.sqlite").touch()
    assert "2 batches in" in run("batch", "status").err
    monkeypatch.setenv(VARIABLE, "foxes.batch.sqlite")
    assert run("batch", "status").out == only.out
    missing = run("batch", "status", "--database", "nowhere")
    assert (missing.code, Path("nowhere").exists()) == (2, False)


def test_a_run_uses_the_database_of_the_environment(run: Run, prompts: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "elsewhere.batch.sqlite")
    assert "database  elsewhere.batch.sqlite" in run("batch", "run", prompts(1), "--output", "out").err
    assert not Path("foxes.batch.sqlite").exists()


URLS = [
    "postgresql://me:canary-of-a-password@127.0.0.1:1/x",
    "postgresql://me@127.0.0.1:1/x?password=canary-of-a-password",
    "postgresql://me:canary-of-a-password@[127.0.0.1/x",
    "mysql://me:canary-of-a-password@127.0.0.1/x",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize(
    "words",
    [
        ("run", "foxes.csv", "--output", "out", "--dry-run"),
        ("run", "foxes.csv", "--output", "out", "--debug"),
        ("status",),
        ("settle", "fox-1", "--not-charged", "--format", "json"),
        ("worker", "--verbose"),
    ],
)
def test_a_password_is_never_shown(run: Run, prompts: Write, url: str, words: tuple[str, ...]) -> None:
    prompts(1)
    ended = run("batch", *words, "--database", url)
    assert ended.code in (1, 2), ended.err
    assert "canary" not in ended.out + ended.err
    assert "Traceback" not in ended.err or "--debug" in words


def test_the_rest_of_an_address_is_shown() -> None:
    assert without_password("postgresql://me:secret@db:5432/x?sslmode=require") == (
        "postgresql://me@db:5432/x?sslmode=require"
    )


@pytest.mark.parametrize(
    ("counts", "stopped", "code"),
    [
        ({"saved": 2}, None, 0),
        ({"saved": 2}, KeyboardInterrupt(), 0),
        ({"saved": 1, "failed": 1}, None, 3),
        ({"saved": 1, "skipped": 1}, None, 3),
        ({"saved": 1, "waiting": 1}, None, 3),
        ({"saved": 1, "waiting": 1}, KeyboardInterrupt(), 130),
        ({"saved": 1, "running": 1}, Terminated(15), 143),
        ({"doubtful": 1, "waiting": 1}, Terminated(15), 4),
        ({"saved": 9, "doubtful": 1}, None, 4),
    ],
)
def test_exit_codes(counts: dict[str, int], stopped: BaseException | None, code: int) -> None:
    summary = Summary(counts={RowStatus(status): number for status, number in counts.items()}, credits=0)
    assert exit_code(summary, stopped) == code


def test_a_missing_extra_is_named(run: Run, prompts: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("magic_hour_workflows.cli.batch.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("magic_hour_workflows.batch.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dbos", None)
    ended = run("batch", "run", prompts(1), "--output", "out")
    assert ended.code == 1
    assert "this command needs dbos: pip install 'magic-hour-workflows[cli,batch]'" in ended.err
