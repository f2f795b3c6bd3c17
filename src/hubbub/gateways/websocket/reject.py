"""An HTTP answer instead of a WebSocket, for what goes the ASGI way; in the shape of every other refusal."""

from starlette.responses import Response
from starlette.websockets import WebSocket

from hubbub.gateways.websocket.handshake import Rejection
from hubbub.gateways.websocket.scope import can_answer

NOWHERE = Rejection(404, "There is no WebSocket here.")


async def reject(socket: WebSocket, refused: Rejection) -> None:
    """Answers the handshake with the refusal, where the server can; elsewhere ASGI has nothing but 403."""
    if can_answer(socket):
        again = {"Retry-After": str(refused.retry_after)} if refused.retry_after is not None else None
        answer = Response(refused.body(), refused.status, again, media_type="application/json")
        await socket.send_denial_response(answer)
    else:
        await socket.close()


async def not_found(socket: WebSocket) -> None:
    """The endpoint of every path that has no WebSocket."""
    await reject(socket, NOWHERE)
