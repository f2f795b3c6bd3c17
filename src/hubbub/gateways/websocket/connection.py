"""What all WebSocket connections have: a conversation, and an end with a code (RFC 6455, 7.4)."""

from abc import abstractmethod
from typing import Protocol

from hubbub.delivery.connections import Connection
from hubbub.delivery.fanout import Fanout
from hubbub.domain.disconnects import Disconnect
from hubbub.engine import reconnects
from hubbub.protocol import close_codes


class Conversation(Protocol):
    """The code that drives a connection; see pump.py."""

    def opened(self) -> None: ...
    def received(self, message: str, /) -> None: ...
    def lost(self) -> None: ...


class Silenced:
    """A conversation that ignores what still arrives, because the server is stopping.

    The client repeats on its next connection what was not answered.
    """

    __slots__ = ("_before",)

    def __init__(self, before: Conversation) -> None:
        self._before = before

    def opened(self) -> None:
        self._before.opened()

    def received(self, message: str, /) -> None:
        pass

    def lost(self) -> None:
        self._before.lost()


class WebSocketConnection(Connection):
    """A connection that can be closed with a code and a reason."""

    __slots__ = ()

    def end(self, why: Disconnect, retry_after: float | None = None) -> None:
        code, reason = close_codes.OF[why]
        self.abort(code, reason if retry_after is None else close_codes.come_back(retry_after))

    def shutdown(self, fanout: Fanout, among: int) -> None:
        """Close because the server stops, after what is queued.

        The client reconnects after a random delay, since it is one of so many.
        """
        if self in fanout:
            fanout.flush_now(self)
        self.close(close_codes.GOING_AWAY, close_codes.come_back(reconnects.delay(among)))

    @abstractmethod
    def close(self, code: int, reason: str = "") -> None:
        """Close after the outbox has been sent."""

    @abstractmethod
    def abort(self, code: int, reason: str = "") -> None:
        """Drop the outbox and end at once.

        The code is sent only if it can be the very next frame.
        """
