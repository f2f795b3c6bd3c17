"""The live connections of people: greeting, subscriptions, publication, revocation.

Subscriptions are a fold of the person's own topic. A connection is registered under its person and session first; then
one read transaction gives the session's validity, the rooms and the heads; what was published above those heads
meanwhile is applied after it, before anything is sent. So neither a removal nor a revocation that races with a greeting
can be missed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from hubbub.clock import Clock
from hubbub.domain.errors import NotFound, RateLimited, Unauthenticated
from hubbub.domain.events import (
    AccountDisabled,
    Entry,
    Event,
    IdentityRevoked,
    RoomAdded,
    RoomArchived,
    RoomRemoved,
    RoomRestored,
    SecurityEvent,
    SessionRevoked,
    StatusChanged,
)
from hubbub.domain.model import Actor, Role, room_topic, user_topic
from hubbub.engine.archived_rooms import ArchivedRooms
from hubbub.engine.fanout import Fanout
from hubbub.engine.ports import Bus, Connection, Read
from hubbub.engine.presence import Presences
from hubbub.features import sessions, sync
from hubbub.features.sessions import AuthenticatedUser
from hubbub.features.sync import Snapshot
from hubbub.protocol import close_codes

logger = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class LiveConnection:
    """One person on one connection. `greeting` collects the person's entries until the snapshot is there."""

    connection: Connection
    user: AuthenticatedUser
    actor: Actor
    only_room: int | None = None
    greeting: list[Entry] | None = field(default_factory=list)
    ended: bool = False
    typing_sent: dict[int, float] | None = None
    """By room, when the person was last told to be typing there."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A connection that follows its topics from here on, and what it must be told first."""

    live: LiveConnection
    snapshot: Snapshot
    gap: list[str]


class TooManyConnections(RateLimited):
    sentence = "You have too many connections open. Close one, then try again."


class ConnectionHub:
    """All methods belong to the event loop's thread."""

    def __init__(self, registry: Fanout, bus: Bus, read: Read, clock: Clock, *, connections_per_user: int) -> None:
        self.presences = Presences(clock.now, clock.monotonic)
        self.archived = ArchivedRooms()
        self._registry = registry
        self._bus = bus
        self._read = read
        self._clock = clock
        self._limit = connections_per_user
        self._live: dict[Connection, LiveConnection] = {}
        self._by_user: dict[int, dict[LiveConnection, None]] = {}
        self._by_session: dict[str, dict[LiveConnection, None]] = {}
        self._published: dict[str, int] = {}
        self._watchers: list[Callable[[Sequence[Entry]], None]] = []
        self._handlers: Mapping[type[Event], Callable[[Any, Entry], None]] = {
            RoomAdded: self._room_added,
            RoomRemoved: self._room_gone,
            RoomArchived: self._room_put,
            RoomRestored: self._room_put,
            SessionRevoked: self._session_revoked,
            AccountDisabled: self._locked_out,
            IdentityRevoked: self._identity_revoked,
            StatusChanged: self._status_changed,
        }

    # --- coming and going ----------------------------------------------------------------------------------------

    async def attach(
        self,
        connection: Connection,
        identity: AuthenticatedUser,
        *,
        epoch: str | None = None,
        have: Mapping[str, int] | None = None,
        only_room: int | None = None,
    ) -> Attached:
        """Makes the connection follow its person's topics (or one room alone), from one point in the log on.

        The connection must be corked: what is published from here on waits there until the caller has sent what is
        returned. Raises Unauthenticated (the session has ended), TooManyConnections, NotFound (not in `only_room`).
        """
        live = self._register(connection, identity, only_room)
        try:
            snapshot = await self._read(_snapshot, identity, self._clock.now(), epoch, have or {})
            if snapshot is None or live.ended:
                raise Unauthenticated()
            own = snapshot.heads[user_topic(identity.id)]
            self.presences.chose(identity.id, snapshot.status, own)  # before anybody can see the connection
            followed = self._subscribe(live, snapshot)
            if only_room is not None and room_topic(only_room) not in followed:
                raise NotFound()
            gap: list[str] = []
            # What is published after this moment comes by subscription, as far as he is still a member by then.
            tops = {topic: self._published.get(topic, 0) for topic in followed}
            for topic, head in followed.items():
                if tops[topic] > head:
                    gap += await self._read(sync.gap, topic, head, tops[topic])
            if live.ended:
                raise Unauthenticated()
        except BaseException:
            self.detach(connection)
            raise
        self.presences.came(identity.id, connection, snapshot.status, own)
        return Attached(live, snapshot, gap)

    def detach(self, connection: Connection) -> None:
        """The connection is gone, or is to be forgotten; harmless when repeated."""
        self._registry.remove(connection)
        live = self._live.pop(connection, None)
        if live is None:
            return
        live.ended = True
        self.presences.went(live.user.id, connection)
        _discard(self._by_user, live.user.id, live)
        _discard(self._by_session, live.user.session, live)

    def online_in(self, room: int, most: int | None = None) -> dict[int, str]:
        """Who has a live connection in the room now and may be seen: names by id, no more than `most` of them."""
        found: dict[int, str] = {}
        for connection in self._registry.members(room_topic(room)):
            live = self._live.get(connection)
            if live is not None and self.presences.is_visible(live.user.id):
                found[live.user.id] = live.user.name
                if len(found) == most:
                    break
        return found

    def identities(self) -> list[AuthenticatedUser]:
        """Of each session with a live connection, once."""
        return [next(iter(lives)).user for lives in self._by_session.values()]

    def is_connected(self, user: int) -> bool:
        """Whether the person has a live connection, one that is being greeted included."""
        return user in self._by_user

    @property
    def count(self) -> int:
        """Live connections, those being greeted included."""
        return len(self._live)

    # --- publication ---------------------------------------------------------------------------------------------

    def watch(self, watcher: Callable[[Sequence[Entry]], None]) -> None:
        """Calls `watcher` with every batch of entries after it was published here."""
        self._watchers.append(watcher)

    def publish(self, entries: Sequence[Entry]) -> None:
        """Entries of a commit of this node: to the connections here, in log order, and to the bus."""
        self.receive(entries)
        self._bus.publish(entries)

    def receive(self, entries: Sequence[Entry]) -> None:
        """Walks entries in log order: membership changes take effect between the events around them."""
        published, acts, broadcast = self._published, self._handlers, self._registry.broadcast
        for entry in entries:
            published[entry.topic] = entry.seq
            act = acts.get(type(entry.event))
            if act is not None:
                self._do(act, entry)
            elif not isinstance(entry.event, SecurityEvent):
                broadcast(entry.text, entry.topic)
        for watcher in self._watchers:
            watcher(entries)

    def _do(self, act: Callable[[Any, Entry], None], entry: Entry) -> None:
        try:
            act(entry.event, entry)
        except Exception as error:  # a bug: the entries behind it are everybody's
            logger.exception("publication_stumbled", type=entry.event.type, exc_info=error)

    def _room_added(self, event: RoomAdded, entry: Entry) -> None:
        self._registry.broadcast(entry.text, entry.topic)
        for live in self._by_user.get(event.person, ()):
            if live.greeting is not None:
                live.greeting.append(entry)
            elif live.only_room is None or live.only_room == event.room.id:
                self._registry.join(live.connection, room_topic(event.room.id))

    def _room_gone(self, event: RoomRemoved, entry: Entry) -> None:
        self._registry.broadcast(entry.text, entry.topic)
        for live in list(self._by_user.get(event.person, ())):
            if live.greeting is not None:
                live.greeting.append(entry)
            elif live.only_room == event.room:
                self._end(live, close_codes.SESSION_ENDED, "You are no longer in this room.")
            else:
                self._registry.leave(live.connection, room_topic(event.room))

    def _room_put(self, event: RoomArchived | RoomRestored, entry: Entry) -> None:
        self._registry.broadcast(entry.text, entry.topic)
        if not event.in_site:
            self.archived.learn(event.room, entry.seq, isinstance(event, RoomArchived))

    def _session_revoked(self, event: SessionRevoked, _entry: Entry) -> None:
        for live in list(self._by_session.get(event.session, ())):
            self._end(live, close_codes.SESSION_ENDED, "This session has ended. Log in again.")

    def _locked_out(self, event: AccountDisabled, _entry: Entry) -> None:
        code = close_codes.BANNED if event.banned else close_codes.SESSION_ENDED
        for live in list(self._by_user.get(event.user, ())):
            self._end(live, code, "This account is closed.")

    def _identity_revoked(self, event: IdentityRevoked, entry: Entry) -> None:
        for live in list(self._by_user.get(event.user or 0, ())):
            if sessions.began_before(live.user.session, entry.seq):
                self._end(live, close_codes.SESSION_ENDED, "You have logged out. Log in again.")

    def _status_changed(self, event: StatusChanged, entry: Entry) -> None:
        self._registry.broadcast(entry.text, entry.topic)
        self.presences.chose(event.person, event.chosen, entry.seq)

    def _end(self, live: LiveConnection, code: int, reason: str) -> None:
        logger.info("connection_ended", code=code, user=live.user.id)
        self.detach(live.connection)
        live.connection.abort(code, reason)

    # --- greeting ------------------------------------------------------------------------------------------------

    def _register(self, connection: Connection, identity: AuthenticatedUser, only_room: int | None) -> LiveConnection:
        mine = self._by_user.setdefault(identity.id, {})
        if len(mine) >= self._limit:
            raise TooManyConnections(retry_after=30.0)
        live = LiveConnection(connection, identity, identity.actor(), only_room)
        mine[live] = None
        self._by_session.setdefault(identity.session, {})[live] = None
        self._live[connection] = live
        self.presences.expect(identity.id, connection)
        self._registry.add(connection)
        return live

    def _subscribe(self, live: LiveConnection, snapshot: Snapshot) -> dict[str, int]:
        """Joins the topics of the snapshot as the entries published meanwhile have changed them; with their heads."""
        person = user_topic(live.user.id)
        heads = dict(snapshot.heads)
        for entry in live.greeting or ():
            if entry.seq <= snapshot.heads.get(person, 0):
                continue
            if isinstance(entry.event, RoomAdded):
                heads[room_topic(entry.event.room.id)] = entry.event.room.head or 0
            elif isinstance(entry.event, RoomRemoved):
                heads.pop(room_topic(entry.event.room), None)
        live.greeting = None
        for room in snapshot.rooms:
            self.archived.learn(room.id, room.head or 0, room.archived)
        if live.only_room is not None:
            only = room_topic(live.only_room)
            heads = {topic: head for topic, head in heads.items() if topic == only}
        for topic in heads:
            self._registry.join(live.connection, topic)
        return heads


def _snapshot(
    connection: Any, identity: AuthenticatedUser, now: int, epoch: str | None, have: Mapping[str, int]
) -> Snapshot | None:
    """The session's validity and the person's state in one transaction; None if the session is not valid."""
    if sessions.resolve(connection, identity.session, now) is None:
        return None
    site = identity.role is not Role.GUEST
    return sync.snapshot(connection, identity.id, site=site, epoch=epoch, have=have, now=now)


def _discard(index: dict[Any, dict[LiveConnection, None]], key: Any, live: LiveConnection) -> None:
    found = index.get(key)
    if found is not None:
        found.pop(live, None)
        if not found:
            del index[key]
