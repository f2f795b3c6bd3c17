"""Presence: which users are online, and how they appear to others.

A pure reducer. It holds the soft state of one node: nothing is stored, and everything expires.

A user is online while they have a connection that has been greeted, on this node or another one, and
for GRACE seconds after the last connection has ended, so that reloading a page does not count as
going offline. A connection hears only about the users it watches.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from hubbub.delivery.connections import Connection
from hubbub.domain.model import Presence, Status
from hubbub.domain.text import milliseconds

GRACE = 5.0
"""Seconds for which a user stays online after their last connection has ended."""
ONLINE = Status(status="online")


class Devices(NamedTuple):
    """The greeted connections of a user on one node."""

    idle: bool
    """Whether all of them are idle."""
    rooms: tuple[int, ...] | None = None
    """The rooms that they follow; None for all rooms of the user."""


@dataclass(slots=True)
class UserPresence:
    """The presence of one user, kept while the user is online or watched."""

    connections: dict[Connection, bool | None] = field(default_factory=dict)
    """By connection: None during the greeting, then whether the connection is idle."""
    elsewhere: dict[str, Devices] | None = None
    """The user's devices on the other nodes, by node."""
    chosen: Status = ONLINE
    version: int = -1
    """The seq in the user's own topic at which `chosen` was valid; -1 while `chosen` is unknown."""
    gone_at: float | None = None
    """The monotonic time at which the last connection ended."""
    was_idle: bool = False
    """Whether the user was idle when the last connection ended."""
    announced: Presence | None = None
    """What the watchers know; None if they must be told the current presence in any case."""
    due: float | None = None
    """The monotonic time of the reminder in the queue."""

    def is_connected(self) -> bool:
        return bool(self.elsewhere) or self.is_connected_here()

    def is_connected_here(self) -> bool:
        return any(idle is not None for idle in self.connections.values())

    def is_idle_here(self) -> bool:
        return all(idle is not False for idle in self.connections.values())

    def is_online(self, monotonic: float) -> bool:
        return self.is_connected() or (self.gone_at is not None and monotonic < self.gone_at + GRACE)

    def is_idle(self) -> bool:
        if self.elsewhere and not all(devices.idle for devices in self.elsewhere.values()):
            return False
        return self.is_idle_here() if self.is_connected() else self.was_idle


def absent(user: int, chosen: Status) -> Presence:
    """Return how a user who is not online appears."""
    if chosen.status == "invisible":
        return Presence(user=user, status="offline")
    return Presence(user=user, status="offline", text=chosen.text, emoji=chosen.emoji, until=chosen.until)


class Presences:
    """The presence of all users who are online or watched.

    The clocks give milliseconds since 1970 (`now`) and seconds that never go back (`monotonic`).
    `wake` is called when there may be changes to announce, either now or at the time that
    `next_due` returns.
    """

    def __init__(self, now: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self._users: dict[int, UserPresence] = {}
        self._watchers: dict[int, dict[Connection, None]] = {}
        self._watched: dict[Connection, tuple[int, ...]] = {}
        self._dirty: dict[int, None] = {}
        self._due: list[tuple[float, int]] = []
        self._elsewhere: dict[int, UserPresence] = {}
        self.touched: Callable[[int], None] | None = None
        """Called with each user about whom something may have changed."""
        self.wake: Callable[[], None] = lambda: None

    # --- changes -------------------------------------------------------------------------------------------------

    def forget_choices(self) -> None:
        """Forget which statuses users have set: the log that told them has ended."""
        for found in self._users.values():
            found.version = -1

    def expect(self, user: int, connection: Connection) -> None:
        """Register a connection that is being greeted.

        No status that the user sets from now on is missed.
        """
        self._get_or_add(user).connections[connection] = None

    def connected(self, user: int, connection: Connection, chosen: Status, version: int) -> None:
        """Note that the greeting is complete.

        `chosen` is the user's status at `version` of their own topic.
        """
        self._get_or_add(user).connections[connection] = False
        self.chose(user, chosen, version)
        self._touch(user)

    def disconnected(self, user: int, connection: Connection) -> None:
        """Note that the connection has ended. Idempotent."""
        self.watch(connection, ())
        found = self._users.get(user)
        if found is None or connection not in found.connections:
            return
        was_idle = found.is_idle()
        greeted = found.connections.pop(connection) is not None
        if greeted and not found.is_connected():
            found.was_idle, found.gone_at = was_idle, self._monotonic()
            self._remind(user, found)
        self._touch(user)

    def idle(self, user: int, connection: Connection, idle: bool) -> None:
        """Set whether the user has stopped using the device of this connection."""
        found = self._users.get(user)
        if found is not None and found.connections.get(connection) is not None:
            found.connections[connection] = idle
            self._touch(user)

    def chose(self, user: int, chosen: Status, version: int) -> None:
        """Note the user's status at `version` of their own topic.

        A version that is not newer is ignored.
        """
        found = self._users.get(user)
        if found is None or version <= found.version:
            return
        found.chosen, found.version = chosen, version
        self._remind(user, found)
        self._touch(user)

    def on_node(self, user: int, node: str, devices: Devices, chosen: Status, version: int) -> None:
        """Note the user's devices on another node, in place of those noted before.

        `chosen` is the user's status at `version` of their own topic, as that node knows it.
        """
        found = self._get_or_add(user)
        if found.elsewhere is None:
            found.elsewhere = {}
        found.elsewhere[node] = devices
        self._elsewhere[user] = found
        self.chose(user, chosen, version)
        self._touch(user)

    def left_node(self, user: int, node: str) -> None:
        """Note that the user has no devices on another node any more. Idempotent."""
        found = self._elsewhere.get(user)
        if found is None or not found.elsewhere or node not in found.elsewhere:
            return
        was_idle = found.is_idle()
        del found.elsewhere[node]
        if not found.elsewhere:
            found.elsewhere = None
            del self._elsewhere[user]
        if not found.is_connected():
            found.was_idle, found.gone_at = was_idle, self._monotonic()
            self._remind(user, found)
        self._touch(user)

    def watch(self, connection: Connection, users: Iterable[int]) -> None:
        """Set which users the connection watches, in place of those it watched before."""
        before, after = self._watched.pop(connection, ()), tuple(dict.fromkeys(users))
        for user in after:
            self._get_or_add(user)
            self._watchers.setdefault(user, {})[connection] = None
        for user in set(before).difference(after):
            watchers = self._watchers[user]
            del watchers[connection]
            if not watchers:
                del self._watchers[user]
            self._forget_if_gone(user)
        if after:
            self._watched[connection] = after

    # --- current state -------------------------------------------------------------------------------------------

    def of(self, user: int) -> Presence:
        """Return how the user appears to others now."""
        found = self._users.get(user)
        if found is None:
            return Presence(user=user, status="offline")
        chosen = self._chosen(found)
        if chosen.status == "invisible" or not found.is_online(self._monotonic()):
            return absent(user, chosen)
        if chosen.status == "online" and found.is_idle():
            status = "away"
        else:
            status = chosen.status
        return Presence(user=user, status=status, text=chosen.text, emoji=chosen.emoji, until=chosen.until)

    def is_visible(self, user: int) -> bool:
        """Return whether others may know that the user is online.

        False while the user's status is unknown.
        """
        found = self._users.get(user)
        return found is not None and found.version >= 0 and self._chosen(found).status != "invisible"

    def is_hidden(self, user: int) -> bool:
        """Return whether the user is known to be invisible."""
        found = self._users.get(user)
        return found is not None and self._chosen(found).status == "invisible"

    def is_elsewhere(self, user: int) -> bool:
        """Return whether the user is connected to another node."""
        return user in self._elsewhere

    def elsewhere(self, room: int) -> list[int]:
        """Return the visible users of other nodes who follow the room if they are members of it."""
        found = []
        for user, each in self._elsewhere.items():
            if each.version < 0 or (each.chosen.status == "invisible" and self._chosen(each).status == "invisible"):
                continue
            for devices in (each.elsewhere or {}).values():
                if devices.rooms is None or room in devices.rooms:
                    found.append(user)
                    break
        return found

    def here(self, user: int) -> tuple[bool, Status, int] | None:
        """Return whether the user's devices on this node are idle, the status, and its version.

        None if there are none.
        """
        found = self._users.get(user)
        if found is None or not found.is_connected_here():
            return None
        return found.is_idle_here(), found.chosen, found.version

    def unknown(self, users: Iterable[int]) -> list[int]:
        """Return those of `users` whose chosen status is unknown."""
        return [user for user in users if (found := self._users.get(user)) is None or found.version < 0]

    def watched_and_offline(self) -> list[int]:
        """Return the users who are watched and have no connection on any node."""
        return [user for user in self._watchers if not self._users[user].is_connected()]

    def __len__(self) -> int:
        return len(self._users)

    # --- announcements -------------------------------------------------------------------------------------------

    def announce(self, users: Iterable[int]) -> list[Presence]:
        """Return the presence of `users` for a new watcher, and note it as announced."""
        presences = []
        for user in users:
            presence, found = self.of(user), self._users.get(user)
            if found is not None and found.announced is None:
                found.announced = presence
            elif found is not None and found.announced != presence:
                # The other watchers have not been told yet, and the presence may change back before
                # they are.
                found.announced = None
                self._touch(user)
            presences.append(presence)
        return presences

    def news(self) -> dict[Connection, list[int]]:
        """Return the users whose presence has changed, by watching connection.

        Each change is returned once.
        """
        self._expire()
        dirty, self._dirty = self._dirty, {}
        found: dict[Connection, list[int]] = {}
        for user in self._changed(dirty):
            for watcher in self._watchers.get(user, ()):
                found.setdefault(watcher, []).append(user)
        for user in dirty:
            self._forget_if_gone(user)
        return found

    def next_due(self) -> float | None:
        """Return the monotonic time of the next expiry, None if nothing expires."""
        return self._due[0][0] if self._due else None

    # --- internals -----------------------------------------------------------------------------------------------

    def _get_or_add(self, user: int) -> UserPresence:
        found = self._users.get(user)
        if found is None:
            found = self._users[user] = UserPresence()
        return found

    def _changed(self, dirty: Iterable[int]) -> Iterator[int]:
        for user in dirty:
            found = self._users.get(user)
            if found is not None and user in self._watchers and (presence := self.of(user)) != found.announced:
                found.announced = presence
                yield user

    def _chosen(self, found: UserPresence) -> Status:
        until = found.chosen.until
        return ONLINE if until is not None and milliseconds(until) <= self._now() else found.chosen

    def _touch(self, user: int) -> None:
        self._dirty[user] = None
        if self.touched is not None:
            self.touched(user)
        self.wake()

    def _expire(self) -> None:
        while self._due and self._due[0][0] <= self._monotonic():
            at, user = heapq.heappop(self._due)
            found = self._users.get(user)
            if found is not None and found.due == at:
                found.due = None
                self._dirty[user] = None
                self._remind(user, found)

    def _remind(self, user: int, found: UserPresence) -> None:
        """Queue a reminder for the next time that something about the user expires.

        Only one reminder per user counts.
        """
        monotonic, moments = self._monotonic(), []
        if found.gone_at is not None and found.gone_at + GRACE > monotonic:
            moments.append(found.gone_at + GRACE)
        if (until := found.chosen.until) is not None and (left := milliseconds(until) - self._now()) > 0:
            moments.append(monotonic + left / 1000 + 0.001)
        if not moments or (found.due is not None and found.due <= min(moments)):
            return
        found.due = min(moments)
        heapq.heappush(self._due, (found.due, user))
        if len(self._due) > 2 * len(self._users) + 100:  # too many outdated reminders
            self._due = [(each.due, user) for user, each in self._users.items() if each.due is not None]
            heapq.heapify(self._due)

    def _forget_if_gone(self, user: int) -> None:
        found = self._users.get(user)
        if found is not None and not found.connections and not found.elsewhere and user not in self._watchers:
            found.announced = None
            if not found.is_online(self._monotonic()):
                del self._users[user]
