"""`examples/mounted.py` as a real process on an ASGI server.

Hubbub runs under /chat with the host's users.
"""

import contextlib
import itertools
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

import httpx
import psutil

from tests.support.server import PASSWORD, STOP_DEADLINE, Account, Server
from tests.support.waiting import eventually_blocking
from tests.support.workers import runs

UVICORN = ("-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--ws")
SERVERS: Mapping[str, Sequence[str]] = {
    "uvicorn": (*UVICORN, "websockets-sansio"),
    "uvicorn-websockets": (*UVICORN, "websockets"),
    "uvicorn-wsproto": (*UVICORN, "wsproto"),
    "uvicorn-hubbub": (*UVICORN, "hubbub:WebSocketProtocol"),
    # No workers: the process itself serves.
    "hypercorn": ("-m", "hypercorn", "--workers", "0", "--bind", "127.0.0.1:{port}"),
    "granian": ("-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}"),
}
"""Every server and WebSocket implementation that the documentation names.

The pages are docs/mounting.md and docs/library.md.
"""
GUNICORN = ("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "2", "--no-control-socket", "--worker-class")
WORKERS: Mapping[str, Sequence[str]] = {
    "uvicorn": (*UVICORN, "websockets-sansio", "--workers", "2"),
    "uvicorn-reload": (*UVICORN, "websockets-sansio", "--reload"),
    "gunicorn": (*GUNICORN, "uvicorn_worker.UvicornWorker"),
    "gunicorn-asgi": (*GUNICORN, "asgi"),
    "granian": (*SERVERS["granian"], "--workers", "2"),
    "hypercorn": ("-m", "hypercorn", "--workers", "2", "--bind", "127.0.0.1:{port}"),
}
"""The servers with two workers each, and one that starts its process again."""
_numbers = itertools.count(1)
_http = httpx.Client(trust_env=False, timeout=30.0, limits=httpx.Limits(max_keepalive_connections=0))


class MountedServer(Server):
    """A `Server` whose users log in at the host application, with its tokens."""

    def __init__(
        self,
        data: Path,
        server: str = "uvicorn",
        app: str = "examples.mounted:app",
        servers: Mapping[str, Sequence[str]] = SERVERS,
    ) -> None:
        super().__init__(data / "chat")
        self.log_path = data.parent / f"{data.name}.log"
        self.launcher = [part.format(port=self.port) for part in servers[server]]
        self.where = [app]
        self.settings.update({"APP_DATA": str(data), "APP_ORIGIN": self.origin})

    def _end(self, how: signal.Signals) -> None:
        """End the server and its workers.

        Granian serves from a worker even if there is only one.
        """
        running = self.process is not None and self.process.poll() is None
        workers = psutil.Process(self.pid).children(recursive=True) if running else []
        super()._end(how)
        if how is signal.SIGKILL:
            for worker in workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.kill()
        eventually_blocking(lambda: not any(map(runs, workers)), STOP_DEADLINE, "the workers have ended")

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/chat"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/chat/ws"

    def sign_up(self, prefix: str = "user") -> Account:
        return self.log_in(f"{prefix}{next(_numbers)}")

    def log_in(self, name: str, password: str = PASSWORD) -> Account:
        """Log in at the host application, which creates unknown users.

        The same name twice is one user with two sessions.
        """
        form = urlencode({"name": name, "password": password})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = _http.post(f"{self.origin}/login", content=form, headers=kind)
        assert answer.status_code == 303, answer.text
        token = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        profile = _http.get(f"{self.url}/users/me", headers={"Authorization": f"Bearer {token}"})
        assert profile.status_code == 200, profile.text
        return Account(self, profile.json()["id"], profile.json()["name"], token, "")

    def log_out(self, account: Account) -> None:
        """Log out at the host application."""
        answer = _http.post(f"{self.origin}/logout", headers=account.headers)
        assert answer.status_code == 303, answer.text
