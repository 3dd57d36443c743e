"""A simulation of the claims: two workers, a person who settles, a service, and clocks that cannot be trusted.

Rule: one seed decides everything. The code is that of production (`Submitter`, `Claims`, `submit`, the permit);
    simulated
are time, connections, the service and the order of events. Workers are stopped at every await and between the
statements of a transaction; machines sleep; the database's clock jumps; jobs appear after somebody looked.

Left out, because no client can prevent it without an idempotency key: a stop between the check of the permit and the
first byte. Some schedules have it (`residual`); then a row may be charged twice, but must say so.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import attrs
import sqlalchemy as sa

from magic_hour_client.endpoints import endpoint
from magic_hour_client.errors import ConnectionFailed, MagicHourError, TooManyRequests
from magic_hour_workflows._flows.call import Call
from magic_hour_workflows._flows.generate import prepare
from magic_hour_workflows.batch import _settling as settling
from magic_hour_workflows.batch import _submission as submission
from magic_hour_workflows.batch._claims import Claims
from magic_hour_workflows.batch._fleet import Instant, StopSignal
from magic_hour_workflows.batch._manifest import planned
from magic_hour_workflows.batch._row_workflow import described
from magic_hour_workflows.batch._rows import Row, RowResult, RowStatus
from magic_hour_workflows.batch._side_file import SideFile
from magic_hour_workflows.batch._store import Store
from magic_hour_workflows.batch._submission import Submitter
from magic_hour_workflows.batch._tables import adopted, batch, paid, rows, strays
from magic_hour_workflows.errors import DatabaseAway, NotMine

KEY = "fox"
NEVER = float("inf")
END = 1500.0
"""Duration of a schedule in seconds; by then everything is settled or stopped."""
ROW = Row(
    key=KEY, endpoint="ai_image_generator", parameters={"name": KEY, "image_count": 1, "style": {"prompt": "A fox"}}
)


PLOTS = ("slowed", "refused", "stopped", "asleep", "late")
"""What happens to the first worker after its claim, in most schedules: it is told to retry much later, cannot
connect, is stopped, its machine sleeps, or its job appears late. The rest is random.
"""


class Until:
    """The moment that a process waits for."""

    def __init__(self, moment: float) -> None:
        self.moment = moment

    def __await__(self) -> Generator[float, None, None]:
        yield self.moment


@attrs.define(eq=False)
class Machine:
    """A machine with its own clocks, which may sleep."""

    wall: float = 0.0
    slept: float = 0.0
    asleep_until: float = 0.0


@attrs.define(eq=False)
class Process:
    """A coroutine on a machine."""

    name: str
    machine: Machine
    work: Coroutine[Any, Any, None]
    wakes: float = 0.0
    over: bool = False


@attrs.frozen
class Landed:
    """A job that the service accepted."""

    id: str
    at: float
    answered: list[float]
    """When its submitter got the id, if it did."""


class World:
    """The state of one seed."""

    def __init__(self, seed: int, store: Store, *, residual: bool | None = None) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.database_wall = 0.0
        self.store = store
        self.jobs: list[Landed] = []
        self.told: set[str] = set()
        self.processes: list[Process] = []
        self.residual = self.random.random() < 0.1 if residual is None else residual
        self.plot: str | None = self.random.choice(PLOTS) if self.random.random() < 0.7 else None
        self.restless = 0.01 if self.plot else self.random.choice((0.02, 0.1, 0.3))
        self._until_held_up = self.random.randint(0, 10)  # stops at which nothing much happens, before a long one
        self.trace: list[str] = []

    # Time

    def note(self, text: str) -> None:
        self.trace.append(f"{self.now:8.1f} {text}")

    def stop(self) -> float:
        """How long somebody is stopped: usually not, sometimes briefly, sometimes long enough to be replaced."""
        self._until_held_up -= 1
        if self._until_held_up == 0 and not self.plot:
            return self.random.uniform(20.0, 400.0)
        if self.random.random() > self.restless:
            return 0.0
        return self.random.choice((0.1, 3.0, 8.0, 16.0, 30.0, 100.0, 200.0)) * (0.5 + self.random.random())

    async def point(self) -> None:
        """A moment when others may continue and this one may be stopped."""
        await Until(self.now + self.stop())

    def between_statements(self, *_: Any) -> None:
        """Time passes inside a transaction, while nobody else can use the database."""
        if self.random.random() < 0.02:
            self.now += self.random.choice((1.0, 10.0, 20.0))
        if self.random.random() < 0.01:
            self.database_wall += self.random.choice((-86400.0, -30.0, 30.0, 86400.0))

    def instant(self, machine: Machine) -> Instant:
        return Instant(boot=self.now, wall=self.now + machine.wall)

    def awake(self, machine: Machine) -> float:
        """The monotonic clock of a machine."""
        return self.now - machine.slept

    def run(self) -> None:
        """Run all processes until nothing more happens."""
        steps = 0
        while self.now < END and steps < 3000:
            waiting = [one for one in self.processes if not one.over and one.wakes < NEVER]
            if not waiting:
                return
            first = min(max(one.wakes, one.machine.asleep_until) for one in waiting)
            due = [one for one in waiting if max(one.wakes, one.machine.asleep_until) <= max(first, self.now)]
            process = self.random.choice(due)
            self.now = max(self.now, first)
            self._sleep(process.machine)
            if process.machine.asleep_until > self.now:
                continue
            steps += 1
            try:
                process.wakes = max(self.now, process.work.send(None))
            except StopIteration:
                process.over = True

    def _sleep(self, machine: Machine) -> None:
        """Sometimes somebody closes a laptop, or sets its clock."""
        if self.random.random() < 0.04:
            seconds = self.random.choice((5.0, 20.0, 200.0, 400.0))
            machine.asleep_until = self.now + seconds
            machine.slept += seconds
        if self.random.random() < 0.02:
            machine.wall += self.random.choice((-3600.0, -20.0, 20.0, 3600.0))

    # The service

    def landed(self) -> list[Landed]:
        return [job for job in self.jobs if job.at <= self.now]


class Connection:
    """A worker's port to the service (`Backend`, as far as a submission needs it)."""

    def __init__(self, world: World, machine: Machine, plot: str | None) -> None:
        self.world = world
        self.machine = machine
        self.plot = plot

    async def send(self, request: Any, deadline: float, before_sending: Any = None, trace: Any = None) -> Any:
        world = self.world
        plot, self.plot = self.plot, None
        fate = {"slowed": 0.5, "refused": 0.1, "late": 0.7}.get(
            plot or "", world.random.uniform(0.55 if plot else 0, 1)
        )
        held_up = world.random.uniform(100.0, 400.0)
        if plot == "asleep":
            self.machine.asleep_until = world.now + held_up
            self.machine.slept += held_up
        # Pool, name service, TCP, TLS.
        await Until(world.now + held_up) if plot in ("refused", "stopped") else await world.point()
        if fate < 0.3:
            raise ConnectionFailed("refused", operation=request.name, sent=False)
        if before_sending is not None:
            trace.before_sending = before_sending
            trace.traced = True
            trace.hand_over()
            await trace.arun_hook()
            trace.started = True
            trace.on_sent()
        if world.residual:
            await Until(world.now + held_up) if plot else await world.point()
        world.note("sent")
        if fate < 0.65:
            await Until(world.now + 0.1)
            wait = held_up if plot else world.random.choice((1.0, 20.0, 75.0))
            raise TooManyRequests("slow down", operation=request.name, status=429, retry_after=wait)
        lands = 115.0 if plot else world.random.choice((0.1, 5.0, 60.0, 118.0))
        job = Landed(f"id-{len(world.jobs)}", world.now + lands, [])
        world.jobs.append(job)
        if fate < (0.75 if plot else 0.7):
            await Until(world.now + 120.0)
            raise ConnectionFailed("the answer did not come", operation=request.name, sent=True)
        await Until(job.at + world.stop())
        job.answered.append(world.now)
        return SimpleNamespace(id=job.id, credits_charged=world.random.choice((5, None, float("nan"))))

    async def sleep(self, seconds: float) -> None:
        await Until(self.world.now + seconds + self.world.stop())

    def now(self) -> float:
        return self.world.awake(self.machine)

    def utc(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.world.now)

    def random(self) -> float:
        return self.world.random.random()


class Session:
    """The session of a worker, until its network is cut: then the server drops it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.cut_from = self.cut_until = NEVER
        self.current: object = None
        self._since = -1.0

    @property
    def cut(self) -> bool:
        return self.cut_from <= self._world.now < self.cut_until

    @property
    def seen(self) -> bool:
        """Whether the server still has it."""
        return self.current is not None and not self.cut and not self._since < self.cut_from <= self._world.now

    def hold(self) -> object:
        if self.cut:
            raise DatabaseAway("no route")
        if not self.seen:
            self.current, self._since = object(), self._world.now
            if self.cut_from == NEVER:
                self.cut_from = self._world.now + self._world.random.choice((0.1, 1.0, 5.0, 20.0, NEVER))
                self.cut_until = self.cut_from + self._world.random.choice((0.1, 1.0, 20.0, 200.0))
        return self.current


class Notes(SideFile):
    """A side file that is a list."""

    def __init__(self, world: World) -> None:
        super().__init__([])
        self._world = world

    def report(self, text: str) -> None:
        """Nothing: thousands of schedules would fill the screen."""

    def _write(self, notes: Any) -> None:
        self._world.told.update(note.project_id for note in notes if note.project_id is not None)


class Reached:
    """The claims as a worker reaches them: not at all while its network is cut."""

    def __init__(self, claims: Claims, session: Session) -> None:
        self._claims = claims
        self._session = session

    def __getattr__(self, name: str) -> Any:
        if self._session.cut:
            raise DatabaseAway("no route")
        return getattr(self._claims, name)


class Parked(StopSignal):
    """A stop signal at which processes wait forever."""

    async def gate(self, key: str) -> None:
        if self.reason is not None:
            await Until(NEVER)


class Worker:
    """One worker: `RowWorkflow` without the engine."""

    def __init__(self, world: World, name: str, machine: Machine, make: Callable[..., Submitter] = Submitter) -> None:
        self.world = world
        self.name = name
        self.machine = machine
        self.session = Session(world)
        self.stop_signal = Parked()
        self.plot = world.plot if name == "A" else None
        surroundings = submission.Environment(now=partial(world.instant, machine), run=self.database, sleep=self.sleep)
        claims: Any = Reached(world.store.claims, self.session)
        self.paying = make(claims, self.session, Notes(world), self.stop_signal, name, surroundings)

    async def database(self, function: Callable[[], Any]) -> Any:
        await self.world.point()
        result = function()
        await self.world.point()
        return result

    async def sleep(self, seconds: float) -> None:
        await Until(self.world.now + seconds)

    async def work(self, after: float) -> None:
        await Until(after)
        while self.world.now < END - 400:
            try:
                if self.session.cut:
                    raise DatabaseAway("no route")
                found = await self.database(partial(self.world.store.row, KEY))
                if found[1] in (RowStatus.WAITING, RowStatus.RUNNING):
                    await self.one(found[0], found[2])
                elif found[1] is RowStatus.SAVED:
                    return
                elif await self.database(self.world.store.claims.settled):
                    await self.database(partial(self.world.store.reopen, [KEY]))
            except DatabaseAway:
                pass
            await Until(self.world.now + 20.0)

    async def one(self, row: Row, estimate: float) -> None:
        self.world.note(f"{self.name} begins the row")
        try:
            id = await self.paying.known(row)
            if id is None:
                connection: Any = Connection(self.world, self.machine, self.plot)
                self.plot = None
                call = Call(connection, 1800.0)
                request, _ = prepare(connection, endpoint(f"v1.{row.endpoint}.create"), row.parameters)
                await self.paying.submit(call, row, request, estimate)
            answer: dict[str, Any] = {"status": RowStatus.SAVED}
        except NotMine:
            self.world.note(f"{self.name} finds that the row is another's")
            return
        except MagicHourError as error:
            answer = described(error, accepted=False)
        self.world.note(f"{self.name} says {answer['status']}")
        result = RowResult(
            key=KEY, endpoint=row.endpoint, status=RowStatus(answer["status"]), error=answer.get("error")
        )
        await self.database(partial(self.world.store.finish, result))


class Person:
    """Settles the row, repeatedly if necessary."""

    look_first = False
    waits = True

    def __init__(self, world: World, workers: list[Worker], machine: Machine) -> None:
        self.world = world
        self.workers = {worker.name: worker for worker in workers}
        self.machine = machine

    async def work(self) -> None:
        world, claims = self.world, self.world.store.claims
        for number in range(60):
            await Until(world.now + world.random.choice((1.0, 5.0, 20.0)))
            held = claims.job_of(KEY)
            if held is not None and held.project_id is not None:
                return
            if held is None:
                continue
            if not held.closed and held.worker in self.workers and self.workers[held.worker].session.seen:
                continue
            early = world.landed()
            token = f"person-{number}"
            if self.close(claims, token) is None:
                continue
            world.note("closed")
            if self.waits:
                until = world.awake(self.machine) + settling.WAIT_SECONDS
                while (left := until - world.awake(self.machine)) > 0:
                    await Until(world.now + left)
            found = early if self.look_first else world.landed()
            await Until(world.now + world.random.choice((0.0, 5.0, 100.0)))
            unknown = [job for job in found if not job.answered]
            if unknown:
                world.note(f"found {unknown[0].id}")
                if claims.set_project_id(KEY, unknown[0].id):
                    world.told.add(unknown[0].id)
            elif not found:
                world.note(f"given back: {self.give_back(claims, token)}")

    def close(self, claims: Claims, token: str) -> Any:
        return claims.close(KEY, token)

    def give_back(self, claims: Claims, token: str) -> bool:
        return claims.give_back(KEY, token)


@attrs.frozen
class Report:
    """The result of a seed."""

    seed: int
    complaints: list[str]
    trace: list[str]
    jobs: int
    strays: int


class Simulation:
    """The database of all schedules, emptied for each: creating it takes longer than a schedule."""

    def __init__(self) -> None:
        engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False})
        self.world: World | None = None

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, _: object) -> None:
            connection.isolation_level = None
            connection.create_function("julianday", 1, self._julianday)

        @sa.event.listens_for(engine, "before_cursor_execute")
        def between(*_: Any) -> None:
            if self.world is not None:
                self.world.between_statements()

        self.store = Store(engine)
        self._planned = planned([ROW])

    def _julianday(self, _: str) -> float:
        seconds = 0.0 if self.world is None else 1.7e9 + self.world.now + self.world.database_wall
        return seconds / 86400.0 + 2440587.5

    def play(self, seed: int, bug: Any = None) -> Report:
        """Run a seed and judge it."""
        self.world = None
        with self.store.transaction() as connection:
            for table in (paid, rows, strays, adopted):
                connection.execute(sa.delete(table))
            connection.execute(sa.update(batch).values(committed=0, next_submit_at=None))
        self.store.set_rows(self._planned)
        world = self.world = World(seed, self.store, residual=getattr(bug, "residual", None))
        if world.random.random() < 0.3:
            self.store.configure(rate=world.random.choice((1.0, 60.0)))
        else:
            self.store.configure(rate=None)
        machines = [Machine(), Machine()]
        make = getattr(bug, "paying", Submitter)
        workers = [Worker(world, "A", machines[0], make), Worker(world, "B", machines[1], make)]
        person = getattr(bug, "person", Person)(world, workers, world.random.choice(machines))
        for worker, after in zip(workers, (0.0, world.random.choice((1.0, 3.0, 20.0, 40.0))), strict=True):
            world.processes.append(Process(worker.name, worker.machine, worker.work(after)))
        world.processes.append(Process("person", person.machine, person.work()))
        world.run()
        self.world = None
        report = Report(seed, judged(world, self.store), world.trace, len(world.jobs), len(self.store.claims.strays()))
        for process in world.processes:
            process.work.close()
        return report


def judged(world: World, store: Store) -> list[str]:
    """The broken promises, by the ledger of the service."""
    row = store.result(KEY)
    assert row is not None
    beside = {stray.id for stray in store.claims.strays()}
    known = beside | world.told | {row.id}
    landed = world.landed()
    complaints = []
    if len(landed) > 1 and not world.residual:
        complaints.append(f"charged {len(landed)} times: {[job.id for job in landed]}")
    late = {job.id for job in landed if not job.answered}
    # Who got an answer shortly before the end may stand still with it.
    lost = [job.id for job in landed if job.answered and job.id not in known and job.answered[0] < END - 500]
    if lost:
        complaints.append(f"answered, and reported nowhere: {lost}")
    if late - known and row.status not in (RowStatus.DOUBTFUL, RowStatus.RUNNING) and not world.residual:
        complaints.append(f"never answered, and the row is {row.status}: {late - known}")
    counted = Counter(store.settings())["committed"]
    if counted < 5 * len(known - {None}):
        complaints.append(f"{counted} credits are counted for {len(known - {None})} jobs")
    return complaints
