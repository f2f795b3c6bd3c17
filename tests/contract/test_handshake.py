"""Sections 4 and 4.1, Settings.

Which handshakes /ws accepts, and the limits of frames.
"""

import json
import time

import pytest

from tests.contract.client import (
    cookie_of,
    expect_error,
    expect_error_body,
    greet,
    open_socket,
    raw_upgrade,
    receive,
    receive_rest,
    reply_to,
    request,
    send,
)
from tests.support.server import Account, Server
from tests.support.timing import three_attempts, within

FRAME = 65_536


# -- handshakes


@three_attempts
async def test_a_silent_connection_is_closed_at_the_hello_deadline(strict: Server) -> None:
    begun = time.monotonic()
    with within(2.5):
        ws = await open_socket(strict)
        assert (await receive_rest(ws))[1] == 4501
    assert time.monotonic() - begun > 0.4


async def test_over_the_connection_limit_the_newest_connection_is_rejected(strict: Server) -> None:
    one = strict.sign_up("many")
    one.token = strict.log_in(one.name).token
    open_ones = [(await greet(strict, {"token": one.token}))[0] for _ in range(3)]
    ws, error = await greet(strict, {"token": one.token})
    expect_error_body(error, "rate_limited")
    code = (await receive_rest(ws))[1]
    assert code is not None
    assert 4000 <= code < 4500, "a code that allows reconnecting"
    for old in open_ones:
        assert await send(old, {"id": 1, "type": "ping"}) == {"re": 1, "ok": {}}
    await open_ones[0].close()
    one.token = strict.log_in(one.name).token
    ws, welcome = await greet(strict, {"token": one.token})
    assert welcome["type"] == "welcome"
    for old in [*open_ones[1:], ws]:
        await old.close()


async def test_a_cookie_needs_the_servers_own_origin(open_server: Server, alice: Account) -> None:
    cookie = cookie_of(open_server, alice)
    own = f"127.0.0.1:{open_server.port}"
    assert raw_upgrade(open_server, Cookie=cookie, Origin=f"http://{own}")[0] == 101
    local = f"localhost:{open_server.port}"
    assert raw_upgrade(open_server, Host=local, Cookie=cookie, Origin=f"http://{local}")[0] == 101
    assert raw_upgrade(open_server, Host="[::1]:80", Cookie=cookie, Origin="http://[::1]:80")[0] == 101
    assert raw_upgrade(open_server, Host="192.168.1.7", Cookie=cookie, Origin="http://192.168.1.7")[0] == 101
    bad = ["https://evil.example", "null", f"http://{own}.evil.example", f"http://127.0.0.1:{open_server.port + 1}",
    f"http://x@{own}",
           f"http://{local}", "", f"http://{own}/", "evil"]  # fmt: skip
    for origin in bad:
        status, head, body = raw_upgrade(open_server, Cookie=cookie, Origin=origin)
        assert status == 403, (origin, head)
        expect_error_body(json.loads(body), "forbidden")
    status, _, body = raw_upgrade(open_server, Cookie=cookie)
    assert status == 403, "a cookie without an Origin"
    expect_error_body(json.loads(body), "forbidden")


def test_without_a_public_url_a_host_name_is_refused_with_an_explanation(open_server: Server, alice: Account) -> None:
    cookie = cookie_of(open_server, alice)
    for name in (
        "chat.example.org",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "1.2.3.4.5",
        "0x7f.1",
        "2130706433",
    ):
        status, _, body = raw_upgrade(open_server, Host=name, Cookie=cookie, Origin=f"http://{name}")
        assert status == 403, name
        assert "HUBBUB_PUBLIC_URL" in expect_error_body(json.loads(body), "forbidden")["message"]


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


async def test_without_a_cookie_any_origin_is_accepted(open_server: Server, alice: Account) -> None:
    for origin in ("https://evil.example", "null"):
        ws, welcome = await greet(open_server, {"token": alice.token}, additional_headers={"Origin": origin})
        assert welcome["type"] == "welcome"
        await ws.close()
        ws, welcome = await greet(open_server, {}, additional_headers={"Origin": origin, **alice.headers})
        assert welcome["type"] == "welcome"
        await ws.close()


async def test_a_bad_token_in_the_header_is_refused_at_hello(open_server: Server) -> None:
    ws, error = await greet(open_server, {}, additional_headers={"Authorization": "Bearer x"})
    expect_error_body(error, "unauthenticated")
    assert (await receive_rest(ws))[1] == 4501


async def test_a_token_in_the_url_is_ignored(open_server: Server, alice: Account) -> None:
    ws = await open_socket(open_server, f"/ws?token={alice.token}")
    await ws.send('{"type":"hello"}')
    expect_error_body(await receive(ws), "unauthenticated")
    assert (await receive_rest(ws))[1] == 4501
    assert alice.token not in open_server.log_text()


# -- frames


async def test_a_frame_of_64_kib_is_read_and_a_larger_one_closes_with_1009(open_server: Server, alice: Account) -> None:
    ping = '{"id":1,"type":"ping"}'
    ws, _ = await greet(open_server, {"token": alice.token})
    await ws.send(ping + " " * (FRAME - len(ping)))
    assert (await reply_to(ws, 1)) == {"re": 1, "ok": {}}
    await ws.send(ping + " " * (FRAME - len(ping) + 1))
    assert (await receive_rest(ws))[1] == 1009


async def test_64_fragments_are_read_and_65_are_too_many(open_server: Server, alice: Account) -> None:
    for number, fits in ((64, True), (65, False)):
        ws, _ = await greet(open_server, {"token": alice.token})
        ws.protocol.send_text(b'{"id":1,"type":"ping"', fin=False)
        for _ in range(number - 2):
            ws.protocol.send_continuation(b" ", fin=False)
        ws.protocol.send_continuation(b"}", fin=True)
        ws.send_data()
        if fits:
            assert await reply_to(ws, 1) == {"re": 1, "ok": {}}
            await ws.close()
        else:
            assert (await receive_rest(ws))[1] == 1009


async def test_a_binary_frame_is_refused(open_server: Server, alice: Account) -> None:
    ws, _ = await greet(open_server, {"token": alice.token})
    await ws.send(b'{"id":1,"type":"ping"}')
    received, code = await receive_rest(ws)
    assert code == 1003 or expect_error_body(json.loads(received[0]), "bad_request")


async def test_invalid_utf8_closes_with_1007(open_server: Server, alice: Account) -> None:
    ws, _ = await greet(open_server, {"token": alice.token})
    ws.protocol.send_text(b"\xff\xfe")
    ws.send_data()
    assert (await receive_rest(ws))[1] == 1007


def test_compression_is_declined(open_server: Server) -> None:
    status, head, _ = raw_upgrade(open_server, Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
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
def test_a_wrong_handshake_is_refused(open_server: Server, headers: dict[str, str], status: int) -> None:
    got, head, _ = raw_upgrade(open_server, **headers)
    assert got == status, head
    if status == 101:
        assert "sec-websocket-protocol" not in head


def test_a_get_without_an_upgrade_answers_an_error(open_server: Server) -> None:
    answer = request(open_server, "GET", "/ws")
    assert answer.status_code in (400, 404, 426)
    assert "error" in answer.json()
    expect_error(request(open_server, "POST", "/ws"), answer.json()["error"]["code"], answer.status_code)
