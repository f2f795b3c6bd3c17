"""Test programs that use Hubbub, with pytest or any other runner.

- `FakeWebSocket` is usable wherever Starlette's WebSocket is. The test plays its client, a `Peer`.
- `connected` connects fake clients to a ConnectionManager.
- `chat` runs a complete server under Starlette's TestClient. Only it imports the server.
"""

from typing import TYPE_CHECKING

from hubbub.testing.connected import connected
from hubbub.testing.fake_websocket import FakeWebSocket, Peer

if TYPE_CHECKING:
    from hubbub.testing.complete_chat import Chat, ChatUser, chat

__all__ = ["Chat", "ChatUser", "FakeWebSocket", "Peer", "chat", "connected"]

_OF_CHAT = frozenset({"Chat", "ChatUser", "chat"})


def __getattr__(name: str) -> object:
    """Import the chat on first access (PEP 562), since it needs the whole server."""
    if name not in _OF_CHAT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hubbub.testing import complete_chat

    return getattr(complete_chat, name)
