"""The host application provisions, looks up, changes and deletes users, and has bots."""

import asyncio
from pathlib import Path

import pytest

from hubbub import Hubbub, Identity
from hubbub.domain.commands import CreateAccount
from hubbub.domain.model import SYSTEM
from hubbub.errors import BadRequest, Conflict, Forbidden, NotFound
from hubbub.host import BOTS, Role, Unread
from tests.mounted.host_app import HostApp
from tests.support.asgi_socket import Socket

ADA, BOB = Identity("app", "1", "Ada"), Identity("app", "2", "Bob")


async def test_a_provisioned_user_is_the_one_who_visits_later(chat: HostApp) -> None:
    users = chat.hubbub.users
    assert await users.get(("app", "1")) is None
    created = await users.provision(ADA)
    assert (created.name, created.role, created.bot, created.issuer, created.subject) == (
        "Ada", Role.MEMBER, False, "app", "1",
    )  # fmt: skip
    assert await users.provision(ADA) == created == await users.get(created.id) == await users.get(("app", "1"))
    chat.people = {"a": ADA}
    assert (await chat.ask("GET", "/users/me", "a")).json()["id"] == created.id


async def test_a_user_who_is_provisioned_many_times_at_once_has_one_account(chat: HostApp) -> None:
    found = await asyncio.gather(*(chat.hubbub.users.provision(ADA) for _ in range(20)))
    assert len({user.id for user in found}) == 1


async def test_names_and_roles_change_as_at_a_visit(chat: HostApp) -> None:
    users = chat.hubbub.users
    ada, bob = await users.provision(ADA), await users.provision(BOB)
    assert (await users.rename(ADA, "Bob")).name == "Bob-2"
    assert (await users.rename(bob, "Bob Schmidt")).name == "Bob.Schmidt"
    assert (await users.rename(ada.id, "Bob")).name == "Bob"
    assert (await users.set_role(("app", "2"), "admin")).role is Role.ADMIN
    chat.people = {"b": Identity("app", "2", "Bob Schmidt", "admin")}
    me = (await chat.ask("GET", "/users/me", "b")).json()
    assert (me["id"], me["name"], me["role"]) == (bob.id, "Bob.Schmidt", "admin")
    with pytest.raises(ValueError, match="role"):
        await users.set_role(bob, "guest")
    with pytest.raises(NotFound):
        await users.rename(999, "Nobody")


async def test_a_name_and_a_role_that_are_changed_at_once_are_both_kept(chat: HostApp) -> None:
    users = chat.hubbub.users
    ada = await users.provision(ADA)
    for number in range(5):
        await asyncio.gather(
            users.rename(ada, f"Ada{number}"), users.set_role(ada, "admin" if number % 2 else "member")
        )
        now = await users.get(ada)
        assert now is not None
        assert (now.name, now.role) == (f"Ada{number}", "admin" if number % 2 else "member")


async def test_a_disabled_user_is_cut_off_at_once_until_enabled(chat: HostApp) -> None:
    chat.people = {"a": ADA}
    await chat.hubbub.users.provision(ADA)
    socket = Socket(chat.hubbub.app)
    await socket.greet("a")
    await chat.hubbub.users.disable(ADA)
    assert await socket.hear() == {"closed": 4510}
    await socket.leave()
    assert (await chat.ask("GET", "/users/me", "a")).status_code == 403
    await chat.hubbub.users.disable(ADA)
    found = await chat.hubbub.users.get(("app", "1"))
    assert found is not None
    assert (found.disabled, found.deleted) == (True, False)
    await chat.hubbub.users.enable(ADA)
    assert (await chat.ask("GET", "/users/me", "a")).status_code == 200


async def test_a_deleted_user_keeps_nothing_but_messages_and_may_not_come_back(chat: HostApp) -> None:
    chat.people = {"a": ADA, "b": BOB}
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42", members=[ADA, BOB])
    await chat.hubbub.messages.post(room, "hello", by=ADA)
    ada = await chat.hubbub.users.get(ADA)
    assert ada is not None
    await chat.hubbub.users.delete(ADA)
    await chat.hubbub.users.delete(ada)
    found = await chat.hubbub.users.get(ada.id)
    assert found is not None
    assert (found.deleted, found.name) == (True, f"deleted-{ada.id}")
    page = (await chat.ask("GET", f"/api/rooms/{room.id}/messages", "b")).json()["messages"]
    assert [(each["body"], each["name"]) for each in page] == [("hello", f"deleted-{ada.id}")]
    assert (await chat.ask("GET", "/users/me", "a")).status_code == 403
    assert ada.id not in await chat.hubbub.rooms.members(room)
    for call in (chat.hubbub.users.rename(ada, "Ada"), chat.hubbub.users.disable(ada)):
        with pytest.raises(NotFound):
            await call


async def test_a_bot_has_one_account_for_each_key_and_no_request_is_that_of_a_bot(chat: HostApp) -> None:
    users = chat.hubbub.users
    first = await users.bot()
    orders = await users.bot("orders", name="Order Desk")
    assert (orders.name, orders.bot, orders.issuer, orders.subject) == ("Order.Desk", True, BOTS, "orders")
    assert await users.bot("orders") == orders == await users.get((BOTS, "orders"))
    assert (await users.bot("orders", name="Orders")).name == "Orders"
    assert (await users.bot()).id == first.id != orders.id
    with pytest.raises(ValueError, match="reserved"):
        Identity(BOTS, "orders", "Eve")
    with pytest.raises(ValueError, match="Identity"):
        await users.bot("")
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42")
    with pytest.raises(NotFound):
        await chat.hubbub.messages.post(room, "I am no member", by=orders)
    await chat.hubbub.rooms.add_members(room, [orders])
    await chat.hubbub.messages.post(room, "I am one", by=(BOTS, "orders"))
    await users.delete(orders)
    with pytest.raises(Conflict, match="another key"):
        await users.bot("orders")


async def test_a_bot_may_own_more_rooms_than_a_user_may_be_in(chat: HostApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.storage.rooms.MAX_ROOMS", 3)
    for number in range(5):
        await chat.hubbub.rooms.room_for(f"order:{number}", name="Order")
    for number in range(3):
        await chat.hubbub.rooms.add_members(f"order:{number}", [ADA])
    with pytest.raises(Conflict):
        await chat.hubbub.rooms.add_members("order:3", [ADA])


async def test_a_bot_in_very_many_rooms_is_neither_disabled_nor_deleted(
    chat: HostApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.features.accounts.MAX_BOT_ROOMS", 3)
    bot = await chat.hubbub.users.bot()
    for number in range(3):  # and the lobby
        await chat.hubbub.rooms.room_for(f"order:{number}", name="Order")
    for call in (chat.hubbub.users.disable(bot), chat.hubbub.users.delete(bot)):
        with pytest.raises(Conflict, match="rooms"):
            await call
    await chat.hubbub.rooms.remove_members("order:0", [bot])
    await chat.hubbub.users.disable(bot)


async def test_unread_counts_are_those_of_the_web_client(chat: HostApp) -> None:
    chat.people = {"a": ADA}
    hubbub = chat.hubbub
    first = await hubbub.rooms.room_for("order:1", name="Order 1", members=[ADA, BOB])
    second = await hubbub.rooms.room_for("order:2", name="Order 2", members=[ADA, BOB])
    assert await hubbub.users.unread(ADA) == Unread(0, 0, {})
    for body in ("one", "two @Ada", "three"):
        await hubbub.messages.post(first, body)
    await hubbub.messages.post(second, "@Ada")
    await hubbub.messages.post(second, "and more")
    unread = await hubbub.users.unread(("app", "1"))
    assert (unread.messages, unread.mentions) == (5, 2)
    assert {room: (each.messages, each.mentions, each.muted) for room, each in unread.rooms.items()} == {
        first.id: (3, 1, False),
        second.id: (2, 1, False),
    }
    rooms = (await chat.ask("GET", "/api/rooms", "a")).json()["rooms"]
    assert {room["id"]: room["unread_count"] for room in rooms if room.get("unread_count")} == {
        room: each.messages for room, each in unread.rooms.items()
    }
    await chat.ask("PATCH", f"/api/rooms/{second.id}/preferences", "a", json={"muted": True})
    await chat.ask("POST", f"/api/rooms/{first.id}/read", "a", json={"seq": first_head(rooms, first.id)})
    unread = await hubbub.users.unread(ADA)
    assert (unread.messages, unread.mentions, list(unread.rooms)) == (1, 1, [second.id])
    with pytest.raises(NotFound):
        await hubbub.users.unread(999)


def first_head(rooms: list[dict[str, int]], room: int) -> int:
    return next(each["head"] for each in rooms if each["id"] == room)


async def test_own_accounts_can_be_renamed_to_free_names_and_the_last_owner_stays(tmp_path: Path) -> None:
    hubbub = Hubbub(data=tmp_path / "chat")
    async with hubbub.lifespan():
        services = hubbub._host.services
        ids = {}
        for name, role in (("ada", Role.OWNER), ("bob", None)):
            command = CreateAccount(username=name, password_hash="x", role=role)
            ids[name] = (await services.journal.submit(command, SYSTEM)).answer["user"].id
        assert (await hubbub.users.rename(ids["bob"], "Robert")).name == "Robert"
        for taken in ("ADA", "hubbub"):
            with pytest.raises(Conflict):
                await hubbub.users.rename(ids["bob"], taken)
        with pytest.raises(BadRequest):
            await hubbub.users.rename(ids["bob"], "two words")
        with pytest.raises(Forbidden, match="last owner"):
            await hubbub.users.set_role(ids["ada"], "member")
        assert (await hubbub.users.set_role(ids["bob"], "owner")).role is Role.OWNER
        assert (await hubbub.users.set_role(ids["ada"], "member")).role is Role.MEMBER
        found = await hubbub.users.get(ids["ada"])
        assert found is not None
        assert (found.issuer, found.subject) == (None, None)
