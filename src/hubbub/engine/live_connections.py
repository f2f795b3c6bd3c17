"""The live connections of users: greeting, subscriptions, publication, revocation.

A connection's subscriptions follow from the user's own topic. A connection is first registered
under its user and session. Then one read transaction gives the session's validity, the rooms and
the heads. What was published above those heads meanwhile is applied before anything is sent. Thus a
removal or a revocation that races with a greeting cannot be missed.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import uniform
from typing import Any

import structlog

from hubbub.clock import Clock
from hubbub.delivery.connections import Connection
from hubbub.delivery.fanout import Fanout
from hubbub.domain.disconnects import Disconnect
from hubbub.domain.errors import Busy, HubbubError, NotFound, RateLimited, Unauthenticated
from hubbub.domain.events import (
    AccountDisabled,
    Entry,
    Event,
    IdentityRevoked,
    MemberBanned,
    MemberLeft,
    MemberRemoved,
    RoomAdded,
    RoomArchived,
    RoomRemoved,
    RoomRestored,
    SecurityEvent,
    SessionRevoked,
    StatusChanged,
)
from hubbub.domain.model import SECURITY, SITE, Actor, Role, Status, room_topic, user_topic
from hubbub.engine.archived_rooms import ArchivedRooms
from hubbub.engine.ordered_entries import PAGE, RETRY, OrderedEntries
from hubbub.engine.ports import Bus, Read
from hubbub.engine.presence import Presences
from hubbub.features import sessions, sync
from hubbub.features.sessions import AuthenticatedUser
from hubbub.features.sync import Snapshot
from hubbub.storage import log

RECONNECT_DELAYS = 0.1, 3.0
"""Seconds within which clients reconnect at random after a new epoch."""
logger = structlog.get_logger(__name__)
ALWAYS = SECURITY, SITE
"""Topics that every node follows, whether or not it has connections."""
DOUBT_INTERVAL = 1.0
"""Seconds between two looks at the epoch because of what other nodes say."""


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
    joining: dict[str, asyncio.Task[None]] | None = None
    """By topic, what reads the entries that were delivered before the connection could join."""


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
        self._shared = bus.connects
        self._ordered = OrderedEntries(read, self._follows, self._topics, self._deliver, patient=bus.connects)
        self._late: dict[str, list[tuple[int, LiveConnection]]] = {}
        """By topic, connections that join the topic after the entry with this seq."""
        self._doubted_at = float("-inf")
        self._head_watchers: list[Callable[[Collection[str]], None]] = []
        self.on_status: Callable[[int, Status, int], None] = lambda user, status, version: None
        """Called with a user, the status that the user has set, and its version."""
        self.on_loss: Callable[[], None] = lambda: None
        """Called if messages of other nodes may have been lost."""
        self.on_doubt: Callable[[], None] = lambda: None
        """Called if the database may have gone back in time, or have another epoch."""
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
        if self._shared:
            self._handlers = {
                **self._handlers,
                MemberLeft: self._membership_ended,
                MemberRemoved: self._membership_ended,
                MemberBanned: self._membership_ended,
            }
            self._ordered.on_doubt = self._doubt
            fanout.observe(bus.join, self._left)

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
            order = self._ordered.order
            if self._shared and order.last(SECURITY) is None:
                raise Busy(retry_after=RETRY)  # a revocation by another node could be missed
            generation = order.generation
            snapshot = await self._read(_snapshot, identity, self._clock.now(), epoch, have or {})
            if snapshot is None or live.ended:
                raise Unauthenticated()
            own = snapshot.heads[user_topic(identity.id)]
            if self._shared:
                await self._complete_greeting(live, own)
            self.presences.chose(identity.id, snapshot.status, own)  # before other users can see the connection
            followed = self._subscribe(live, snapshot)
            if only_topic is not None and only_topic not in followed:
                raise NotFound()
            gap: list[bytes] = []
            # What is published after this moment comes by subscription, as long as the user is a
            # member.
            published = {topic: order.last(topic) or 0 for topic in followed}
            if order.generation > generation + 1:  # some of them may have been forgotten meanwhile
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
        self._join(live, topic, after)
        published = self._ordered.order.last(topic) or 0
        return await self._read(sync.gap, live.user.id, topic, after, published) if published > after else []

    def detach(self, connection: Connection) -> None:
        """Forget a connection, because it has ended or is about to be ended. Idempotent."""
        self._fanout.remove(connection)
        live = self._live.pop(connection, None)
        if live is None:
            return
        live.ended = True
        for topic in list(live.joining or ()):
            _stop_joining(live, topic)
        self.presences.disconnected(live.user.id, connection)
        if _discard(self._by_user, live.user.id, live):
            self._bus.leave(user_topic(live.user.id))
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

    def topics_of(self, user: int) -> list[str] | None:
        """Return the topics that the user's connections follow; None if a connection follows all of the user's."""
        found = [live.only_topic for live in self._by_user.get(user, ()) if live.greeting is None]
        return None if None in found else list(dict.fromkeys(topic for topic in found if topic is not None))

    def identities(self) -> list[AuthenticatedUser]:
        """Return the user of each session with a live connection, once per session."""
        return [next(iter(lives)).user for lives in self._by_session.values()]

    def identities_of(self, user: int) -> list[AuthenticatedUser]:
        """Return the user of each of their sessions with a live connection, once per session."""
        return list({live.user.session: live.user for live in self._by_user.get(user, ())}.values())

    def is_connected(self, user: int) -> bool:
        """Return whether the user has a live connection, greeted or not."""
        return user in self._by_user

    @property
    def count(self) -> int:
        """Return the number of live connections, including those that are being greeted."""
        return len(self._live)

    def restart(self, epoch: str) -> int:
        """End all connections, because the history they follow has ended.

        `epoch` is the new history.

        The clients reconnect after random delays, and are told to reset. Returns how many
        connections there were.
        """
        self._bus.epoch = epoch
        self._ordered.restart()
        self._late.clear()
        self.archived.clear()
        self.presences.forget_choices()
        ended = list(self._live.values())
        for live in ended:
            self._end(live, Disconnect.NEW_EPOCH, uniform(*RECONNECT_DELAYS))  # noqa: S311  not a secret
        if self._shared:
            self._bus.alert()  # the other nodes must notice it, too
            self._ordered.check(None)
        return len(ended)

    # --- publication ---------------------------------------------------------------------------------------------

    def watch(self, watcher: Callable[[Sequence[Entry]], None]) -> None:
        """Call `watcher` with every batch of entries after it was published on this node."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Callable[[Sequence[Entry]], None]) -> None:
        """Call `watcher` no more."""
        self._watchers.remove(watcher)

    def watch_heads(self, watcher: Callable[[Collection[str]], None]) -> None:
        """Call `watcher` with topics that have new entries of other nodes, also those that no connection follows."""
        self._head_watchers.append(watcher)

    def unwatch_heads(self, watcher: Callable[[Collection[str]], None]) -> None:
        """Call `watcher` no more."""
        self._head_watchers.remove(watcher)

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
        self._ordered.receive(entries)

    def announce(self, heads: Mapping[str, int]) -> None:
        """Note that topics reach at least to these seqs: the entries are in the log."""
        for watcher in list(self._head_watchers):
            watcher(heads.keys())
        self._ordered.announce(heads)

    def check(self, topics: Collection[str] | None) -> None:
        """Compare topics, or all live ones, with the log soon."""
        if topics is None:
            self.on_loss()
        self._ordered.check(topics)

    async def compare(self) -> None:
        """Compare all live topics with the log, and deliver what is missing. Raises HubbubError."""
        await self._ordered.compare()

    def doubt_epoch(self) -> None:
        """Note that another node follows another epoch."""
        self._doubt()

    @property
    def repaired(self) -> int:
        """Return how many topics were behind the log when they were compared with it."""
        return self._ordered.repaired

    def stop(self) -> None:
        """Read the log no longer."""
        self._ordered.stop()

    def _deliver(self, passed: Sequence[Entry]) -> None:
        handlers, broadcast, late = self._handlers, self._fanout.broadcast, self._late
        for entry in passed:
            if late:
                self._join_late(entry.topic, entry.seq - 1)
            handler = handlers.get(type(entry.event))
            if handler is not None:
                self._handle(handler, entry)
            elif not isinstance(entry.event, SecurityEvent):
                broadcast(entry.text, entry.topic, entry.event)
            if late:
                self._join_late(entry.topic, entry.seq)
        for watcher in tuple(self._watchers):
            watcher(passed)

    def _doubt(self) -> None:
        now = self._clock.monotonic()
        if now - self._doubted_at < DOUBT_INTERVAL:
            return
        self._doubted_at = now
        self.on_doubt()
        self._ordered.check(None)

    # --- topics --------------------------------------------------------------------------------------------------

    def _follows(self, topic: str) -> bool:
        return self._fanout.has_members(topic) or topic in ALWAYS

    def _topics(self) -> Iterator[str]:
        yield from ALWAYS
        yield from (topic for topic in self._fanout.topics if topic not in ALWAYS)

    def _join(self, live: LiveConnection, topic: str, head: int) -> None:
        """Subscribe a connection that has, or may not see, the entries up to `head`.

        If this node has not delivered them to its other connections yet, the connection joins
        after them.
        """
        if self._shared:
            last = self._ordered.order.last(topic)
            if last is not None and last < head and self._fanout.has_members(topic):
                self._late.setdefault(topic, []).append((head, live))
                self._ordered.announce({topic: head})
                return
            self._ordered.advance(topic, head)
        self._fanout.join(live.connection, topic)

    def _join_late(self, topic: str, seq: int) -> None:
        waiting = self._late.get(topic)
        if waiting is None:
            return
        remaining = [each for each in waiting if each[0] > seq]
        if remaining:
            self._late[topic] = remaining
        else:
            del self._late[topic]
        for head, live in waiting:
            if head <= seq and not live.ended:
                self._fanout.join(live.connection, topic)

    def _left(self, topic: str) -> None:
        """Note that the last connection has left a topic. Those that wait to join need not wait."""
        self._bus.leave(topic)
        if topic in self._late:
            first = min(head for head, _ in self._late[topic])
            self._ordered.advance(topic, first)
            self._join_late(topic, first)

    async def _complete_greeting(self, live: LiveConnection, head: int) -> None:
        """Add what the user's topic has after the snapshot's `head` to the greeting.

        The first entry that came by bus may have had one before it that was lost.
        """
        topic = user_topic(live.user.id)
        last = self._ordered.order.last(topic) or 0
        if last > head:
            found = await self._read(log.entries, topic, head, last - head)
            known = {entry.seq: entry for entry in (*found, *(live.greeting or ()))}
            live.greeting = [known[seq] for seq in sorted(known)]

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
                self._join_from(live, room_topic(event.room), event.details.head or 0)

    def _join_from(self, live: LiveConnection, topic: str, head: int) -> None:
        """Subscribe a connection that has the entries up to `head`, and send what it lacks.

        Topics arrive in any order relative to each other: entries of the room may have been delivered
        before the membership was known here.
        """
        _stop_joining(live, topic)
        if not self._shared or (self._ordered.order.last(topic) or 0) <= head:
            self._join(live, topic, head)
            return
        live.joining = live.joining or {}
        live.joining[topic] = asyncio.create_task(self._catch_up(live, topic, head))

    async def _catch_up(self, live: LiveConnection, topic: str, after: int) -> None:
        order = self._ordered.order
        while (last := order.last(topic) or 0) > after:
            try:
                start, found = await self._read(sync.missed, live.user.id, topic, after, last, PAGE)
            except NotFound:  # no longer a member
                return
            except HubbubError as error:
                logger.warning("entries_not_read", topics=1, code=error.code)
                await asyncio.sleep(RETRY)
                continue
            for entry in found:
                self._fanout.send(live.connection, entry.text, entry.event)
            after = found[-1].seq if found else max(start, last)
        if live.joining is not None:
            live.joining.pop(topic, None)
        self._join(live, topic, after)

    def _room_removed(self, event: RoomRemoved, entry: Entry) -> None:
        self._fanout.broadcast(entry.text, entry.topic, entry.event)
        for live in list(self._by_user.get(event.person, ())):
            if live.greeting is not None:
                live.greeting.append(entry)
            elif live.only_topic == room_topic(event.room):
                self._end(live, Disconnect.REMOVED)
            else:
                _stop_joining(live, room_topic(event.room))
                self._fanout.leave(live.connection, room_topic(event.room))
                self._forget_late(live, room_topic(event.room))

    def _forget_late(self, live: LiveConnection, topic: str) -> None:
        if topic in self._late:
            remaining = [each for each in self._late[topic] if each[1] is not live]
            if remaining:
                self._late[topic] = remaining
            else:
                del self._late[topic]

    def _membership_ended(self, event: MemberLeft | MemberRemoved | MemberBanned, entry: Entry) -> None:
        """Unsubscribe the user before the next entry of the room.

        The user's own topic says it too, but entries of two topics may arrive in any order.
        """
        self._fanout.broadcast(entry.text, entry.topic, entry.event)
        for live in list(self._by_user.get(event.user, ())):
            _stop_joining(live, entry.topic)
            if live.only_topic == entry.topic and live.greeting is None:
                self._end(live, Disconnect.REMOVED)
            else:
                self._fanout.leave(live.connection, entry.topic)

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
        self.on_status(event.person, event.status, entry.seq)

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
        if not mine:
            self._bus.join(user_topic(identity.id))
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
        for topic, head in heads.items():
            self._join(live, topic, head)
        return heads


def _snapshot(
    connection: Any, identity: AuthenticatedUser, now: int, epoch: str | None, have: Mapping[str, int]
) -> Snapshot | None:
    """Return the user's state if the session is valid, else None, in one transaction."""
    if sessions.resolve(connection, identity.session, now) is None:
        return None
    site = identity.role is not Role.GUEST
    return sync.snapshot(connection, identity.id, site=site, epoch=epoch, have=have, now=now)


def _stop_joining(live: LiveConnection, topic: str) -> None:
    task = live.joining.pop(topic, None) if live.joining else None
    if task is not None:
        task.cancel()


def _discard(index: dict[Any, dict[LiveConnection, None]], key: Any, live: LiveConnection) -> bool:
    """Remove a connection from an index. Returns whether it was the last one of its key."""
    found = index.get(key)
    if found is None:
        return False
    found.pop(live, None)
    if found:
        return False
    del index[key]
    return True
