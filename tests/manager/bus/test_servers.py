"""What depends on the server: small payloads, a server that does not answer, TLS, encodings."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from hubbub import BusOptions, ConnectionManager
from hubbub.bus import nats as nats_bus
from hubbub.bus import texts
from tests.manager.bus.conftest import DEADLINE, bus_of, connected, hears, is_up
from tests.manager.peer import Peer
from tests.support.nats import Certificates, Nats, nats
from tests.support.postgres import Postgres
from tests.support.waiting import eventually

Pair = Callable[[BusOptions], Awaitable[tuple[ConnectionManager, Peer, ConnectionManager, Peer]]]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Return `await pair(options)`: two managers with a client each."""
    made: list[ConnectionManager] = []

    async def two(options: BusOptions) -> tuple[ConnectionManager, Peer, ConnectionManager, Peer]:
        here, there = ConnectionManager(bus=options), ConnectionManager(bus=options)
        made.extend((here, there))
        return here, await connected(here), there, await connected(there)

    yield two
    for each in made:
        await each.close()


async def test_long_messages_pass_a_server_that_allows_small_ones(tmp_path: Path, pair: Pair) -> None:
    with nats(tmp_path, "max_payload: 1000") as server:
        here, _, _, far = await pair(BusOptions(server.url))
        sent = ["x" * length for length in (0, 700, 776, 777, 1_000, 100_000)]
        for text in sent:
            await here.broadcast(text)
        await hears(far, *sent)
        assert bus_of(here).counts.connects == 1


async def test_a_server_that_allows_less_is_no_bus(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with nats(tmp_path, "max_payload: 999") as server:
        manager = ConnectionManager(bus=server.url)
        peer = Peer()
        await manager.connect(peer.socket)
        await eventually(lambda: bus_of(manager)._away, DEADLINE, "the manager refuses the server")
        await manager.broadcast("here")
        await hears(peer, "here")
        assert "the server allows 999 bytes in a message" in caplog.text
        await manager.close()


async def test_a_server_that_does_not_answer_delays_no_client_and_fills_no_memory(
    nats_server: Nats, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.bus.text_bus.MAX_WAITING", 500_000)
    here, near, _, far = await pair(BusOptions(nats_server.url))
    with nats_server.frozen():
        for number in range(400):
            await here.broadcast(f"{number} {'x' * 50_000}")  # 20 MB: more than all buffers hold
            assert bus_of(here)._size <= 500_000
            await asyncio.sleep(0)
        await eventually(lambda: len(near.got) == 400, DEADLINE, "own clients hear everything")
        assert bus_of(here).counts.dropped > 0
    await is_up(here)
    await eventually(
        lambda: bus_of(here).waiting == 0 or bus_of(here)._away,
        DEADLINE,
        "what waits is sent, or dropped with the connection",
    )
    await is_up(here)
    await here.broadcast("after")
    await eventually(lambda: far.got[-1:] == ["after"], DEADLINE, "the bus carries messages again")
    numbers = [int(text.split()[0]) for text in far.got[:-1]]
    assert numbers == sorted(set(numbers)), "in order, none twice"


async def test_a_manager_counts_as_connected_when_the_server_has_its_subscription(tmp_path: Path) -> None:
    """The library's ping overtakes a subscription now and then, so this takes many attempts to see."""
    with nats(tmp_path, "trace: true") as server:
        for number in range(1, 61):
            manager = ConnectionManager(bus=server.url)
            await connected(manager)
            assert server.log.read_text().count("[SUB hubbub.manager-default.all") == number
            await manager.close()


async def test_a_manager_that_reads_too_slowly_loses_messages_and_goes_on(
    nats_server: Nats, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_bus, "MAX_UNREAD_BYTES", 300)  # less than one message
    here, _, there, far = await pair(BusOptions(nats_server.url))
    await here.broadcast("x" * 400)
    await eventually(lambda: bus_of(there).counts.dropped, DEADLINE, "the loss is counted")
    await here.broadcast("short")
    await hears(far, "short")


async def test_a_piece_that_is_lost_loses_its_message_only(
    nats_server: Nats, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _, there, far = await pair(BusOptions(nats_server.url))
    seen: list[bytes] = []
    handle = bus_of(there)._handle

    def losing(payload: bytes) -> None:
        seen.append(payload)
        if len(seen) != 2:
            handle(payload)

    monkeypatch.setattr(bus_of(there), "_handle", losing)
    await here.broadcast("x" * texts.MAX_TEXT)
    await here.broadcast("next")
    await here.broadcast("y" * texts.MAX_TEXT)
    await hears(far, "next", "y" * texts.MAX_TEXT)
    assert bus_of(there).counts.dropped == 1


async def test_tls_and_a_password(tmp_path: Path, pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    ours, other = Certificates(tmp_path), Certificates(tmp_path, "other")
    login = 'authorization { user: "anna", password: "p@ssword" }'
    with nats(tmp_path, f"{ours.config(verify=True)}\n{login}") as server:
        url = server.url.replace("nats://", "tls://anna:p%40ssword@")
        files: dict[str, Any] = {"certificate": ours.client, "key": ours.client_key}
        here, _, _, far = await pair(BusOptions(url, ca=str(ours.ca), **files))
        await here.broadcast("secret")
        await hears(far, "secret")
        for wrong in (BusOptions(url, ca=other.ca, **files), BusOptions(url, ca=ours.ca), BusOptions(server.url)):
            manager = ConnectionManager(bus=wrong)
            await manager.broadcast("nobody hears this")
            await eventually(lambda: bus_of(manager)._away, DEADLINE, "the manager is refused")  # noqa: B023
            await manager.close()
    assert caplog.text.count("is away") >= 3
    assert "ssword" not in caplog.text
    assert far.got == ["secret"]


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "UTF8"])
async def test_a_database_of_any_encoding_carries_any_text(
    postgres_server: Postgres, pair: Pair, encoding: str
) -> None:
    address = make_url(postgres_server.empty())
    name = f"encoded_{encoding.lower()}"
    url = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
    other = address.set(database=name).render_as_string(hide_password=False)  # postgresql+psycopg://, as of SQLAlchemy
    assert other.startswith("postgresql+psycopg://")
    here, near, there, far = await pair(BusOptions(other))
    await here.broadcast("Grüße 😀 \0 日本語 " * 500)
    await hears(far, "Grüße 😀 \0 日本語 " * 500)
    await hears(near, "Grüße 😀 \0 日本語 " * 500)
    await here.close()
    await there.close()
    for database in (other, address.render_as_string(hide_password=False)):
        postgres_server.drop(database)


async def test_a_bus_that_does_not_answer_delays_the_first_client_only_a_moment(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hubbub.bus.text_bus.CONNECT_WAIT", 0.05)
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    manager = ConnectionManager(bus=f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    peer = Peer()
    await manager.connect(peer.socket)
    assert not bus_of(manager)._tried.is_set(), "the manager still tries to connect"
    await manager.broadcast("here")
    await hears(peer, "here")
    ended.set()
    await eventually(lambda: bus_of(manager)._away, DEADLINE, "the attempt has failed")
    assert bus_of(manager).counts.dropped == 1
    await manager.close()
    server.close()
