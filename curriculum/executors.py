"""Where a cohort's work runs: in this process, in processes of this machine, or on a Dask cluster. One way to ask."""

from __future__ import annotations

import concurrent.futures as cf
import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from curriculum.errors import CohortError

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Seconds within which a cluster must be reached, and between two looks at whether it is still there.
REACH, LOOK = 15, 5


class Here(cf.Executor):
    """Runs what is submitted at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> cf.Future[Any]:
        future: cf.Future[Any] = cf.Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Executor(Generic[Item, Result]):
    """Runs a function over items, a bounded number of them at a time, and asks again when a worker was lost."""

    def __init__(self, start: Callable[[], cf.Executor], width: int, alive: Callable[[], bool] = lambda: True) -> None:
        self._start, self._width, self._alive = start, width, alive
        self._pool = start()

    def map(
        self, function: Callable[[Any], Result], items: Iterable[Item], argument: Callable[[Item], Any]
    ) -> Iterator[tuple[Item, Result | CohortError]]:
        """Each item with what the function returned for its argument, as they are done.

        An item whose worker is lost is tried once more; lost again, it comes with a CohortError.
        """
        pending: dict[cf.Future[Result], tuple[Item, int]] = {}
        for item in items:
            pending[self._submit(function, argument(item))] = (item, 1)
            while len(pending) >= self._width:
                yield from self._done(pending, function, argument)
        while pending:
            yield from self._done(pending, function, argument)

    def _submit(self, function: Callable[[Any], Result], argument: Any) -> cf.Future[Result]:
        try:
            return self._pool.submit(function, argument)
        except cf.BrokenExecutor:
            self._pool = self._start()
            return self._pool.submit(function, argument)

    def _done(
        self,
        pending: dict[cf.Future[Result], tuple[Item, int]],
        function: Callable[[Any], Result],
        argument: Callable[[Item], Any],
    ) -> Iterator[tuple[Item, Result | CohortError]]:
        done, _ = cf.wait(pending, timeout=LOOK, return_when=cf.FIRST_COMPLETED)
        if not done and not self._alive():
            raise CohortError("cohort-cluster-gone")
        for future in done:
            item, tries = pending.pop(future)
            try:
                yield item, future.result()
            except (cf.BrokenExecutor, cf.CancelledError, RuntimeError, OSError) as error:
                if tries == 1 and self._alive():
                    pending[self._submit(function, argument(item))] = (item, 2)
                else:
                    yield item, CohortError("cohort-worker-lost", problem=str(error) or type(error).__name__)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def executor_for(jobs: int, dask: str = "") -> Iterator[Executor[Any, Any]]:
    """The executor for a number of local processes, or for the cluster at an address. Raises CohortError."""
    if dask:
        with _cluster(dask) as executor:
            yield executor
        return
    executor = Executor(Here, 1) if jobs <= 1 else Executor(lambda: _processes(jobs), 2 * jobs)
    try:
        yield executor
    finally:
        executor.close()


def _processes(jobs: int) -> cf.Executor:
    return cf.ProcessPoolExecutor(jobs, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[Executor[Any, Any]]:
    try:
        from distributed import Client
    except ImportError as error:
        raise CohortError("cohort-no-dask", problem=str(error)) from error
    try:
        client: Any = Client(address, timeout=REACH, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise CohortError("cohort-no-cluster", address=address, problem=str(error) or type(error).__name__) from error
    with contextlib.closing(client):
        workers = max(1, len(client.scheduler_info().get("workers", {})))
        yield Executor(lambda: client.get_executor(pure=False), 4 * workers, lambda: client.status == "running")


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets, so that what was begun can be ended; the second one is as ever."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def set_once(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, set_once)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
