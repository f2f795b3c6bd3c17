"""The interface on the server's event loop, on other threads, and while the server does not run."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from hubbub import Hubbub, Identity
from hubbub.errors import NotFound
from hubbub.host import Posted
from tests.mounted.host_app import ORIGIN, HostApp
from tests.support.waiting import eventually

ADA = Identity("app", "1", "Ada")
CALLS: list[Callable[[Hubbub], Coroutine[Any, Any, object]]] = [
    lambda hubbub: hubbub.messages.post("order:42", "hello"),
    lambda hubbub: hubbub.messages.edit("order:42", 1, "hello"),
    lambda hubbub: hubbub.messages.delete("order:42", 1),
    lambda hubbub: hubbub.rooms.room_for("order:42", name="Order 42"),
    lambda hubbub: hubbub.rooms.get("order:42"),
    lambda hubbub: hubbub.rooms.rename("order:42", "Order"),
    lambda hubbub: hubbub.rooms.archive("order:42"),
    lambda hubbub: hubbub.rooms.restore("order:42"),
    lambda hubbub: hubbub.rooms.members("order:42"),
    lambda hubbub: hubbub.rooms.set_members("order:42", [ADA]),
    lambda hubbub: hubbub.rooms.add_members("order:42", []),
    lambda hubbub: hubbub.rooms.remove_members("order:42", [1]),
    lambda hubbub: hubbub.users.provision(ADA),
    lambda hubbub: hubbub.users.get(1),
    lambda hubbub: hubbub.users.bot(),
    lambda hubbub: hubbub.users.rename(1, "Ada"),
    lambda hubbub: hubbub.users.set_role(1, "admin"),
    lambda hubbub: hubbub.users.disable(1),
    lambda hubbub: hubbub.users.enable(1),
    lambda hubbub: hubbub.users.delete(1),
    lambda hubbub: hubbub.users.unread(1),
    lambda hubbub: hubbub.forget_callback("name"),
]


async def test_before_the_start_and_after_the_end_every_call_says_what_to_write(tmp_path: Path) -> None:
    hubbub = HostApp(tmp_path / "chat").hubbub
    for _ in range(2):
        for call in CALLS:
            with pytest.raises(RuntimeError, match="lifespan"):
                await call(hubbub)
        with pytest.raises(RuntimeError, match="lifespan"):
            hubbub.events("order:42")
        with pytest.raises(RuntimeError, match="lifespan"):
            await asyncio.to_thread(lambda: hubbub.run(hubbub.users.bot()))
        async with hubbub.lifespan():
            await hubbub.users.bot()


async def test_after_another_server_has_taken_the_database_every_call_says_so(host: HostApp) -> None:
    services = host.hubbub._host.services
    services.lost_database.set_result("Another server has the database.")
    await eventually(lambda: host.hubbub._host._services is None, 30, "the service has ended")
    for call in CALLS:
        with pytest.raises(RuntimeError, match="Another server"):
            await call(host.hubbub)


async def test_plain_endpoints_and_threads_use_run(tmp_path: Path) -> None:
    chat = HostApp(tmp_path / "chat")
    app = FastAPI(lifespan=chat.hubbub.lifespan)
    hubbub = chat.hubbub

    @app.post("/orders/{order}/shipped")
    def shipped(order: int) -> int:
        hubbub.run(hubbub.rooms.room_for(f"order:{order}", name=f"Order {order}", members=[ADA]))
        return hubbub.run(hubbub.messages.post(f"order:{order}", "Shipped.", key="shipped")).seq

    def work() -> tuple[Posted, Exception | None]:
        posted = hubbub.run(hubbub.messages.post("order:42", "Delivered."))
        try:
            hubbub.run(hubbub.messages.post("order:43", "No such room."))
        except NotFound as error:
            return posted, error
        return posted, None

    async with (
        hubbub.lifespan(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN, trust_env=False) as client,
    ):
        first = (await client.post("/orders/42/shipped")).json()
        assert (await client.post("/orders/42/shipped")).json() == first
        posted, error = await asyncio.to_thread(work)
        assert posted.seq == first + 1
        assert isinstance(error, NotFound)


@pytest.mark.filterwarnings("error")
async def test_run_on_an_event_loop_and_await_on_another_one_are_refused(host: HostApp) -> None:
    with pytest.raises(RuntimeError, match="await"):
        host.hubbub.run(host.hubbub.users.bot())

    def elsewhere() -> None:
        with pytest.raises(RuntimeError, match=r"hubbub\.run"):
            asyncio.run(host.hubbub.users.bot())

    await asyncio.to_thread(elsewhere)
