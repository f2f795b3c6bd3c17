"""On failing servers and networks the client loses and repeats nothing."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import httpx
import pytest

from hubbub.client import Client, Positions, link
from hubbub.client.login import Login
from hubbub.domain.errors import Unauthenticated
from tests.client.quick import DEADLINE, Consumer, QuickClient
from tests.conftest import MakeServer
from tests.nodes import conftest as nodes
from tests.support.checker import History, Stored, violations
from tests.support.proxy import Proxy
from tests.support.server import PASSWORD, Account, Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults
ROUNDS, CONTROL_ROUNDS = 3, 1


class HeldClient(QuickClient):
    """A client that cannot reconnect while its gate is closed."""

    gate: asyncio.Event

    async def _connect(self) -> tuple[float | None, bool]:
        await self.gate.wait()
        return await super()._connect()


class ForgetfulClient(HeldClient):
    """A client that breaks a promise: it does not send its positions again."""

    async def _connect(self) -> tuple[float | None, bool]:
        await self.gate.wait()
        self._sync.inbox._topics.clear()
        return await super()._connect()


async def talk(client: Client, account: Account, room: int, history: History, stop: asyncio.Event) -> None:
    """Send one message after the other, each until it is acknowledged."""
    number = 0
    while not stop.is_set():
        number += 1
        send = history.sending(room, account.id, f"k{number}", f"message {number} of {account.name}")
        send.acknowledge((await client.send(room, send.body, key=send.key)).seq)


async def more_acknowledged(history: History, count: int = 10) -> None:
    goal = len(history.acked) + count
    await eventually(lambda: len(history.acked) >= goal, DEADLINE, "more messages are acknowledged")


def through(proxy: Proxy) -> str:
    """Return the server's HTTP address through the proxy."""
    return proxy.websocket_url.replace("ws:", "http:").removesuffix("/ws")


Disturb = Callable[[], Awaitable[None]]


async def disturbed_under_load(
    server: Server, urls: Sequence[str], listening: type[HeldClient], rounds: int, disturb: Disturb
) -> list[str]:
    """Disturb a running server, or its node, while two clients send and a third listens.

    The clients use these addresses. The listener reconnects after the senders each time. Return the
    violations in what it received.
    """
    ann, bob = [await asyncio.to_thread(server.sign_up, name) for name in ("ann", "bob")]
    room = ann.create_room("killed again and again")
    bob.join(room)
    history, stop = History(), asyncio.Event()
    listening.gate = asyncio.Event()
    listening.gate.set()

    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(QuickClient(url, token=one.token))
            for url, one in zip(urls, (ann, bob), strict=True)
        ]
        listener = await stack.enter_async_context(listening(urls[1], token=bob.token))
        consumer = await stack.enter_async_context(Consumer(listener))
        talking = [
            asyncio.create_task(talk(client, one, room, history, stop))
            for client, one in zip(clients, (ann, bob), strict=True)
        ]
        for _ in range(rounds):
            await more_acknowledged(history)
            listening.gate.clear()
            await disturb()
            await more_acknowledged(history)
            listening.gate.set()
            await eventually(lambda: listener.connected, DEADLINE, "the listener is back")
        stop.set()
        await asyncio.wait_for(asyncio.gather(*talking), DEADLINE)
        last = (await clients[0].send(room, "the last word", key="last")).seq
        history.sending(room, ann.id, "last", "the last word").acknowledge(last)
        topic = f"room:{room}"
        await eventually(
            lambda: consumer.events[topic] and consumer.events[topic][-1]["seq"] == last,
            DEADLINE,
            "the listener has the last message",
        )
        history.observe("the listener", {topic: consumer.events[topic]}, [vars(one) for one in consumer.resets])
        return violations(history, Stored.read(server.database_url))


async def killed_under_load(server: Server, listening: type[HeldClient], rounds: int) -> list[str]:
    """Kill and restart the server under load. Return the violations."""

    async def restart() -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

    await asyncio.to_thread(server.start)
    return await disturbed_under_load(server, [server.url] * 2, listening, rounds, restart)


async def test_no_message_is_lost_repeated_or_reordered_when_the_server_is_killed(make_server: MakeServer) -> None:
    assert await killed_under_load(make_server(), HeldClient, ROUNDS) == []


async def test_control_a_client_that_forgets_its_positions_has_gaps(make_server: MakeServer) -> None:
    found = await killed_under_load(make_server(), ForgetfulClient, CONTROL_ROUNDS)
    assert any("I3 gap" in one for one in found)


# --- several nodes ---------------------------------------------------------------------------------------------------

make_site = nodes.make_site


@pytest.fixture
def kind() -> str:
    return "nats"


async def moved_under_load(site: nodes.Site, listening: type[HeldClient], rounds: int) -> list[str]:
    """Kill the node of all clients again and again; a balancer sends them to the other one."""
    ports = [node.port for node in site.nodes]
    async with Proxy(*ports) as balancer:

        async def kill_the_first() -> None:
            first, second = site.nodes
            await asyncio.to_thread(first.kill)
            await eventually(lambda: balancer.counts[second.port] >= 2, DEADLINE, "both senders have moved")
            balancer.ports = (second.port, first.port)
            site.nodes.reverse()
            await asyncio.to_thread(first.start)
            balancer.counts.clear()

        return await disturbed_under_load(site.nodes[1], [through(balancer)] * 2, listening, rounds, kill_the_first)


async def test_clients_go_on_at_another_node_when_theirs_is_killed(make_site: nodes.MakeSite) -> None:
    site = await asyncio.to_thread(make_site, 2)
    assert await moved_under_load(site, HeldClient, ROUNDS) == []


async def test_control_a_client_that_forgets_its_positions_has_gaps_at_another_node(make_site: nodes.MakeSite) -> None:
    site = await asyncio.to_thread(make_site, 2)
    found = await moved_under_load(site, ForgetfulClient, CONTROL_ROUNDS)
    assert any("I3 gap" in one for one in found)


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    async with Proxy(server.port) as running:
        yield running


async def test_a_client_disconnected_again_and_again_sends_and_receives_everything_once(
    server: Server, proxy: Proxy
) -> None:
    ann = server.sign_up("ann")
    room = ann.create_room(f"cut off {ann.name}")
    bodies = [f"message {number}" for number in range(200)]
    async with QuickClient(through(proxy), token=ann.token, capacity=30) as client, Consumer(client) as consumer:
        for start in range(0, len(bodies), 20):
            sending = [asyncio.create_task(client.send(room, body)) for body in bodies[start : start + 20]]
            await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED, timeout=DEADLINE)
            proxy.reset_all()
            await asyncio.wait_for(asyncio.gather(*sending), DEADLINE)
        assert [message["body"] for message in ann.history(room)] == bodies
        await consumer.hears(room, *bodies)


async def test_the_client_fetches_events_that_were_lost_on_the_way(server: Server, proxy: Proxy) -> None:
    ann = server.sign_up("ann")
    room = ann.create_room(f"lossy {ann.name}")
    async with QuickClient(through(proxy), token=ann.token) as client, Consumer(client) as consumer:
        proxy.drop = lambda payload: b'"vanishes' in payload and payload.startswith(b'{"topic"')
        bodies = ["one", "vanishes 1", "vanishes 2", "two", "vanishes 3", "three"]
        for body in bodies:
            await client.send(room, body)
        await consumer.hears(room, *bodies)
        assert proxy.dropped == 3


async def test_the_client_abandons_a_silent_connection(
    server: Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "SILENCE", 0.2)
    monkeypatch.setattr(link, "PATIENCE", 0.5)
    ann = server.sign_up("ann")
    room = ann.create_room(f"silent {ann.name}")
    async with QuickClient(through(proxy), token=ann.token) as client, Consumer(client) as consumer:
        proxy.stop_reading()
        sending = asyncio.create_task(client.send(room, "hello?"))
        await eventually(lambda: not client.connected, DEADLINE, "the silence is noticed")
        proxy.resume_reading()
        proxy.reset_all()
        await asyncio.wait_for(sending, DEADLINE)
        await consumer.hears(room, "hello?")
        assert len(ann.history(room)) == 1


async def test_the_client_stops_waiting_for_an_answer_that_never_comes(
    server: Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "ANSWER_WITHIN", 0.5)
    ann = server.sign_up("ann")
    room = ann.create_room(f"no answer {ann.name}")
    lost = iter([True])
    proxy.drop = lambda payload: payload.startswith(b'{"re":') and next(lost, False)
    async with QuickClient(through(proxy), token=ann.token) as client:
        await asyncio.wait_for(client.send(room, "once"), DEADLINE)
    assert proxy.dropped == 1
    assert len(ann.history(room)) == 1


def age(server: Server, days: int, room: int) -> None:
    """Make all entries of a room of a stopped server `days` older."""
    with contextlib.closing(sqlite3.connect(server.database)) as connection, connection:
        older = "SET at = at - ? WHERE"
        connection.execute(f"UPDATE log {older} topic = ?", (days * 86_400_000, f"room:{room}"))
        connection.execute(f"UPDATE messages {older} room = ?", (days * 86_400_000, room))


async def test_positions_in_a_trimmed_log_cause_a_reset(make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_RETENTION_DAYS": "30"})
    await asyncio.to_thread(server.start)
    ann = server.sign_up("ann")
    room = ann.create_room("trimmed")
    topic = f"room:{room}"
    async with QuickClient(server.url, token=ann.token) as client:
        for number in range(5):
            head = (await client.send(room, f"message {number}")).seq
        positions = client.positions
        behind = Positions(positions.epoch, {**positions.have, topic: head - 3})
        ann.create_room("newer")  # the clock is trusted: it agrees with the newest event
        await asyncio.to_thread(server.stop)
        age(server, 31, room)
        await asyncio.to_thread(server.start)
        await eventually(
            lambda: ann.get(f"/api/topics/{topic}/events", after=head)["head"] == head
            and ann.get(f"/api/topics/{topic}/events", after=head - 1).get("reset"),
            DEADLINE, "the old part of the log is gone", every=0.1,
        )  # fmt: skip
        async with QuickClient(server.url, token=ann.token, since=behind) as late, Consumer(late) as consumer:
            await eventually(lambda: consumer.resets, DEADLINE, "the client received the reset")
            (reset,) = [one for one in consumer.resets if one.topic == topic]
            assert (reset.head, reset.floor) == (head, head)
            await client.send(room, "afterwards")
            await consumer.hears(room, "afterwards")


async def test_an_expired_token_is_refreshed_in_the_same_session(make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_ACCESS_TOKEN_SECONDS": "3"})
    await asyncio.to_thread(server.start)
    ann = server.sign_up("ann")
    async with (
        Proxy(server.port) as proxy,
        QuickClient(through(proxy), username=ann.name, password=PASSWORD) as client,
    ):
        login = login_of(client)
        login._password, first = "not needed any more", login._refresh
        login._until = 0.0  # The token is about to expire.
        proxy.reset_all()
        await asyncio.wait_for(client.send(1, "with a new token"), DEADLINE)
        assert login._refresh != first
        login._until = float("inf")  # A client whose clock is wrong learns from the server that the token has expired.
        await expired(server, login._access)
        proxy.reset_all()
        await asyncio.wait_for(client.send(1, "with another one"), DEADLINE)
        await expired(server, login._access)
        login._until = 0.0
        own = [session["id"] for session in server.log_in(ann.name).get("/api/sessions")["sessions"]]
    left = [session["id"] for session in server.log_in(ann.name).get("/api/sessions")["sessions"]]
    assert len(set(own) - set(left)) == 1, "a client also ends its session if its token has expired"


async def test_an_expired_token_without_a_password_ends_the_client(make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_ACCESS_TOKEN_SECONDS": "3"})
    await asyncio.to_thread(server.start)
    async with Proxy(server.port) as proxy, contextlib.AsyncExitStack() as stack:
        for _ in range(10):  # On a busy machine the token may expire on its way.
            token = server.sign_up("ann").token
            with contextlib.suppress(Unauthenticated):
                client = await stack.enter_async_context(QuickClient(through(proxy), token=token))
                break
        await expired(server, token)
        proxy.reset_all()
        with pytest.raises(Unauthenticated):
            await asyncio.wait_for(client.send(1, "with the old one"), DEADLINE)


def login_of(client: Client) -> Login:
    assert isinstance(client._credentials, Login)
    return client._credentials


async def expired(server: Server, token: str | None) -> None:
    """Wait until the server refuses the token."""

    def is_refused() -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{server.url}/users/me", headers=headers, trust_env=False, timeout=30).status_code == 401

    await eventually(is_refused, DEADLINE, "the token has expired", every=0.1)


async def test_an_expired_session_is_replaced_by_logging_in_with_the_password(server: Server, proxy: Proxy) -> None:
    ann = server.sign_up("ann")
    async with QuickClient(through(proxy), username=ann.name, password=PASSWORD) as client:
        credentials = login_of(client)
        credentials._access, credentials._refresh = None, "no refresh token at all"
        proxy.reset_all()
        await asyncio.wait_for(client.send(1, "back again"), DEADLINE)
