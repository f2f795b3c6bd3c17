"""What a follower brings to the contract suite.

To test a follower of your own, write a FollowerCase and list it in `cases.py`. Every test of the
suite then runs with it, on SQLite and on PostgreSQL.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from hubbub.engine.follower import Follower
from tests.followers.node import Node

Effects = list[tuple[str, int]]


class FollowerCase(ABC):
    """A follower under test, and a view of its effects.

    Built anew for each process of a test, on the same `folder`: what the follower has done must be
    in the database or in this folder.
    """

    name: ClassVar[str]
    exactly_once: ClassVar[bool]
    """Whether effect and position are one transaction, so that no effect is ever there twice."""
    repeats: ClassVar[bool] = True
    """Whether a replay makes the effects again. Otherwise the follower finds that they are there."""
    recovers: ClassVar[bool] = False
    """Whether `recover` finds after a reset what the log no longer has."""
    can_be_down: ClassVar[bool] = False
    """Whether `set_down` makes the follower raise RetryLater."""
    poison: ClassVar[str | None] = None
    """A text of a message for which the follower raises Poison."""
    failing: ClassVar[str | None] = None
    """A text of a message for which the follower raises another exception, while `set_failing` says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def prepare(self, node: Node) -> None:  # noqa: B027  most followers need nothing
        """Create what the follower needs besides its own registration, such as tables. Idempotent."""

    @abstractmethod
    def follower(self, node: Node) -> Follower:
        """Return the follower, for the topics of all rooms and the type `message.sent`."""

    @abstractmethod
    def effects(self, node: Node) -> Sequence[tuple[str, int]]:
        """Return (topic, seq) of each effect, in the order in which they were made, repeated ones too."""

    async def recover(self, node: Node) -> None:  # noqa: B027  most followers cannot
        """Do what the application does after a reset."""

    def close(self) -> None:  # noqa: B027  most followers need nothing
        """End what runs besides the node."""

    def set_down(self, down: bool) -> None:
        """Make the follower's receiver answer, or not."""
        raise NotImplementedError

    def set_failing(self, failing: bool) -> None:
        """Make the message `failing` raise, or not."""
        raise NotImplementedError
