"""Soft state that the nodes of a site share: each node has a table, and a copy of the others' tables.

Nothing is stored. A node sends changes of its table a few times a second, and the whole table at
intervals, in pieces. A piece covers a range of keys, so a lost message is made good by the next piece
of that range. What a node said ends when the node says bye, or has been silent for SILENCE seconds.

    {"set": [[KEY, VALUE], …]}                     changes; a VALUE of null removes the key
    {"after": KEY, "to": KEY, "all": [[KEY, VALUE], …]}   all keys above `after` up to `to`
"""

import asyncio
import json
from bisect import insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog

from hubbub.clock import Clock
from hubbub.engine.ports import Bus

STEP = 0.1
"""Seconds between two looks at what is to be sent."""
INTERVAL = 15.0
"""Seconds between two beginnings of a whole table."""
SPREAD, HURRIED = 7.5, 0.5
"""Seconds within which a whole table is sent: usually, and to a node that has just connected."""
GREETING_DELAY = 0.2
"""Seconds for which nodes that connect together are awaited before the table is sent to them."""
SILENCE = 35.0
"""Seconds after which a silent node counts as gone: two whole tables were missed."""
PIECE = 5_500
"""Bytes of the entries in a signal, in JSON."""
USUAL_LENGTH = 32
"""Bytes of an entry, for the pace of a whole table."""
LATE = 1.0
"""Seconds by which a step is late when the node stood still."""
PIECES_PER_STEP = 20
"""Signals with changes in a step."""
MAX_KEY = 2**53
Value = Sequence[Any]
"""JSON. At most some hundred bytes."""
logger = structlog.get_logger(__name__)
OnChange = Callable[[str, int, Value | None], None]
"""Called with a node, a key and its new value. Raises LookupError, TypeError or ValueError if the
value does not fit; the key then counts as absent."""


class SoftTable:
    """The table of this node under a kind, and those of the other nodes.

    `on_change` is called for each change of another node's table, None for what is gone. `tick` must
    be called every STEP seconds. All methods must be called on the event loop's thread.
    """

    def __init__(self, bus: Bus, kind: str, monotonic: Callable[[], float], on_change: OnChange) -> None:
        self._bus = bus
        self._kind = kind
        self._monotonic = monotonic
        self._on_change = on_change
        self._own: dict[int, Value] = {}
        self._changed: dict[int, None] = {}
        self._others: dict[str, dict[int, Value]] = {}
        self._heard: dict[str, float] = {}
        self._known_to: dict[str, int] = {}
        """By node, the key up to which its table is known; MAX_KEY once all of it is."""
        self._round: list[int] = []
        """The keys of the table that is being sent, descending: the next one is the last."""
        self._after = MAX_KEY
        """The key up to which the table was sent; MAX_KEY if none is being sent."""
        self._per_step = 1
        self._next_round_at = float("-inf")
        self._hurried = True
        self._ticked_at = monotonic()
        bus.on_signal(kind, self._receive)
        bus.on_signal("hello", self._greet)
        bus.on_signal("bye", self._part)

    # --- this node -----------------------------------------------------------------------------------------------

    def set(self, key: int, value: Value | None) -> None:
        """Set an entry, or remove it. `key` is above 0 and below MAX_KEY.

        Raises ValueError if the value is longer than a signal.
        """
        if self._own.get(key) == value:
            return
        if value is None:
            del self._own[key]
        elif _length(key, value) > PIECE:
            raise ValueError(f"an entry is longer than {PIECE} bytes")
        else:
            if key not in self._own and key > self._after:  # else the next piece would remove it
                insort(self._round, key, key=lambda each: -each)
            self._own[key] = value
        self._changed[key] = None

    def flush(self) -> None:
        """Send the changes now, as far as they are not too many."""
        for _ in range(PIECES_PER_STEP):
            if not self._changed:
                return
            entries = self._take(self._changed)
            for key in entries:
                del self._changed[key]
            self._bus.signal(self._kind, {"set": [[key, self._own.get(key)] for key in entries]})

    def tick(self) -> None:
        """Send what is due, and forget nodes that have been silent."""
        now = self._monotonic()
        late, self._ticked_at = now - self._ticked_at - STEP, now
        if late > LATE:  # this node stood still, and has not read what the others sent meanwhile
            self._heard = {node: at + late for node, at in self._heard.items()}
        for node in [node for node, at in self._heard.items() if now - at > SILENCE]:
            self._forget(node)
        if not self._bus.connected:  # the whole table is sent when the bus is back
            self._begin_again()
            return
        self.flush()
        if self._after == MAX_KEY and now >= self._next_round_at:
            self._begin_round(now)
        for _ in range(self._per_step):
            if self._after == MAX_KEY:
                return
            self._send_piece()

    def _begin_round(self, now: float) -> None:
        hurried, self._hurried = self._hurried, False
        self._next_round_at = now + INTERVAL
        self._round = sorted(self._own, reverse=True)
        self._after = 0
        steps = (HURRIED if hurried else SPREAD) / STEP
        self._per_step = 1 + int(len(self._round) * USUAL_LENGTH / PIECE / steps)

    def _send_piece(self) -> None:
        entries, size = list[int](), 0
        while self._round and size < PIECE:
            key = self._round[-1]
            length = self._length(key)
            if entries and size + length > PIECE:
                break
            self._round.pop()
            entries.append(key)
            size += length
        to = entries[-1] if self._round else MAX_KEY
        content = [[key, self._own[key]] for key in entries if key in self._own]
        self._bus.signal(self._kind, {"after": self._after, "to": to, "all": content})
        self._after = to

    def _take(self, keys: Iterable[int]) -> list[int]:
        """Return the first keys that fit into one signal."""
        found, size = list[int](), 0
        for key in keys:
            size += self._length(key)
            if found and size > PIECE:
                break
            found.append(key)
        return found

    def _length(self, key: int) -> int:
        return _length(key, self._own.get(key))

    def restart(self) -> None:
        """Forget what the other nodes have told, and tell them the whole table."""
        for node in list(self._others):
            self._forget(node)
        self._begin_again()

    def _begin_again(self) -> None:
        self._changed.clear()
        self._round.clear()
        self._after, self._next_round_at, self._hurried = MAX_KEY, float("-inf"), True

    # --- other nodes ---------------------------------------------------------------------------------------------

    def nodes(self) -> list[str] | None:
        """Return the other nodes, None while the table of one of them is not known completely."""
        return (
            list(self._heard) if self._bus.connected and all(to == MAX_KEY for to in self._known_to.values()) else None
        )

    def _greet(self, node: str, _content: Mapping[str, Any]) -> None:
        self._heard[node] = self._monotonic()
        self._known_to.setdefault(node, 0)
        self._next_round_at = min(self._next_round_at, self._monotonic() + GREETING_DELAY)
        self._hurried = True

    def _part(self, node: str, _content: Mapping[str, Any]) -> None:
        self._forget(node)

    def _receive(self, node: str, content: Mapping[str, Any]) -> None:
        self._heard[node] = self._monotonic()
        known_to = self._known_to.setdefault(node, 0)
        if "set" in content:
            for key, value in content["set"]:
                self._put(node, key, value)
            return
        after, to, entries = content["after"], content["to"], dict(content["all"])
        if not 0 <= after <= to <= MAX_KEY:
            raise ValueError("no range")
        for key in [key for key in self._others.get(node, ()) if after < key <= to and key not in entries]:
            self._put(node, key, None)
        for key, value in entries.items():
            self._put(node, key, value)
        if known_to < MAX_KEY:
            self._known_to[node] = to if after <= known_to else 0

    def _put(self, node: str, key: int, value: Value | None) -> None:
        if type(key) is not int or not 0 < key < MAX_KEY or not isinstance(value, list | None):
            raise ValueError("no entry")
        table = self._others.setdefault(node, {})
        if table.get(key) == value:
            return
        if value is not None:
            try:
                self._on_change(node, key, value)
            except (LookupError, TypeError, ValueError, AttributeError):  # of another version
                value = None
            else:
                table[key] = value
        if value is None and table.pop(key, None) is not None:
            self._on_change(node, key, None)

    def _forget(self, node: str) -> None:
        for key in self._others.pop(node, {}):
            self._on_change(node, key, None)
        self._heard.pop(node, None)
        self._known_to.pop(node, None)


def _length(key: int, value: Value | None) -> int:
    return len(json.dumps([key, value], separators=(",", ":"))) + 1


class SoftState:
    """All tables of this node, and the clock that drives them."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._tables: list[SoftTable] = []
        self.before: list[Callable[[], None]] = []
        """Called before each step."""

    def table(self, kind: str, on_change: OnChange) -> SoftTable:
        """Add a table."""
        found = SoftTable(self._bus, kind, self._clock.monotonic, on_change)
        self._tables.append(found)
        return found

    def restart(self) -> None:
        """Begin again: another history begins."""
        for table in self._tables:
            table.restart()

    def tick(self) -> None:
        """Tick all tables."""
        for call in self.before:
            call()
        for table in self._tables:
            table.tick()

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            try:
                self.tick()
            except Exception as error:  # a bug must not end the soft state of all users
                logger.exception("soft_state_stumbled", exc_info=error)
            await asyncio.sleep(STEP)
