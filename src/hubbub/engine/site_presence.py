"""Presence and typing for the whole site: what this node tells the others, and hears from them.

The table of this node has an entry for each user with a greeted connection:

    USER: [IDLE, VERSION, STATUS, ROOMS]

IDLE is 1 if all of the user's devices on the node are idle. STATUS is null for plain "online". ROOMS
is null if a connection follows all rooms of the user. Nulls at the end are left out. So the messages
between nodes depend on the users and on changes, not on rooms and members.

Two signals are no entries: `typing`, to the nodes that follow the room, and `status`, for a user who
has set a status through a node without being connected to it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from hubbub.domain.errors import HubbubError
from hubbub.domain.model import Status, room_topic
from hubbub.engine.ephemeral import Ephemeral
from hubbub.engine.live_connections import ConnectionHub
from hubbub.engine.ports import Bus
from hubbub.engine.presence import ONLINE, Devices
from hubbub.engine.soft_table import SoftState, Value
from hubbub.storage.db_errors import StatementRejected

RELOAD_INTERVAL = 5.0
"""Seconds between two times that the statuses of watched users are loaded again."""
MAX_NAME = 100
ROOM = "room:"
logger = structlog.get_logger(__name__)


class SitePresence:
    """Connects the presence of this node with that of the others."""

    def __init__(self, hub: ConnectionHub, ephemeral: Ephemeral, bus: Bus, state: SoftState) -> None:
        self.state = state
        self._hub = hub
        self._presences = hub.presences
        self._ephemeral = ephemeral
        self._bus = bus
        self._touched: dict[int, None] = {}
        self._loss = asyncio.Event()
        self._table = state.table("presence", self._changed)
        state.before.append(self._collect)
        self._presences.touched = self._touch
        hub.on_status = self._status_set
        hub.on_loss = self._loss.set
        ephemeral.on_typing = self._typing
        bus.on_signal("typing", self._typed)
        bus.on_signal("status", self._status_was_set)

    async def run(self) -> None:
        """Load statuses that may have been missed, until cancelled.

        Those of connected users are in the tables. A user who is offline can set one, too.
        """
        while True:
            await self._loss.wait()
            self._loss.clear()
            try:
                await self._ephemeral.reload_statuses()
            except (HubbubError, StatementRejected) as error:
                logger.warning("statuses_not_loaded", reason=repr(error))
                self._loss.set()
            await asyncio.sleep(RELOAD_INTERVAL)

    def nodes(self) -> list[str] | None:
        """Return the other nodes, None while this node does not know the users of all of them."""
        return self._table.nodes()

    # --- the table -----------------------------------------------------------------------------------------------

    def _touch(self, user: int) -> None:
        self._touched[user] = None

    def _collect(self) -> None:
        touched, self._touched = self._touched, {}
        for user in touched:
            self._table.set(user, self._entry(user))

    def _entry(self, user: int) -> Value | None:
        here = self._presences.here(user)
        if here is None:
            return None
        idle, chosen, version = here
        status = None if chosen == ONLINE else chosen.model_dump(exclude_none=True)
        topics = self._hub.topics_of(user)
        rooms = None if topics is None else [int(topic[len(ROOM) :]) for topic in topics if topic.startswith(ROOM)]
        entry = [int(idle), version, status, rooms]
        while entry[-1] is None:
            entry.pop()
        return entry

    def _changed(self, node: str, user: int, value: Value | None) -> None:
        if value is None:
            self._presences.left_node(user, node)
            return
        idle, version, status, rooms = (*value, None, None)[:4]
        devices = Devices(bool(idle), None if rooms is None else tuple(map(int, rooms)))
        chosen = ONLINE if status is None else Status.model_validate(status)
        self._presences.on_node(user, node, devices, chosen, int(version))

    # --- signals -------------------------------------------------------------------------------------------------

    def _status_set(self, user: int, status: Status, version: int) -> None:
        if not self._hub.is_connected(user):  # else it is in the table
            content = {"user": user, "version": version, "status": status.model_dump(exclude_none=True)}
            self._bus.signal("status", content)

    def _status_was_set(self, _node: str, content: Mapping[str, Any]) -> None:
        chosen = Status.model_validate(content["status"])
        self._presences.chose(int(content["user"]), chosen, int(content["version"]))

    def _typing(self, room: int, user: int, name: str) -> None:
        self._bus.signal("typing", {"room": room, "by": user, "name": name}, room_topic(room))

    def _typed(self, _node: str, content: Mapping[str, Any]) -> None:
        room, user, name = int(content["room"]), int(content["by"]), str(content["name"])
        if len(name) <= MAX_NAME:
            self._ephemeral.typed_elsewhere(room, user, name)
