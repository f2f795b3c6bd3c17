"""Somebody on the other side of a proxy, with an address of his own: HTTP, WebSockets and plain text over TLS."""

import itertools
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.proxy.front import Front
from tests.support.client import Connection, Frame, raw_connect
from tests.support.server import PASSWORD

_numbers = itertools.count(1)


class Visitor:
    """Comes from an address in 127/8 that nobody else has: only the proxy's own, 127.0.0.1, is a trusted one."""

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
        """One request, by the name in the certificate."""
        given = {"Host": f"{self.front.name}:{self.front.port}", **(headers or {})}
        extensions = {"sni_hostname": self.front.name}
        answer = self.http.request(method, path, headers=given, extensions=extensions, **arguments)
        self.http.cookies.clear()  # kept by hand: the jar knows another name of the host
        return answer

    def sign_up(self) -> Self:
        """A new account, with a token."""
        account = {"username": self.name, "password": PASSWORD}
        answer = self.ask("POST", "/api/accounts", json=account)
        assert answer.status_code == 201, answer.text
        answer = self.ask("POST", "/token", data=account)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        return self

    def log_in(self) -> httpx.Response:
        """A browser's session; the cookie is kept in `cookie` as it goes back to the server."""
        answer = self.ask("POST", "/api/login", json={"username": self.name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def page(self) -> dict[str, str]:
        """What a browser sends along from a page of ours."""
        return {"Cookie": self.cookie, "Origin": self.front.origin}

    def send(self, body: str, key: str = "k", room: int = 1) -> Frame:
        answer = self.ask("POST", f"/api/rooms/{room}/messages", self.bearer, json={"key": key, "body": body})
        assert answer.status_code == 201, answer.text
        made: Frame = answer.json()
        return made

    async def connect(self, **options: Any) -> Connection:
        """A WebSocket of hubbub.v1 with the token, greeted."""
        return await Connection.open(self._url("/ws"), self.token, **self._way(), **options)

    async def knock(self, headers: dict[str, str] | None = None) -> ClientConnection:
        """One on which nothing is said yet."""
        return await raw_connect(self._url("/ws"), additional_headers=headers or {}, **self._way())

    async def enter(self, headers: dict[str, str]) -> ClientConnection:
        """The plain-text gateway under one's own name."""
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
