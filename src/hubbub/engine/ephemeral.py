"""Signals: what is true for a moment. Never stored, never numbered, and the first thing a slow reader does without.

Presence is told a quarter of a second after it changed, in one frame for all that changed, so that a crowd that comes
at once costs each of those who look one frame.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from hubbub.clock import Clock
from hubbub.domain import rules
from hubbub.domain.commands import SetIdle, Signal, Typing, WatchPresence
from hubbub.domain.errors import Forbidden, NotFound
from hubbub.domain.model import Presence, room_topic
from hubbub.engine.fanout import Fanout
from hubbub.engine.live_connections import ConnectionHub, LiveConnection
from hubbub.engine.ports import Connection, Read
from hubbub.engine.presence import absent
from hubbub.features import presence
from hubbub.protocol import wire

TOGETHER = 0.25
"""Seconds in which changes of presence are gathered."""
TYPING_PACE = 2.0
"""Seconds within which a person's typing in a room is told once."""
TYPING_CROWD = 100
"""With more live connections than this nobody is told who types."""
BEHIND = 16 * 1024
"""Bytes that wait for a reader before he hears no more signals; presence is told once he has caught up."""


class Ephemeral:
    """All methods belong to the event loop's thread."""

    def __init__(self, registry: Fanout, people: ConnectionHub, read: Read, clock: Clock) -> None:
        self._registry = registry
        self._presences = people.presences
        self._archived = people.archived
        self._read = read
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._soon = False
        self._owed: dict[Connection, dict[int, None]] = {}
        self._presences.wake = self._wake

    async def handle(self, live: LiveConnection, signal: Signal) -> dict[str, Any]:
        """Does what is asked and returns the answer. Raises NotFound, Forbidden and what the store raises."""
        match signal:
            case Typing(room=room):
                self._type(live, room)
            case SetIdle(idle=idle):
                self._presences.idle(live.user.id, live.connection, idle)
            case WatchPresence(users=users):
                return {"people": await self._watch(live, users)}
        return {}

    async def of(self, users: Sequence[int]) -> list[dict[str, Any]]:
        """How these people appear now."""
        strangers = self._presences.unknown(users)
        chosen = await self._read(presence.chosen, strangers, self._clock.now()) if strangers else {}
        found = [absent(user, chosen[user][0]) if user in chosen else self._presences.of(user) for user in users]
        return [each.model_dump(exclude_none=True) for each in found]

    def stop(self) -> None:
        """Tells nobody anything any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._presences.wake = lambda: None

    # --- typing --------------------------------------------------------------------------------------------------

    def _type(self, live: LiveConnection, room: int) -> None:
        members = self._registry.members(room_topic(room))
        if live.connection not in members:
            raise NotFound()
        if room in self._archived:
            raise Forbidden(rules.ARCHIVED)
        now, user = self._clock.monotonic(), live.user.id
        recent = {place: at for place, at in (live.typing_sent or {}).items() if now - at < TYPING_PACE}
        if room in recent:
            return
        live.typing_sent = recent | {room: now}
        if len(members) > TYPING_CROWD or not self._presences.is_visible(user):
            return
        said = wire.dumps({"type": "typing", "room": room, "user": user, "name": live.user.name})
        for connection in list(members):
            if connection is not live.connection and connection.buffered() < BEHIND:
                self._registry.send(connection, said)

    # --- presence ------------------------------------------------------------------------------------------------

    async def _watch(self, live: LiveConnection, users: Sequence[int]) -> list[dict[str, Any]]:
        if live.ended:
            return []
        self._presences.look(live.connection, users)
        self._owed.pop(live.connection, None)
        try:
            await self._learn(users)
        finally:
            if live.ended:
                self._presences.look(live.connection, ())
        return [presence.model_dump(exclude_none=True) for presence in self._presences.told(dict.fromkeys(users))]

    async def _learn(self, users: Sequence[int]) -> None:
        """Asks the store what those have chosen who are not here."""
        unknown = self._presences.unknown(users)
        if unknown:
            for user, (chosen, version) in (await self._read(presence.chosen, unknown, self._clock.now())).items():
                self._presences.chose(user, chosen, version)

    def _wake(self) -> None:
        """Something may have changed: what is told is told soon, however far off the next thing was that expires."""
        if self._timer is None or not self._soon:
            self._arm(TOGETHER)

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._soon = seconds <= TOGETHER
        self._timer = asyncio.get_running_loop().call_later(seconds, self._tell)

    def _tell(self) -> None:
        self._timer = None
        for connection, users in self._presences.news().items():
            self._owed.setdefault(connection, {}).update(dict.fromkeys(users))
        same: dict[tuple[int, ...], bytes] = {}
        for connection, owed in list(self._owed.items()):
            if connection in self._registry and connection.buffered() >= BEHIND:
                continue
            del self._owed[connection]
            if connection in self._registry:
                key = tuple(owed)
                said = same.get(key) or same.setdefault(key, _frame([self._presences.of(user) for user in key]))
                self._registry.send(connection, said)
        self._arm_next()

    def _arm_next(self) -> None:
        due = self._presences.next_due()
        wait = min(max(due - self._clock.monotonic(), TOGETHER), 3_600.0) if due is not None else None
        if self._owed:
            wait = min(wait or 1.0, 1.0)
        if wait is not None and self._timer is None:
            self._arm(wait)


def _frame(people: Sequence[Presence]) -> bytes:
    return wire.dumps({"type": "presence", "people": [each.model_dump(exclude_none=True) for each in people]})
