"""Sections 4 and 4.1, Settings.

Which handshakes /ws accepts, and the limits of frames.
"""

import json
import time

import pytest

from tests.contract.door import (
    ask,
    cookie_of,
    greet,
    hear,
    knock,
    raw_upgrade,
    refused,
    reply_to,
    rest_of,
    say,
    shaped,
)
from tests.support.server import Account, Server
from tests.support.timing import three_attempts, within

FRAME = 65_536


# -- handshakes


@three_attempts
async def test_a_silent_connection_is_closed_at_the_hello_deadline(strict: Server) -> None:
    begun = time.monotonic()
    with within(2.5):
        ws = await knock(strict)
        assert (await rest_of(ws))[1] == 4501
    assert time.monotonic() - begun > 0.4


async def test_over_the_connection_limit_the_newest_connection_is_rejected(strict: Server) -> None:
    one = strict.sign_up("many")
    one.token = strict.log_in(one.name).token
    open_ones = [(await greet(strict, {"token": one.token}))[0] for _ in range(3)]
    ws, error = await greet(strict, {"token": one.token})
    shaped(error, "rate_limited")
    code = (await rest_of(ws))[1]
    assert code is not None
    assert 4000 <= code < 4500, "a code that allows reconnecting"
    for old in open_ones:
        assert await say(old, {"id": 1, "type": "ping"}) == {"re": 1, "ok": {}}
    await open_ones[0].close()
    one.token = strict.log_in(one.name).token
    ws, welcome = await greet(strict, {"token": one.token})
    assert welcome["type"] == "welcome"
    for old in [*open_ones[1:], ws]:
        await old.close()


async def test_a_cookie_needs_the_servers_own_origin(house: Server, alice: Account) -> None:
    cookie = cookie_of(house, alice)
    own = f"127.0.0.1:{house.port}"
    assert raw_upgrade(house, Cookie=cookie, Origin=f"http://{own}")[0] == 101
    local = f"localhost:{house.port}"
    assert raw_upgrade(house, Host=local, Cookie=cookie, Origin=f"http://{local}")[0] == 101
    assert raw_upgrade(house, Host="[::1]:80", Cookie=cookie, Origin="http://[::1]:80")[0] == 101
    assert raw_upgrade(house, Host="192.168.1.7", Cookie=cookie, Origin="http://192.168.1.7")[0] == 101
    bad = ["https://evil.example", "null", f"http://{own}.evil.example", f"http://127.0.0.1:{house.port + 1}",
    f"http://x@{own}",
           f"http://{local}", "", f"http://{own}/", "evil"]  # fmt: skip
    for origin in bad:
        status, head, body = raw_upgrade(house, Cookie=cookie, Origin=origin)
        assert status == 403, (origin, head)
        shaped(json.loads(body), "forbidden")
    status, _, body = raw_upgrade(house, Cookie=cookie)
    assert status == 403, "a cookie without an Origin"
    shaped(json.loads(body), "forbidden")


def test_without_a_public_url_a_host_name_is_refused_with_an_explanation(house: Server, alice: Account) -> None:
    cookie = cookie_of(house, alice)
    for name in (
        "chat.example.org",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "1.2.3.4.5",
        "0x7f.1",
        "2130706433",
    ):
        status, _, body = raw_upgrade(house, Host=name, Cookie=cookie, Origin=f"http://{name}")
        assert status == 403, name
        assert "HUBBUB_PUBLIC_URL" in shaped(json.loads(body), "forbidden")["message"]


def test_with_a_public_url_only_that_origin_is_accepted(strict: Server) -> None:
    one = strict.sign_up("public")
    cookie = cookie_of(strict, one)
    assert raw_upgrade(strict, Cookie=cookie, Origin="https://chat.example.org")[0] == 101
    for origin in (
        f"http://127.0.0.1:{strict.port}",
        "http://chat.example.org",
        "https://chat.example.org.evil",
        "https://chat.example.org:8443",
    ):
        assert raw_upgrade(strict, Cookie=cookie, Origin=origin)[0] == 403, origin


async def test_without_a_cookie_any_origin_is_accepted(house: Server, alice: Account) -> None:
    for origin in ("https://evil.example", "null"):
        ws, welcome = await greet(house, {"token": alice.token}, additional_headers={"Origin": origin})
        assert welcome["type"] == "welcome"
        await ws.close()
        ws, welcome = await greet(house, {}, additional_headers={"Origin": origin, **alice.headers})
        assert welcome["type"] == "welcome"
        await ws.close()


async def test_a_bad_token_in_the_header_is_refused_at_hello(house: Server) -> None:
    ws, error = await greet(house, {}, additional_headers={"Authorization": "Bearer x"})
    shaped(error, "unauthenticated")
    assert (await rest_of(ws))[1] == 4501


async def test_a_token_in_the_url_is_ignored(house: Server, alice: Account) -> None:
    ws = await knock(house, f"/ws?token={alice.token}")
    await ws.send('{"type":"hello"}')
    shaped(await hear(ws), "unauthenticated")
    assert (await rest_of(ws))[1] == 4501
    assert alice.token not in house.log_text()


# -- frames


async def test_a_frame_of_64_kib_is_read_and_a_larger_one_closes_with_1009(house: Server, alice: Account) -> None:
    ping = '{"id":1,"type":"ping"}'
    ws, _ = await greet(house, {"token": alice.token})
    await ws.send(ping + " " * (FRAME - len(ping)))
    assert (await reply_to(ws, 1)) == {"re": 1, "ok": {}}
    await ws.send(ping + " " * (FRAME - len(ping) + 1))
    assert (await rest_of(ws))[1] == 1009


async def test_64_fragments_are_read_and_65_are_too_many(house: Server, alice: Account) -> None:
    for number, fits in ((64, True), (65, False)):
        ws, _ = await greet(house, {"token": alice.token})
        ws.protocol.send_text(b'{"id":1,"type":"ping"', fin=False)
        for _ in range(number - 2):
            ws.protocol.send_continuation(b" ", fin=False)
        ws.protocol.send_continuation(b"}", fin=True)
        ws.send_data()
        if fits:
            assert await reply_to(ws, 1) == {"re": 1, "ok": {}}
            await ws.close()
        else:
            assert (await rest_of(ws))[1] == 1009


async def test_a_binary_frame_is_refused(house: Server, alice: Account) -> None:
    ws, _ = await greet(house, {"token": alice.token})
    await ws.send(b'{"id":1,"type":"ping"}')
    heard, code = await rest_of(ws)
    assert code == 1003 or shaped(json.loads(heard[0]), "bad_request")


async def test_invalid_utf8_closes_with_1007(house: Server, alice: Account) -> None:
    ws, _ = await greet(house, {"token": alice.token})
    ws.protocol.send_text(b"\xff\xfe")
    ws.send_data()
    assert (await rest_of(ws))[1] == 1007


def test_compression_is_declined(house: Server) -> None:
    status, head, _ = raw_upgrade(house, Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
    assert status == 101
    assert "sec-websocket-extensions" not in head
    assert "sec-websocket-protocol: hubbub.v1" in head


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_WebSocket_Version": "12"}, 400),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Protocol": "other"}, 101),
    ],
)
def test_a_wrong_handshake_is_refused(house: Server, headers: dict[str, str], status: int) -> None:
    got, head, _ = raw_upgrade(house, **headers)
    assert got == status, head
    if status == 101:
        assert "sec-websocket-protocol" not in head


def test_a_get_without_an_upgrade_answers_an_error(house: Server) -> None:
    answer = ask(house, "GET", "/ws")
    assert answer.status_code in (400, 404, 426)
    assert "error" in answer.json()
    refused(ask(house, "POST", "/ws"), answer.json()["error"]["code"], answer.status_code)
