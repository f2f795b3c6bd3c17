"""Hubbub through real proxies, at the root and under a sub-path."""

import asyncio
import json
import re
from urllib.parse import urljoin

import httpx
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from tests.proxy.conftest import Behind
from tests.proxy.visitor import Visitor
from tests.support.client import OPENING_ERRORS, Connection
from tests.support.lines import line
from tests.support.waiting import eventually_async

HTML = {"Accept": "text/html"}
LONG = "é" * 8_000
TRIES = 60
# For tests that do not depend on the path.
ONE_OF_EACH = pytest.mark.parametrize("behind", ["nginx at the root", "caddy handing the path on"], indirect=True)


def test_a_browser_logs_in_and_reads_its_own_message(behind: Behind) -> None:
    visitor = behind.visitor().sign_up()
    answer = visitor.log_in()
    assert answer.headers["set-cookie"].startswith("__Host-hubbub_session=")
    assert "secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    said = visitor.ask("POST", "/api/rooms/1/messages", visitor.page, json={"key": "k", "body": "hello"})
    assert said.status_code == 201, said.text
    history = visitor.ask("GET", "/api/rooms/1/messages", visitor.page).json()["messages"]
    assert (history[-1]["body"], history[-1]["seq"]) == ("hello", said.json()["seq"])
    assert visitor.ask("GET", "/users/me").status_code == 401
    foreign = {**visitor.page, "Origin": "https://evil.example"}
    assert visitor.ask("POST", "/api/rooms/1/messages", foreign, json={"key": "l", "body": "x"}).status_code == 403


def test_the_page_and_everything_it_refers_to_is_served(behind: Behind) -> None:
    visitor = behind.visitor()
    for path in ("/", "/setup", "/invite", "/docs"):
        page = visitor.ask("GET", path, HTML)
        assert page.status_code == 200, page.text
        named = [one for one in re.findall(r'(?:src|href)="([^"]+)"', page.text) if not one.startswith("data:")]
        assert named
        for one in named:
            place = urljoin(f"{behind.front.root_path}{path}", one).removeprefix(behind.front.root_path)
            assert visitor.ask("GET", place).status_code == 200, f"{path} names {one}"
    sockets = f"wss://{behind.front.name}:{behind.front.port}"
    assert f"connect-src 'self' {sockets};" in page.headers["content-security-policy"]
    servers = [{"url": behind.front.root_path}] if behind.front.root_path else None
    assert visitor.ask("GET", "/openapi.json").json().get("servers") == servers


@pytest.mark.parametrize("behind", ["nginx at the root"], indirect=True)
def test_plain_http_redirects_to_https(behind: Behind) -> None:
    answer = httpx.get(f"http://127.0.0.1:{behind.front.plain_port}/setup?x=1", headers={"Host": "chat.example.org"})
    assert (answer.status_code, answer.headers["location"]) == (301, "https://chat.example.org/setup?x=1")


def test_the_root_path_without_its_slash_redirects_to_the_page(behind: Behind) -> None:
    visitor = behind.visitor()
    answer = visitor.http.get(
        f"https://127.0.0.1:{behind.front.port}{behind.front.root_path}",
        headers={"Host": f"{behind.front.name}:{behind.front.port}", **HTML},
        extensions={"sni_hostname": behind.front.name},
    )
    if not behind.front.root_path:
        assert answer.status_code == 200
        return
    assert answer.status_code in (301, 302, 307, 308)
    assert urljoin(f"{behind.front.origin}/chat", answer.headers["location"]) == f"{behind.front.origin}/chat/"


@pytest.mark.parametrize("behind", ["caddy stripping the path"], indirect=True)
def test_reset_and_setup_links_have_the_public_address(behind: Behind) -> None:
    visitor = behind.visitor().sign_up()
    reset = behind.server.reset_link(visitor.name)
    assert f"{behind.front.address}/reset#" in reset
    assert behind.server.setup_link().startswith(f"{behind.front.address}/setup#")


async def test_events_arrive_over_a_websocket_opened_by_the_sites_own_page(behind: Behind) -> None:
    visitor = behind.visitor().sign_up()
    visitor.log_in()
    socket = await visitor.open_socket(visitor.page)
    await socket.send(json.dumps({"type": "hello"}))
    async with asyncio.timeout(15):
        assert json.loads(await socket.recv())["type"] == "welcome"
        sent = visitor.send("over there")
        while (event := json.loads(await socket.recv())).get("type") != "message.sent":
            pass
    assert (event["seq"], event["body"]) == (sent["seq"], "over there")
    await socket.close()
    with pytest.raises(InvalidStatus) as refused:
        await visitor.open_socket({**visitor.page, "Origin": "https://evil.example"})
    assert refused.value.response.status_code == 403


async def test_plain_text_lines_pass_in_both_directions(behind: Behind) -> None:
    visitor = behind.visitor().sign_up()
    socket = await visitor.enter(visitor.bearer)
    assert await line(socket) == f"Client #{visitor.name} joined the chat."
    await socket.send("hello")
    assert await line(socket) == f"Client #{visitor.name} says: hello"
    await socket.close()


@ONE_OF_EACH
async def test_a_burst_of_more_than_a_mebibyte_arrives_without_buffering(behind: Behind) -> None:
    writer, reader = behind.visitor().sign_up(), behind.visitor().sign_up()
    socket = await reader.connect()
    sent = []
    for number in range(15):  # so many fit into a page
        sent.append(writer.send(LONG, key=str(number))["seq"])
        # Send one at a time: a buffering proxy would keep this message until the next comes.
        await eventually_async(lambda: _has(socket, sent), 15, f"message {number} arrives before the next is sent")
    before = {"room:1": sent[0] - 1}
    async with await reader.connect(have=before, epoch=socket.welcome["epoch"]) as again:
        asked = {"topic": "room:1", "epoch": socket.welcome["epoch"], "after": sent[0] - 1, "limit": 200}
        futures = [await again.post("events.since", **asked) for _ in range(4)]
        async with asyncio.timeout(30):
            pages = [(await future)["ok"]["events"] for future in futures]
        await again.ping()
        assert [event["seq"] for event in again.of_type("message.sent")] == sent
        total = sum(len(event["body"].encode()) for page in [again.of_type("message.sent"), *pages] for event in page)
        assert total > 2**20
        assert all([event["seq"] for event in page] == sent for page in pages)
    await socket.close()


async def _has(socket: Connection, seqs: list[int]) -> bool:
    return [event["seq"] for event in socket.of_type("message.sent")] == seqs


@ONE_OF_EACH
async def test_after_a_drain_clients_reconnect_and_miss_nothing(behind: Behind) -> None:
    visitor = behind.visitor().sign_up()
    socket = await visitor.connect()
    behind.server.stop()
    assert await socket.wait_closed(15) == 4000
    assert 1 <= json.loads(socket.close_reason)["retry_after"] <= 5
    with pytest.raises(InvalidStatus) as refused:
        await visitor.connect()
    assert refused.value.response.status_code == 502
    behind.server.start()
    missed = visitor.send("while you were away")

    async def back() -> Connection | None:
        try:
            return await visitor.connect(have={"room:1": missed["seq"] - 1}, epoch=socket.welcome["epoch"])
        except OPENING_ERRORS:
            return None

    again = await eventually_async(back, 15, "the client can connect again")
    assert again is not None
    await again.ping()
    assert [event["body"] for event in again.of_type("message.sent")] == ["while you were away"]
    await again.close()


# -- the visitor's address


@ONE_OF_EACH
def test_rate_limits_apply_to_the_visitor_and_not_to_the_proxy(behind: Behind) -> None:
    eager, other = behind.visitor(), behind.visitor()
    forged = [f"10.{number}.0.1" for number in range(TRIES)]
    refused = any(_check(eager, {"X-Forwarded-For": address, "X-Real-IP": address}) == 429 for address in forged)
    assert refused, "a forged header must not make the visitor look like others"
    assert _check(other) == 200


def _check(visitor: Visitor, headers: dict[str, str] | None = None) -> int:
    return visitor.ask("POST", "/api/invites/check", headers, json={"token": "x"}).status_code


@ONE_OF_EACH
async def test_unauthenticated_sockets_are_limited_per_visitor(behind: Behind) -> None:
    eager, other = behind.visitor(), behind.visitor()
    silent: list[ClientConnection] = [await eager.open_socket() for _ in range(3)]
    with pytest.raises(InvalidStatus) as refused:
        await eager.open_socket({"X-Forwarded-For": "10.0.0.1"})
    assert refused.value.response.status_code == 429
    silent.append(await other.open_socket())
    for socket in silent:
        await socket.close()


def test_metrics_are_not_served_to_visitors(behind: Behind) -> None:
    visitor = behind.visitor().sign_up()
    assert visitor.ask("GET", "/metrics").status_code == 401
    assert visitor.ask("GET", "/metrics", {"X-Forwarded-For": "127.0.0.1"}).status_code == 401
    assert visitor.ask("GET", "/metrics", visitor.bearer).status_code == 403
    assert behind.server.metrics()["hubbub_messages_total"] >= 0
