"""One folder: a snapshot of the state, replaced whole, a journal that messages join, and files."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sandbox.state import Message, State

STATE = TypeAdapter(State)


class UnreadableFolder(Exception):
    """The folder holds something that this version did not write."""


class Folder:
    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._snapshot = path / "sandbox.json"
        self._journal = path / "messages.jsonl"
        self._files = path / "files"

    def load(self) -> State:
        if not self._snapshot.exists():
            return State()
        try:
            return STATE.validate_json(self._snapshot.read_bytes())
        except ValidationError as error:
            raise UnreadableFolder(f"{self._snapshot} cannot be read; remove it") from error

    def save(self, state: State) -> None:
        draft = self._snapshot.with_suffix(".draft")
        draft.touch(mode=0o600)  # it holds secrets, though only the sandbox's
        draft.write_bytes(STATE.dump_json(state))
        draft.replace(self._snapshot)

    def messages(self) -> Iterator[Message]:
        if not self._journal.exists():
            return
        whole = 0
        with self._journal.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):  # torn when the process was killed
                    os.truncate(self._journal, whole)
                    return
                whole += len(line)
                yield Message(**json.loads(line))

    def append(self, messages: Iterable[Message]) -> None:
        lines = [json.dumps(asdict(message), ensure_ascii=False) + "\n" for message in messages]
        if lines:
            with self._journal.open("a", encoding="utf-8") as journal:
                journal.writelines(lines)
                journal.flush()
                os.fsync(journal.fileno())

    def forget_messages(self) -> None:
        self._journal.unlink(missing_ok=True)

    def keep_file(self, name: str, data: bytes) -> None:
        self._files.mkdir(exist_ok=True)
        (self._files / name).write_bytes(data)

    def read_file(self, name: str) -> bytes:
        return (self._files / name).read_bytes()

    def forget_files(self) -> None:
        for file in self._files.glob("*"):
            file.unlink()
