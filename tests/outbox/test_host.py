"""`Hubbub(outbox=…)`: posts of the host's transactions become messages of its bots and users."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hubbub import Hubbub, Identity
from hubbub.outbox import Outbox
from hubbub.settings import WrongSetting
from tests.mounted.host_app import ORIGIN
from tests.outbox.conftest import ENGINES
from tests.outbox.host import Host, host_at
from tests.support.waiting import eventually

DEADLINE = 30.0
ADA = Identity("app", "1", "Ada")


async def nobody(connection: object) -> None:
    return None


@asynccontextmanager
async def running(outbox: Outbox, data: Path, **settings: Any) -> AsyncIterator[Hubbub]:
    hubbub = Hubbub(authenticate=nobody, origins=[ORIGIN], data=data, outbox=outbox, **settings)
    async with hubbub.lifespan():
        yield hubbub


async def said(hubbub: Hubbub, room: str) -> list[tuple[str, str]]:
    """Return author and text of the messages of a room."""

    def query(connection: Any) -> list[tuple[str, str]]:
        rows = connection.execute(
            text(
                "SELECT users.name, messages.body FROM messages JOIN users ON users.id = messages.author "
                "JOIN host_rooms ON host_rooms.room = messages.room WHERE host_rooms.key = :room ORDER BY messages.seq"
            ),
            {"room": room},
        )
        return [tuple(row) for row in rows]

    return await hubbub._host.read(query)


async def empty(host: Host) -> None:
    await eventually(lambda: host.waiting() == 0, DEADLINE, "no row waits")


@ENGINES
async def test_posts_open_their_room_and_come_from_bots_and_users(host: Host, tmp_path: Path) -> None:
    async with running(host.outbox, tmp_path / "chat") as hubbub:
        host.post("received", room="order:7", as_bot="Orders", room_name="Order 7", members=[ADA])
        host.post("by the host's own bot", room="order:7", as_bot=None)
        host.post("thanks", room="order:7", as_user=("app", "1"))
        host.post("packed", "shipped", room="order:7", as_bot="Orders")
        await empty(host)
        messages = await said(hubbub, "order:7")
        assert [body for _, body in messages] == ["received", "by the host's own bot", "thanks", "packed", "shipped"]
        assert [name for name, _ in messages[:1] + messages[2:]] == ["Orders", "Ada", "Orders", "Orders"]
        room = await hubbub.rooms.get("order:7")
        assert room is not None
        assert room.name == "Order 7"
        ada = await hubbub.users.get(ADA)
        assert ada is not None
        assert await hubbub.rooms.members("order:7") == {ada.id}
        assert host.dead() == []


@ENGINES
async def test_posts_that_have_no_room_or_no_author_are_given_up(host: Host, tmp_path: Path) -> None:
    async with running(host.outbox, tmp_path / "chat") as hubbub:
        await hubbub.rooms.room_for("order:1", name="Order 1", members=[ADA])
        await hubbub.users.disable(ADA)
        (nowhere,) = host.post("no such room", room="order:8")
        (unknown,) = host.post("no such user", as_user=("app", "9"))
        (disabled,) = host.post("disabled", as_user=("app", "1"))
        host.post("the rest goes on", as_bot=None)
        await empty(host)
        assert {key for key, _ in host.dead()} == {nowhere, unknown, disabled}
        assert all(reason for _, reason in host.dead()), host.dead()
        assert [body for _, body in await said(hubbub, "order:1")] == ["the rest goes on"]
        await hubbub.users.enable(ADA)
        with host.transaction() as connection:
            assert host.outbox.retry(connection, disabled)
        await empty(host)
        assert [body for _, body in await said(hubbub, "order:1")] == ["the rest goes on", "disabled"]


async def test_the_host_and_the_chat_may_share_one_database(
    postgres_server: Any, patient_postgresql: None, tmp_path: Path
) -> None:
    url = postgres_server.fresh()
    with host_at(url) as host:
        async with running(host.outbox, tmp_path / "chat", database_url=url) as hubbub:
            host.post("one", room_name="Order 1")
            await empty(host)
            assert [body for _, body in await said(hubbub, "order:1")] == ["one"]
    postgres_server.drop(url)


async def test_the_metrics_show_what_became_of_the_posts(tmp_path: Path) -> None:
    with host_at(f"sqlite:///{tmp_path / 'host.db'}") as host:
        async with running(host.outbox, tmp_path / "chat") as hubbub:
            host.post("one", room_name="Order 1")
            host.post("two", room="order:2")
            assert hubbub._running is not None
            metrics = hubbub._running[0].metrics

            def counted() -> bool:
                page = metrics.render().decode()
                lines = [f'hubbub_outbox_posts_total{{outcome="{name}"}} 1.0' for name in ("posted", "dead")]
                return all(line in page for line in lines)

            await eventually(counted, DEADLINE, "one was posted and one given up")


def test_an_outbox_without_an_address_is_refused_by_the_chat(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="address of your database"):
        Hubbub(authenticate=nobody, origins=[ORIGIN], data=tmp_path, outbox=Outbox())


async def test_an_address_that_leads_to_no_shared_database_is_named_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="file of SQLite"):
        async with running(Outbox("sqlite://"), tmp_path / "chat"):
            pass


async def test_what_was_written_while_the_chat_was_away_is_posted_at_the_next_start(tmp_path: Path) -> None:
    with host_at(f"sqlite:///{tmp_path / 'host.db'}") as host:
        for number in range(2):
            host.post(str(number), room_name="Order 1")
            async with running(host.outbox, tmp_path / "chat") as hubbub:
                await empty(host)
                assert [body for _, body in await said(hubbub, "order:1")] == [*map(str, range(number + 1))]
