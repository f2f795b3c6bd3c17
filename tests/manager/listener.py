"""A connection that records what is written to it, for tests of the fan-out."""

from collections.abc import Sequence

from hubbub.engine.ports import Blob, Connection, Message


class Listener(Connection):
    """A connection whose format is the text itself.

    `packed` counts how often it was encoded.
    """

    packed = 0

    def __init__(self) -> None:
        super().__init__()
        self.got: list[bytes] = []
        self.blobs: list[Blob] = []

    @staticmethod
    def pack(messages: Sequence[Message]) -> Blob:
        Listener.packed += 1
        return [message.text for message in messages]

    def write(self, blob: Blob) -> None:
        self.blobs.append(blob)
        self.got.extend(blob)

    def buffered(self) -> int:
        return 0

    def cork(self) -> None:
        raise NotImplementedError

    def uncork(self, first: Blob) -> None:
        raise NotImplementedError

    def close(self, code: int, reason: str = "") -> None:
        raise NotImplementedError

    def abort(self, code: int, reason: str = "") -> None:
        raise NotImplementedError
