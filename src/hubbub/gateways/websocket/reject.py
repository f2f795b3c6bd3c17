"""HTTP responses to rejected WebSocket handshakes, for endpoints that use ASGI."""

from starlette.responses import Response
from starlette.websockets import WebSocket

from hubbub.gateways.websocket.rejection import Rejection
from hubbub.gateways.websocket.scope import can_answer

NOWHERE = Rejection(404, "There is no WebSocket endpoint at this address.")


async def reject(socket: WebSocket, refused: Rejection) -> None:
    """Answer the handshake with the rejection if the server supports it.

    Otherwise ASGI allows only a 403.
    """
    if can_answer(socket):
        headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after is not None else None
        answer = Response(refused.body(), refused.status, headers, media_type="application/json")
        await socket.send_denial_response(answer)
    else:
        await socket.close()


async def not_found(socket: WebSocket) -> None:
    """Reject the handshake: the endpoint of all paths without a WebSocket."""
    await reject(socket, NOWHERE)
