"""Signals: typing, idleness and presence. They are never stored or numbered.

A slow reader loses signals before anything else. Presence is announced a quarter of a second after
it changed, in one frame for all changes, so that a crowd that connects at once costs each watcher
one frame.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hubbub.clock import Clock
from hubbub.delivery.connections import Connection
from hubbub.delivery.fanout import Fanout
from hubbub.domain import rules
from hubbub.domain.commands import SetIdle, Signal, Typing, WatchPresence
from hubbub.domain.errors import Forbidden, NotFound
from hubbub.domain.model import Presence, room_topic
from hubbub.domain.text import MAX_WATCHED
from hubbub.engine.live_connections import ConnectionHub, LiveConnection
from hubbub.engine.ports import Read
from hubbub.engine.presence import absent
from hubbub.features import presence
from hubbub.protocol import wire

TOGETHER = 0.25
"""Seconds for which changes of presence are gathered into one frame."""
TYPING_PACE = 2.0
"""Seconds within which a user's typing in a room is announced once."""
TYPING_CROWD = 100
"""In a room with more live connections than this, typing is not announced."""
BEHIND = 16 * 1024
"""Buffered bytes from which on a connection gets no signals. It gets the presence changes once it
has caught up."""


class Ephemeral:
    """Handles signals and announces presence.

    All methods must be called on the event loop's thread.
    """

    def __init__(self, fanout: Fanout, hub: ConnectionHub, read: Read, clock: Clock) -> None:
        self._fanout = fanout
        self._presences = hub.presences
        self._archived = hub.archived
        self._read = read
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._due_soon = False
        self._unannounced: dict[Connection, dict[int, None]] = {}
        self._presences.wake = self._wake
        self.on_typing: Callable[[int, int, str], None] | None = None
        """Called with a room, a user and their name if the other members are to be told."""

    async def handle(self, live: LiveConnection, signal: Signal) -> dict[str, Any]:
        """Execute the signal and return its answer.

        Raises NotFound, Forbidden and what the store raises.
        """
        match signal:
            case Typing(room=room):
                self._type(live, room)
            case SetIdle(idle=idle):
                self._presences.idle(live.user.id, live.connection, idle)
            case WatchPresence(users=users):
                return {"presences": await self._watch(live, users)}
        return {}

    async def of(self, users: Sequence[int]) -> list[dict[str, Any]]:
        """Return how these users appear now."""
        unknown = self._presences.unknown(users)
        chosen = await self._read(presence.chosen, unknown, self._clock.now()) if unknown else {}
        found = [absent(user, chosen[user][0]) if user in chosen else self._presences.of(user) for user in users]
        return [each.model_dump(exclude_none=True) for each in found]

    def stop(self) -> None:
        """Stop announcing presence."""
        if self._timer is not None:
            self._timer.cancel()
        self._presences.wake = lambda: None

    # --- typing --------------------------------------------------------------------------------------------------

    def _type(self, live: LiveConnection, room: int) -> None:
        members = self._fanout.members(room_topic(room))
        if live.connection not in members:
            raise NotFound()
        if room in self._archived:
            raise Forbidden(rules.ARCHIVED)
        now, user = self._clock.monotonic(), live.user.id
        recent = {each: at for each, at in (live.typing_sent or {}).items() if now - at < TYPING_PACE}
        if room in recent:
            return
        live.typing_sent = recent | {room: now}
        if len(members) > TYPING_CROWD or not self._presences.is_visible(user):
            return
        self._send_typing(members, room, user, live.user.name, live.connection)
        if self.on_typing is not None:
            self.on_typing(room, user, live.user.name)

    def typed_elsewhere(self, room: int, user: int, name: str) -> None:
        """Tell the members on this node that a user types on another node, which has checked the user's rights."""
        members = self._fanout.members(room_topic(room))
        if len(members) <= TYPING_CROWD and room not in self._archived and not self._presences.is_hidden(user):
            self._send_typing(members, room, user, name)

    def _send_typing(
        self, members: Iterable[Connection], room: int, user: int, name: str, own: Connection | None = None
    ) -> None:
        frame = wire.dumps({"type": "typing", "room": room, "by": user, "name": name})
        for connection in list(members):
            if connection is not own and connection.buffered() < BEHIND:
                self._fanout.send(connection, frame)

    # --- presence ------------------------------------------------------------------------------------------------

    async def _watch(self, live: LiveConnection, users: Sequence[int]) -> list[dict[str, Any]]:
        if live.ended:
            return []
        self._presences.watch(live.connection, users)
        self._unannounced.pop(live.connection, None)
        try:
            await self._load_statuses(users)
        finally:
            if live.ended:
                self._presences.watch(live.connection, ())
        return [presence.model_dump(exclude_none=True) for presence in self._presences.announce(dict.fromkeys(users))]

    async def _load_statuses(self, users: Sequence[int]) -> None:
        """Load the statuses of users who are offline from the store."""
        unknown = self._presences.unknown(users)
        if unknown:
            for user, (chosen, version) in (await self._read(presence.chosen, unknown, self._clock.now())).items():
                self._presences.chose(user, chosen, version)

    async def reload_statuses(self) -> None:
        """Load the statuses of watched users who are offline again: a change may have been missed."""
        users = self._presences.watched_and_offline()
        for start in range(0, len(users), MAX_WATCHED):
            part = users[start : start + MAX_WATCHED]
            for user, (chosen, version) in (await self._read(presence.chosen, part, self._clock.now())).items():
                self._presences.chose(user, chosen, version)

    def _wake(self) -> None:
        """Schedule an announcement within TOGETHER seconds.

        The timer may be waiting for a much later expiry.
        """
        if self._timer is None or not self._due_soon:
            self._arm(TOGETHER)

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due_soon = seconds <= TOGETHER
        self._timer = asyncio.get_running_loop().call_later(seconds, self._announce)

    def _announce(self) -> None:
        self._timer = None
        for connection, users in self._presences.news().items():
            self._unannounced.setdefault(connection, {}).update(dict.fromkeys(users))
        frames: dict[tuple[int, ...], bytes] = {}
        for connection, changed in list(self._unannounced.items()):
            if connection in self._fanout and connection.buffered() >= BEHIND:
                continue
            del self._unannounced[connection]
            if connection in self._fanout:
                key = tuple(changed)
                frame = frames.get(key) or frames.setdefault(key, _frame([self._presences.of(user) for user in key]))
                self._fanout.send(connection, frame)
        self._arm_next()

    def _arm_next(self) -> None:
        due = self._presences.next_due()
        wait = min(max(due - self._clock.monotonic(), TOGETHER), 3_600.0) if due is not None else None
        if self._unannounced:  # for readers that were behind
            wait = min(wait or 1.0, 1.0)
        if wait is not None and self._timer is None:
            self._arm(wait)


def _frame(presences: Sequence[Presence]) -> bytes:
    return wire.dumps({"type": "presence", "presences": [each.model_dump(exclude_none=True) for each in presences]})
