"""A pool of processes that survives the death of a worker."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Protocol, Self

from fkp.annotate.choosing import chosen
from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import predict
from fkp.annotate.network import PortableNetwork
from fkp.annotate.outcome import Failure, Result
from fkp.annotate.photo.cutting import Cut, FaceCutter, spent
from fkp.annotate.photo.drawing import DrawConfig, DrawOutcome
from fkp.annotate.processes import kill_workers, start_tracker, work
from fkp.annotate.watch import Watch, add_seconds
from fkp.keypoints import Faces

KILLED = "the process that worked on it was killed, possibly for lack of memory"


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """The result of one picture. seconds: spent on it, or on it and others of its task."""

    result: Result
    seconds: dict[str, float] = field(default_factory=dict)


Piece = Cut | Failure | Located | DrawOutcome


class Task(Protocol):
    """A task of a worker."""

    def __call__(self) -> Sequence[Piece]:
        """Run the task."""
        ...

    def parts(self) -> "Sequence[Task]":
        """The same work, split into the smallest tasks."""
        ...

    def lost(self) -> Sequence[Piece]:
        """The result of a smallest task that kills its worker."""
        ...


@dataclass(frozen=True, slots=True)
class Cutting:
    """Find the faces of some pictures."""

    cutter: FaceCutter
    paths: Sequence[str]

    def __call__(self) -> Sequence[Piece]:
        return [self.cutter(path) for path in self.paths]

    def parts(self) -> Sequence[Task]:
        """One picture each."""
        return [Cutting(self.cutter, [path]) for path in self.paths]

    def lost(self) -> Sequence[Piece]:
        """The picture could not be read."""
        return [Failure(KILLED)]


@dataclass(frozen=True, slots=True)
class Finding:
    """The faces of some pictures and their points, by a network of the worker's own."""

    cutter: FaceCutter
    network: PortableNetwork
    config: AnnotateConfig
    paths: Sequence[str]

    def __call__(self) -> Sequence[Piece]:
        cuts = [self.cutter(path) for path in self.paths]
        watch, seconds = Watch(), spent(cuts)
        found = predict(cuts, self.network, self.config)
        results = chosen(self.paths, cuts, found, self.config)
        watch.lap("network")
        add_seconds(seconds, watch.seconds)
        first, *others = results
        return [Located(first, seconds), *map(Located, others)]

    def parts(self) -> Sequence[Task]:
        """One picture each."""
        return [replace(self, paths=[path]) for path in self.paths]

    def lost(self) -> Sequence[Piece]:
        """It could not be read."""
        return [Failure(KILLED)]


@dataclass(frozen=True, slots=True)
class Sketch:
    """Draw one picture."""

    drawing: DrawConfig
    path: str
    name: str
    faces: Faces

    def __call__(self) -> Sequence[Piece]:
        return [self.drawing.draw(self.path, self.name, self.faces)]

    def parts(self) -> Sequence[Task]:
        """Itself."""
        return [self]

    def lost(self) -> Sequence[Piece]:
        """The picture could not be drawn."""
        return [DrawOutcome(KILLED, {})]


class Workers:
    """`jobs` processes, fed by a thread; with one job, tasks run in the calling process.

    told: called with each task's results as soon as they are ready. killed: how often a process was
    killed from outside. Its tasks are repeated; one that kills its process three times is lost.
    """

    def __init__(self, jobs: int, told: Callable[[Sequence[Piece]], None]) -> None:
        self.jobs, self.told, self.killed = jobs, told, 0
        self._thread = ThreadPoolExecutor(1)
        self._closed = False
        if jobs > 1:
            start_tracker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closed = True
        if kind is not None and self.jobs > 1:  # nobody waits for what they do
            kill_workers()
        self._thread.shutdown(cancel_futures=True)

    def submit(self, tasks: Sequence[Task]) -> "Future[list[Piece]]":
        """Start tasks; the results come in their order."""
        if self.jobs > 1:
            return self._thread.submit(self._all, tasks)
        results: list[Piece] = []
        for task in tasks:
            results += self._heard(task())
        done: Future[list[Piece]] = Future()
        done.set_result(results)
        return done

    def _heard(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        self.told(pieces)
        return pieces

    def _all(self, tasks: Sequence[Task]) -> list[Piece]:
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        waiting = deque(tasks)
        results: list[Piece] = []
        patience = 2
        while waiting:
            before = len(waiting)
            try:
                for pieces in self._run(list(waiting)):
                    results += self._heard(pieces)
                    waiting.popleft()
            except TerminatedWorkerError:
                if self._closed:  # interrupted, as the caller was
                    raise
                self.killed += 1
                start_tracker()  # it may have been killed as well
                patience = 2 if len(waiting) < before else patience - 1
                if patience == 0:
                    results += self._one_by_one(waiting.popleft())
                    patience = 2
        return results

    def _one_by_one(self, task: Task) -> Iterator[Piece]:
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        for part in task.parts():
            try:
                for pieces in self._run([part]):
                    yield from self._heard(pieces)
            except TerminatedWorkerError:
                self.killed += 1
                yield from self._heard(part.lost())

    def _run(self, tasks: Sequence[Task]) -> Iterator[Sequence[Piece]]:
        here = os.getcwd()
        return work(self.jobs, _behind, [(task, here) for task in tasks])


def _behind(task: Task, folder: str) -> Sequence[Piece]:
    """Run the task at a lower priority than the caller, which keeps all workers busy.

    folder: the caller's current folder, which may have changed since the process started.
    """
    _give_way()
    os.chdir(folder)
    return task()


@lru_cache(maxsize=1)
def _give_way() -> None:
    if hasattr(os, "nice"):
        os.nice(5)
