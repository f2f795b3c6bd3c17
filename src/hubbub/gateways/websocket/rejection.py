"""The HTTP response to a request that the server does not accept.

Uses the standard library alone: applications use the protocols in `uvicorn_protocols` without a
Hubbub server.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus

_CODES = {400: "bad_request", 401: "unauthenticated", 403: "forbidden", 404: "not_found", 408: "bad_request",
          429: "rate_limited", 431: "too_large", 503: "busy"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rejection:
    """The HTTP response that replaces the WebSocket: a status and a message."""

    status: int
    sentence: str
    retry_after: int | None = None

    def body(self) -> bytes:
        """Return the JSON body."""
        error: dict[str, object] = {"code": _CODES.get(self.status, "bad_request"), "message": self.sentence}
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
        return json.dumps({"error": error}, ensure_ascii=False, separators=(",", ":")).encode()

    def response(self) -> bytes:
        """Return the complete HTTP/1.1 response, after which the connection closes."""
        head = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        if self.retry_after is not None:
            head.append(f"Retry-After: {self.retry_after}")
        body = self.body()
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}", "Cache-Control: no-store",
                 "Connection: close", "", ""]  # fmt: skip
        return "\r\n".join(head).encode("ascii") + body
