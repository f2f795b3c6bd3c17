"""The ways in which programs call a manager.

Each sends "1", "2", … to both clients of a run.
"""

import asyncio
import functools
import inspect
import queue
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from unittest import mock

import anyio
import anyio.from_thread
from starlette._utils import is_async_callable
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.websockets import WebSocket

from hubbub import ConnectionManager
from tests.manager.idioms.tutorial import TutorialManager
from tests.support.waiting import eventually

Manager = ConnectionManager | TutorialManager
CLASSES: dict[str, type[ConnectionManager] | type[TutorialManager]] = {
    "tutorial": TutorialManager, "hubbub": ConnectionManager,
}  # fmt: skip


@dataclass
class Call:
    """The input of an idiom: a manager with two clients, and background tasks."""

    manager: Manager
    first: WebSocket
    background: BackgroundTasks


Idiom = Callable[[Call], Awaitable[object] | object]


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    title: str
    run: Idiom
    hears: str
    """What the first client receives, one character a message.

    The second client receives the same without capitals.
    """


CALLS: dict[str, Row] = {}


def idiom(title: str, hears: str = "123") -> Callable[[Idiom], Idiom]:
    def register(run: Idiom) -> Idiom:
        CALLS[run.__name__] = Row(title, run, hears)
        return run

    return register


@idiom("`await manager.broadcast(…)`, `await manager.send_personal_message(…)`", "1A2B3")
async def plain_await(call: Call) -> None:
    await call.manager.broadcast("1")
    await call.manager.send_personal_message("A", call.first)
    await call.manager.broadcast("2")
    await call.manager.send_personal_message("B", call.first)
    await call.manager.broadcast("3")


@idiom("`BackgroundTasks.add_task(manager.broadcast, …)`", "12A")
async def background_tasks(call: Call) -> None:
    call.background.add_task(call.manager.broadcast, "1")
    call.background.add_task(call.manager.broadcast, message="2")
    call.background.add_task(call.manager.send_personal_message, "A", call.first)


@idiom("`BackgroundTasks` from a plain `def` endpoint")
def background_tasks_of_a_plain_endpoint(call: Call) -> None:
    for text in "123":
        call.background.tasks.append(BackgroundTask(call.manager.broadcast, text))


@idiom("`asyncio.create_task(manager.broadcast(…))`", "12A")
async def create_task(call: Call) -> None:
    tasks = [asyncio.create_task(call.manager.broadcast(text)) for text in "12"]
    tasks.append(asyncio.create_task(call.manager.send_personal_message("A", call.first), name="personal"))
    for task in tasks:
        await task


@idiom("`loop.create_task`, `asyncio.ensure_future`, `asyncio.Task`")
async def other_tasks(call: Call) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_task(call.manager.broadcast("1"))
    await asyncio.ensure_future(call.manager.broadcast("2"))
    await asyncio.Task(call.manager.broadcast("3"), loop=loop)


@idiom("`async with asyncio.TaskGroup()`", "12A")
async def task_group(call: Call) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(call.manager.broadcast("1"))
        group.create_task(call.manager.broadcast("2"))
        group.create_task(call.manager.send_personal_message("A", call.first))


@idiom("`asyncio.gather(…)`", "12A")
async def gather(call: Call) -> list[object]:
    return list(
        await asyncio.gather(
            call.manager.broadcast("1"),
            call.manager.broadcast("2"),
            call.manager.send_personal_message("A", call.first),
            return_exceptions=True,
        )
    )


@idiom("`asyncio.wait(…)`, `asyncio.as_completed(…)`", "12")
async def wait(call: Call) -> int:
    done, _ = await asyncio.wait([asyncio.create_task(call.manager.broadcast("1"))])
    for finished in asyncio.as_completed([call.manager.broadcast("2")]):
        await finished
    return len(done)


@idiom("`asyncio.wait_for(…)`, `asyncio.shield(…)`, `async with asyncio.timeout(…)`")
async def wait_for(call: Call) -> None:
    await asyncio.wait_for(call.manager.broadcast("1"), 20)
    await asyncio.shield(call.manager.broadcast("2"))
    async with asyncio.timeout(20):
        await call.manager.broadcast("3")


@idiom("`asyncio.run_coroutine_threadsafe(manager.broadcast(…), loop)` in a thread")
async def run_coroutine_threadsafe(call: Call) -> None:
    loop = asyncio.get_running_loop()

    def in_a_thread() -> None:
        for text in "123":
            asyncio.run_coroutine_threadsafe(call.manager.broadcast(text), loop).result(20)

    await asyncio.to_thread(in_a_thread)


@idiom("`anyio.from_thread.run(manager.broadcast, …)` in a plain `def` endpoint", "12A")
def from_thread_run(call: Call) -> None:
    anyio.from_thread.run(call.manager.broadcast, "1")
    anyio.from_thread.run(call.manager.broadcast, "2")
    anyio.from_thread.run(call.manager.send_personal_message, "A", call.first)


@idiom("`anyio.create_task_group().start_soon(manager.broadcast, …)`")
async def anyio_task_group(call: Call) -> None:
    for text in "123":
        async with anyio.create_task_group() as group:
            group.start_soon(call.manager.broadcast, text)


@idiom("`loop.call_soon(…)`, `call_later(…)` with a function that makes a task", "12")
async def call_later(call: Call) -> None:
    loop, tasks = asyncio.get_running_loop(), list[asyncio.Task[None]]()
    loop.call_soon(lambda: tasks.append(asyncio.create_task(call.manager.broadcast("1"))))
    loop.call_later(0.01, lambda: tasks.append(asyncio.create_task(call.manager.broadcast("2"))))
    await eventually(lambda: len(tasks) == 2, 20, "both tasks are made")
    await asyncio.gather(*tasks)


@idiom("`inspect.iscoroutinefunction`, `asyncio.iscoroutinefunction`, `inspect.isawaitable`, Starlette's own test", "1")
async def inspected(call: Call) -> list[object]:
    sending = call.manager.broadcast("1")
    found: list[object] = [
        inspect.iscoroutinefunction(call.manager.broadcast),
        inspect.iscoroutinefunction(type(call.manager).broadcast),
        inspect.iscoroutinefunction(call.manager.send_personal_message),
        inspect.iscoroutinefunction(call.manager.connect),
        inspect.iscoroutinefunction(call.manager.disconnect),
        is_async_callable(functools.partial(call.manager.broadcast, "1")),
        inspect.iscoroutine(sending),
        inspect.isawaitable(sending),
        asyncio.iscoroutine(sending),
    ]
    await sending
    return found


@idiom("`functools.partial(manager.broadcast, …)`, a stored bound method, `*args` and `**kwargs`", "12A")
async def partials(call: Call) -> None:
    await functools.partial(call.manager.broadcast, "1")()
    listeners: list[Callable[..., Awaitable[None]]] = [call.manager.broadcast]
    for listener in listeners:
        outcome = listener(message="2")
        if inspect.isawaitable(outcome):
            await outcome
    await call.manager.send_personal_message(*("A",), websocket=call.first)


@idiom("`AsyncExitStack.push_async_callback(manager.broadcast, …)`")
async def exit_stack(call: Call) -> None:
    async with AsyncExitStack() as stack:
        stack.push_async_callback(call.manager.broadcast, "3")
        stack.push_async_callback(call.manager.broadcast, "2")
        await call.manager.broadcast("1")


@idiom("a decorator around `manager.broadcast`, a subclass that calls `super().broadcast(…)`", "12")
async def decorated(call: Call) -> None:
    @functools.wraps(call.manager.broadcast)
    async def twice(*args: Any) -> None:
        await call.manager.broadcast(*args)

    await twice("1")
    base: Any = type(call.manager)

    class Loud(base):  # type: ignore[misc]
        async def broadcast(self, message: str) -> None:
            await super().broadcast(message.replace("two", "2"))

    loud = Loud.__new__(Loud)
    loud.__dict__ = call.manager.__dict__
    await loud.broadcast("two")


@idiom("a consumer task that is fed by `asyncio.Queue`")
async def queue_consumer(call: Call) -> None:
    waiting: asyncio.Queue[str] = asyncio.Queue()

    async def consume() -> None:
        while True:
            await call.manager.broadcast(await waiting.get())
            waiting.task_done()

    task = asyncio.create_task(consume())
    for text in "123":
        waiting.put_nowait(text)
    await waiting.join()
    task.cancel()


@idiom("a consumer that reads a thread's `queue.Queue` by `asyncio.to_thread`")
async def thread_queue_consumer(call: Call) -> None:
    waiting: queue.Queue[str] = queue.Queue()
    for text in "123":
        waiting.put(text)
    while not waiting.empty():
        await call.manager.broadcast(await asyncio.to_thread(waiting.get))


@idiom("`for ws in manager.active_connections: await ws.send_text(…)`", "12")
async def loop_over_connections(call: Call) -> int:
    for text in "12":
        for websocket in call.manager.active_connections:
            await websocket.send_text(text)
    return len(call.manager.active_connections)


@idiom("`if ws in manager.active_connections`, `len`, index, list comprehension with `send_personal_message`", "12")
async def looked_at(call: Call) -> list[object]:
    for websocket in [one for one in call.manager.active_connections if one is not None]:
        await call.manager.send_personal_message("1", websocket)
    await asyncio.gather(*(ws.send_text("2") for ws in call.manager.active_connections))
    connections = call.manager.active_connections
    return [call.first in connections, len(connections), connections[0] is call.first, bool(connections)]


@idiom("`asyncio.run(…)`, `asyncio.Runner`, `loop.run_until_complete(…)` with a manager of its own", "")
async def runners(call: Call) -> list[object]:
    def in_a_thread() -> list[object]:
        manager = type(call.manager)()
        found: list[object] = [asyncio.run(manager.broadcast("nobody"))]
        with asyncio.Runner() as runner:
            found.append(runner.run(manager.broadcast("nobody")))
        loop = asyncio.new_event_loop()
        found.append(loop.run_until_complete(manager.broadcast("nobody")))
        loop.close()
        return found

    return await asyncio.to_thread(in_a_thread)


@idiom("`unittest.mock.create_autospec(ConnectionManager)`, whose methods can be awaited", "")
async def autospec(call: Call) -> list[object]:
    fake = mock.create_autospec(type(call.manager), instance=True)
    await fake.broadcast("1")
    await fake.send_personal_message("1", call.first)
    fake.disconnect(call.first)
    return [fake.broadcast.await_count, fake.send_personal_message.await_count, fake.disconnect.call_count]


@idiom("a coroutine that is never awaited, or cancelled before it begins, sends nothing", "1")
async def not_awaited(call: Call) -> str:
    call.manager.broadcast("x").close()
    task = asyncio.create_task(call.manager.broadcast("x"))
    task.cancel()
    await asyncio.wait({task})
    sending = call.manager.broadcast("1")
    await sending
    try:
        await sending
    except RuntimeError as error:
        return str(error)
    return "awaited twice"


@idiom("`await manager.broadcast(room, text)`: a second argument raises `TypeError` and sends nothing", "1")
async def second_argument(call: Call) -> str:
    broadcast: Any = call.manager.broadcast
    try:
        await broadcast("room", "x")
    except TypeError:
        await broadcast("1")
        return "refused"
    return "sent"


@idiom("`for … in range(2_000): await manager.broadcast(…)` without a pause", "1" * 2_000)
async def loop_without_a_pause(call: Call) -> None:
    for _ in range(2_000):
        await call.manager.broadcast("1")


@idiom("`AsyncMock(spec=WebSocket)` in a unit test: `assert_awaited_once_with` follows the call at once", "")
async def mocks(call: Call) -> list[object]:
    manager = type(call.manager)()
    one, two = (mock.AsyncMock(spec=WebSocket) for _ in range(2))
    for fake in (one, two):
        await manager.connect(fake)
        fake.accept.assert_awaited_once_with()
    await manager.broadcast("1")
    await manager.send_personal_message("2", one)
    manager.disconnect(two)
    await manager.broadcast("3")
    return [
        [made.args for made in one.send_text.await_args_list],
        [made.args for made in two.send_text.await_args_list],
        one in manager.active_connections,
        two in manager.active_connections,
        manager.active_connections == [one],
    ]


@idiom("a fake of a few lines, without `scope`, in a unit test", "")
async def hand_written_fake(call: Call) -> list[str]:
    class Fake:
        def __init__(self) -> None:
            self.sent: list[str] = []

        async def accept(self) -> None:
            self.sent.append("accept")

        async def send_text(self, text: str) -> None:
            self.sent.append(text)

    manager, fake = type(call.manager)(), Fake()
    websocket: Any = fake
    await manager.connect(websocket)
    await manager.broadcast("1")
    await manager.send_personal_message("2", websocket)
    manager.disconnect(websocket)
    await manager.broadcast("3")
    return fake.sent
