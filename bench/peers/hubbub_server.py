"""The whole `hubbub serve`, with accounts, permissions and durable messages."""

from __future__ import annotations

import http.client
import json
import secrets
import sys
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.peers.peer import Peer

ACCOUNTS = 50
ROOMS = 4  # and the lobby
TOKENS_FRESH = 300.0  # seconds; access tokens live for 600

ENVIRONMENT = {"HUBBUB_SIGNUP": "open", "HUBBUB_RATE_LIMITS": "off", "HUBBUB_CONNECTIONS_PER_USER": "2000"}


BESIDES = (
    '{"id":2,"type":"room.read","room":1,"seq":$HEAD}',
    '{"id":2,"type":"reaction.add","room":1,"message":$HEAD,"emoji":"\N{THUMBS UP SIGN}"}',
)


class HubbubServer:
    """A data folder with accounts in five rooms, and their sessions' tokens."""

    def __init__(self, folder: Path, database: str | None = None) -> None:
        """Use `database`, a URL; without one, SQLite in the data folder."""
        folder.mkdir(exist_ok=True)
        self._data = folder / "data"
        self._tokens = folder / "tokens"
        self._environment = ENVIRONMENT | ({"HUBBUB_DATABASE_URL": database} if database else {})
        self._password = secrets.token_hex(12)
        self._names = f"reader{secrets.token_hex(3)}x"
        self.tokens: list[str] = []
        self._logged_in = 0.0
        self._loads = 0

    def peer(self) -> Peer:
        return Peer(
            name="hubbub server",
            does="accounts, permissions, one order, every message durable first",
            command=self._command,
            load=self.load,
            environment=self._environment,
            ready_path="/health/ready",
            acknowledges=True,
        )

    def another(self, name: str) -> HubbubServer:
        """Return a server with another data folder; on PostgreSQL with the same database."""
        return HubbubServer(self._data.parent / name, self._environment.get("HUBBUB_DATABASE_URL"))

    @property
    def database(self) -> str:
        """The URL of the server's database."""
        return self._environment.get("HUBBUB_DATABASE_URL", f"sqlite:///{self._data / 'hubbub.db'}")

    def busy_peer(self) -> Peer:
        """Return a peer with a mixed load.

        Every fifth command is a read position or a reaction at the newest message.
        """
        return replace(self.peer(), load=lambda text: [*self.load(text), "--besides", "\n".join(BESIDES)])

    def log_in(self, port: int) -> None:
        """Create accounts and rooms the first time.

        Later, renew tokens that are about to expire.
        """
        first = not self._logged_in
        if not first and time.monotonic() - self._logged_in < TOKENS_FRESH:
            return
        tokens = []
        for number in range(ACCOUNTS):
            credentials = {"username": f"{self._names}{number}", "password": self._password}
            if first:
                post(port, "/api/users", credentials)
            form = urllib.parse.urlencode(credentials)
            tokens.append(str(post(port, "/token", form)["access_token"]))
        if first:
            _make_rooms(port, tokens)
        self.tokens = tokens
        self._tokens.write_text("\n".join(tokens))
        self._logged_in = time.monotonic()

    def greeting(self) -> Sequence[str]:
        """Return the generator's options for authenticated connections."""
        return [
            *("--path", "/ws", "--subprotocol", "hubbub.v1", "--tokens", f"file:{self._tokens}"),
            *("--hello", '{"type":"hello"}', "--ready", '"welcome"'),
        ]

    def _command(self, port: int) -> Sequence[str]:
        hubbub = Path(sys.executable).parent / "hubbub"
        return [str(hubbub), "serve", "--host", "127.0.0.1", "--port", str(port), "--data", str(self._data)]

    def load(self, text: str) -> Sequence[str]:
        """Return the generator's options for sending `text` to the lobby, with keys of their own."""
        self._loads += 1  # keys stay unique, also over several runs on one data folder
        key = f"{secrets.token_hex(4)}-{self._loads}-$SEQ"
        message = f'{{"id":1$SEQ,"type":"message.send","room":1,"key":"{key}","body":"{text}"}}'
        return [*self.greeting(), "--ack", '{"re":1', "--message", message]


def _make_rooms(port: int, tokens: Sequence[str]) -> None:
    for number in range(ROOMS):
        name = f"Room {number} {secrets.token_hex(3)}"
        room = {"kind": "public", "name": name, "key": secrets.token_hex(8)}
        made = post(port, "/api/rooms", room, tokens[0])["room"]
        for token in tokens[1:]:
            post(port, f"/api/rooms/{made['id']}/join", {}, token)


def post(port: int, path: str, body: dict[str, str] | str, token: str | None = None) -> dict[str, Any]:
    """Send a dictionary as JSON, or a string as a form. Return the JSON response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    kind = "application/x-www-form-urlencoded" if isinstance(body, str) else "application/json"
    headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection.request("POST", path, body if isinstance(body, str) else json.dumps(body), headers)
    response = connection.getresponse()
    text = response.read()
    if response.status >= http.HTTPStatus.BAD_REQUEST:
        raise RuntimeError(f"POST {path} answered {response.status}: {text.decode(errors='replace')}")
    answer: dict[str, Any] = json.loads(text)
    return answer
