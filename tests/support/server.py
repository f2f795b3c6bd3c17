"""A real `hubbub serve` process for tests.

Start, kill and restart it on the same data folder.
"""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from hubbub.cli.operator import ask_server
from hubbub.control import CreateUser, MakeResetLink
from tests.support import forked, quick_passwords
from tests.support.patience import ATTEMPTS, patient_post
from tests.support.ports import free_port as free_port
from tests.support.waiting import eventually_blocking

START_DEADLINE = 40.0
STOP_DEADLINE = 30.0
MEASURED = "PYTEST_COVERAGE" in os.environ
"""True if coverage is measured, which a killed process does not write (`scripts/rings.py`)."""
PASSWORD = "correct horse battery staple"
# Limits per time and per address would stop a load test; limits of size and the global cap stay on.
TEST_SETTINGS = {"HUBBUB_RATE_LIMITS": "off", "HUBBUB_SIGNUP": "open", "HUBBUB_CONNECTIONS_PER_USER": "1000"}

_numbers = itertools.count(1)
# Shared, because building a client costs more than a request. No kept connections, since servers
# die suddenly here.
_http = httpx.Client(verify=False, trust_env=False, timeout=30.0, limits=httpx.Limits(max_keepalive_connections=0))


class Server:
    """A server on one data folder; `kill` and `start` may be called repeatedly."""

    def __init__(
        self,
        data: Path,
        settings: dict[str, str] | None = None,
        launcher: Sequence[str] = ("-m", "hubbub"),
        host: str = "127.0.0.1",
    ) -> None:
        self.data = data
        self.host = host
        self.port = free_port()
        self.launcher = list(launcher)
        self.where = ["serve", "--host", host, "--port", str(self.port), "--data", str(data)]
        self.settings = {**TEST_SETTINGS, **(settings or {})}
        self.log_path = data.parent / f"{data.name}.log"
        self.by_fork = True
        """If false, start by exec, as operators do.

        Where a fork would differ, exec is used anyway.
        """
        self.process: forked.Process | None = None

    # -- the process

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}
        return {**inherited, "PYTHONUNBUFFERED": "1", quick_passwords.VARIABLE: "1", **self.settings}

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server is not running"
        return self.process.pid

    def start(self) -> "Server":
        """Start and wait until `/health/ready` succeeds."""
        self.launch()
        self.wait_ready()
        return self

    def launch(self) -> None:
        """Start without waiting."""
        assert self.process is None, "the server runs already"
        with self.log_path.open("ab") as log:
            self.process = forked.start(
                [sys.executable, *self.launcher, *self.where], env=self.environment, stdout=log, fork=self.by_fork
            )

    def wait_ready(self, within: float = START_DEADLINE) -> None:
        eventually_blocking(self.is_ready, within, f"the server answers /health/ready\n{self.log_text()[-4000:]}")

    def is_ready(self) -> bool:
        assert self.process is not None
        code = self.process.poll()
        assert code is None, f"the server ended with {code} at start:\n{self.log_text()[-4000:]}"
        try:
            return _http.get(f"{self.url}/health/ready", timeout=5.0).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """End by SIGKILL, without any clean-up."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End by SIGTERM with a drain; fail if the server does not end by itself."""
        self._end(signal.SIGTERM)

    def end(self) -> None:
        """End at once, or by SIGTERM if coverage is measured."""
        if MEASURED:
            self.stop()
        else:
            self.kill()

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        process, self.process = self.process, None
        died = process.poll()
        assert died is None, f"the server ended by itself with {died}\n{self.log_text()[-4000:]}"
        process.send_signal(how)
        try:
            process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_DEADLINE)
            raise AssertionError(f"{how.name} did not end the server\n{self.log_text()[-4000:]}") from None

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    # -- addresses and output

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://{self.host}:{self.port}/ws"

    @property
    def database(self) -> Path:
        """The SQLite file in the data folder."""
        return self.data / "hubbub.db"

    @property
    def database_url(self) -> str:
        """The address of the database, SQLite or PostgreSQL."""
        return self.settings.get("HUBBUB_DATABASE_URL") or f"sqlite:///{self.database}"

    def log_text(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def setup_link(self) -> str:
        """Return the owner's setup link from the first start."""
        found = eventually_blocking(
            lambda: re.findall(r"https?://\S+/setup#\S+", self.log_text()), 20.0, "the owner's link"
        )
        return str(found[-1])

    def log_lines(self, event: str) -> list[dict[str, Any]]:
        """Return the structured log lines with that `event`."""
        found = []
        for line in self.log_text().splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict) and entry.get("event") == event:
                    found.append(entry)
        return found

    def metrics(self) -> dict[str, float]:
        """Return `/metrics` as sample → value, labels as printed."""
        answer = _http.get(f"{self.url}/metrics")
        assert answer.status_code == 200, answer.text
        samples = {}
        for line in answer.text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name] = float(value)
        return samples

    def resident_bytes(self) -> int:
        """Return the resident memory of the process."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    # -- accounts

    def command_line(self, *arguments: str, stdin: str = "") -> str:
        """Run a `hubbub` command on this data folder; return its standard output."""
        command = [sys.executable, "-m", "hubbub", *arguments, "--data", str(self.data)]
        done = forked.run(command, env=self.environment, input=stdin)
        assert done.returncode == 0, f"hubbub {' '.join(arguments)} → {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def create_owner(self, name: str = "owner") -> "Account":
        """Create an owner through the operator's socket."""
        ask_server(self.data, CreateUser(name=name, role="owner", password=PASSWORD))
        return self.log_in(name)

    def reset_link(self, name: str) -> str:
        """Create a link to reset a user's password through the operator's socket."""
        answer = ask_server(self.data, MakeResetLink(name=name))
        assert answer is not None
        return str(answer["link"])

    def sign_up(self, prefix: str = "user") -> "Account":
        """Sign up a member with a unique name over REST, logged in by token."""
        for _ in range(ATTEMPTS):
            name = f"{prefix}{next(_numbers)}"  # a new one each time: the account may exist in spite of a 503
            answer = _http.post(f"{self.url}/api/users", json={"username": name, "password": PASSWORD})
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
        assert answer.status_code == 201, answer.text
        return self.log_in(name)

    def log_in(self, name: str, password: str = PASSWORD) -> "Account":
        """Start a session of an existing account; returns it with its tokens."""
        answer = patient_post(_http, f"{self.url}/token", data={"username": name, "password": password})
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        profile = _http.get(f"{self.url}/users/me", headers=bearer)
        assert profile.status_code == 200, profile.text
        return Account(self, profile.json()["id"], name, tokens["access_token"], tokens["refresh_token"])


class Account:
    """A session of an account: user, credentials, and the REST calls that tests need."""

    def __init__(self, server: Server, user_id: int, name: str, token: str, refresh: str) -> None:
        self.server = server
        self.id = user_id
        self.name = name
        self.token = token
        self.refresh = refresh

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send a REST request as this account."""
        return _http.request(method, f"{self.server.url}{path}", headers=self.headers, **arguments)

    def get(self, path: str, **parameters: Any) -> Any:
        """Send a GET that must succeed; return the JSON answer."""
        answer = self.request("GET", path, params=parameters)
        assert answer.status_code == 200, f"GET {path} → {answer.status_code} {answer.text}"
        return answer.json()

    def try_refresh(self, refresh_token: str | None = None) -> httpx.Response:
        """Present a refresh token, by default this session's own."""
        presented = {"refresh_token": refresh_token or self.refresh}
        return _http.post(f"{self.server.url}/token/refresh", json=presented)

    def renew(self) -> None:
        """Replace the tokens of the session."""
        answer = self.try_refresh()
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        self.token, self.refresh = tokens["access_token"], tokens["refresh_token"]

    def try_log_in(self, password: str = PASSWORD) -> httpx.Response:
        """Present the password for a new session."""
        return _http.post(f"{self.server.url}/token", data={"username": self.name, "password": password})

    def create_room(self, name: str) -> int:
        """Create a public room; return its id."""
        answer = self.request("POST", "/api/rooms", json={"kind": "public", "name": name})
        assert answer.status_code == 201, answer.text
        room: int = answer.json()["room"]["id"]
        return room

    def join(self, room: int) -> None:
        answer = self.request("POST", f"/api/rooms/{room}/join")
        assert answer.status_code == 200, answer.text

    def history(self, room: int) -> list[dict[str, Any]]:
        """Return every message of the room, oldest first."""
        return list(self._pages(f"/api/rooms/{room}/messages", "messages", after=0))

    def log(self, topic: str, after: int = 0) -> list[dict[str, Any]]:
        """Return every event of the topic after a position that this account may see."""
        events: list[dict[str, Any]] = []
        position = after
        while True:
            page = self.get(f"/api/topics/{topic}/events", after=position, limit=200)
            if page.get("reset"):
                assert page["floor"] > position, f"a reset without progress: {page}"
                position = page["floor"]
                continue
            events += page["events"]
            if not page["events"] or events[-1]["seq"] >= page["head"]:
                return events
            position = events[-1]["seq"]

    def _pages(self, path: str, field: str, after: int) -> Iterator[dict[str, Any]]:
        while True:
            page = self.get(path, after=after, limit=200)
            yield from page[field]
            if not page["more"]["after"] or not page[field]:
                return
            after = page[field][-1]["seq"]
