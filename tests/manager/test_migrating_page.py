"""Every Python block in docs/migrating.md runs: before and after are the same for a client."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.manager.programs.stage import Actor, Stage
from tests.manager.test_tutorial import OURS, start
from tests.support import documents
from tests.support.websocket_backends import Refused, Sockets

PAGE = "migrating.md"
PLAIN = "websockets-sansio"
Play = Callable[[Stage], Awaitable[list[object]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("migrating")
    documents.write(PAGE, made)
    return made


@asynccontextmanager
async def staged(name: str, folder: Path, websockets: str) -> AsyncIterator[Stage]:
    """Run uvicorn on a block of the page."""
    process, port = start(f"{name}:app", websockets, folder)
    try:
        async with Sockets(port) as backend:
            yield Stage(backend)
    finally:
        process.terminate()
        assert process.stderr is not None
        process.stderr.close()
        process.wait(20)


async def tutorial(stage: Stage) -> list[object]:
    ann = await stage.enter("/ws/1")
    await ann.says("alone")
    heard: list[object] = [await ann.hears(2)]
    bob = await stage.enter("/ws/2")
    await bob.says("hello")
    heard += [await bob.hears(2), await ann.hears()]
    await bob.leaves()
    heard.append(await ann.hears())
    return heard


TUTORIAL: list[object] = [
    ["You wrote: alone", "Client #1 says: alone"],
    *(["You wrote: hello", "Client #2 says: hello"], ["Client #2 says: hello"]),
    ["Client #2 left the chat"],
]


async def rooms(stage: Stage) -> list[object]:
    ann = await stage.enter("/rooms/tea/ann")
    heard: list[object] = [await ann.hears_json()]
    bob, eve = await stage.enter("/rooms/tea/bob"), await stage.enter("/rooms/coffee/eve")
    heard += [await ann.hears_json(), await bob.hears_json(), await eve.hears_json()]
    await ann.says("green")
    await bob.says("black")
    heard += [await bob.hears_json(), await ann.hears_json()]
    await bob.leaves()
    heard.append(await ann.hears_json())
    await stage.post("/rooms/tea/close")
    heard.append(await ann.end())
    return heard


JOINED = {"joined": "bob", "members": ["ann", "bob"]}
ROOMS: list[object] = [
    [{"joined": "ann", "members": ["ann"]}],
    *([JOINED], [JOINED], [{"joined": "eve", "members": ["eve"]}]),
    *([{"from": "ann", "text": "green"}], [{"from": "bob", "text": "black"}]),
    [{"left": "bob"}],
    ([], 4000),
]


async def broadcaster(stage: Stage) -> list[object]:
    heard: list[object] = []
    here = []
    for name in ("ann", "bob"):
        actor = await stage.enter("/rooms/tea")
        here.append(actor)
        await actor.says(f"{name} is here")  # its echo shows that it is subscribed
        heard += [await one.hears() for one in here]
    elsewhere = await stage.enter("/rooms/coffee")
    await here[0].says("hello")
    await elsewhere.says("nothing of that")
    heard += [await one.hears() for one in (*here, elsewhere)]
    await here[1].leaves()
    await here[0].says("alone")
    heard.append(await here[0].hears())
    return heard


BROADCASTER: list[object] = [
    ["ann is here"],
    *(["bob is here"], ["bob is here"]),
    *(["hello"], ["hello"], ["nothing of that"]),
    ["alone"],
]


class PlainEvents:
    """Sends and receives `[name, data]` on a plain WebSocket."""

    prefix = ""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    @classmethod
    async def enter(cls, stage: Stage, name: str) -> "PlainEvents | None":
        """Return None if the server refuses."""
        try:
            return cls(await stage.enter(f"/ws?name={name}"))
        except Refused:
            return None

    async def emits(self, event: str, data: object) -> None:
        await self._actor.says(f"{self.prefix}{json.dumps([event, data])}")

    async def hears(self) -> Any:
        (message,) = await self._actor.hears()
        assert isinstance(message, str)
        assert message.startswith(self.prefix)
        return json.loads(message.removeprefix(self.prefix))


class SocketIoEvents(PlainEvents):
    """Speaks Engine.IO 4 and Socket.IO 5 over a WebSocket."""

    prefix = "42"

    @classmethod
    async def enter(cls, stage: Stage, name: str) -> "SocketIoEvents | None":
        actor = await stage.enter("/socket.io/?EIO=4&transport=websocket")
        (opened,) = await actor.hears()
        assert str(opened).startswith("0{")
        await actor.says("40" + json.dumps({"name": name}))
        (answer,) = await actor.hears()
        return cls(actor) if str(answer).startswith("40") else None


def socket_io(kind: type[PlainEvents]) -> Play:
    async def play(stage: Stage) -> list[object]:
        heard: list[object] = [await kind.enter(stage, "")]
        ann, bob = await kind.enter(stage, "ann"), await kind.enter(stage, "bob")
        assert ann is not None
        assert bob is not None
        for actor, room in ((ann, "tea"), (bob, "tea"), (bob, "coffee")):
            await actor.emits("join", room)
            heard.append(await actor.hears())
        await bob.emits("say", {"room": "coffee", "text": "no reader"})
        await bob.emits("say", {"room": "tea", "text": "hello"})
        heard.append(await ann.hears())
        await ann.emits("say", {"room": "tea", "text": "hi"})
        heard.append(await bob.hears())
        await ann.emits("end", "tea")
        heard += [await ann.hears(), await bob.hears()]
        await ann.emits("say", {"room": "tea", "text": "to no member"})
        await ann.emits("say", {"room": "coffee", "text": "last"})
        heard.append(await bob.hears())
        return heard

    return play


SOCKET_IO: list[object] = [
    None,
    *(["joined", {"room": "tea"}], ["joined", {"room": "tea"}], ["joined", {"room": "coffee"}]),
    *(["said", {"name": "bob", "text": "hello"}], ["said", {"name": "ann", "text": "hi"}]),
    *(["ended", {"room": "tea"}], ["ended", {"room": "tea"}]),
    ["said", {"name": "ann", "text": "last"}],
]


async def channels(stage: Stage) -> list[object]:
    ann, bob = await stage.enter("/rooms/tea/ann"), await stage.enter("/rooms/tea/bob")
    eve = await stage.enter("/rooms/coffee/eve")
    heard: list[object] = [await actor.hears_json() for actor in (ann, bob, eve)]
    await ann.says_json(text="hello")
    heard += [await ann.hears_json(), await bob.hears_json()]
    await ann.says_json(text="bye")
    heard.append(await ann.end())
    await bob.says_json(text="alone")
    await eve.says_json(text="elsewhere")
    heard += [await bob.hears_json(), await eve.hears_json()]
    return heard


def said(name: str, text: str) -> list[dict[str, str]]:
    return [{"type": "chat.message", "name": name, "text": text}]


CHANNELS: list[object] = [
    *([{"type": "welcome", "name": name}] for name in ("ann", "bob", "eve")),
    *(said("ann", "hello"), said("ann", "hello")),
    ([], 4000),
    *(said("bob", "alone"), said("eve", "elsewhere")),
]

SECTIONS: dict[str, tuple[Play, Play, list[object]]] = {
    "tutorial": (tutorial, tutorial, TUTORIAL),
    "rooms": (rooms, rooms, ROOMS),
    "broadcaster": (broadcaster, broadcaster, BROADCASTER),
    "socketio": (socket_io(SocketIoEvents), socket_io(PlainEvents), SOCKET_IO),
    "channels": (channels, channels, CHANNELS),
}


def test_every_block_has_a_test_here() -> None:
    assert set(documents.blocks(PAGE)) == {f"{name}_{kind}.py" for name in SECTIONS for kind in ("before", "after")}


@pytest.mark.parametrize("name", SECTIONS)
async def test_before_and_after_are_the_same_for_a_client(name: str, folder: Path) -> None:
    before, after, expected = SECTIONS[name]
    for kind, play, websockets in (("before", before, PLAIN), ("after", after, PLAIN), ("after", after, OURS)):
        async with staged(f"{name}_{kind}", folder, websockets) as stage:
            assert (kind, websockets, await play(stage)) == (kind, websockets, expected)


async def test_control_a_program_that_does_not_exclude_the_sender_is_another_one_for_a_client(folder: Path) -> None:
    block = documents.blocks(PAGE)["rooms_after.py"]
    assert ", exclude=websocket" in block
    (folder / "rooms_broken.py").write_text(block.replace(", exclude=websocket", ""))
    async with staged("rooms_broken", folder, PLAIN) as stage:
        assert await rooms(stage) != ROOMS
