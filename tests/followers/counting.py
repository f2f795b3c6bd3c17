"""A follower whose effect is in the database: it counts messages."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, delete, insert

from hubbub.domain.commands.followers import FollowerCommand
from hubbub.domain.events import Entry, MessageSent
from hubbub.domain.model import Nothing
from hubbub.engine.follower import Follower, Poison
from hubbub.features.shared.followers import advance
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.storage.transaction import Transaction
from tests.followers.case import Effects, FollowerCase
from tests.followers.node import Node

POISON = "poison"
FAILING = "failing"
metadata = MetaData()
counted = Table(
    "counted",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
)
"""Without a key, so that an effect that is stored twice is there twice."""


class CountEntries(FollowerCommand[Nothing]):
    """Count messages."""

    seqs: tuple[int, ...]
    broken: bool = False
    """Whether the transaction fails."""


class ForgetCounts(FollowerCommand[Nothing]):
    """Forget a topic up to the new position."""


@handles(CountEntries)
def count(request: Request[CountEntries], tx: Transaction) -> Nothing:
    command = request.command
    if advance(tx, command):
        tx.execute(insert(counted), [{"topic": command.topic, "seq": seq} for seq in command.seqs])
        if command.broken:
            raise ValueError(command.topic)
    return {}


@handles(ForgetCounts)
def forget(request: Request[ForgetCounts], tx: Transaction) -> Nothing:
    command = request.command
    if advance(tx, command):
        tx.execute(delete(counted).where(counted.c.topic == command.topic))
    return {}


def body(entry: Entry) -> object:
    return getattr(entry.event, "body", None)


class CountingFollower(Follower):
    """Counts the messages of all rooms, or of one."""

    types = frozenset({MessageSent.type})

    def __init__(self, name: str = "counting", scope: str = "room:") -> None:
        self.name = name
        self.scope = scope
        self.failing = True

    async def handle(self, topic: str, entries: Sequence[Entry]) -> FollowerCommand | None:
        for entry in entries:
            if body(entry) == POISON:
                raise Poison(entry.seq, "it can never be counted")
        broken = self.failing and any(body(entry) == FAILING for entry in entries)
        return CountEntries(seqs=tuple(entry.seq for entry in entries), broken=broken)

    async def reset(self, topic: str, floor: int) -> FollowerCommand | None:
        return ForgetCounts()


class CountingCase(FollowerCase):
    """The follower whose effect and position are one transaction."""

    name = "counting"
    exactly_once = True
    poison = POISON
    failing = FAILING

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._follower = CountingFollower()

    async def prepare(self, node: Node) -> None:
        node.create(metadata)

    def follower(self, node: Node) -> Follower:
        return self._follower

    def effects(self, node: Node) -> Effects:
        return [(str(topic), int(str(seq))) for topic, seq in node.rows("SELECT topic, seq FROM counted ORDER BY id")]

    def set_failing(self, failing: bool) -> None:
        self._follower.failing = failing
