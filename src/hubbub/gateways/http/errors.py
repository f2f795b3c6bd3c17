"""Errors over HTTP: the statuses of error codes, and the one error format."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from hubbub.domain.errors import BadRequest, HubbubError, Internal, NotFound, Refusal, TooLarge
from hubbub.domain.model import Wire
from hubbub.features import accounts
from hubbub.protocol import wire
from hubbub.protocol.validation import refusal

logger = structlog.get_logger(__name__)

STATUS: dict[str, int] = {
    "bad_request": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "rate_limited": 429,
    "busy": 503,
    "unavailable": 503,
    "internal": 500,
}

MEANING = {
    400: "The request is malformed.",
    401: "Not logged in, or the session has ended.",
    403: "Logged in, but not allowed.",
    404: "Does not exist, or the caller may not see it.",
    409: "Conflicts with what is stored.",
    413: "Exceeds a size limit.",
    421: "The Host header names another server.",
    429: "Too many requests; `retry_after` says when to retry.",
    500: "A server error. The server has logged it.",
    503: "Busy, or the database does not respond; `retry_after` says when to retry.",
}


class ErrorBody(Wire):
    """The body of every error response."""

    error: Refusal


class TokenErrorBody(ErrorBody):
    """An error body with the sentence in `detail` as well, for OAuth2 clients."""

    detail: str


CHALLENGE = {"description": "Always `Bearer`.", "required": True, "schema": {"type": "string"}}
RETRY_AFTER = {"description": "Whole seconds.", "schema": {"type": "integer", "minimum": 1}}
HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": CHALLENGE},
    429: {"Retry-After": {**RETRY_AFTER, "required": True}},
    503: {"Retry-After": RETRY_AFTER},
}
Responses = dict[int | str, dict[str, Any]]


def refusals(*statuses: int, token: bool = False, limited: bool = True) -> Responses:
    """Return a route's error responses for OpenAPI. Always includes 500 and 503.

    Routes that need a caller (401) have a rate limit (429), unless `limited` is false.
    """
    found: Responses = {}
    authenticated = {429} if limited and 401 in statuses else set()
    for status in sorted({500, 503, *statuses, *authenticated}):
        model = TokenErrorBody if token and status == 401 else ErrorBody
        found[status] = {"model": model, "description": MEANING[status]}
        if status in HEADERS:
            found[status]["headers"] = HEADERS[status]
    return found


def answer(error: HubbubError, *, status: int | None = None, headers: dict[str, str] | None = None) -> Response:
    """Return the response for an error."""
    status = status or STATUS[error.code]
    headers = dict(headers or {})
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if status == 401:
        headers.setdefault("WWW-Authenticate", "Bearer")
    body: dict[str, object] = {"error": error.body()}
    if isinstance(error, TokenRefused):
        body["detail"] = error.message
    return Response(wire.dumps(body), status, headers, "application/json")


class TokenRefused(HubbubError):
    """The 401 of `/token`, with the `detail` that OAuth2 clients read."""

    code = "unauthenticated"
    sentence = accounts.REFUSED


class Misdirected(BadRequest):
    """The 421 of a request for another server (RFC 9110, section 15.5.20)."""

    sentence = (
        "This server is not set up for this host name. "
        "Set HUBBUB_PUBLIC_URL or HUBBUB_ORIGINS to the address that clients use."
    )


def install(app: FastAPI) -> None:
    """Answer all exceptions in the error format.

    Unexpected ones go on to the middleware, which logs them.
    """
    app.add_exception_handler(HubbubError, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HubbubError)
    request.app.state.services.metrics.refusals.labels(code=error.code).inc()
    return answer(error, status=421 if isinstance(error, Misdirected) else None)


async def _not_valid(request: Request, error: Exception) -> Response:
    """Answer with the first validation error and its field name.

    The submitted value is not echoed.
    """
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    _source, *location = first["loc"]  # body, query or path, then the field
    return await _refused(request, refusal(first["type"], tuple(location), first["msg"]))


async def _http(request: Request, error: Exception) -> Response:
    """Answer what the framework rejects: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            return answer(NotFound("There is no page or endpoint at this address."), headers=headers)
        case 405:
            headers["Allow"] = ", ".join(sorted(_methods(request)))
            return answer(BadRequest("This address does not support this method."), status=405, headers=headers)
        case 413:
            return answer(TooLarge(), headers=headers)
        case status if 400 <= status < 500:
            return answer(BadRequest(), headers=headers)
        case _:
            return answer(Internal(), headers=headers)


def _methods(request: Request) -> set[str]:
    """Return the methods an address supports (RFC 9110, section 15.5.6).

    The framework names one route's only.

    A route whose path equals the address takes precedence over routes whose pattern matches it.
    """
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    exact: set[str] = set()
    matching: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, APIRoute) and route.path_regex.match(path):
            matching |= route.methods or set()
            exact |= (route.methods or set()) if route.path == path else set()
    return exact or matching
