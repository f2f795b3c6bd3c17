"""The ASGI servers that the suite runs on, each as a real process."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.support import forked
from tests.support.ports import free_port
from tests.support.waiting import eventually_blocking

ROOT = Path(__file__).parents[3]
APP = "tests.manager.idioms.app:app"
PATIENCE = 100.0
UVICORN = ("-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--ws")
SERVERS = {
    "uvicorn, websockets": (*UVICORN, "websockets"),
    "uvicorn, websockets-sansio": (*UVICORN, "websockets-sansio"),
    "uvicorn, wsproto": (*UVICORN, "wsproto"),
    "uvicorn, Hubbub's": (*UVICORN, "hubbub:WebSocketProtocol"),
    "gunicorn": (
        *("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--no-control-socket"),
        *("--worker-class", "uvicorn_worker.UvicornWorker"),
    ),
    # Without workers the process itself serves, so that a signal to it reaches the application.
    "hypercorn": ("-m", "hypercorn", "--workers", "0", "--bind", "127.0.0.1:{port}"),
    "granian": ("-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}"),
}


class Running:
    """A server with the application of the suite."""

    def __init__(self, name: str, folder: Path, *options: str, app: str = APP) -> None:
        self.name = name
        self.port = free_port()
        self._log = folder / f"{self.port}.log"
        self._ends = folder / f"{self.port}.ends"
        command = [part.format(port=self.port) for part in SERVERS[name]]
        environment = {**os.environ, "IDIOMS_ENDS": str(self._ends)}
        if app != APP:
            environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{folder}"
        with self._log.open("wb") as log:
            self.process = forked.start(
                [sys.executable, *command, *options, app], cwd=ROOT, stdout=log, env=environment, fork=app == APP
            )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=PATIENCE)

    def __enter__(self) -> "Running":
        self.ready()
        return self

    def ready(self) -> int:
        """Wait until the server answers; return the id of the answering process."""
        return eventually_blocking(self._pid, PATIENCE, f"{self.name} answers", every=0.1)

    def _pid(self) -> int:
        try:
            return int(self.http.get("/ready").json())
        except (httpx.HTTPError, ValueError):
            assert self.process.poll() is None, self.log()
            return 0

    def log(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    def ends(self) -> dict[str, str]:
        """Return how each endpoint ended, also after the server has stopped."""
        lines = self._ends.read_text().splitlines() if self._ends.exists() else []
        return dict(line.split() for line in lines)

    def post(self, path: str, **parameters: Any) -> Any:
        answer = self.http.post(path, params=parameters)
        assert answer.status_code == 200, f"{path} → {answer.status_code} {answer.text}\n{self.log()}"
        return answer.json()

    def stop(self, within: float) -> bool:
        """Send SIGTERM; return whether the server stops within that many seconds."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        if self.process.poll() is None and not self.stop(PATIENCE / 4):
            self.process.kill()
            self.process.wait()
