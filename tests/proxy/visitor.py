"""A visitor on the other side of a proxy, with its own address:

HTTP, WebSockets and plain text over TLS.
"""

import itertools
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.proxy.front import Front
from tests.support.client import Connection, Frame, raw_connect
from tests.support.server import PASSWORD

_numbers = itertools.count(1)


class Visitor:
    """A client with its own address in 127/8; only 127.0.0.1 is trusted."""

    def __init__(self, front: Front) -> None:
        self.front = front
        number = next(_numbers)
        self.name = f"visitor{number}"
        self.address = f"127.0.{1 + number // 250}.{1 + number % 250}"
        self.token = ""
        self.cookie = ""
        none_kept = httpx.Limits(max_keepalive_connections=0)
        transport = httpx.HTTPTransport(
            verify=front.certificate.client, local_address=self.address, limits=none_kept, trust_env=False
        )
        base = f"https://127.0.0.1:{front.port}{front.root_path}"
        self.http = httpx.Client(transport=transport, base_url=base, timeout=30)

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **arguments: Any) -> httpx.Response:
        """Send one request, to the name in the certificate."""
        given = {"Host": f"{self.front.name}:{self.front.port}", **(headers or {})}
        extensions = {"sni_hostname": self.front.name}
        answer = self.http.request(method, path, headers=given, extensions=extensions, **arguments)
        self.http.cookies.clear()  # The cookie is kept by hand because the jar knows the host by another name.
        return answer

    def sign_up(self) -> Self:
        """Create an account and log in with a token."""
        account = {"username": self.name, "password": PASSWORD}
        answer = self.ask("POST", "/api/users", json=account)
        assert answer.status_code == 201, answer.text
        answer = self.ask("POST", "/token", data=account)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        return self

    def log_in(self) -> httpx.Response:
        """Open a browser's session; `cookie` keeps the cookie as the client sends it."""
        answer = self.ask("POST", "/api/login", json={"username": self.name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def page(self) -> dict[str, str]:
        """Return the headers that a browser sends from the site's own page."""
        return {"Cookie": self.cookie, "Origin": self.front.origin}

    def send(self, body: str, key: str = "k", room: int = 1) -> Frame:
        answer = self.ask("POST", f"/api/rooms/{room}/messages", self.bearer, json={"key": key, "body": body})
        assert answer.status_code == 201, answer.text
        made: Frame = answer.json()
        return made

    async def connect(self, **options: Any) -> Connection:
        """Open a WebSocket of hubbub.v1 with the token and wait for the welcome."""
        return await Connection.open(self._url("/ws"), self.token, **self._way(), **options)

    async def open_socket(self, headers: dict[str, str] | None = None) -> ClientConnection:
        """Open a WebSocket without sending hello."""
        return await raw_connect(self._url("/ws"), additional_headers=headers or {}, **self._way())

    async def enter(self, headers: dict[str, str]) -> ClientConnection:
        """Connect to the plain-text gateway under the visitor's name."""
        return await connect(self._url(f"/ws/{self.name}"), additional_headers=headers, proxy=None, **self._way())

    def _url(self, path: str) -> str:
        return f"wss://{self.front.name}:{self.front.port}{self.front.root_path}{path}"

    def _way(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.front.port,
            "ssl": self.front.certificate.client,
            "local_addr": (self.address, 0),
        }
