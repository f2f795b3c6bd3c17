"""Identities of a host application: names, roles and revocation."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from hubbub import Identity
from hubbub.domain.identities import names_for
from hubbub.domain.names import check_user_name
from tests.mounted.host_app import ORIGIN, HostApp
from tests.support.asgi_socket import Socket


async def name_of(host: HostApp, token: str) -> str:
    answer = await host.ask("GET", "/users/me", token)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["name"])


async def id_of(host: HostApp, token: str) -> int:
    return int((await host.ask("GET", "/users/me", token)).json()["id"])


async def test_the_same_name_from_two_issuers_makes_two_users(host: HostApp) -> None:
    host.people = {
        "one": Identity("app-a", "7", "Anna"), "two": Identity("app-b", "7", "Anna"),
        "three": Identity("app-a", "8", "ANNA"), "four": Identity("app-a", "9", "Аnna"),
    }  # fmt: skip
    names = [await name_of(host, token) for token in host.people]
    assert names == ["Anna", "Anna-2", "ANNA-3", "person"]
    assert len({await id_of(host, token) for token in host.people}) == 4
    again = Identity("app-a", "7", "Anna")
    host.people["other log-in"] = again
    assert await id_of(host, "other log-in") == await id_of(host, "one")


async def test_a_new_name_and_role_in_the_host_application_are_followed(host: HostApp) -> None:
    host.people = {"a": Identity("app", "1", "Anna"), "b": Identity("app", "2", "Bea")}
    first = await id_of(host, "a")
    await id_of(host, "b")
    host.people["a"] = Identity("app", "1", "Hanna", "admin")
    answer = (await host.ask("GET", "/users/me", "a")).json()
    assert (answer["id"], answer["name"], answer["role"]) == (first, "Hanna", "admin")
    host.people["b"] = Identity("app", "2", "Anna")
    assert await name_of(host, "b") == "Anna", "the old name is free again"
    host.people["a"] = Identity("app", "1", "anna")
    assert await name_of(host, "a") == "anna-2"
    host.people["a"] = Identity("app", "1", "Anna-2")
    assert await name_of(host, "a") == "Anna-2", "a user's own name does not conflict with itself"


async def test_concurrent_first_requests_of_an_identity_create_one_account(host: HostApp) -> None:
    host.people = {"a": Identity("app", "1", "Anna")}
    assert len(set(await asyncio.gather(*(id_of(host, "a") for _ in range(10))))) == 1


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("Anna Maria  Schmidt", "Anna.Maria.Schmidt"), ("anna@example.org", "anna"), ("", "person"), ("…", "person"),
        ("everyone", "everyone"), ("a" * 100, "a" * 32), ("名前", "名前"), ("Аnna", "person"), ("a\x00b\ud800c", "abc"),
        ("-.x", "x"), ("\u202eevil", "evil"), ("@", "person"),
    ],
)  # fmt: skip
def test_a_name_is_changed_as_little_as_needed(wanted: str, got: str) -> None:
    names = list(names_for(Identity("app", "1", wanted)))
    assert names[0] == got
    assert len(set(names)) == len(names)
    for name in names:
        assert check_user_name(name) == name
    assert names[-1] != list(names_for(Identity("app", "2", wanted)))[-1]


async def test_a_name_that_no_database_could_store_is_cleaned_and_cut(host: HostApp) -> None:
    host.people = {"a": Identity("app", "1", "an\x00na\ud800"), "b": Identity("app", "2", "b" * 10_000_000)}
    assert host.people["a"].name == "anna"
    assert len(host.people["b"].name) == 1020
    assert await name_of(host, "a") == "anna"
    assert await name_of(host, "b") == "b" * 32
    assert await id_of(host, "a") == await id_of(host, "a")


async def test_reserved_words_do_not_become_names(host: HostApp) -> None:
    host.people = {"a": Identity("app", "1", "everyone"), "b": Identity("app", "2", "deleted-7")}
    assert await name_of(host, "a") == "everyone-2"
    assert "deleted-" not in await name_of(host, "b")


@pytest.mark.parametrize(
    "parts",
    [
        ("", "1", "x"), ("app", "", "x"), ("app", "x" * 256, "x"), ("app", "a\x00", "x"), ("app", 7, "x"),
        ("app", "1", None), ("app", "1", "x", "guest"), ("app", "1", "x", "king"),
        ("app", "1", "x", "member", "today"), ("app", "1", "x", "member", True), ("app", "1", "x", "member", -1.0),
        ("app", "1", "x", "member", float("nan")), ("app", "1", "x", "member", 1_700_000_000_000),
        ("app", "1", "x", "member", datetime(2026, 1, 1)),  # noqa: DTZ001  no time zone
    ],
)  # fmt: skip
def test_an_invalid_identity_is_refused_in_its_constructor(parts: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"Identity|contain"):
        Identity(*parts)


# -- between authentication and admission


@pytest.mark.parametrize("known", [False, True])
async def test_a_log_out_during_authentication_keeps_the_user_out(host: HostApp, known: bool) -> None:
    """The host application looks the user up, then revokes the log-in.

    Only then its answer arrives.
    """
    host.people = {"a": Identity("app", "1", "Anna")}
    if known:
        await id_of(host, "a")
    host.hold()
    socket = Socket(host.hubbub.app)
    greeting = asyncio.ensure_future(socket.greet("a"))
    await host.waiting.wait()
    await host.hubbub.revoke("1", issuer="app")
    host.gate.set()
    assert (await greeting)["error"]["code"] == "unauthenticated"
    assert await socket.hear() == {"closed": 4501}
    await socket.leave()


async def test_a_request_authenticated_before_a_log_out_is_refused(host: HostApp) -> None:
    host.people = {"a": Identity("app", "1", "Anna")}
    host.hold()
    request = asyncio.ensure_future(host.ask("GET", "/users/me", "a"))
    await host.waiting.wait()
    await host.hubbub.revoke("1", issuer="app")
    host.gate.set()
    assert (await request).status_code == 401


async def test_control_a_user_authenticated_after_a_log_out_is_admitted(host: HostApp) -> None:
    host.people = {"a": Identity("app", "1", "Anna"), "b": Identity("app", "2", "Bea")}
    await host.hubbub.revoke("1", issuer="app")
    host.hold()
    socket = Socket(host.hubbub.app)
    greeting = asyncio.ensure_future(socket.greet("a"))
    await host.waiting.wait()
    await host.hubbub.revoke("2", issuer="app")  # This revocation concerns another user.
    await host.hubbub.revoke("1", issuer="another place")
    host.gate.set()
    assert (await greeting)["type"] == "welcome"
    await host.hubbub.revoke("1", issuer="app")
    assert await socket.hear() == {"closed": 4503}
    await socket.leave()


async def test_two_different_credentials_are_refused(host: HostApp) -> None:
    host.people = {"a": Identity("app", "1", "Anna"), "b": Identity("app", "2", "Bea")}
    for shown, said, good in (
        ("a", "b", False), ("a", "a", True), ("a", None, True), (None, "a", True), (None, None, False),
        (None, "a\r\nCookie: app=b", False), (None, "ä", False),
    ):  # fmt: skip
        headers = {"Authorization": f"Bearer {shown}", "Origin": ORIGIN} if shown else {"Origin": ORIGIN}
        socket = Socket(host.hubbub.app, headers=headers)
        first = await socket.greet(said)
        assert (first.get("type") == "welcome") is good, (shown, said, first)
        await socket.leave()
