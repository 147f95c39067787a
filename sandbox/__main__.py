"""``python -m sandbox [--host 127.0.0.1] [--port 8100] [--data-dir DIR]``"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from sandbox.server import serve
from sandbox.storage import UnreadableFolder


def main() -> int:
    parser = argparse.ArgumentParser(prog="sandbox", description="Plays WeChat and WeCom.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--data-dir", type=Path, help="keep accounts, people and messages here")
    options = parser.parse_args()
    try:
        asyncio.run(_until_told_to_stop(options.host, options.port, options.data_dir))
    except UnreadableFolder as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"sandbox: cannot listen on port {options.port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


async def _until_told_to_stop(host: str, port: int, data_dir: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve(host, port, data_dir, stop)


if __name__ == "__main__":
    sys.exit(main())
