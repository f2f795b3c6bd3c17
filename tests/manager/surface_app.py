"""Scenarios for the methods of ConnectionManager beyond the tutorial's, run inside of a server.

Each has a manager of its own with four clients: two devices of "ann", one of the user 7, and one
without a user. `HEARD` says what each client receives, up to its close or to "end".
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import BaseModel

from hubbub import ConnectionManager
from tests.support.waiting import eventually

CLIENTS: dict[str, str | int | None] = {"phone": "ann", "laptop": "ann", "seven": 7, "eve": None}
"""The users of the clients."""
ROOM, NUMBER, ID = "room", 5, UUID(int=1)
TOPICS: dict[str, list[str | int | UUID]] = {
    "phone": [ROOM],
    "laptop": [],
    "seven": [ROOM, NUMBER],
    "eve": [NUMBER, ID],
}
app = FastAPI()


class Item(BaseModel):
    name: str
    price: float | None = None


@dataclass
class Given:
    """The input of a scenario."""

    manager: ConnectionManager
    sockets: dict[str, WebSocket]


Run = Callable[[Given], Awaitable[object]]
SCENARIOS: dict[str, Run] = {}
HEARD: dict[str, dict[str, list[Any]]] = {}
managers: dict[str, tuple[ConnectionManager, dict[str, WebSocket], dict[str, int]]] = {}


def scenario(**heard: list[Any]) -> Callable[[Run], Run]:
    def register(run: Run) -> Run:
        SCENARIOS[run.__name__] = run
        HEARD[run.__name__] = {name: heard.get(name, []) for name in CLIENTS}
        return run

    return register


ALL = ["1", b"\0\xff", '{"text":"Grüße","n":[1,2.5,null,true]}', '{"name":"tea","price":null}',
       '[{"name":"tea","price":null}]', "7", b"view", ""]  # fmt: skip


@scenario(phone=ALL, laptop=ALL, seven=ALL, eve=ALL)
async def all_kinds_of_messages(given: Given) -> None:
    item = Item(name="tea")
    message = {"text": "Grüße", "n": [1, 2.5, None, True]}
    for sent in ("1", bytearray(b"\0\xff"), message, item, [item], 7, memoryview(b"view"), ""):
        await given.manager.broadcast(sent)


LARGE = [b"s" * 125, b"m" * 126, b"l" * 65_536, '{"x":"' + "j" * 70_000 + '"}']


@scenario(phone=LARGE, seven=LARGE, laptop=["2"], eve=["2"])
async def binary_messages_of_all_lengths(given: Given) -> None:
    for sent in (b"s" * 125, b"m" * 126, b"l" * 65_536, {"x": "j" * 70_000}):
        await given.manager.broadcast(sent, topic=ROOM)
    await given.manager.broadcast("2", exclude=given.manager.connections(topic=ROOM))


@scenario(phone=["1", b"2", '{"n":3}', "5"], laptop=["1", "5"], seven=["1", "4"], eve=["1"])
async def personal_messages_to_a_websocket_and_to_a_user(given: Given) -> None:
    manager = given.manager
    await manager.broadcast("1")
    await manager.send_personal_message(b"2", given.sockets["phone"])
    await manager.send_personal_message({"n": 3}, given.sockets["phone"])
    await manager.send_personal_message("4", 7)
    await manager.send_personal_message("to nobody", "7")
    await manager.send_personal_message("5", "ann")


@scenario(phone=["2", "3", "6"], laptop=["1", "2", "6"], seven=["1", "2", "3", "4", "6"], eve=["1", "3", "4", "5", "6"])
async def exclude_a_websocket_a_user_or_several(given: Given) -> None:
    manager, sockets = given.manager, given.sockets
    await manager.broadcast("1", exclude=sockets["phone"])
    await manager.broadcast("2", exclude=[sockets["eve"]])
    await manager.broadcast("3", exclude={sockets["laptop"], "no such user"})
    await manager.broadcast("4", exclude="ann")
    await manager.broadcast("5", topic=NUMBER, exclude=(7, "ann"))
    await manager.broadcast("6", exclude=[])


@scenario(seven=["1", "2"], eve=["1", "3"])
async def topics_of_all_types(given: Given) -> object:
    manager = given.manager
    await manager.broadcast("1", topic=5)
    await manager.broadcast("to no member", topic="5")
    await manager.broadcast("3", topic=ID)
    await manager.broadcast("2", topic=5, exclude=given.sockets["eve"])
    return [
        [len(manager.connections()), len(manager.connections(topic=ROOM)), len(manager.connections(user="ann"))],
        [manager.users(), manager.users(topic=ROOM), manager.users(topic="5")],
        {str(name): count for name, count in manager.topics().items()},
        {str(name): count for name, count in manager.topics(given.sockets["eve"]).items()},
        [manager.user_of(socket) for socket in given.sockets.values()],
    ]


@scenario(
    phone=["last", ("close", 4001, "closed"), ], seven=["last", ("close", 4001, "closed")], laptop=["2"], eve=["2"],
)  # fmt: skip
async def close_topic(given: Given) -> object:
    await given.manager.broadcast("last", topic=ROOM)
    await given.manager.close_topic(ROOM, 4001, "closed")
    await given.manager.broadcast("too late", topic=ROOM)
    await given.manager.broadcast("2")
    return [len(given.manager.connections()), {str(name): n for name, n in given.manager.topics().items()}]


@scenario(phone=["last", ("close", 1000, "")], laptop=["last", ("close", 1000, "")], seven=["2"], eve=["2"])
async def close_user(given: Given) -> object:
    await given.manager.send_personal_message("last", "ann")
    await given.manager.close_user("ann")
    await given.manager.close_user("ann")
    await given.manager.broadcast("2")
    return given.manager.users()


BIG = "x" * 300_000


@scenario(**{name: [BIG, BIG, ("close", 1001, "Grüße")] for name in CLIENTS})
async def close_all(given: Given) -> object:
    for _ in range(2):
        await given.manager.broadcast(BIG)
    await given.manager.close_all(reason="Grüße")
    await given.manager.drained()
    return len(given.manager.active_connections)


@scenario(phone=["2", "3"], seven=["1", "2", "3"], laptop=["1", "3"], eve=["2", "3"])
async def two_managers_with_the_same_websockets(given: Given) -> object:
    other = ConnectionManager()
    for name in ("phone", "eve"):
        await other.connect(given.sockets[name])
    await given.manager.broadcast("1", exclude=[given.sockets["phone"], given.sockets["eve"]])
    await other.broadcast("2")
    await other.drained()
    await given.manager.broadcast("2", topic=ROOM, exclude=given.sockets["phone"])
    await given.manager.broadcast("3")
    other.disconnect(given.sockets["eve"])
    await other.connect(given.sockets["eve"])
    return [len(other.active_connections), len(given.manager.active_connections)]


@scenario(phone=["1", "2"], laptop=["1", "2"], seven=["1", "2"], eve=["1", "2"])
async def disconnected_and_connected_again(given: Given) -> object:
    manager, phone = given.manager, given.sockets["phone"]
    for _ in range(3):
        manager.disconnect(phone)
        await manager.connect(phone, user="pat")
    await manager.broadcast("1")
    manager.add(phone, user="pam")
    await manager.broadcast("2")
    return [manager.user_of(phone), manager.users()]


@scenario(phone=["1", '{"n":2}', "3"], seven=["1"])
async def history(given: Given) -> object:
    manager = ConnectionManager(history=2)
    phone, seven = given.sockets["phone"], given.sockets["seven"]
    for socket in (phone, seven):
        await manager.connect(socket)
    manager.join(seven, ROOM)
    await manager.broadcast("0", topic=ROOM, exclude=seven)
    await manager.broadcast("1", topic=ROOM)
    await manager.drained()
    manager.leave(seven, ROOM)
    await manager.broadcast('{"n":2}', topic=ROOM)
    complete = [manager.join(phone, ROOM, since="no-id"), manager.join(phone, ROOM, since="")]
    await manager.broadcast("3", topic=ROOM)
    await manager.drained()
    return complete


@app.websocket("/{run}/ws/{name}")
async def listen(websocket: WebSocket, run: str, name: str) -> None:
    manager, sockets, ended = managers.setdefault(run, (ConnectionManager(), {}, {}))
    if name == "laptop":
        await websocket.accept()
        manager.add(websocket, user=CLIENTS[name])
    else:
        await manager.connect(websocket, user=CLIENTS[name])
    for topic in TOPICS[name]:
        manager.join(websocket, topic)
    sockets[name] = websocket
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect as end:
        ended[name] = end.code
        manager.disconnect(websocket)


@app.get("/ready")
async def ready() -> int:
    return os.getpid()


@app.post("/{run}/run")
async def run(run: str) -> object:
    manager, sockets, _ = managers[run]
    await eventually(lambda: len(sockets) == len(CLIENTS), 100, "all clients are connected")
    ordered = {name: sockets[name] for name in CLIENTS}
    outcome = await SCENARIOS[run](Given(manager, ordered))
    await manager.drained()
    closed = {name for name, heard in HEARD[run].items() if heard and isinstance(heard[-1], tuple)}
    await asyncio.gather(*(sockets[name].send_text("end") for name in CLIENTS if name not in closed))
    return outcome


@app.get("/{run}/ended")
async def all_ended(run: str) -> dict[str, int]:
    """Return the codes that the endpoints got."""
    return managers[run][2]
