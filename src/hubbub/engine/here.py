"""Whom `@here` calls: noted in a command before it is queued, by the event loop, which alone knows who is connected."""

from hubbub.domain.commands import Command, EditMessage, SendMessage
from hubbub.domain.mentions import may_call_here
from hubbub.engine.people import People
from hubbub.storage.mentions import MAX_HERE

WORDS = (SendMessage, EditMessage)


class Gathering:
    """Belongs to the event loop's thread."""

    def __init__(self, people: People) -> None:
        self._people = people

    def __call__(self, command: Command) -> None:
        """Looks only where the words may ask for it; whether they do, the one who stores them finds out."""
        if isinstance(command, WORDS) and may_call_here(command.body):
            command.among(self._people.here(command.room, MAX_HERE + 1))  # of more than that nobody is named
