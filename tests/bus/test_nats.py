"""What only NATS has: TLS, credentials, large payloads, a server that does not answer."""

import asyncio
import base64
import hashlib
import json
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from hubbub.bus import nats as nats_bus
from hubbub.bus.messages import Codec
from hubbub.bus.nats import NatsBus, NatsOptions
from tests.bus.nodes import DEADLINE, SECRET, Node, node, reaches, seqs
from tests.support.nats import Certificates, Nats, nats
from tests.support.waiting import eventually

Connected = Callable[[NatsOptions], Awaitable[NatsBus]]


class Quiet:
    """A node that hears nothing."""

    def receive(self, entries: object) -> None: ...
    def announce(self, heads: object) -> None: ...
    def check(self, topics: object) -> None: ...
    def doubt_epoch(self) -> None: ...


@pytest.fixture
async def start() -> AsyncIterator[Callable[[NatsOptions], NatsBus]]:
    """Return `start(options)`: a bus that tries to connect."""
    made: list[NatsBus] = []

    def started(options: NatsOptions) -> NatsBus:
        bus = NatsBus(options, "site", Codec(SECRET, "node"))
        bus.start(Quiet())
        made.append(bus)
        return bus

    yield started
    for bus in made:
        await bus.close()


Start = Callable[[NatsOptions], NatsBus]


async def connects(bus: NatsBus) -> None:
    await eventually(lambda: bus.connected, DEADLINE, "the bus is connected")


async def is_refused(bus: NatsBus, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return why the bus could not connect."""
    reasons: list[str] = []
    serve = bus._serve

    async def noted() -> None:
        try:
            await serve()
        except Exception as error:
            reasons.append(f"{type(error).__name__}: {error}")
            raise

    monkeypatch.setattr(bus, "_serve", noted)
    await eventually(lambda: reasons, DEADLINE, "the bus is refused")
    assert not bus.counts.connects
    return reasons[0]


# --- TLS -------------------------------------------------------------------------------------------------------------


async def test_a_bus_with_tls_accepts_the_servers_certificate_of_its_authority_only(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = Certificates(tmp_path), Certificates(tmp_path, "other")
    with nats(tmp_path, ours.config()) as server:
        url = server.url.replace("nats://", "tls://")
        await connects(start(NatsOptions((url,), ca=ours.ca)))
        assert "CERTIFICATE_VERIFY_FAILED" in await is_refused(start(NatsOptions((url,), ca=other.ca)), monkeypatch)
        assert "CERTIFICATE_VERIFY_FAILED" in await is_refused(start(NatsOptions((url,))), monkeypatch)


async def test_a_server_that_asks_for_a_client_certificate_gets_it(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Certificates(tmp_path)
    with nats(tmp_path, ours.config(verify=True)) as server:
        url = server.url.replace("nats://", "tls://")
        options = NatsOptions((url,), ours.ca, ours.client, ours.client_key)
        options.check()
        await connects(start(options))
        await is_refused(start(NatsOptions((url,), ca=ours.ca)), monkeypatch)


async def test_a_bus_that_wants_tls_sends_no_password_to_a_server_without_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library would: it uses TLS only if the server asks for it."""
    received: list[bytes] = []

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.10.0","max_payload":1048576,"auth_required":true}\r\n')
        received.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    bus = start(NatsOptions((f"tls://anna:secret@127.0.0.1:{port}",)))
    assert "SecureConnRequired" in await is_refused(bus, monkeypatch)
    await bus.close()
    await eventually(lambda: received, DEADLINE, "the connection ends")
    assert received[0] == b""
    server.close()


def test_files_that_cannot_be_read_are_reported_at_the_start(tmp_path: Path) -> None:
    for wrong in ({"ca": tmp_path / "none"}, {"credentials": tmp_path / "none"}):
        with pytest.raises(OSError):
            NatsOptions(("tls://localhost",), **wrong).check()
    (tmp_path / "no.pem").write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        NatsOptions(("tls://localhost",), certificate=tmp_path / "no.pem").check()


# --- credentials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "login", "wrong"),
    [
        ('authorization { user: "anna", password: "p@ss/word" }', "anna:p%40ss%2Fword@", "anna:word@"),
        ('authorization { token: "a%20token" }', "a%2520token@", "token@"),
    ],
    ids=["password", "token"],
)
async def test_credentials_in_the_address(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch, config: str, login: str, wrong: str
) -> None:
    with nats(tmp_path, config) as server:
        await connects(start(NatsOptions((server.url.replace("//", f"//{login}"),))))
        for refused in (wrong, ""):
            bus = start(NatsOptions((server.url.replace("//", f"//{refused}"),)))
            reason = await is_refused(bus, monkeypatch)
            assert "Authorization" in reason or "authorization" in reason
            assert "word" not in reason.lower().replace("password", "")


async def test_a_credentials_file(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Jwt()
    with nats(tmp_path, account.config) as server:
        own, other = tmp_path / "own.creds", tmp_path / "other.creds"
        own.write_text(account.credentials())
        other.write_text(Jwt().credentials())
        await connects(start(NatsOptions((server.url,), credentials=own)))
        await is_refused(start(NatsOptions((server.url,), credentials=other)), monkeypatch)


class Jwt:
    """An operator, an account and users of NATS, as `nsc` makes them.

    https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt
    """

    def __init__(self) -> None:
        self.operator, self.account = Key(b"\x70"), Key(b"\x00")
        operator = self.operator.sign(self.operator, "operator", {})
        limits = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
        account = self.operator.sign(self.account, "account", {"limits": {**limits, "wildcards": True}})
        self.config = (
            f"operator: {operator}\nresolver: MEMORY\nresolver_preload: {{ {self.account.public}: {account} }}"
        )

    def credentials(self) -> str:
        user = Key(b"\xa0")
        token = self.account.sign(user, "user", {"subs": -1, "data": -1, "payload": -1})
        return (
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
        )


class Key:
    """An nkey: an Ed25519 key with a prefix for its purpose."""

    def __init__(self, prefix: bytes) -> None:
        import nkeys

        raw = os.urandom(32)
        self.seed = encoded(bytes([0x90 | prefix[0] >> 5, (prefix[0] & 31) << 3]) + raw)
        self._pair: Any = nkeys.from_seed(self.seed.encode())
        self.public = self._pair.public_key.decode()

    def sign(self, subject: "Key", kind: str, claims: dict[str, object]) -> str:
        body: dict[str, object] = {
            "jti": "", "iat": int(time.time()), "iss": self.public, "sub": subject.public, "name": kind,
            "nats": {**claims, "type": kind, "version": 2},
        }  # fmt: skip
        body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()).decode().rstrip("=")
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        text = ".".join(unpadded(json.dumps(part).encode()) for part in (head, body))
        return f"{text}.{unpadded(self._pair.sign(text.encode()))}"


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def encoded(data: bytes) -> str:
    crc = 0
    for byte in data:  # CRC-16/XMODEM
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return base64.b32encode(data + crc.to_bytes(2, "little")).decode().rstrip("=")


# --- limits and faults -----------------------------------------------------------------------------------------------


@pytest.fixture
async def pair(address: str, tmp_path: Path) -> AsyncIterator[tuple[Node, Node, Nats]]:
    """Two nodes on a NATS server that allows 2,000 bytes in a message."""
    with nats(tmp_path, "max_payload: 2000") as server:
        async with AsyncExitStack() as stack:
            first, second = [
                await stack.enter_async_context(
                    node(address, lambda codec: NatsBus(NatsOptions((server.url,)), "site", codec))
                )
                for _ in range(2)
            ]
            yield first, second, server


async def test_entries_above_the_servers_limit_are_announced_and_read_from_the_log(
    pair: tuple[Node, Node, Nats],
) -> None:
    writer, reader, _ = pair
    anna = await writer.user("anna")
    listener = await reader.listen()
    await reaches(listener, first := await writer.send(anna, "short"))
    last = await writer.send(anna, "x" * 5_000)
    await reaches(listener, last)
    assert seqs(listener) == list(range(first, last + 1))
    assert writer.bus.counts.connects == 1, "the server has not ended the connection"


async def test_a_reader_that_is_too_slow_loses_messages_of_the_bus_and_no_entries(
    pair: tuple[Node, Node, Nats], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, reader, _ = pair
    monkeypatch.setattr(nats_bus, "MAX_UNREAD_BYTES", 300)  # less than one message
    anna = await writer.user("anna")
    listener = await reader.listen()
    sent = [await writer.send(anna, "x" * 200) for _ in range(10)]
    await reaches(listener, max(sent))
    assert reader.bus.counts.dropped
    assert seqs(listener) == list(range(seqs(listener)[0], max(sent) + 1))


async def test_a_server_that_does_not_answer_delays_no_commit_and_fills_no_memory(
    pair: tuple[Node, Node, Nats], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, reader, server = pair
    monkeypatch.setattr(nats_bus, "MAX_QUEUED", 50_000)
    anna = await writer.user("anna")
    listener = await reader.listen()
    await reaches(listener, first := await writer.send(anna))
    with server.frozen():
        sent = [await writer.send(anna, "x" * 1_000) for _ in range(100)]
        assert writer.bus._queued <= 50_000  # type: ignore[attr-defined]
    await reaches(listener, max(sent))
    assert seqs(listener) == list(range(first, max(sent) + 1))


async def test_sites_on_one_nats_do_not_hear_each_other(address: str, nats_server: Nats) -> None:
    async with AsyncExitStack() as stack:

        async def at(site: str) -> Node:
            return await stack.enter_async_context(
                node(address, lambda codec: NatsBus(NatsOptions((nats_server.url,)), site, codec))
            )

        writer, reader, other = await at("a"), await at("a"), await at("b")
        anna = await writer.user("anna")
        listener, _ = await reader.listen(), await other.listen()
        await reaches(listener, await writer.send(anna))
        assert other.bus.counts.received == other.bus.counts.ignored == 0


async def test_the_subscriptions_of_a_node_follow_its_interest(
    nats_server: Nats, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.bus.remote.LINGER", 0.05)
    monkeypatch.setattr("hubbub.bus.interest.LINGER", 0.05)
    bus = start(NatsOptions((nats_server.url,)))
    await connects(bus)
    for _ in range(2):
        bus.join("room:1")
    await eventually(lambda: "room:1" in bus._subscriptions, DEADLINE, "the topic is subscribed")
    bus.leave("room:1")
    bus.join("room:2")
    await eventually(lambda: "room:2" in bus._subscriptions, DEADLINE, "the other topic is subscribed")
    assert "room:1" in bus._subscriptions
    bus.leave("room:1")
    await eventually(lambda: "room:1" not in bus._subscriptions, DEADLINE, "the topic is unsubscribed")


async def test_a_port_without_nats_is_no_reason_to_end(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        bus = start(NatsOptions((f"nats://127.0.0.1:{silent.getsockname()[1]}",)))
        await is_refused(bus, monkeypatch)
    bus.publish([])


async def test_a_server_that_does_not_answer_counts_as_away_until_it_answers(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection would end after fifteen seconds. Until then nodes read the log more often."""
    monkeypatch.setattr(nats_bus, "PULSE", 0.1)
    with nats(tmp_path) as server:
        bus = start(NatsOptions((server.url,)))
        await connects(bus)
        for _ in range(2):
            began = time.monotonic()
            with server.frozen():
                await eventually(lambda: not bus.connected, DEADLINE, "the bus is away")
            silent = time.monotonic() - began
            await connects(bus)
            assert silent < nats_bus.PING_INTERVAL * nats_bus.MAX_PINGS, "long before the connection ends"
        assert bus.counts.connects == 1, "it is the same connection"
