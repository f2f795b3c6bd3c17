"""A cache of which rooms are archived, as far as this node has heard.

Signals use it instead of the store.
"""


class ArchivedRooms:
    """The newest known state of each room, by its position in the room's log.

    Rooms that have never been archived have no entry.
    """

    def __init__(self) -> None:
        self._rooms: dict[int, tuple[int, bool]] = {}

    def learn(self, room: int, seq: int, archived: bool) -> None:
        """Note whether the room is archived at `seq` of its log.

        A position that is not newer is ignored.
        """
        known = self._rooms.get(room)
        if archived if known is None else seq > known[0]:
            self._rooms[room] = seq, archived

    def clear(self) -> None:
        """Forget all rooms."""
        self._rooms.clear()

    def __contains__(self, room: int) -> bool:
        return self._rooms.get(room, (0, False))[1]
