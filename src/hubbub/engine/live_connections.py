"""The live connections of users: greeting, subscriptions, publication, revocation.

A connection's subscriptions follow from the user's own topic. A connection is first registered
under its user and session. Then one read transaction gives the session's validity, the rooms and
the heads. What was published above those heads meanwhile is applied before anything is sent. Thus a
removal or a revocation that races with a greeting cannot be missed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import uniform
from typing import Any

import structlog

from hubbub.clock import Clock
from hubbub.delivery.connections import Connection
from hubbub.delivery.fanout import Fanout
from hubbub.delivery.order import Gap, Order
from hubbub.domain.disconnects import Disconnect
from hubbub.domain.errors import Busy, HubbubError, NotFound, RateLimited, Unauthenticated
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
from hubbub.engine.ports import Bus, Read
from hubbub.engine.presence import Presences
from hubbub.features import sessions, sync
from hubbub.features.sessions import AuthenticatedUser
from hubbub.features.sync import Snapshot
from hubbub.storage import log

RECONNECT_DELAYS = 0.1, 3.0
"""Seconds within which clients reconnect at random after a new epoch."""
logger = structlog.get_logger(__name__)
PAGE = 1_000
"""How many missing entries are read from the log at once."""
RETRY = 1.0
"""Seconds before the log is read again after an error."""


@dataclass(slots=True, eq=False)
class LiveConnection:
    """A connection of a user.

    `greeting` collects the entries of the user's topic until the snapshot is loaded.
    """

    connection: Connection
    user: AuthenticatedUser
    actor: Actor
    only_topic: str | None = None
    greeting: list[Entry] | None = field(default_factory=list)
    ended: bool = False
    typing_sent: dict[int, float] | None = None
    """By room, the monotonic time at which the user's typing was last announced."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A subscribed connection, and what must be sent to it first."""

    live: LiveConnection
    snapshot: Snapshot
    gap: list[bytes]


class TooManyConnections(RateLimited):
    sentence = "You have too many connections open. Close one, then try again."


class ConnectionHub:
    """All live connections of this node.

    All methods must be called on the event loop's thread.
    """

    def __init__(self, fanout: Fanout, bus: Bus, read: Read, clock: Clock, *, connections_per_user: int) -> None:
        self.presences = Presences(clock.now, clock.monotonic)
        self.archived = ArchivedRooms()
        self._fanout = fanout
        self._bus = bus
        self._read = read
        self._clock = clock
        self._limit = connections_per_user
        self._live: dict[Connection, LiveConnection] = {}
        self._by_user: dict[int, dict[LiveConnection, None]] = {}
        self._by_session: dict[str, dict[LiveConnection, None]] = {}
        self._order = Order(fanout.has_members)
        self._refill: asyncio.Task[None] | None = None
        self._watchers: list[Callable[[Sequence[Entry]], None]] = []
        self._handlers: Mapping[type[Event], Callable[[Any, Entry], None]] = {
            RoomAdded: self._room_added,
            RoomRemoved: self._room_removed,
            RoomArchived: self._room_archived_or_restored,
            RoomRestored: self._room_archived_or_restored,
            SessionRevoked: self._session_revoked,
            AccountDisabled: self._account_disabled,
            IdentityRevoked: self._identity_revoked,
            StatusChanged: self._status_changed,
        }

    # --- attaching and detaching ---------------------------------------------------------------------------------

    async def attach(
        self,
        connection: Connection,
        identity: AuthenticatedUser,
        *,
        epoch: str | None = None,
        have: Mapping[str, int] | None = None,
        only_topic: str | None = None,
    ) -> Attached:
        """Subscribe the connection from a consistent position.

        It follows the user's topics, or `only_topic` alone. The connection must be corked: what is
        published from now on waits there until the caller has sent the returned snapshot and gap.
        Raises Unauthenticated (the session has ended), TooManyConnections, NotFound (the user is
        not follow `only_topic`).
        """
        live = self._register(connection, identity, only_topic)
        try:
            generation = self._order.generation
            snapshot = await self._read(_snapshot, identity, self._clock.now(), epoch, have or {})
            if snapshot is None or live.ended:
                raise Unauthenticated()
            own = snapshot.heads[user_topic(identity.id)]
            self.presences.chose(identity.id, snapshot.status, own)  # before other users can see the connection
            followed = self._subscribe(live, snapshot)
            if only_topic is not None and only_topic not in followed:
                raise NotFound()
            gap: list[bytes] = []
            # What is published after this moment comes by subscription, as long as the user is a
            # member.
            published = {topic: self._order.last(topic) or 0 for topic in followed}
            if self._order.generation > generation + 1:  # some of them may have been forgotten meanwhile
                raise Busy(retry_after=RETRY)
            for topic, head in followed.items():
                if published[topic] > head:
                    gap += await self._read(sync.gap, identity.id, topic, head, published[topic])
            if live.ended:
                raise Unauthenticated()
        except BaseException:
            self.detach(connection)
            raise
        self.presences.connected(identity.id, connection, snapshot.status, own)
        return Attached(live, snapshot, gap)

    async def follow(self, live: LiveConnection, topic: str, after: int) -> list[bytes]:
        """Subscribe an attached connection to its topic again; return the entries since `after`.

        The connection must be corked. Raises Unauthenticated if it has ended.
        """
        if live.ended:
            raise Unauthenticated()
        self._fanout.join(live.connection, topic)
        published = self._order.last(topic) or 0
        return await self._read(sync.gap, live.user.id, topic, after, published) if published > after else []

    def detach(self, connection: Connection) -> None:
        """Forget a connection, because it has ended or is about to be ended. Idempotent."""
        self._fanout.remove(connection)
        live = self._live.pop(connection, None)
        if live is None:
            return
        live.ended = True
        self.presences.disconnected(live.user.id, connection)
        _discard(self._by_user, live.user.id, live)
        _discard(self._by_session, live.user.session, live)

    def online_in(self, room: int, most: int | None = None) -> dict[int, str]:
        """Return the visible users with a live connection in the room.

        The result has names by id, at most `most` of them.
        """
        found: dict[int, str] = {}
        for connection in self._fanout.members(room_topic(room)):
            live = self._live.get(connection)
            if live is not None and self.presences.is_visible(live.user.id):
                found[live.user.id] = live.user.name
                if len(found) == most:
                    break
        return found

    def identities(self) -> list[AuthenticatedUser]:
        """Return the user of each session with a live connection, once per session."""
        return [next(iter(lives)).user for lives in self._by_session.values()]

    def is_connected(self, user: int) -> bool:
        """Return whether the user has a live connection, greeted or not."""
        return user in self._by_user

    @property
    def count(self) -> int:
        """Return the number of live connections, including those that are being greeted."""
        return len(self._live)

    def restart(self) -> int:
        """End all connections, because the history they follow has ended.

        The clients reconnect after random delays, and are told to reset. Returns how many
        connections there were.
        """
        self._order = Order(self._fanout.has_members)
        self.archived.clear()
        self.presences.forget_choices()
        ended = list(self._live.values())
        for live in ended:
            self._end(live, Disconnect.NEW_EPOCH, uniform(*RECONNECT_DELAYS))  # noqa: S311  not a secret
        return len(ended)

    # --- publication ---------------------------------------------------------------------------------------------

    def watch(self, watcher: Callable[[Sequence[Entry]], None]) -> None:
        """Call `watcher` with every batch of entries after it was published on this node."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Callable[[Sequence[Entry]], None]) -> None:
        """Call `watcher` no more."""
        self._watchers.remove(watcher)

    def publish(self, entries: Sequence[Entry]) -> None:
        """Publish the entries of a commit of this node.

        They go to the connections of this node, in log order, and to the bus.
        """
        self.receive(entries)
        self._bus.publish(entries)

    def receive(self, entries: Sequence[Entry]) -> None:
        """Send entries to the connections of this node in log order.

        A change of membership takes effect between the events before and after it.
        """
        offer = self._order.offer
        passed: list[Entry] = []
        for entry in entries:
            passed += offer(entry)
        self._deliver(passed)
        if self._order.has_gaps and self._refill is None:
            self._refill = asyncio.create_task(self._fill_gaps())

    def _deliver(self, passed: Sequence[Entry]) -> None:
        handlers, broadcast = self._handlers, self._fanout.broadcast
        for entry in passed:
            handler = handlers.get(type(entry.event))
            if handler is not None:
                self._handle(handler, entry)
            elif not isinstance(entry.event, SecurityEvent):
                broadcast(entry.text, entry.topic, entry.event)
        for watcher in tuple(self._watchers):
            watcher(passed)

    async def _fill_gaps(self) -> None:
        """Read what is missing from the log, until nothing is held back."""
        try:
            while gaps := self._order.gaps():
                for gap in gaps:
                    await self._fill(gap)
        finally:
            self._refill = None

    async def _fill(self, gap: Gap) -> None:
        try:
            found = await self._read(log.entries, gap.topic, gap.after, min(gap.before - gap.after - 1, PAGE))
        except HubbubError as error:
            logger.warning("gap_not_read", topic=gap.topic, code=error.code)
            await asyncio.sleep(RETRY)
            return
        if found:
            self.receive(found)
        else:  # the log was trimmed, or went back in time
            logger.warning("gap_not_filled", topic=gap.topic, after=gap.after, before=gap.before)
            self._deliver(self._order.skip(gap))

    def _handle(self, handler: Callable[[Any, Entry], None], entry: Entry) -> None:
        try:
            handler(entry.event, entry)
        except Exception as error:  # a bug must not keep the following entries from their readers
            logger.exception("publication_stumbled", type=entry.event.type, exc_info=error)

    def _room_added(self, event: RoomAdded, entry: Entry) -> None:
        self._fanout.broadcast(entry.text, entry.topic, entry.event)
        for live in self._by_user.get(event.person, ()):
            if live.greeting is not None:
                live.greeting.append(entry)
            elif live.only_topic in (None, room_topic(event.room)):
                self._fanout.join(live.connection, room_topic(event.room))

    def _room_removed(self, event: RoomRemoved, entry: Entry) -> None:
        self._fanout.broadcast(entry.text, entry.topic, entry.event)
        for live in list(self._by_user.get(event.person, ())):
            if live.greeting is not None:
                live.greeting.append(entry)
            elif live.only_topic == room_topic(event.room):
                self._end(live, Disconnect.REMOVED)
            else:
                self._fanout.leave(live.connection, room_topic(event.room))

    def _room_archived_or_restored(self, event: RoomArchived | RoomRestored, entry: Entry) -> None:
        self._fanout.broadcast(entry.text, entry.topic, entry.event)
        if not event.in_site:
            self.archived.learn(event.room, entry.seq, isinstance(event, RoomArchived))

    def _session_revoked(self, event: SessionRevoked, _entry: Entry) -> None:
        for live in list(self._by_session.get(event.session, ())):
            self._end(live, Disconnect.SESSION_ENDED)

    def _account_disabled(self, event: AccountDisabled, _entry: Entry) -> None:
        why = Disconnect.BANNED if event.banned else Disconnect.ACCOUNT_CLOSED
        for live in list(self._by_user.get(event.user, ())):
            self._end(live, why)

    def _identity_revoked(self, event: IdentityRevoked, entry: Entry) -> None:
        for live in list(self._by_user.get(event.user or 0, ())):
            if sessions.began_before(live.user.session, entry.seq):
                self._end(live, Disconnect.LOGGED_OUT)

    def _status_changed(self, event: StatusChanged, entry: Entry) -> None:
        self._fanout.broadcast(entry.text, entry.topic, entry.event)
        self.presences.chose(event.person, event.status, entry.seq)

    def _end(self, live: LiveConnection, why: Disconnect, retry_after: float | None = None) -> None:
        logger.info("connection_ended", why=why.name.lower(), user=live.user.id)
        self.detach(live.connection)
        live.connection.end(why, retry_after)

    # --- greeting ------------------------------------------------------------------------------------------------

    def _register(self, connection: Connection, identity: AuthenticatedUser, only_topic: str | None) -> LiveConnection:
        mine = self._by_user.setdefault(identity.id, {})
        if len(mine) >= self._limit:
            raise TooManyConnections(retry_after=30.0)
        live = LiveConnection(connection, identity, identity.actor(), only_topic)
        mine[live] = None
        self._by_session.setdefault(identity.session, {})[live] = None
        self._live[connection] = live
        self.presences.expect(identity.id, connection)
        self._fanout.add(connection)
        return live

    def _subscribe(self, live: LiveConnection, snapshot: Snapshot) -> dict[str, int]:
        """Join the topics of the snapshot and return their heads.

        The entries that were published since the snapshot are applied to it.
        """
        own_topic = user_topic(live.user.id)
        heads = dict(snapshot.heads)
        for entry in live.greeting or ():
            if entry.seq <= snapshot.heads.get(own_topic, 0):
                continue
            if isinstance(entry.event, RoomAdded):
                heads[room_topic(entry.event.room)] = entry.event.details.head or 0
            elif isinstance(entry.event, RoomRemoved):
                heads.pop(room_topic(entry.event.room), None)
        live.greeting = None
        for room in snapshot.rooms:
            self.archived.learn(room.id, room.head or 0, room.archived)
        if live.only_topic is not None:
            heads = {topic: head for topic, head in heads.items() if topic == live.only_topic}
        for topic in heads:
            self._fanout.join(live.connection, topic)
        return heads


def _snapshot(
    connection: Any, identity: AuthenticatedUser, now: int, epoch: str | None, have: Mapping[str, int]
) -> Snapshot | None:
    """Return the user's state if the session is valid, else None, in one transaction."""
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
