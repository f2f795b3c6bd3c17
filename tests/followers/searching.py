"""The follower that keeps the search index up."""

from collections.abc import Sequence
from typing import ClassVar

from hubbub.engine.follower import Follower
from hubbub.engine.search import SearchFollower, SearchIndex
from tests.followers.case import Effects, FollowerCase
from tests.followers.node import Node
from tests.search.consistency import indexed

PLACES = "SELECT id, room, seq FROM messages ORDER BY id"


class SearchCase(FollowerCase):
    """The effect is a message in the index, and its position is in the same transaction."""

    name = "search"
    exactly_once = True
    repeats: ClassVar[bool] = False
    recovers: ClassVar[bool] = True

    async def prepare(self, node: Node) -> None:
        """Begin with an index that is complete, as a server does when it starts."""
        await self.recover(node)

    async def recover(self, node: Node) -> None:
        builder = SearchIndex(node.read, node.journal)
        while await builder.step():
            pass

    def follower(self, node: Node) -> Follower:
        return SearchFollower(node.read)

    def effects(self, node: Node) -> Sequence[tuple[str, int]]:
        """Return the messages in the index, by their ids."""
        times, _ = node.database.read(indexed)
        found: Effects = []
        for id_, room, seq in node.rows(PLACES):
            found += [(f"room:{room}", int(str(seq)))] * times[int(str(id_))]
        return found
