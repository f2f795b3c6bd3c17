"""Posts of the outbox become messages through the interface for the host application."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from hubbub.domain.errors import NotFound
from hubbub.domain.identities import BOTS, Identity
from hubbub.domain.model import Role
from hubbub.engine.host_outbox import OutboxTaker
from hubbub.engine.services import Services
from hubbub.host.messages import Messages
from hubbub.host.model import UserRef
from hubbub.host.rooms import Rooms
from hubbub.host.running import Host
from hubbub.outbox import Outbox
from hubbub.outbox.posts import HostUser, OutboxPost
from hubbub.settings import WrongSetting
from hubbub.storage.host_outbox import HostOutbox

LOCK = "outbox.lock"
"""The file in the data folder that the processes of a site lock, if the host's database is SQLite."""


class Poster:
    """Posts as the outbox asks. Most posts take one read and one command."""

    def __init__(self, host: Host) -> None:
        self._host, self._messages, self._rooms = host, Messages(host), Rooms(host)

    async def __call__(self, post: OutboxPost) -> None:
        """Post a message. Raises what `Messages.post` and `Rooms.room_for` raise."""
        by = _author(post)
        try:
            await self._messages.post(post.room, post.text, by=by, key=post.key)
        except NotFound:
            if not await self._prepare(post):
                raise
            await self._messages.post(post.room, post.text, by=by, key=post.key)

    async def _prepare(self, post: OutboxPost) -> bool:
        """Create the room and the bot if they are missing; return whether another attempt makes sense."""
        if post.room_name is not None:
            await self._rooms.room_for(post.room, name=post.room_name, members=_refs(post.members))
        if post.bot is not None:
            found = await self._host.bot(post.bot, None if await self._knows(post.bot) else post.bot)
            await self._rooms.add_members(post.room, [found.account.id])
        return post.room_name is not None or post.bot is not None

    async def _knows(self, bot: str) -> bool:
        try:
            await self._host.user((BOTS, bot))
        except NotFound:
            return False
        return True


def _author(post: OutboxPost) -> UserRef | None:
    if post.bot is not None:
        return BOTS, post.bot
    return None if post.user is None else _refs([post.user])[0]


def _refs(users: Sequence[HostUser]) -> list[UserRef]:
    return [
        (user.issuer, user.subject)
        if user.name is None
        else Identity(user.issuer, user.subject, user.name, Role.MEMBER if user.role is None else user.role)
        for user in users
    ]


@asynccontextmanager
async def taking_over(services: Services, host: Host, outbox: Outbox) -> AsyncIterator[OutboxTaker]:
    """Take the posts of an outbox over, until the end or until another server has Hubbub's database.

    Raises WrongSetting for an address that leads to no shared database.
    """
    lock = services.settings.data / LOCK if services.bus.connects else None
    try:
        table = HostOutbox(outbox.database or "", outbox.schema, lock)
    except ValueError as error:
        raise WrongSetting(f"Outbox(…): {error}") from None
    taker = OutboxTaker(table, Poster(host), services.clock)
    end = outbox.on_post(taker.hint)
    task = asyncio.create_task(taker.run())
    services.lost_database.add_done_callback(lambda _lost: task.cancel())
    try:
        yield taker
    finally:
        end()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
