"""The checked address is the one that is called, whatever the DNS says next.

CVE-2026-2455 (Mattermost), CVE-2021-21392 (Synapse); Campfire c860b51 checked the first answer only.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import pytest

from hubbub.outbound import Policy, RefusedAddress, RequestFailed
from tests.outbound.conftest import MakeClient
from tests.outbound.name_server import NameServer, name_server
from tests.outbound.receiver import OK, Receiver, receiving

ALLOWED, INTERNAL = "127.0.0.2", "127.0.0.1"
PERMITTED = f"{ALLOWED}/32"


@asynccontextmanager
async def two_receivers() -> AsyncIterator[tuple[Receiver, Receiver]]:
    """A receiver that may be called, and an internal service on the same port that may not."""
    async with receiving(OK, INTERNAL) as internal, receiving(OK, ALLOWED, internal.port) as allowed:
        yield allowed, internal


async def post(make_client: MakeClient, names: NameServer, port: int) -> int:
    client = make_client(PERMITTED, resolve=names.resolve)
    answer = await client.request("POST", f"http://rebind.test:{port}/", headers={}, body=b"x")
    return answer.status


async def test_a_name_that_rebinds_after_the_check_is_called_at_the_checked_address(make_client: MakeClient) -> None:
    async with two_receivers() as (allowed, internal), name_server([ALLOWED], [INTERNAL]) as names:
        assert await post(make_client, names, internal.port) == 200
        assert (len(allowed.requests), len(internal.requests)) == (1, 0)
        assert names.queries == ["rebind.test"]


async def test_the_next_request_to_a_name_that_has_rebound_is_refused(make_client: MakeClient) -> None:
    async with two_receivers() as (_, internal), name_server([ALLOWED], [INTERNAL]) as names:
        assert await post(make_client, names, internal.port) == 200
        with pytest.raises(RefusedAddress, match=r"rebind\.test has no public address"):
            await post(make_client, names, internal.port)
        assert internal.requests == []


async def test_control_a_client_that_resolves_again_to_connect_reaches_the_internal_service() -> None:
    policy = Policy((ip_network(PERMITTED),), ports=(range(1, 65_536),))
    async with two_receivers() as (allowed, internal), name_server([ALLOWED], [INTERNAL]) as names:
        checked = await names.resolve("rebind.test", internal.port)
        assert all(policy.allows("rebind.test", ip_address(address)) for address in checked)
        (used,) = await names.resolve("rebind.test", internal.port)
        reader, writer = await asyncio.open_connection(used, internal.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        assert (len(allowed.requests), len(internal.requests)) == (0, 1)


@pytest.mark.parametrize(
    "answers", [[INTERNAL, ALLOWED], [ALLOWED, INTERNAL], ["10.0.0.1", INTERNAL, "::1", ALLOWED], [ALLOWED] * 3]
)
async def test_of_several_answers_only_the_allowed_ones_are_called(make_client: MakeClient, answers: list[str]) -> None:
    async with two_receivers() as (allowed, internal), name_server(answers) as names:
        assert await post(make_client, names, internal.port) == 200
        assert (len(allowed.requests), len(internal.requests)) == (1, 0)


async def test_the_internal_service_is_not_called_when_the_allowed_address_does_not_answer(
    make_client: MakeClient,
) -> None:
    async with receiving(OK, INTERNAL) as internal, name_server([ALLOWED, INTERNAL]) as names:
        with pytest.raises(RequestFailed, match="refused the connection"):
            await post(make_client, names, internal.port)
        assert internal.requests == []


async def test_the_second_address_is_called_when_the_first_refuses(make_client: MakeClient) -> None:
    async with receiving(OK, ALLOWED) as receiver, name_server(["127.0.0.3", ALLOWED]) as names:
        client = make_client("127.0.0.2/31", resolve=names.resolve)
        answer = await client.request("GET", f"http://two.test:{receiver.port}/", headers={}, body=b"")
        assert answer.status == 200


@pytest.mark.parametrize("answers", [[INTERNAL], ["10.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:2"], ["127.0.0.3"]])
async def test_a_name_without_an_allowed_answer_is_refused_without_telling_its_addresses(
    make_client: MakeClient, answers: list[str]
) -> None:
    async with two_receivers() as (allowed, internal), name_server(answers) as names:
        with pytest.raises(RefusedAddress) as refused:
            await post(make_client, names, internal.port)
        assert not any(address in str(refused.value) for address in answers)
        assert (len(allowed.requests), len(internal.requests)) == (0, 0)


async def test_a_name_that_does_not_exist_is_worth_a_retry(make_client: MakeClient) -> None:
    async with name_server([]) as names:
        with pytest.raises(RequestFailed, match=r"The name rebind\.test was not found"):
            await post(make_client, names, 80)


async def test_a_thousand_answers_are_bounded(make_client: MakeClient) -> None:
    many = [f"10.0.{i // 250}.{i % 250}" for i in range(1_000)]
    async with name_server(many) as names:
        with pytest.raises(RefusedAddress):
            await post(make_client, names, 80)


async def test_an_allowed_host_may_have_a_private_address(make_client: MakeClient) -> None:
    async with receiving(OK, INTERNAL) as internal, name_server([INTERNAL]) as names:
        client = make_client(resolve=names.resolve, hosts=frozenset({"hooks.test"}))
        answer = await client.request("POST", f"http://Hooks.Test:{internal.port}/", headers={}, body=b"")
        assert answer.status == 200
        with pytest.raises(RefusedAddress):
            await client.request("POST", f"http://other.test:{internal.port}/", headers={}, body=b"")


async def test_a_family_of_addresses_that_does_not_work_does_not_hide_the_other_one(make_client: MakeClient) -> None:
    """A name may have many IPv6 addresses, and the server no IPv6."""
    many = [f"fd00::{number:x}" for number in range(1, 9)]
    async with receiving(OK, INTERNAL) as receiver, name_server([*many, INTERNAL]) as names:
        client = make_client("fd00::/8", "127.0.0.1/32", resolve=names.resolve)
        answer = await client.request("GET", f"http://both.test:{receiver.port}/", headers={}, body=b"")
        assert answer.status == 200
