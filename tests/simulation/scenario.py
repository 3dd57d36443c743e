"""What simulated users do: they make calls, and when one goes wrong they go on as its error told them.

Rule: a user knows what a real one knows, events, results and errors, and nothing of the ledger, but for one thing: who
has a name to look for may look for it, as one would in the web app.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import attrs

from magic_hour_workflows import AsyncClient
from magic_hour_workflows.errors import SubmissionUnknown
from magic_hour_workflows.events import Created, Event

from .arguments import Arguments, remote
from .outside import Exchange, World
from .port import SimulatedIO
from .scheduler import Cancelled, CtrlC, Task
from .service import BASE_URL, KEY


@attrs.define(eq=False, kw_only=True)
class CallRecord:
    """One call: what it was given, what was told, and what truly happened."""

    who: str
    what: str
    id: str | None
    kind: str
    timeout: float
    poll_interval: float | None
    options: dict[str, Any]
    assets: dict[str, Any]
    streams: list[tuple[Any, int]]
    wrong: bool
    """Whether the arguments cannot be right."""
    backend: SimulatedIO
    started: float
    events: list[tuple[float, Event]] = attrs.field(factory=list)
    result: Any = None
    error: BaseException | None = None
    interrupted_at: float | None = None
    ended: float = 0.0

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
    """Makes a few calls, one after the other."""

    def __init__(self, world: World, name: str, random: Random, folder: Path) -> None:
        self.world = world
        self.name = name
        self.random = random
        self.folder = folder
        self.arguments = Arguments(random, name, folder)
        self.calls: list[CallRecord] = []
        self.known: dict[str, str] = {}
        """The kind of every job by its id, as told by events, results and errors."""
        self.book: dict[str, float] = {}
        """The credits of every job, as last told."""
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
        """The low-level call; files of one's own are not for it."""
        if "assets" in parameters:
            parameters["assets"] = {key: remote(value) for key, value in parameters["assets"].items()}
        options = {"timeout": self.random.choice([2.0, 20.0, 60.0])}

        def use(client: AsyncClient, listen: Callable[[Event], None]) -> Awaitable[Any]:
            return getattr(client.v1, endpoint).create(**parameters, **options)

        return await self._call("create", use, kind=_kind(endpoint), options=options)

    async def _go_on(self, record: CallRecord) -> CallRecord | None:
        """What the error said to do; None if there is nothing to do."""
        error = record.error
        lost = error if isinstance(error, SubmissionUnknown) else getattr(error, "submission_unknown", None)
        if lost is not None:
            job = next((job for job in self.world.service.ledger if lost.name and job.name == lost.name), None)
            self.world.note(self.name, f"looks for {lost.name!r}: {job.id if job else 'not there'}")
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

    async def _call(
        self,
        what: str,
        use: Callable[[AsyncClient, Callable[[Event], None]], Awaitable[Any]],
        *,
        kind: str,
        options: dict[str, Any],
        id: str | None = None,
        assets: dict[str, Any] | None = None,
        streams: list[tuple[Any, int]] | None = None,
        wrong: bool = False,
    ) -> CallRecord:
        world, scheduler = self.world, self.world.scheduler
        who = f"{self.name}.{len(self.calls) + 1}"
        backend = SimulatedIO(world, who, Random(self.random.random()), blocking=self.blocking)
        timeout = options["timeout"]
        record = CallRecord(
            who=who,
            what=what,
            id=id,
            kind=kind,
            timeout=timeout,
            poll_interval=options.get("poll_interval"),
            options=options,
            assets=assets or {},
            streams=streams or [],
            wrong=wrong,
            backend=backend,
            started=scheduler.clock,
        )
        backend.deadline = scheduler.clock + timeout
        self.calls.append(record)
        world.note(who, f"{what} {id or ''} within {timeout:g} s{', blocking' if self.blocking else ''}")

        def listen(event: Event) -> None:
            record.events.append((scheduler.clock, event))
            world.note(who, f"told {event!r}".replace(str(self.folder), "FOLDER"))
            if isinstance(event, Created):
                self.known[event.id] = event.kind
            if self.careless:
                raise ValueError("a bug in the listener")

        client = AsyncClient(KEY, base_url=BASE_URL)
        client._backend = backend  # type: ignore[assignment]
        task = scheduler.spawn(_run(use, client, listen), who)
        self._interrupt_perhaps(record, task)
        while not task.done:
            await scheduler.wait([task])
        record.result, record.error, record.ended = task.result, task.error, scheduler.clock
        self._learn(record)
        return record

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
        """What result and error say, put in the book."""
        told = record.error if record.error is not None else record.result
        id = record.id or getattr(told, "project_id", None) or getattr(told, "id", None)
        if id is not None and id not in self.known:
            self.known[id] = record.kind
        credits = getattr(told, "credits_charged", None)
        if id is not None and credits is not None:
            self.book[id] = credits
        shown = f"{type(told).__name__}: {told}".replace(str(self.folder), "FOLDER")
        self.world.note(record.who, f"== {shown}")


def _kind(endpoint: str) -> str:
    return "video" if endpoint == "ai_talking_photo" else "image"


async def _run(
    use: Callable[[AsyncClient, Callable[[Event], None]], Awaitable[Any]],
    client: AsyncClient,
    listen: Callable[[Event], None],
) -> Any:
    return await use(client, listen)
