"""Who is here and how they appear: a pure reducer. Soft state of one node: nothing of it is stored, all of it expires.

A person is here with any connection that has been greeted, and for GRACE seconds after the last one: a page that is
loaded anew is not a departure. Nobody is told of anybody he does not look at.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hubbub.domain.model import Presence, Status
from hubbub.domain.text import milliseconds
from hubbub.engine.ports import Connection

GRACE = 5.0
ONLINE = Status(status="online")


@dataclass(slots=True)
class UserPresence:
    """One person, as long as he is here or looked at. A line is None while it is greeted, then whether it idles."""

    lines: dict[Connection, bool | None] = field(default_factory=dict)
    chosen: Status = ONLINE
    version: int = -1
    """The seq in the person's own topic at which that was so; -1 as long as it is not known."""
    gone_at: float | None = None
    idled: bool = False
    told: Presence | None = None
    """What the watchers know; None if they must be told whatever is so."""
    due: float | None = None

    def is_connected(self) -> bool:
        return any(idle is not None for idle in self.lines.values())

    def is_here(self, monotonic: float) -> bool:
        return self.is_connected() or (self.gone_at is not None and monotonic < self.gone_at + GRACE)

    def idles(self) -> bool:
        return all(idle is not False for idle in self.lines.values()) if self.is_connected() else self.idled


def absent(user: int, chosen: Status) -> Presence:
    """How somebody appears who is not here."""
    if chosen.status == "invisible":
        return Presence(user=user, status="offline")
    return Presence(user=user, status="offline", text=chosen.text, emoji=chosen.emoji, until=chosen.until)


class Presences:
    """`wake` is called when there may be something to tell: now, or at the time `next_due` says.

    The clocks give milliseconds since 1970 (`now`) and seconds that never go back (`monotonic`).
    """

    def __init__(self, now: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self._people: dict[int, UserPresence] = {}
        self._watchers: dict[int, dict[Connection, None]] = {}
        self._watched: dict[Connection, tuple[int, ...]] = {}
        self._dirty: dict[int, None] = {}
        self._due: list[tuple[float, int]] = []
        self.wake: Callable[[], None] = lambda: None

    # --- what happens --------------------------------------------------------------------------------------------

    def expect(self, user: int, line: Connection) -> None:
        """A connection is being greeted: what the person chooses from here on is not missed."""
        self._somebody(user).lines[line] = None

    def came(self, user: int, line: Connection, chosen: Status, version: int) -> None:
        """The connection follows its topics. `chosen` is how the person appeared at `version` of his own topic."""
        self._somebody(user).lines[line] = False
        self.chose(user, chosen, version)
        self._touch(user)

    def went(self, user: int, line: Connection) -> None:
        """The connection is gone; harmless when repeated."""
        self.look(line, ())
        somebody = self._people.get(user)
        if somebody is None or line not in somebody.lines:
            return
        idled = somebody.idles()
        greeted = somebody.lines.pop(line) is not None
        if greeted and not somebody.is_connected():
            somebody.idled, somebody.gone_at = idled, self._monotonic()
            self._remind(user, somebody)
        self._touch(user)

    def idle(self, user: int, line: Connection, idle: bool) -> None:
        """Whether nobody is at this device any more."""
        somebody = self._people.get(user)
        if somebody is not None and somebody.lines.get(line) is not None:
            somebody.lines[line] = idle
            self._touch(user)

    def chose(self, user: int, chosen: Status, version: int) -> None:
        """What the person has chosen at `version` of his own topic; what is older than what is known is ignored."""
        somebody = self._people.get(user)
        if somebody is None or version <= somebody.version:
            return
        somebody.chosen, somebody.version = chosen, version
        self._remind(user, somebody)
        self._touch(user)

    def look(self, line: Connection, users: Iterable[int]) -> None:
        """The connection looks at these people from here on, instead of those before."""
        before, after = self._watched.pop(line, ()), tuple(dict.fromkeys(users))
        for user in after:
            self._somebody(user)
            self._watchers.setdefault(user, {})[line] = None
        for user in set(before).difference(after):
            watchers = self._watchers[user]
            del watchers[line]
            if not watchers:
                del self._watchers[user]
            self._forget_if_gone(user)
        if after:
            self._watched[line] = after

    # --- what is so ----------------------------------------------------------------------------------------------

    def of(self, user: int) -> Presence:
        """How the person appears to others now."""
        somebody = self._people.get(user)
        if somebody is None:
            return Presence(user=user, status="offline")
        chosen = self._chosen(somebody)
        if chosen.status == "invisible" or not somebody.is_here(self._monotonic()):
            return absent(user, chosen)
        if chosen.status == "online" and somebody.idles():
            status = "away"
        else:
            status = chosen.status
        return Presence(user=user, status=status, text=chosen.text, emoji=chosen.emoji, until=chosen.until)

    def is_visible(self, user: int) -> bool:
        """Whether others may know that the person is here; not before it is known what he has chosen."""
        somebody = self._people.get(user)
        return somebody is not None and somebody.version >= 0 and self._chosen(somebody).status != "invisible"

    def unknown(self, users: Iterable[int]) -> list[int]:
        """Those of whom it is not known what they have chosen."""
        return [user for user in users if (found := self._people.get(user)) is None or found.version < 0]

    def __len__(self) -> int:
        return len(self._people)

    # --- what is to be told --------------------------------------------------------------------------------------

    def told(self, users: Iterable[int]) -> list[Presence]:
        """How these people appear, noted as told to whoever has just begun to look."""
        found = []
        for user in users:
            presence, somebody = self.of(user), self._people.get(user)
            if somebody is not None and somebody.told is None:
                somebody.told = presence
            elif somebody is not None and somebody.told != presence:
                somebody.told = None  # the others have yet to hear of it, and it may change back before they do
                self._touch(user)
            found.append(presence)
        return found

    def news(self) -> dict[Connection, list[int]]:
        """Of whom there is something new since it was last asked, by who looks."""
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
        """The monotonic time at which something expires, None if nothing does."""
        return self._due[0][0] if self._due else None

    # --- inside --------------------------------------------------------------------------------------------------

    def _somebody(self, user: int) -> UserPresence:
        somebody = self._people.get(user)
        if somebody is None:
            somebody = self._people[user] = UserPresence()
        return somebody

    def _changed(self, dirty: Iterable[int]) -> Iterator[int]:
        for user in dirty:
            somebody = self._people.get(user)
            if somebody is not None and user in self._watchers and (presence := self.of(user)) != somebody.told:
                somebody.told = presence
                yield user

    def _chosen(self, somebody: UserPresence) -> Status:
        until = somebody.chosen.until
        return ONLINE if until is not None and milliseconds(until) <= self._now() else somebody.chosen

    def _touch(self, user: int) -> None:
        self._dirty[user] = None
        self.wake()

    def _expire(self) -> None:
        while self._due and self._due[0][0] <= self._monotonic():
            at, user = heapq.heappop(self._due)
            somebody = self._people.get(user)
            if somebody is not None and somebody.due == at:
                somebody.due = None
                self._dirty[user] = None
                self._remind(user, somebody)

    def _remind(self, user: int, somebody: UserPresence) -> None:
        """Comes back to the person when the next thing about him expires; one reminder a person counts."""
        monotonic, moments = self._monotonic(), []
        if somebody.gone_at is not None and somebody.gone_at + GRACE > monotonic:
            moments.append(somebody.gone_at + GRACE)
        if (until := somebody.chosen.until) is not None and (left := milliseconds(until) - self._now()) > 0:
            moments.append(monotonic + left / 1000 + 0.001)
        if not moments or (somebody.due is not None and somebody.due <= min(moments)):
            return
        somebody.due = min(moments)
        heapq.heappush(self._due, (somebody.due, user))
        if len(self._due) > 2 * len(self._people) + 100:
            self._due = [(each.due, user) for user, each in self._people.items() if each.due is not None]
            heapq.heapify(self._due)

    def _forget_if_gone(self, user: int) -> None:
        somebody = self._people.get(user)
        if somebody is not None and not somebody.lines and user not in self._watchers:
            somebody.told = None
            if not somebody.is_here(self._monotonic()):
                del self._people[user]
