"""Who is there now: pages of them, and whom `@here` calls. Only the event loop knows who is connected."""

from heapq import nsmallest

from hubbub.domain.commands import Command, EditMessage, SendMessage
from hubbub.domain.mentions import may_mention_here
from hubbub.engine.live_connections import ConnectionHub
from hubbub.storage.mentions import MAX_HERE

WORDS = (SendMessage, EditMessage)


def online(people: ConnectionHub, room: int, after: int, limit: int) -> dict[str, object]:
    """A page of those who are in a room now and may be seen, each once, by id."""
    there = people.online_in(room)
    found = nsmallest(limit + 1, (user for user in there if user > after))
    return {"users": [{"id": user, "name": there[user]} for user in found[:limit]], "more": len(found) > limit}


class HereResolver:
    """Notes in a command whom it would call, before it is queued. Belongs to the event loop's thread."""

    def __init__(self, people: ConnectionHub) -> None:
        self._people = people

    def __call__(self, command: Command) -> None:
        """Looks only where the words may ask for it; whether they do, the one who stores them finds out."""
        if isinstance(command, WORDS) and may_mention_here(command.body):
            command.note_online(self._people.online_in(command.room, MAX_HERE + 1))  # of more than that nobody is named
