"""Large answers, sent in pieces at the pace of their client."""

from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from hubbub.domain.errors import RateLimited
from hubbub.engine.answers import SMALL_ANSWER, UnreadAnswers
from hubbub.gateways.http import errors

PIECE = 32 * 1024


class PacedResponse(Response):
    """An answer that counts as unread until the server has handed on its last piece.

    A server waits before a piece while the connection's buffer is full (flow control of ASGI).
    """

    def __init__(self, answer: Response, unread: UnreadAnswers, user: int) -> None:
        super().__init__(answer.body, answer.status_code, background=answer.background)
        self.raw_headers = answer.raw_headers
        self._unread = unread
        self._user = user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = len(self.body)
        if not self._unread.hold(self._user, size):
            await errors.answer(too_much_unread())(scope, receive, send)
            return
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for start in range(0, size, PIECE):
                piece = bytes(self.body[start : start + PIECE])
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._unread.release(self._user, size)
        if self.background is not None:
            await self.background()


def paced(answer: Response, unread: UnreadAnswers, user: int) -> Response:
    """Return the answer; a large one counts for the user while it is sent."""
    return answer if len(answer.body) <= SMALL_ANSWER else PacedResponse(answer, unread, user)


def too_much_unread() -> RateLimited:
    return RateLimited("Too many answers are waiting to be read. Read them, or try again in a moment.", retry_after=1.0)
