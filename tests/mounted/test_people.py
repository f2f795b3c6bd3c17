"""Who is who: issuer and subject, never the name; what happens between recognising somebody and letting him in."""

import asyncio

import pytest

from hubbub import Identity
from hubbub.domain.identities import names_for
from hubbub.domain.names import check_user_name
from tests.mounted.around import ORIGIN, AppAround
from tests.support.asgi_socket import Socket


async def name_of(around: AppAround, token: str) -> str:
    answer = await around.ask("GET", "/users/me", token)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["name"])


async def id_of(around: AppAround, token: str) -> int:
    return int((await around.ask("GET", "/users/me", token)).json()["id"])


async def test_two_places_that_call_somebody_the_same_are_two_people(around: AppAround) -> None:
    around.people = {
        "one": Identity("place-a", "7", "Anna"), "two": Identity("place-b", "7", "Anna"),
        "three": Identity("place-a", "8", "ANNA"), "four": Identity("place-a", "9", "Аnna"),
    }  # fmt: skip
    names = [await name_of(around, token) for token in around.people]
    assert names == ["Anna", "Anna-2", "ANNA-3", "person"]
    assert len({await id_of(around, token) for token in around.people}) == 4
    again = Identity("place-a", "7", "Anna")
    around.people["other log-in"] = again
    assert await id_of(around, "other log-in") == await id_of(around, "one")


async def test_a_new_name_and_a_new_role_at_the_app_are_followed(around: AppAround) -> None:
    around.people = {"a": Identity("app", "1", "Anna"), "b": Identity("app", "2", "Bea")}
    first = await id_of(around, "a")
    await id_of(around, "b")
    around.people["a"] = Identity("app", "1", "Hanna", "admin")
    answer = (await around.ask("GET", "/users/me", "a")).json()
    assert (answer["id"], answer["name"], answer["role"]) == (first, "Hanna", "admin")
    around.people["b"] = Identity("app", "2", "Anna")
    assert await name_of(around, "b") == "Anna", "it is free again"
    around.people["a"] = Identity("app", "1", "anna")
    assert await name_of(around, "a") == "anna-2"
    around.people["a"] = Identity("app", "1", "Anna-2")
    assert await name_of(around, "a") == "Anna-2", "one's own name is no obstacle"


async def test_two_first_sights_at_once_are_one_account(around: AppAround) -> None:
    around.people = {"a": Identity("app", "1", "Anna")}
    assert len(set(await asyncio.gather(*(id_of(around, "a") for _ in range(10))))) == 1


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


async def test_a_name_that_no_store_could_take_costs_nobody_anything(around: AppAround) -> None:
    around.people = {"a": Identity("app", "1", "an\x00na\ud800"), "b": Identity("app", "2", "b" * 10_000_000)}
    assert around.people["a"].name == "anna"
    assert len(around.people["b"].name) == 1020
    assert await name_of(around, "a") == "anna"
    assert await name_of(around, "b") == "b" * 32
    assert await id_of(around, "a") == await id_of(around, "a")


async def test_a_word_that_means_everybody_is_nobodys_name(around: AppAround) -> None:
    around.people = {"a": Identity("app", "1", "everyone"), "b": Identity("app", "2", "deleted-7")}
    assert await name_of(around, "a") == "everyone-2"
    assert "deleted-" not in await name_of(around, "b")


@pytest.mark.parametrize(
    "parts",
    [
        ("", "1", "x"), ("app", "", "x"), ("app", "x" * 256, "x"), ("app", "a\x00", "x"), ("app", 7, "x"),
        ("app", "1", None), ("app", "1", "x", "guest"), ("app", "1", "x", "king"),
    ],
)  # fmt: skip
def test_an_identity_that_cannot_be_kept_apart_is_refused_where_it_is_made(parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"Identity|contain"):
        Identity(*parts)


# -- between recognising and letting in


@pytest.mark.parametrize("known", [False, True])
async def test_who_is_logged_out_while_he_is_recognised_does_not_come_in(around: AppAround, known: bool) -> None:
    """The app looked him up, then ended his log-in and said so; only then its answer arrives."""
    around.people = {"a": Identity("app", "1", "Anna")}
    if known:
        await id_of(around, "a")
    around.hold()
    socket = Socket(around.hubbub.app)
    greeting = asyncio.ensure_future(socket.greet("a"))
    await around.waiting.wait()
    await around.hubbub.revoke("1", issuer="app")
    around.gate.set()
    assert (await greeting)["error"]["code"] == "unauthenticated"
    assert await socket.hear() == {"closed": 4501}
    await socket.leave()


async def test_a_request_that_was_recognised_before_a_log_out_is_nobodys(around: AppAround) -> None:
    around.people = {"a": Identity("app", "1", "Anna")}
    around.hold()
    request = asyncio.ensure_future(around.ask("GET", "/users/me", "a"))
    await around.waiting.wait()
    await around.hubbub.revoke("1", issuer="app")
    around.gate.set()
    assert (await request).status_code == 401


async def test_control_who_is_recognised_after_a_log_out_comes_in(around: AppAround) -> None:
    around.people = {"a": Identity("app", "1", "Anna"), "b": Identity("app", "2", "Bea")}
    await around.hubbub.revoke("1", issuer="app")
    around.hold()
    socket = Socket(around.hubbub.app)
    greeting = asyncio.ensure_future(socket.greet("a"))
    await around.waiting.wait()
    await around.hubbub.revoke("2", issuer="app")  # somebody else's
    await around.hubbub.revoke("1", issuer="another place")
    around.gate.set()
    assert (await greeting)["type"] == "welcome"
    await around.hubbub.revoke("1", issuer="app")
    assert await socket.hear() == {"closed": 4503}
    await socket.leave()


async def test_two_credentials_that_differ_are_nobodys(around: AppAround) -> None:
    around.people = {"a": Identity("app", "1", "Anna"), "b": Identity("app", "2", "Bea")}
    for shown, said, good in (
        ("a", "b", False), ("a", "a", True), ("a", None, True), (None, "a", True), (None, None, False),
        (None, "a\r\nCookie: app=b", False), (None, "ä", False),
    ):  # fmt: skip
        headers = {"Authorization": f"Bearer {shown}", "Origin": ORIGIN} if shown else {"Origin": ORIGIN}
        socket = Socket(around.hubbub.app, headers=headers)
        first = await socket.greet(said)
        assert (first.get("type") == "welcome") is good, (shown, said, first)
        await socket.leave()
