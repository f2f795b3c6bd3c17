"""Which rooms are archived, as far as this node has heard: for what is true for a moment and asks no store."""


class ArchivedRooms:
    """A later position in a room's log knows better. Of rooms that never were archived nothing is kept."""

    def __init__(self) -> None:
        self._rooms: dict[int, tuple[int, bool]] = {}

    def learn(self, room: int, seq: int, archived: bool) -> None:
        """Whether the room is archived at `seq` of its log; what is older than what is known is ignored."""
        known = self._rooms.get(room)
        if archived if known is None else seq > known[0]:
            self._rooms[room] = seq, archived

    def __contains__(self, room: int) -> bool:
        return self._rooms.get(room, (0, False))[1]
