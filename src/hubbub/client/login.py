"""Credentials: a given token, or tokens fetched by name and password and renewed.

HTTP is needed a few times a day, so the standard library's client in a thread suffices: no second
HTTP stack.
"""

import asyncio
import json
import time
from contextlib import suppress
from http.client import HTTPException, responses
from typing import Any, NoReturn, Protocol
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from hubbub.client.refusals import refusal
from hubbub.domain.errors import HubbubError, Unauthenticated

HTTP_TIMEOUT = 10.0
LARGEST_ANSWER = 2**20
ATTEMPTS = 3
"""Fresh tokens that may be rejected in a row: a single one can expire on its way."""
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


class Credentials(Protocol):
    async def token(self) -> str:
        """Return an access token. Raises HubbubError, and OSError if no server responds."""

    def refuse(self) -> bool:
        """Record that the token was rejected. Return whether another one may work."""

    def accept(self) -> None:
        """Record that the token was accepted."""

    async def close(self) -> None:
        """End the session that was opened."""


class Token:
    """A token that the caller manages."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self) -> str:
        return self._token

    def refuse(self) -> bool:
        return False

    def accept(self) -> None:
        """Do nothing: there is no other token."""

    async def close(self) -> None:
        """Do nothing: no session was opened."""


class Login:
    """A session of its own, which `close` ends. An expired session is opened again."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._url = url
        self._username = username
        self._password = password
        self._access: str | None = None
        self._refresh: str | None = None
        self._until = 0.0
        self._refused = 0

    async def token(self) -> str:
        if self._access is None or time.monotonic() >= self._until:
            await self._renew()
        assert self._access is not None, "it was just renewed"
        return self._access

    def refuse(self) -> bool:
        self._access = None
        self._refused += 1
        return self._refused < ATTEMPTS

    def accept(self) -> None:
        self._refused = 0

    async def close(self) -> None:
        if self._access is not None or self._refresh is not None:
            with suppress(HubbubError, OSError):  # the token may have expired while the connection was open
                await asyncio.to_thread(post, f"{self._url}/api/logout", b"", JSON, await self.token())
        self._access = self._refresh = None

    async def _renew(self) -> None:
        pair: dict[str, Any] | None = None
        if self._refresh is not None:
            body = json.dumps({"refresh_token": self._refresh}).encode()
            try:
                pair = await asyncio.to_thread(post, f"{self._url}/token/refresh", body, JSON)
            except Unauthenticated:
                self._refresh = None
        if pair is None:
            form = urlencode({"username": self._username, "password": self._password}).encode()
            pair = await asyncio.to_thread(post, f"{self._url}/token", form, FORM)
        self._access, self._refresh = str(pair["access_token"]), str(pair["refresh_token"])
        # Renewed before it expires, so that it does not expire on its way.
        self._until = time.monotonic() + float(pair["expires_in"]) * 0.9


class _NoRedirects(HTTPRedirectHandler):
    """Follows no redirects: a password must not reach another server."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        return None


_opener = build_opener(_NoRedirects)


def post(url: str, body: bytes, kind: str, token: str | None = None) -> dict[str, Any]:
    """Send a request and return its JSON. Blocks.

    Raises HubbubError for the server's errors, otherwise OSError.
    """
    headers = {"Content-Type": kind, "Accept": JSON, "User-Agent": "python-hubbub"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    request = Request(url, body, headers, method="POST")  # noqa: S310  the client takes http and https only
    try:
        with _opener.open(request, timeout=HTTP_TIMEOUT) as answer:
            text = answer.read(LARGEST_ANSWER)
    except HTTPError as error:
        with error:
            _refuse(error.code, error.read(LARGEST_ANSWER))
    except HTTPException as error:
        raise ConnectionError(f"The response of {url} is incomplete.") from error
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConnectionError(f"{url} is not a Hubbub server.")
    return found


def _refuse(status: int, text: bytes) -> NoReturn:
    try:
        error = json.loads(text)["error"]
        raise refusal(error)
    except (ValueError, KeyError, TypeError):
        raise ConnectionError(f"The server responded with {status} {responses.get(status, '')}.") from None
