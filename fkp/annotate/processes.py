"""Worker processes: they end with the process that started them, and signals are its alone."""

import os
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from fkp.errors import FkpError

Made = TypeVar("Made")

SIGNALS = frozenset(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that a terminal or a batch system sends to all processes of a run."""

LOOK = 0.5
"""Seconds between two looks of a worker for the process that started it."""

PATIENCE = 3
"""How often in a row a worker may be killed before any task is done."""


def each(
    jobs: int, do: Callable[..., Made], tasks: Iterable[tuple[Any, ...]], batch: int = 1
) -> Iterator[Made]:
    """As `work`, but in this process for one job; tasks of a killed worker are repeated.

    If the caller is interrupted, the workers end. Raises FkpError if workers are killed again and
    again.
    """
    if jobs == 1:
        yield from (do(*task) for task in tasks)
        return
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    waiting, patience = deque(tasks), PATIENCE
    try:
        while waiting:
            start_tracker()  # it may have been killed as well
            try:
                for made in work(jobs, do, list(waiting), batch):
                    waiting.popleft()
                    patience = PATIENCE
                    yield made
            except TerminatedWorkerError as error:
                patience -= 1
                if patience == 0:
                    raise FkpError(
                        "worker processes are killed again and again, possibly for lack of memory; "
                        "use fewer jobs"
                    ) from error
    except GeneratorExit:  # whoever asked needs no more
        raise
    except BaseException:
        kill_workers()
        raise


def work(
    jobs: int, do: Callable[..., Made], tasks: Iterable[tuple[Any, ...]], batch: int = 1
) -> Iterator[Made]:
    """Call a function in `jobs` processes, with the arguments of each task; results in order.

    batch: tasks that a process takes at a time. Raises joblib's TerminatedWorkerError where a
    process is killed.
    """
    import joblib

    with (
        _signals_blocked(),
        joblib.parallel_config("loky", initializer=_begin, initargs=(os.getpid(),)),
    ):
        pool = joblib.Parallel(n_jobs=jobs, return_as="generator", batch_size=batch)
        made: Iterator[Made] = pool(joblib.delayed(do)(*task) for task in tasks)
    return made


def kill_workers() -> None:
    """End all workers, whatever they do."""
    from joblib.externals.loky import get_reusable_executor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they held is released
        get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


def start_tracker() -> None:
    """Start the process that removes what killed ones leave; it has nothing to say to a user."""
    from joblib.externals.loky.backend import resource_tracker

    own = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        with _signals_blocked():
            resource_tracker.ensure_running()
    finally:
        os.dup2(own, 2)
        os.close(own)
        os.close(nothing)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """For processes that are started meanwhile: they inherit it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(parent: int) -> None:
    """Runs in each new worker."""
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    """End when the parent has ended, even if it was killed."""
    if os.name != "posix":  # the parent cannot be observed
        return
    while os.getppid() == parent:
        time.sleep(LOOK)
    os._exit(1)
