"""Files behind one small interface: a folder, or another store with the same three verbs.

What people upload holds names, ID numbers and pay: content is sealed before it is written.
"""

import secrets
from pathlib import Path
from typing import Protocol

from core.clock import business_date
from core.security import key_ring
from core.settings import get_settings

_PURPOSE = "file"


class FileStore(Protocol):
    def put(self, content: bytes, *, kind: str) -> str:
        """Keep ``content`` and return its key."""

    def get(self, key: str) -> bytes:
        """Raises FileNotFoundError when the key is unknown."""

    def delete(self, key: str) -> None:
        """Deleting twice is harmless."""


class FolderStore:
    """Keys are made here and never from a person's file name."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, content: bytes, *, kind: str) -> str:
        key = f"{kind}/{business_date():%Y/%m}/{secrets.token_hex(16)}"
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = path.with_suffix(".part")
        partial.write_bytes(key_ring().seal_bytes(_PURPOSE, content))
        partial.replace(path)
        return key

    def get(self, key: str) -> bytes:
        return key_ring().unseal_bytes(_PURPOSE, self._path(key).read_bytes())

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise FileNotFoundError(key)
        return path


def files() -> FileStore:
    return FolderStore(get_settings().files_dir)
