"""The open screens, and a gentle knock for each when something changed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Hub:
    def __init__(self) -> None:
        self._screens: set[asyncio.Event] = set()

    @contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        knock = asyncio.Event()
        self._screens.add(knock)
        try:
            yield knock
        finally:
            self._screens.discard(knock)

    def changed(self) -> None:
        for knock in self._screens:
            knock.set()
