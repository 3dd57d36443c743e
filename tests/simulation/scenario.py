"""What simulated users do: they make calls, and after a failure they do what its error says.

Rule: a user knows what a real one knows, events, results and errors, but not the ledger. There is one exception: a user
may look up the name of an unknown submission, as in the web app.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import attrs

from magic_hour_workflows import AsyncClient
from magic_hour_workflows.errors import SubmissionUnknown
from magic_hour_workflows.events import Created, Event

from .arguments import Arguments, remote
from .backend import SimulatedBackend
from .environment import Exchange, World
from .scheduler import Cancelled, CtrlC, Task
from .service import BASE_URL, KEY

Use = Callable[[AsyncClient, Callable[[Event], None]], Awaitable[Any]]


@attrs.define(eq=False, kw_only=True)
class CallRecord:
    """One call: its arguments, what was reported, and what really happened."""

    who: str
    what: str
    kind: str
    options: dict[str, Any]
    backend: SimulatedBackend
    started: float
    id: str | None = None
    assets: dict[str, Any] = attrs.field(factory=dict)
    streams: list[tuple[Any, int]] = attrs.field(factory=list)
    wrong: bool = False
    """Whether the arguments are invalid."""
    events: list[tuple[float, Event]] = attrs.field(factory=list)
    result: Any = None
    error: BaseException | None = None
    interrupted_at: float | None = None
    ended: float = 0.0

    @property
    def timeout(self) -> float:
        return float(self.options["timeout"])

    @property
    def poll_interval(self) -> float | None:
        return self.options.get("poll_interval")

    @property
    def exchanges(self) -> list[Exchange]:
        return self.backend.exchanges

    @property
    def waits(self) -> bool:
        return self.options.get("wait_for_completion", self.what in ("wait", "check_result", "generate"))

    @property
    def downloads(self) -> bool:
        default = self.what in ("download", "check_result", "generate")
        return default and self.options.get("download_outputs", True)


class User:
    """Makes a few calls, one after another."""

    def __init__(self, world: World, name: str, random: Random, folder: Path) -> None:
        self.world = world
        self.name = name
        self.random = random
        self.folder = folder
        self.arguments = Arguments(random, name, folder)
        self.calls: list[CallRecord] = []
        self.known: dict[str, str] = {}
        """The kind of every job by its id, as reported by events, results and errors."""
        self.credits: dict[str, float] = {}
        """The credits of every job, as reported last."""
        self.blocking = random.random() < 0.5
        self.careless = random.random() < 0.1
        """The listener raises."""

    async def live(self) -> None:
        for _ in range(self.random.randint(2, 4)):
            await self.world.scheduler.sleep(self.random.choice([0.0, 0.0, 3.0, 50.0]))
            record = await self._begin()
            for _ in range(3):
                record = await self._go_on(record) if record is not None else None
        for id, kind in self.known.items():
            if self.random.random() < 0.3:
                await self._by_id(self.random.choice(["wait", "download", "get", "delete"]), kind, id)

    async def _begin(self) -> CallRecord:
        endpoint = self.random.choice(
            ["ai_headshot_generator", "ai_talking_photo", "ai_image_generator", "ai_image_editor"]
        )
        parameters, streams, wrong = self.arguments.parameters(endpoint)
        if self.random.random() < 0.15 and not streams and not wrong:
            return await self._create(endpoint, parameters)
        options = {**self.arguments.options(), **self.arguments.saving(), **self.arguments.waiting()}
        if wrong and self.random.random() < 0.5:
            options["output_name"] = "../outside"

        def use(client: AsyncClient, listen: Callable[[Event], None]) -> Awaitable[Any]:
            resource = getattr(client.v1, endpoint)
            return resource.generate(**parameters, **options, on_progress=listen)

        assets, kind = parameters.get("assets", {}), _kind(endpoint)
        return await self._call(
            "generate", use, kind=kind, options=options, assets=assets, streams=streams, wrong=wrong
        )

    async def _create(self, endpoint: str, parameters: dict[str, Any]) -> CallRecord:
        """The low-level call, which does not take local files."""
        if "assets" in parameters:
            parameters["assets"] = {key: remote(value) for key, value in parameters["assets"].items()}
        options = {"timeout": self.random.choice([2.0, 20.0, 60.0])}

        def use(client: AsyncClient, listen: Callable[[Event], None]) -> Awaitable[Any]:
            return getattr(client.v1, endpoint).create(**parameters, **options)

        return await self._call("create", use, kind=_kind(endpoint), options=options)

    async def _go_on(self, record: CallRecord) -> CallRecord | None:
        """Do what the error says; None if there is nothing to do."""
        error = record.error
        lost = error if isinstance(error, SubmissionUnknown) else getattr(error, "submission_unknown", None)
        if lost is not None:
            job = next((job for job in self.world.service.ledger if lost.name and job.name == lost.name), None)
            self.world.note(self.name, f"looks up {lost.name!r}: {job.id if job else 'not there'}")
            if job is None:
                return None
            self.known[job.id] = job.kind
            return await self._by_id("check_result", job.kind, job.id)
        id = getattr(error, "project_id", None)
        if id is None or id not in self.known:
            return None
        how = "wait" if self.random.random() < 0.4 else "check_result"
        return await self._by_id(how, self.known[id], id)

    async def _by_id(self, what: str, kind: str, id: str) -> CallRecord:
        options: dict[str, Any] = {"timeout": self.arguments.options()["timeout"]}
        if what in ("wait", "check_result"):
            options["poll_interval"] = self.arguments.options()["poll_interval"]
        if what in ("download", "check_result"):
            options |= self.arguments.saving()
        if what == "check_result":
            options |= self.arguments.waiting()

        def use(client: AsyncClient, listen: Callable[[Event], None]) -> Awaitable[Any]:
            projects = client.v1.image_projects if kind == "image" else client.v1.video_projects
            listening = {} if what in ("get", "delete") else {"on_progress": listen}
            return getattr(projects, what)(id, **options, **listening)

        return await self._call(what, use, kind=kind, id=id, options=options)

    async def _call(self, what: str, use: Use, **fields: Any) -> CallRecord:
        """Make a call and wait until it ends; `fields` are those of its record."""
        scheduler = self.world.scheduler
        who = f"{self.name}.{len(self.calls) + 1}"
        backend = SimulatedBackend(self.world, who, Random(self.random.random()), blocking=self.blocking)
        record = CallRecord(who=who, what=what, backend=backend, started=scheduler.clock, **fields)
        backend.deadline = scheduler.clock + record.timeout
        self.calls.append(record)
        blocking = ", blocking" if self.blocking else ""
        self.world.note(who, f"{what} {record.id or ''} within {record.timeout:g} s{blocking}")
        client = AsyncClient(KEY, base_url=BASE_URL)
        client.runner.backend = backend  # type: ignore[assignment]
        client.runner._job_log = self.world.job_log
        task = scheduler.spawn(_run(use, client, partial(self._listen, record)), who)
        self._interrupt_perhaps(record, task)
        while not task.done:
            await scheduler.wait([task])
        record.result, record.error, record.ended = task.result, task.error, scheduler.clock
        self._learn(record)
        return record

    def _listen(self, record: CallRecord, event: Event) -> None:
        record.events.append((self.world.scheduler.clock, event))
        self.world.note(record.who, f"event {event!r}".replace(str(self.folder), "FOLDER"))
        if isinstance(event, Created):
            self.known[event.id] = event.kind
        if self.careless:
            raise ValueError("a bug in the listener")

    def _interrupt_perhaps(self, record: CallRecord, task: Task) -> None:
        if self.random.random() > 0.25:
            return

        def interrupt() -> None:
            record.interrupted_at = self.world.scheduler.clock
            error = CtrlC() if self.blocking else Cancelled()
            self.world.note(record.who, f"!! {type(error).__name__}")
            self.world.scheduler.cancel(task, error)

        record.backend.interrupt = interrupt
        if self.random.random() < 0.5:
            record.backend.interrupt_at = self.random.randint(1, self.random.choice([5, 25]))
        else:
            record.backend.interrupt_create_at = self.random.randint(1, 4)

    def _learn(self, record: CallRecord) -> None:
        """Remember what the result or the error reports."""
        reported = record.error if record.error is not None else record.result
        id = record.id or getattr(reported, "project_id", None) or getattr(reported, "id", None)
        if id is not None and id not in self.known:
            self.known[id] = record.kind
        credits = getattr(reported, "credits_charged", None)
        if id is not None and credits is not None:
            self.credits[id] = credits
        shown = f"{type(reported).__name__}: {reported}".replace(str(self.folder), "FOLDER")
        self.world.note(record.who, f"== {shown}")


def _kind(endpoint: str) -> str:
    return "video" if endpoint == "ai_talking_photo" else "image"


async def _run(
    use: Use,
    client: AsyncClient,
    listen: Callable[[Event], None],
) -> Any:
    return await use(client, listen)
