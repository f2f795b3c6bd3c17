"""The members of a room who are online: pages of them, and `@here` mentions.

Only the event loop knows which users are connected. Of the users of other nodes it does not know
the rooms.
"""

from heapq import nsmallest

from hubbub.domain.commands import Command, EditMessage, SendMessage
from hubbub.domain.mentions import may_mention_here
from hubbub.domain.text import MAX_HERE
from hubbub.engine.live_connections import ConnectionHub
from hubbub.engine.ports import Read
from hubbub.storage import members

COMMANDS_WITH_TEXT = (SendMessage, EditMessage)


async def online(hub: ConnectionHub, read: Read, room: int, after: int, limit: int) -> dict[str, object]:
    """Return a page of the visible users who are online in a room, by id. Raises what `read` raises."""
    names = hub.online_in(room)
    elsewhere = sorted(user for user in hub.presences.elsewhere(room) if user > after and user not in names)
    wanted = limit + 1
    for start in range(0, len(elsewhere), members.AMONG):
        more = await read(members.names_among, room, elsewhere[start : start + members.AMONG])
        names |= more
        wanted -= len(more)
        if wanted <= 0:  # the rest have higher ids
            break
    found = nsmallest(limit + 1, (user for user in names if user > after))
    return {"users": [{"id": user, "name": names[user]} for user in found[:limit]], "more": len(found) > limit}


class HereResolver:
    """Notes in a command who is online, for `@here`, before it is queued.

    Must be called on the event loop's thread.
    """

    def __init__(self, hub: ConnectionHub) -> None:
        self._hub = hub

    def __call__(self, command: Command) -> None:
        """Note the online members if the text may contain `@here`.

        The handler finds out whether it does.
        """
        if isinstance(command, COMMANDS_WITH_TEXT) and may_mention_here(command.body):
            # If more than MAX_HERE users are online, the event names none of them.
            here = self._hub.online_in(command.room, MAX_HERE + 1)
            elsewhere = self._hub.presences.elsewhere(command.room)
            command.note_online(here, [user for user in elsewhere if user not in here])
