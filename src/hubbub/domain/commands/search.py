"""Commands for the search index. The server issues them itself."""

from typing import Annotated, Any

from pydantic import SkipValidation

from hubbub.domain.commands.base import Command, Requires
from hubbub.domain.commands.followers import FollowerCommand
from hubbub.domain.model import Actor, Gone, Nothing

Documents = Annotated[tuple[Any, ...], SkipValidation]
"""Messages with their tokens (`storage.search_index.Document`). The handler checks that the messages
are still the same."""


def size_of(documents: Documents) -> int:
    return 256 + sum(len(each.body) for each in documents)


class IndexMessages(FollowerCommand[Nothing]):
    """Add messages of one room to the search index, and store the follower's position."""

    documents: Documents = ()

    def size(self) -> int:
        return size_of(self.documents)


class AbandonIndex(FollowerCommand[Nothing]):
    """Note that the index misses messages of a topic, so that it has to be built again."""


class RebuildIndex(Command[Nothing]):
    """Note that the search index has to be built again."""

    requires = (Requires.SYSTEM,)

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class ClearIndex(Command[Gone]):
    """Remove at most `limit` blocks of an index that has to be built again."""

    requires = (Requires.SYSTEM,)
    background = True
    limit: int = 4

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class StartIndex(Command[Nothing]):
    """Begin to build an index that is empty. `total` is the number of messages, for the progress."""

    requires = (Requires.SYSTEM,)
    background = True
    total: int

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()


class ExtendIndex(Command[Nothing]):
    """Add the messages between `until` and `low`, or all below `low` if `until` is 0."""

    requires = (Requires.SYSTEM,)
    background = True
    low: int
    until: int
    documents: Documents = ()

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return ()

    def size(self) -> int:
        return size_of(self.documents)
