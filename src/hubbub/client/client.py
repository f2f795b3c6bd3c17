"""The client: connects, reconnects, moves frames between socket and sans-I/O part."""

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
NOT_ENTERED = "The client is not connected yet. Use it as: async with Client(…) as client"


class Client:
    """A user's connection to the server at `url` (http or https).

    Belongs to one event loop.

    `token` is an access token; with `username` and `password` the client fetches and renews tokens
    itself. `since` is where an earlier client stopped (its `positions`); without it, events begin
    at the present. About `capacity` entries, at most, wait to be consumed.

    Entering raises Unauthenticated, another HubbubError, or ConnectionError if no server responds.
    Later the client reconnects by itself, until the server tells it to stay away: then every call
    raises the server's error.
    """

    first_pause, longest_pause = FIRST_PAUSE, LONGEST_PAUSE
    """Seconds between attempts to connect.

    They are random, up to the first value, which doubles each time up to the longest.
    """

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
            raise ValueError("url must be an http or https address")
        url = url.rstrip("/")
        self._websocket_url = f"ws{url.removeprefix('http')}/ws"
        self._credentials: Credentials
        if token is not None and username is None and password is None:
            self._credentials = Token(token)
        elif token is None and username is not None and password is not None:
            self._credentials = Login(url, username, password)
        else:
            raise ValueError("Give either a token, or a username and a password")
        self._sync = Sync(since, capacity)
        self._link: Link | None = None
        self._running: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._changed = asyncio.Event()
        self._end: Exception | None = None

    # --- state and commands --------------------------------------------------------------------------------------

    @property
    def me(self) -> User:
        """The client's own user. Raises RuntimeError before the client is entered."""
        if self._sync.me is None:
            raise RuntimeError(NOT_ENTERED)
        return self._sync.me

    @property
    def rooms(self) -> Mapping[int, Room]:
        """The user's rooms by id, as they were when the user joined; a live view."""
        return MappingProxyType(self._sync.inbox.rooms)

    @property
    def connected(self) -> bool:
        """Whether a connection is open. If not, the client reconnects by itself."""
        return self._sync.live

    @property
    def positions(self) -> Positions:
        """What was consumed: everything `events` returned except the last item.

        Pass it as `since` after a restart.

        Raises RuntimeError before the client is entered.
        """
        found = self._sync.inbox.positions()
        if found is None:
            raise RuntimeError(NOT_ENTERED)
        return found

    async def send(self, room: int, body: str, *, reply_to: int | None = None, key: str | None = None) -> Sent:
        """Send a message exactly once, however often the connection is lost.

        Returns when it is on disk.

        `reply_to` is the seq of the message it replies to. To try again after giving up waiting,
        pass the same `key` both times. Raises RateLimited (with `retry_after` in seconds),
        Forbidden, NotFound, TooLarge, BadRequest, Conflict.
        """
        key = key if key is not None else uuid.uuid4().hex
        reply = {} if reply_to is None else {"reply_to": reply_to}
        done = await self.command("message.send", room=room, key=key, body=body, **reply)
        return Sent(done["topic"], done["seq"])

    async def edit(self, room: int, message: int, body: str) -> None:
        """Edit one of the user's own messages; `message` is its seq. Idempotent."""
        await self.command("message.edit", room=room, message=message, body=body)

    async def delete(self, room: int, message: int) -> None:
        """Delete a message. Idempotent."""
        await self.command("message.delete", room=room, message=message)

    async def react(self, room: int, message: int, emoji: str) -> None:
        """React to a message with any single emoji. Idempotent."""
        await self.command("reaction.add", room=room, message=message, emoji=emoji)

    async def command(self, type_: str, /, **fields: Any) -> Frame:
        """Execute any command of the protocol by its wire name and return its `ok`.

        Raises HubbubError.

        A command with a `key` is repeated until it is answered. Others raise Interrupted if the
        connection ends first.
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
        """Yield each event of each topic once and in order, over any reconnects.

        One consumer at a time.

        Ends when the client is closed. Raises the server's error if the client has to stay away.
        """
        while True:
            while (item := self._sync.take()) is None:
                if isinstance(self._end, Ended):
                    return
                if self._end is not None:
                    raise self._end
                self._changed.clear()
                await self._changed.wait()
            self._wake()  # the inbox has space for more
            yield item

    # --- connecting ----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise RuntimeError("A client can be entered only once. Create a new one")
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
        """End the connection, and the session if this client opened it. Idempotent."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
        self._finish(Ended())
        await self._credentials.close()

    def _finish(self, end: Exception) -> None:
        self._end = self._end or end
        self._sync.outbox.end(self._end)
        self._ready.set()
        self._changed.set()

    async def _run(self) -> None:
        attempt = 0
        try:
            while True:
                pause, was_live = await self._connect()
                attempt = 0 if was_live else attempt + 1
                if pause is None:
                    pause = backoff(attempt, random.random(), self.first_pause, self.longest_pause)  # noqa: S311
                logger.info("The connection has ended. Reconnecting in %.1f s.", pause)
                await asyncio.sleep(pause)
        except (HubbubError, OSError) as error:
            self._finish(error)
        except Exception as error:
            logger.exception("The client has failed with an unexpected error.")
            self._finish(error)

    async def _connect(self) -> tuple[float | None, bool]:
        """Run one connection.

        Return the pause before the next, and whether it was established. Raises to give up.
        """
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
        link = self._link = Link(socket, self._sync, self._received)
        try:
            await link.run()
        finally:
            was_live = self._sync.live
            self._sync.lost()
            self._link = None
        if was_live:
            self._credentials.accept()
        return self._pause_after(link.code, link.reason, was_live), was_live

    def _no_connection(self, error: OSError | InvalidHandshake) -> float | None:
        status = error.response.status_code if isinstance(error, InvalidStatus) else None
        if status == 401:
            return self._not_authenticated(None)
        if not self._ready.is_set() and status not in (429, 503):
            raise ConnectionError(f"Cannot connect to {self._websocket_url}: {error}") from error
        return None

    def _pause_after(self, code: int | None, reason: str, was_live: bool) -> float | None:
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

    def _received(self) -> None:
        """React to a received frame."""
        self._changed.set()
        if self._sync.live:
            self._ready.set()

    def _wake(self) -> None:
        if self._link is not None:
            self._link.wake()

    def _check(self, type_: str, fields: Mapping[str, Any]) -> None:
        """Reject a command that the server could not read: it would be repeated forever."""
        try:
            size = len(orjson.dumps({"id": 2**53, "type": type_, **fields}))
        except TypeError as error:
            raise BadRequest(f"The command cannot be encoded as JSON: {error}") from None
        if size > self._sync.largest_frame:
            raise TooLarge(f"The command is too large: at most {self._sync.largest_frame} bytes.")
