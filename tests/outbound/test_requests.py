"""What a request looks like, and what of an answer is kept."""

import asyncio
import os
import socket
import subprocess
import sys
import threading

import pytest

from hubbub.outbound import OutboundClient, RefusedAddress, RequestFailed, ResponseLimits
from hubbub.outbound.resolver import MAX_LOOKUPS, Resolver
from tests.outbound.conftest import MakeClient
from tests.outbound.receiver import OK, answering, receiving, silent
from tests.support.waiting import eventually


async def test_a_request_has_the_callers_headers_and_no_credentials(local: OutboundClient) -> None:
    async with receiving(OK) as receiver:
        answer = await local.request(
            "POST", f"{receiver.url}/a/b?c=d", headers={"Content-Type": "application/json", "x-id": "7"}, body=b"{}"
        )
        head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == "POST /a/b?c=d HTTP/1.1"
        assert {line.partition(":")[0].lower(): line.partition(": ")[2] for line in lines[1:]} == {
            "host": f"127.0.0.1:{receiver.port}", "connection": "close", "accept-encoding": "identity",
            "content-length": "2", "content-type": "application/json", "x-id": "7", "user-agent": "Hubbub",
        }  # fmt: skip
        assert (body, answer.status, answer.body, answer.headers) == (b"{}", 200, b"ok", {"content-length": "2"})
        assert 0 < answer.seconds < 60
        await receiver.until_closed()


@pytest.mark.parametrize("status", [200, 204, 299, 301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 503, 999])
async def test_every_status_is_an_answer_and_no_redirect_is_followed(local: OutboundClient, status: int) -> None:
    """CVE-2023-32683 (Synapse): the address of a redirect was not checked."""
    async with receiving(OK) as other:
        raw = f"HTTP/1.1 {status} X\r\nLocation: {other.url}/\r\nContent-Length: 0\r\n\r\n".encode()
        async with receiving(answering(raw)) as receiver:
            answer = await local.request("POST", receiver.url, headers={}, body=b"")
            assert (answer.status, answer.headers["location"]) == (status, f"{other.url}/")
            assert (len(receiver.requests), other.requests) == (1, [])


async def test_a_cookie_of_an_answer_is_not_sent_back(local: OutboundClient) -> None:
    raw = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nContent-Length: 0\r\n\r\n"
    async with receiving(answering(raw)) as receiver:
        answer = await local.request("GET", receiver.url, headers={}, body=b"")
        assert answer.headers["set-cookie"] == "a=b, c=d"
        await local.request("GET", receiver.url, headers={}, body=b"")
        assert b"cookie" not in receiver.requests[1].lower()


async def test_proxies_of_the_environment_are_not_used(local: OutboundClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving(OK) as proxy, receiving(OK) as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        await local.request("GET", receiver.url, headers={}, body=b"")
        assert (proxy.requests, len(receiver.requests)) == ([], 1)


@pytest.mark.parametrize(
    "headers",
    [{"Host": "x"}, {"cookie": "x"}, {"Content-Length": "0"}, {"transfer-encoding": "chunked"}, {"Connection": "x"},
     {"x": "a\r\nb: c"}, {"x\r\ny": "z"}, {"x y": "z"}, {"x": "a\0"}, {"Expect": "100-continue"}],
    ids=repr,
)  # fmt: skip
async def test_a_header_that_could_change_the_request_is_an_error_of_the_caller(
    local: OutboundClient, headers: dict[str, str]
) -> None:
    async with receiving(OK) as receiver:
        with pytest.raises(ValueError, match=r"itself|not valid HTTP"):
            await local.request("POST", receiver.url, headers=headers, body=b"")
        assert not any(receiver.requests)


async def test_an_address_that_is_not_allowed_is_never_connected_to(make_client: MakeClient) -> None:
    async with receiving(OK) as receiver:
        for host in ("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "127.0.0.1."):
            with pytest.raises(RefusedAddress):
                await make_client().request("POST", f"http://{host}:{receiver.port}/", headers={}, body=b"")
        assert receiver.requests == []
        # The control: the same client without the check reaches the server.
        await make_client("0.0.0.0/0").request("POST", receiver.url, headers={}, body=b"")
        assert len(receiver.requests) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/", "http://localhost:{}/"])
async def test_the_systems_resolver_finds_names_of_the_hosts_file(local: OutboundClient, url: str) -> None:
    async with receiving(OK) as receiver:
        answer = await local.request("GET", url.format(receiver.port), headers={}, body=b"")
        assert answer.status == 200


async def test_a_refused_connection_is_worth_a_retry(local: OutboundClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(RequestFailed, match=r"127\.0\.0\.1 refused the connection\."):
            await local.request("GET", f"http://127.0.0.1:{free.getsockname()[1]}/", headers={}, body=b"")


async def test_closing_ends_requests_that_wait_and_refuses_new_ones(local: OutboundClient) -> None:
    async with receiving(silent) as receiver:
        waiting = asyncio.ensure_future(local.request("GET", receiver.url, headers={}, body=b""))
        await eventually(lambda: receiver.requests and receiver.requests[0], 30.0, "the request arrives")
        await local.close()
        with pytest.raises(RequestFailed, match="The server is stopping"):
            await waiting
        with pytest.raises(RequestFailed, match="The server is stopping"):
            await local.request("GET", receiver.url, headers={}, body=b"")
        await local.close()
        await receiver.until_closed()


async def test_a_cancelled_request_closes_its_connection(local: OutboundClient) -> None:
    async with receiving(silent) as receiver:
        waiting = asyncio.ensure_future(local.request("GET", receiver.url, headers={}, body=b""))
        await eventually(lambda: receiver.requests and receiver.requests[0], 30.0, "the request arrives")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await receiver.until_closed()


async def test_slow_name_servers_delay_other_names_only_while_all_threads_are_taken(make_client: MakeClient) -> None:
    released, asked = threading.Event(), []

    def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        if host.startswith("slow"):
            released.wait(60)
        return ["127.0.0.1"]

    client = make_client("127.0.0.0/8", resolve=Resolver(look_up))
    brief = ResponseLimits(seconds=0.5)
    async with receiving(OK) as receiver:

        async def get(host: str, limits: ResponseLimits | None = None) -> int:
            url = f"http://{host}.test:{receiver.port}/"
            return (await client.request("GET", url, headers={}, body=b"", limits=limits)).status

        slow = [asyncio.ensure_future(get(f"slow{i}", brief)) for i in range(MAX_LOOKUPS - 1)]
        assert await get("fast") == 200
        results = await asyncio.gather(*slow, get("slow", brief), return_exceptions=True)
        assert all(isinstance(result, RequestFailed) for result in results)
        with pytest.raises(RequestFailed, match=r"within 0\.5 seconds"):
            await get("fast", brief)  # all threads wait for name servers
        released.set()
        assert await get("fast") == 200
        assert asked.count("fast.test") == 2


def test_importing_the_server_does_not_import_the_http_library() -> None:
    code = "import sys, hubbub.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    loaded = set(done.stdout.split())
    assert "hubbub.outbound.client" in loaded
    assert loaded & {"httpcore", "h11", "certifi", "idna", "httpx", "hubbub.outbound.exchange"} == set()
