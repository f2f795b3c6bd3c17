"""The one client for outgoing HTTP requests to addresses that users choose.

It connects only to addresses that the policy allows, and bounds the time and the size of the
answer ([ADR 23](docs/adr/0023-one-client-for-outgoing-http.md)). No other module of the server
sends HTTP requests (`tests/house/test_outgoing.py`). Importing this package opens nothing and does
not import the HTTP library.
"""

from hubbub.outbound.client import OutboundClient, Response, ResponseLimits
from hubbub.outbound.errors import RefusedAddress, RequestFailed
from hubbub.outbound.policy import Policy
from hubbub.outbound.urls import check_url

__all__ = [
    "OutboundClient",
    "Policy",
    "RefusedAddress",
    "RequestFailed",
    "Response",
    "ResponseLimits",
    "check_url",
]
