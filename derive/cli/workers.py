"""Work spread over processes: results as they come, a process that dies found out, none left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from typing import Any

Make = Callable[..., Callable[[int], Any]]  # called once in each process: what does one piece of work
Found = Generator[tuple[int, Any], None, list[int]]

DIED = object()  # in place of the result of work whose process died


def processors() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def results(make: Make, arguments: tuple[Any, ...], numbers: Sequence[int], jobs: int) -> Iterator[tuple[int, Any]]:
    """(number, make(*arguments)(number)) for each number, in the order in which they are done.

    When a process dies nobody knows what killed it: all that was under way is done again, each by itself. Whatever
    kills its process a second time has DIED for a result.
    """
    left = list(numbers)
    while left:
        for number in (yield from _until_one_dies(make, arguments, left, jobs)):
            alone = [number]
            yield from _until_one_dies(make, arguments, alone, 1)
            if alone:
                yield number, DIED
            left.remove(number)


def _until_one_dies(make: Make, arguments: tuple[Any, ...], left: list[int], jobs: int) -> Found:
    """Takes what is done out of `left`; what was under way when a process died, which is nothing if none did."""
    running: dict[Future[Any], int] = {}
    with _pool(min(jobs, len(left))) as pool:
        try:
            while left:
                with _uninterrupted():  # processes that start now ignore Ctrl-C: this one ends them
                    for number in [n for n in left if n not in running.values()][: jobs - len(running)]:
                        running[pool.submit(_done, make, arguments, number)] = number
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    found = future.result()
                    number = running.pop(future)
                    left.remove(number)
                    yield number, found
        except BrokenProcessPool:
            return list(running.values())
    return []


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes, on every system alike; an exception ends them at once, whatever they do."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    pool.shutdown()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only there are signals received
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# In each process.


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


_made = cache(lambda make, arguments: make(*arguments))


def _done(make: Make, arguments: tuple[Any, ...], number: int) -> Any:
    return _made(make, arguments)(number)
