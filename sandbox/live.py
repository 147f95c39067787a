"""Who is looking at a screen right now, and a gentle knock for each when something changed."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

EVERYONE = ""


class Hub:
    def __init__(self) -> None:
        self._watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def watch(self, topic: str) -> Iterator[asyncio.Event]:
        knock = asyncio.Event()
        self._watchers[topic].add(knock)
        try:
            yield knock
        finally:
            self._watchers[topic].discard(knock)
            if not self._watchers[topic]:
                del self._watchers[topic]

    def changed(self, topic: str) -> None:
        for name in (topic, EVERYONE):
            if name in self._watchers:
                for knock in self._watchers[name]:
                    knock.set()

    def wake_all(self) -> None:
        """Let every open stream notice that the server is closing."""
        for watchers in self._watchers.values():
            for knock in watchers:
                knock.set()
