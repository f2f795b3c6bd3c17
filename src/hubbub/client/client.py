"""The client: connects, comes back by itself, and carries between sockets and the sans-I/O part. Decides no order."""

import asyncio
import logging
import random
import uuid
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from hubbub.client.entries import Entry, Frame, Positions, Reset, Sent
from hubbub.client.link import Link
from hubbub.client.login import Credentials, Login, Token
from hubbub.client.outbox import Command
from hubbub.client.refusals import FIRST_PAUSE, LONGEST_PAUSE, Ended, asked_to_wait, backoff, farewell
from hubbub.client.sync import Sync
from hubbub.domain.errors import BadRequest, HubbubError, TooLarge, Unauthenticated
from hubbub.domain.model import Room, User
from hubbub.protocol import close_codes

logger = logging.getLogger("hubbub.client")
LARGEST_FRAME = 2**26
CLOSE_TIMEOUT = 2.0
NOT_ENTERED = "enter the client first: async with Client(…) as client"


class Client:
    """One person's connection to a server, at `url` (http or https); belongs to one event loop.

    `token` is an access token; with `username` and `password` the client fetches and renews one by itself. `since` is
    where an earlier client got to (its `positions`); without it, events begin at the present. At most about `capacity`
    entries wait to be consumed.

    Entering raises Unauthenticated, another HubbubError, or ConnectionError if there is no server. After that the
    client comes back by itself, until it is told to stay away: then every call raises what it was told.
    """

    first_pause, longest_pause = FIRST_PAUSE, LONGEST_PAUSE
    """Seconds between two attempts to connect: at random up to the first, doubled each time up to the longest."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        username: str | None = None,
        password: str | None = None,
        since: Positions | None = None,
        capacity: int = 1_000,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url: an http or https address is required")
        url = url.rstrip("/")
        self._websocket_url = f"ws{url.removeprefix('http')}/ws"
        self._credentials: Credentials
        if token is not None and username is None and password is None:
            self._credentials = Token(token)
        elif token is None and username is not None and password is not None:
            self._credentials = Login(url, username, password)
        else:
            raise ValueError("either a token, or a username and a password is required")
        self._sync = Sync(since, capacity)
        self._link: Link | None = None
        self._running: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._news = asyncio.Event()
        self._end: Exception | None = None

    # --- what one may ask ----------------------------------------------------------------------------------------

    @property
    def me(self) -> User:
        """Who this is. Raises RuntimeError before the client was entered."""
        if self._sync.me is None:
            raise RuntimeError(NOT_ENTERED)
        return self._sync.me

    @property
    def rooms(self) -> Mapping[int, Room]:
        """The rooms one is in, by id; as they were when one came in, a live view."""
        return MappingProxyType(self._sync.inbox.rooms)

    @property
    def connected(self) -> bool:
        """Whether there is a connection right now; nothing has to be done where there is none."""
        return self._sync.live

    @property
    def positions(self) -> Positions:
        """What was consumed: all that `events` gave but the last. For `since` of another client, after a restart.

        Raises RuntimeError before the client was entered.
        """
        found = self._sync.inbox.positions()
        if found is None:
            raise RuntimeError(NOT_ENTERED)
        return found

    async def send(self, room: int, body: str, *, reply_to: int | None = None, key: str | None = None) -> Sent:
        """Says something, once, however often the connection is lost on the way; returns when it is on disk.

        `reply_to` is the seq of the message it answers. Whoever gives up waiting and tries again later gives the same
        `key` both times. Raises RateLimited (with `retry_after` in seconds), Forbidden, NotFound, TooLarge, BadRequest,
        Conflict.
        """
        key = key if key is not None else uuid.uuid4().hex
        answered = {} if reply_to is None else {"reply_to": reply_to}
        done = await self.command("message.send", room=room, key=key, body=body, **answered)
        return Sent(done["topic"], done["seq"])

    async def edit(self, room: int, message: int, body: str) -> None:
        """Says otherwise what one has said; `message` is its seq. The same again changes nothing."""
        await self.command("message.edit", room=room, message=message, body=body)

    async def delete(self, room: int, message: int) -> None:
        """Takes a message back. Twice is fine."""
        await self.command("message.delete", room=room, message=message)

    async def react(self, room: int, message: int, emoji: str) -> None:
        """Reacts to a message with any one emoji. Twice is once."""
        await self.command("reaction.add", room=room, message=message, emoji=emoji)

    async def command(self, type_: str, /, **fields: Any) -> Frame:
        """Any command of the protocol by its wire name; its `ok`. Raises HubbubError.

        One with a `key` is repeated until there is an answer. Others raise Interrupted if the connection ends first.
        """
        if self._end is not None:
            raise self._end
        self._check(type_, fields)
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()

        def answer(result: Frame | Exception) -> None:
            if future.done():
                return
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

        command = Command(type_, fields, answer)
        self._sync.ask(command)
        self._wake()
        try:
            return await future
        finally:
            self._sync.outbox.forget(command)

    async def events(self) -> AsyncIterator[Entry | Reset]:
        """What happens, each event of each topic once and in order, over any reconnects. One consumer at a time.

        Ends when the client is closed. Raises what the client was told if it has to stay away.
        """
        while True:
            while (item := self._sync.take()) is None:
                if isinstance(self._end, Ended):
                    return
                if self._end is not None:
                    raise self._end
                self._news.clear()
                await self._news.wait()
            self._wake()  # there is room for more
            yield item

    # --- from beginning to end -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise RuntimeError("a client can be entered once")
        self._running = asyncio.create_task(self._run())
        try:
            await self._ready.wait()
            if self._end is not None:
                raise self._end
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection, and the session if this client opened it; harmless when repeated."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
        self._finish(Ended())
        await self._credentials.close()

    def _finish(self, end: Exception) -> None:
        self._end = self._end or end
        self._sync.outbox.end(self._end)
        self._ready.set()
        self._news.set()

    async def _run(self) -> None:
        attempt = 0
        try:
            while True:
                pause, was_live = await self._connect()
                attempt = 0 if was_live else attempt + 1
                if pause is None:
                    pause = backoff(attempt, random.random(), self.first_pause, self.longest_pause)  # noqa: S311
                logger.info("The connection has ended; the next attempt follows in %.1f s.", pause)
                await asyncio.sleep(pause)
        except (HubbubError, OSError) as error:
            self._finish(error)
        except Exception as error:
            logger.exception("The client has failed.")
            self._finish(error)

    async def _connect(self) -> tuple[float | None, bool]:
        """One connection from beginning to end: how long to pause, and whether it came about. Raises to give up."""
        try:
            token = await self._credentials.token()
            socket = await connect(
                self._websocket_url, additional_headers={"Authorization": f"Bearer {token}"},
                subprotocols=[Subprotocol("hubbub.v1")], compression=None, ping_interval=None,
                max_size=LARGEST_FRAME, close_timeout=CLOSE_TIMEOUT,
            )  # fmt: skip
        except HubbubError as error:
            if not error.retryable:
                raise
            return error.retry_after, False
        except (OSError, InvalidHandshake) as error:
            return self._no_connection(error), False
        link = self._link = Link(socket, self._sync, self._heard)
        try:
            await link.run()
        finally:
            was_live = self._sync.live
            self._sync.lost()
            self._link = None
        if was_live:
            self._credentials.accept()
        return self._parted(link.code, link.reason, was_live), was_live

    def _no_connection(self, error: OSError | InvalidHandshake) -> float | None:
        status = error.response.status_code if isinstance(error, InvalidStatus) else None
        if status == 401:
            return self._not_authenticated(None)
        if not self._ready.is_set() and status not in (429, 503):
            raise ConnectionError(f"There is no connection to {self._websocket_url}: {error}") from error
        return None

    def _parted(self, code: int | None, reason: str, was_live: bool) -> float | None:
        if code == close_codes.NOT_AUTHENTICATED and not was_live:
            return self._not_authenticated(reason)
        stay_away = farewell(code, reason)
        if stay_away is not None:
            raise stay_away
        return asked_to_wait(reason)

    def _not_authenticated(self, reason: str | None) -> float:
        if not self._credentials.refuse():
            raise Unauthenticated(reason)
        return 0.0

    # --- inside --------------------------------------------------------------------------------------------------

    def _heard(self) -> None:
        """Something was received."""
        self._news.set()
        if self._sync.live:
            self._ready.set()

    def _wake(self) -> None:
        if self._link is not None:
            self._link.wake()

    def _check(self, type_: str, fields: Mapping[str, Any]) -> None:
        """What the server could not even read would be repeated for ever."""
        try:
            size = len(orjson.dumps({"id": 2**53, "type": type_, **fields}))
        except TypeError as error:
            raise BadRequest(f"That cannot be said in JSON: {error}") from None
        if size > self._sync.largest_frame:
            raise TooLarge(f"At most {self._sync.largest_frame} bytes fit into a frame.")
