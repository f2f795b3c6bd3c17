"""The whole server: `hubbub serve` on SQLite with accounts, permissions and every message on disk first."""

from __future__ import annotations

import http.client
import json
import secrets
import sys
import time
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from bench.peers.peer import Peer

ACCOUNTS = 50
TOKENS_FRESH = 300.0  # seconds; access tokens live for 600

ENVIRONMENT = {"HUBBUB_SIGNUP": "open", "HUBBUB_RATE_LIMITS": "off", "HUBBUB_CONNECTIONS_PER_USER": "2000"}


class HubbubServer:
    """A data folder with accounts, all of them members of the lobby, and the tokens of their sessions."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._tokens = folder / "tokens"
        self._password = secrets.token_hex(12)
        self._logged_in = 0.0
        self._loads = 0

    def peer(self) -> Peer:
        return Peer(
            name="hubbub server",
            does="accounts, permissions, one order, every message durable first",
            command=self._command,
            load=self._load,
            environment=ENVIRONMENT,
            ready_path="/health/ready",
            acknowledges=True,
        )

    def log_in(self, port: int) -> None:
        """Make the accounts the first time; get their tokens again when they grow old."""
        first = not self._logged_in
        if not first and time.monotonic() - self._logged_in < TOKENS_FRESH:
            return
        tokens = []
        for number in range(ACCOUNTS):
            credentials = {"username": f"reader{number}", "password": self._password}
            if first:
                _post(port, "/api/accounts", json.dumps(credentials), "application/json")
            answer = _post(port, "/token", urllib.parse.urlencode(credentials), "application/x-www-form-urlencoded")
            tokens.append(str(answer["access_token"]))
        self._tokens.write_text("\n".join(tokens))
        self._logged_in = time.monotonic()

    def _command(self, port: int) -> Sequence[str]:
        hubbub = Path(sys.executable).parent / "hubbub"
        return [str(hubbub), "serve", "--host", "127.0.0.1", "--port", str(port), "--data", str(self._data)]

    def _load(self, text: str) -> Sequence[str]:
        self._loads += 1  # keys are unique for ever, also over the runs on one data folder
        key = f"{secrets.token_hex(4)}-{self._loads}-$SEQ"
        message = f'{{"id":1$SEQ,"type":"message.send","room":1,"key":"{key}","body":"{text}"}}'
        return [
            *("--path", "/ws", "--subprotocol", "hubbub.v1", "--tokens", f"file:{self._tokens}"),
            *("--hello", '{"type":"hello"}', "--ready", '"welcome"', "--ack", '{"re":1', "--message", message),
        ]


def _post(port: int, path: str, body: str, content_type: str) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", path, body, {"Content-Type": content_type})
    response = connection.getresponse()
    text = response.read()
    if response.status >= http.HTTPStatus.BAD_REQUEST:
        raise RuntimeError(f"POST {path} answered {response.status}: {text.decode(errors='replace')}")
    answer: dict[str, object] = json.loads(text)
    return answer
