"""Strict request parsing: first the caller, then a JSON body of at most 64 KiB.

`protocol/wire.py` parses the JSON.

Parts of a request that a route does not use are not parsed; FastAPI would parse every query and
cookie.
"""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import unquote_plus

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.datastructures import QueryParams

from hubbub.domain.errors import BadRequest, TooLarge
from hubbub.domain.text import MAX_QUERY, check
from hubbub.gateways.http import auth
from hubbub.gateways.http.paced import paced, too_much_unread
from hubbub.protocol import wire

MAX_BODY = 64 * 1024
MAX_FIELDS = 20
FRESH = 0.5
"""Seconds after which a caller is identified again.

Reading the body may have taken a minute.
"""
JSON = "application/json"
UNKNOWN = "The query has an unknown parameter."
FORM = "application/x-www-form-urlencoded"


class StrictRoute(APIRoute):
    """A route that identifies the caller before it reads the body.

    It checks query and JSON body itself. Its id in the OpenAPI document is its name.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **{**options, "generate_unique_id_function": _name_of})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        original = super().get_route_handler()
        needs_caller = _depends_on_caller(self.dependant)
        known = _queried(self.dependant)

        async def handler(request: Request) -> Response:
            if needs_caller:
                request.state.caller = await auth.identify(request)
                services, user = auth.services_of(request), request.state.caller.id
                if not services.unread.has_room(user):
                    raise too_much_unread()
                if request.method in auth.SAFE:
                    services.limits.read(user)
            # Starlette's cache of parsed cookies. Nothing here reads it (protocol/headers.py parses
            # cookies), and unquoting a cookie takes quadratic time before Python 3.11.10 and 3.12.6
            # (CVE-2024-7592).
            request._cookies = {}
            if not known:
                request._query_params = QueryParams()
            elif len(request.scope["query_string"]) > MAX_QUERY:
                raise BadRequest(f"The query is too long: at most {MAX_QUERY} bytes.")
            elif not known.issuperset(request.query_params):
                raise BadRequest(UNKNOWN)
            if self.body_field is not None:
                monotonic = auth.services_of(request).clock.monotonic
                began = monotonic()
                # Starlette's cache of the body, so that FastAPI does not parse it again.
                request._json = await read_json(request)
                if needs_caller and monotonic() - began > FRESH:
                    request.state.caller = await auth.identify(request)
            answer = await original(request)
            if needs_caller and hasattr(answer, "body"):  # a stream has none
                if request.method in auth.SAFE:
                    services.limits.has_read(user, len(answer.body))
                return paced(answer, services.unread, user)
            return answer

        return handler


def _name_of(route: APIRoute) -> str:
    return route.name


def _depends_on_caller(dependant: Dependant) -> bool:
    return dependant.call is auth.caller or any(map(_depends_on_caller, dependant.dependencies))


def _queried(dependant: Dependant) -> set[str]:
    """Return the route's query parameters, including the fields of query models."""
    found = {name for within in dependant.dependencies for name in _queried(within)}
    for field in dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found.update(kind.model_fields)
        else:
            found.add(field.alias)
    return found


async def read_json(request: Request) -> dict[str, Any]:
    """Return the request's JSON object. Raises BadRequest, TooLarge."""
    if media_type(request) != JSON:
        raise BadRequest(f"The Content-Type must be {JSON}.")
    return wire.parse(await read_body(request))


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a URL-encoded form.

    Raises BadRequest, also for a repeated field, and TooLarge.
    """
    if media_type(request) != FORM:
        raise BadRequest(f"The Content-Type must be {FORM}.")
    raw = await read_body(request)
    pairs = raw.split(b"&") if raw else []
    if len(pairs) > MAX_FIELDS:
        raise BadRequest(f"The form has too many fields: at most {MAX_FIELDS}.")
    fields: dict[str, str] = {}
    try:
        for pair in pairs:
            name, _, value = (unquote_plus(part, errors="strict") for part in pair.decode("ascii").partition("="))
            if name in fields:
                raise BadRequest("The form repeats a field.")
            fields[check(name)] = check(value)
    except ValueError:
        raise BadRequest("The form is not valid.") from None
    return fields


async def read_body(request: Request) -> bytes:
    """Return the body without ever holding more of it than is allowed.

    Raises TooLarge.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdecimal() and len(declared) < 20 and int(declared) > MAX_BODY:
        raise TooLarge(f"The request body is too large: at most {MAX_BODY} bytes.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLarge(f"The request body is too large: at most {MAX_BODY} bytes.")
    request._body = bytes(body)
    return request._body


def accepts(request: Request, media_type: str) -> bool:
    """Return True if Accept names the media type itself (RFC 9110, section 12.5.1).

    Browsers do this for `text/html`, programs do not.
    """
    for part in request.headers.get("accept", "").lower().split(","):
        media, _, parameters = part.strip().partition(";")
        if media.strip() == media_type:
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def reply(data: object, status: int = 200) -> Response:
    """Return a JSON response.

    `data` is not validated again: features return data that is ready for JSON.
    """
    return Response(wire.dumps(data), status, media_type=JSON)
