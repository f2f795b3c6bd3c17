"""The connected WebSockets as a read-only sequence."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import overload

from starlette.websockets import WebSocket

from hubbub.gateways.manager.owner_tasks import Owners
from hubbub.gateways.manager.sockets import Socket

Look = Callable[[object], Socket | None]


class View(Sequence[WebSocket]):
    """A live view of a dict with the connections."""

    __slots__ = ("_connected", "_ended", "_owners", "_sockets")

    def __init__(self, sockets: Mapping[object, Socket], owners: Owners, connected: Look, ended: Look) -> None:
        self._sockets = sockets
        self._owners = owners
        self._connected = connected
        self._ended = ended

    def __len__(self) -> int:
        return len(self._sockets)

    def __iter__(self) -> Iterator[WebSocket]:
        self._owners.check()
        return iter(self._list())

    def __contains__(self, websocket: object) -> bool:
        if self._connected(websocket) is not None:
            return True
        socket = self._ended(websocket)
        if socket is not None:
            self._owners.acknowledge(socket)
        return False

    @overload
    def __getitem__(self, index: int) -> WebSocket: ...
    @overload
    def __getitem__(self, index: slice) -> list[WebSocket]: ...
    def __getitem__(self, index: int | slice) -> WebSocket | list[WebSocket]:
        return self._list()[index]

    def __eq__(self, other: object) -> bool:
        """Compare with a list, which `active_connections` is in the tutorial."""
        return self._list() == other if isinstance(other, list) else self is other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} active connections>"

    def _list(self) -> list[WebSocket]:
        return [socket.websocket for socket in self._sockets.values()]
