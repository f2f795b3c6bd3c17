"""A connection that records what is written to it, for tests of the fan-out."""

from collections.abc import Sequence
from typing import ClassVar

from hubbub.delivery.connections import Blob, Connection, Message
from hubbub.domain.disconnects import Disconnect


class TextFormat:
    """The text itself. `packed` counts how often it was encoded."""

    packed = 0

    def pack(self, messages: Sequence[Message]) -> Blob:
        self.packed += 1
        return [message.text for message in messages]


class Listener(Connection):
    """A connection whose format is the text itself."""

    format: ClassVar[TextFormat] = TextFormat()

    def __init__(self) -> None:
        super().__init__()
        self.got: list[bytes] = []
        self.blobs: list[Blob] = []

    def write(self, blob: Blob) -> None:
        self.blobs.append(blob)
        self.got.extend(blob)

    def buffered(self) -> int:
        return 0

    def cork(self) -> None:
        raise NotImplementedError

    def uncork(self, first: Blob) -> None:
        raise NotImplementedError

    def end(self, why: Disconnect, retry_after: float | None = None) -> None:
        raise NotImplementedError
