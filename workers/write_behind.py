"""Write-behind: a worker writes down a chunk's outcomes while it already sends the next chunk."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from flask import Flask, current_app

from core.log import logger

_EXTENSION = "write_behind"


def hand(write: Callable[[], None]) -> None:
    """To the thread beside this worker; where there is none, it is written at once."""
    clerk = current_app.extensions.get(_EXTENSION)
    if clerk is None:
        write()
    else:
        clerk.hand(write)


@contextmanager
def beside(app: Flask) -> Iterator[None]:
    """While a worker works. At the end everything is written."""
    clerk = app.extensions[_EXTENSION] = _Clerk(app)
    try:
        yield
    finally:
        clerk.close()
        del app.extensions[_EXTENSION]


class _Clerk:
    """One thread beside the worker's own. Who hands it something waits for what it was handed
    before: a slow database slows the sending, and no more than two chunks are sent and not written
    down.

    When the process dies first, that chunk is still claimed in the ledger, and the sweeper finds
    the claim too old, as after a death while sending.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="write-behind")
        self._last: Future[None] | None = None

    def hand(self, write: Callable[[], None]) -> None:
        previous, self._last = self._last, self._thread.submit(self._write, write)
        if previous is not None:  # a job whose time ends here has handed its own over before
            previous.result()

    def close(self) -> None:
        self._thread.shutdown()

    def _write(self, write: Callable[[], None]) -> None:
        with self._app.app_context():
            try:
                write()
            except Exception:  # the job that handed it over has ended: nobody else would tell
                logger.exception("outcomes not written")
