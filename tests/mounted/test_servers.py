"""Subprotocol, errors, limits and close codes do not depend on the ASGI server."""

import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.mounted.conftest import ON_ALL_SERVERS
from tests.support.client import Connection, raw_connect
from tests.support.lines import end, enter
from tests.support.mounted import MountedServer

WITHIN = 20.0


@ON_ALL_SERVERS
async def test_the_requested_subprotocol_is_accepted(example: MountedServer) -> None:
    async with await Connection.open(example.websocket_url, example.sign_up().token) as connection:
        assert connection.socket.subprotocol == "hubbub.v1"


@ON_ALL_SERVERS
async def test_a_refused_handshake_has_a_status_and_an_error_body(example: MountedServer) -> None:
    cookie = {"Cookie": f"app_session={example.sign_up().token}"}
    with pytest.raises(InvalidStatus) as refused:
        await raw_connect(example.websocket_url, additional_headers=cookie, origin=Origin("http://evil.example"))
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["error"]["code"] == "forbidden"


@ON_ALL_SERVERS
@pytest.mark.parametrize(("message", "code"), [("x" * 65_537, 1009), (b"{}", 1003)])
async def test_a_message_that_is_too_big_or_binary_closes_with_its_code(
    example: MountedServer, message: str | bytes, code: int
) -> None:
    connection = await Connection.open(example.websocket_url, example.sign_up().token)
    await connection.socket.send(message)
    assert await connection.wait_closed(WITHIN) == code


@ON_ALL_SERVERS
async def test_a_plain_text_client_is_refused_with_a_line_and_a_code(example: MountedServer) -> None:
    account, other = example.sign_up(), example.sign_up()
    said, code = await end(await enter(example, other.name, headers=account.headers))
    assert code == 4502
    assert [line.startswith("Error: ") for line in said] == [True]
