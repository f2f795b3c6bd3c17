"""Metrics in the Prometheus text format.

A token, admins, and requests from this machine may read them.
"""

from hmac import compare_digest

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hubbub.domain import rules
from hubbub.domain.errors import Forbidden
from hubbub.gateways.http import auth, workers
from hubbub.gateways.http.auth import Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute
from hubbub.metrics import CONTENT_TYPE
from hubbub.protocol import headers

router = APIRouter(tags=["operation"], route_class=StrictRoute)
TEXT = {"description": "Prometheus text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}


@router.get("/metrics", response_class=Response, responses={**refusals(401, 403, 421, limited=False), 200: TEXT})
async def metrics(request: Request, services: Running) -> Response:
    """Return the server's metrics. Those of all its workers have the label `worker`."""
    await _admit(request)
    return Response(await workers.scrape(services), media_type=CONTENT_TYPE)


async def _admit(request: Request) -> None:
    """Check that the request may read metrics. Raises Unauthenticated, Forbidden or Misdirected."""
    services = auth.services_of(request)
    if headers.is_local(auth.peer_of(request), auth.raw_headers(request)):
        auth.check_host(request)
        return
    given = headers.bearer(auth.raw_headers(request))
    expected = services.settings.metrics_token
    if given is not None and expected is not None and _are_equal(given, expected.get_secret_value()):
        return
    if not rules.is_staff((await auth.identify(request)).actor):
        raise Forbidden()


def _are_equal(given: str, expected: str) -> bool:
    return compare_digest(given.encode(errors="replace"), expected.encode())
