"""Metrics in Prometheus' text format: for a token, for admins, or for this machine itself."""

from hmac import compare_digest

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hubbub.domain import rules
from hubbub.domain.errors import Forbidden
from hubbub.gateways.http import auth
from hubbub.gateways.http.auth import Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute
from hubbub.metrics import CONTENT_TYPE
from hubbub.protocol import headers

router = APIRouter(tags=["operation"], route_class=StrictRoute)
TEXT = {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}


@router.get("/metrics", response_class=Response, responses={**refusals(401, 403), 200: TEXT})
async def metrics(request: Request, services: Running) -> Response:
    """The server's counters."""
    await _admit(request)
    return Response(await services.metrics.scrape(), media_type=CONTENT_TYPE)


async def _admit(request: Request) -> None:
    """Raises Unauthenticated or Forbidden."""
    services = auth.services_of(request)
    if headers.is_local(auth.peer_of(request), auth.raw_headers(request)):
        return
    shown = headers.bearer(auth.raw_headers(request))
    wanted = services.settings.metrics_token
    if shown is not None and wanted is not None and _same(shown, wanted.get_secret_value()):
        return
    if not rules.is_staff((await auth.identify(request)).actor):
        raise Forbidden()


def _same(shown: str, wanted: str) -> bool:
    return compare_digest(shown.encode(errors="replace"), wanted.encode())
