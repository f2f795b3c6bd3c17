"""Fixtures: clients with a policy, and the state of the machine afterwards."""

from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network

import pytest

from hubbub.outbound import OutboundClient, Policy
from hubbub.outbound.resolver import Resolve

MakeClient = Callable[..., OutboundClient]
EVERY_PORT = (range(1, 65_536),)


@pytest.fixture
async def make_client() -> AsyncIterator[MakeClient]:
    """Return `make_client(*networks, resolve=…, hosts=…)`: a client that may use all ports."""
    made: list[OutboundClient] = []

    def make(*networks: str, resolve: Resolve | None = None, hosts: frozenset[str] = frozenset()) -> OutboundClient:
        policy = Policy(tuple(ip_network(network) for network in networks), hosts, EVERY_PORT)
        made.append(OutboundClient(policy, resolve))
        return made[-1]

    yield make
    for client in made:
        await client.close()


@pytest.fixture
def local(make_client: MakeClient) -> OutboundClient:
    """A client that may call this machine."""
    return make_client("127.0.0.0/8")
