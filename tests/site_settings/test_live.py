"""Connections to a running server follow changes of the settings."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.client import Connection
from tests.support.lines import end, enter, fresh, line
from tests.support.server import Account, Server
from tests.support.waiting import eventually

PATIENCE = 60.0


@pytest.fixture(scope="module")
def owner(server: Server) -> Account:
    return server.create_owner()


@pytest.fixture(autouse=True)
def defaults(owner: Account) -> Iterator[None]:
    """Unset everything after the test."""
    yield
    for name in ("name", "guests"):
        assert owner.request("DELETE", f"/api/settings/{name}").is_success


async def put(owner: Account, name: str, value: object) -> None:
    answer = await asyncio.to_thread(owner.request, "PUT", f"/api/settings/{name}", json={"value": value})
    assert answer.status_code == 200, answer.text


async def test_every_user_hears_of_a_new_name_once_and_in_the_log_of_the_site(server: Server, owner: Account) -> None:
    anna = await asyncio.to_thread(server.sign_up, "anna")
    async with await Connection.open(server.websocket_url, anna.token) as connection:
        await put(owner, "retention_days", 30)
        await put(owner, "name", "Acme")
        await eventually(lambda: connection.of_type("site.updated"), PATIENCE, "the event arrives")
        await connection.ping()
        (event,) = connection.of_type("site.updated")
        assert (event["topic"], event["changes"]) == ("site", {"name": "Acme"})
        assert connection.of_type("setting.changed") == [], "the internal event stays inside"
    assert anna.log("site")[-1] == event
    await asyncio.to_thread(owner.request, "DELETE", "/api/settings/retention_days")


async def test_guests_may_enter_as_soon_as_the_setting_says_so_and_no_longer(server: Server, owner: Account) -> None:
    assert (await end(await enter(server, fresh())))[1] == 4501
    await put(owner, "guests", True)
    stays = await enter(server, fresh())
    assert "joined the chat" in await line(stays)
    await put(owner, "guests", False)
    said, code = await end(await enter(server, fresh()))
    assert (code, said) == (4501, ["Error: Guests are not allowed on this server. Log in first."])
    await stays.send("still here")
    assert "still here" in await line(stays), "a guest who is connected stays"
    await stays.close()
