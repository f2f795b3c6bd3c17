"""The engine of followers, with a follower that counts in the database."""

from tests.followers.counting import CountingFollower, metadata
from tests.followers.node import Node, node_at
from tests.support.waiting import eventually


def counts(node: Node) -> list[tuple[object, ...]]:
    return node.rows("SELECT topic, seq FROM counted ORDER BY topic, seq")


async def test_messages_sent_after_the_follower_was_added_are_counted_once(database_url: str) -> None:
    async with node_at(database_url) as node:
        node.create(metadata)
        await node.enrol()
        room = await node.room("Tea")
        await node.send(room, "before", "A")
        await node.followers.add(CountingFollower())
        seqs = [await node.send(room, f"hello {n}", f"B{n}") for n in range(5)]
        await eventually(lambda: len(counts(node)) == 5, 10, "five messages counted")
        assert counts(node) == [(f"room:{room}", seq) for seq in seqs]
