"""Tasks that go on in threads while a test does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def running_tasks(*tasks: Callable[[threading.Event], None]) -> Iterator[list[BaseException]]:
    """Run tasks in threads, which end when their event is set; yield what they have raised so far."""
    stop, errors = threading.Event(), list[BaseException]()

    def run(task: Callable[[threading.Event], None]) -> None:
        try:
            task(stop)
        except BaseException as error:  # noqa: BLE001  raised in the test's thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        stop.set()
        for thread in threads:
            thread.join()
