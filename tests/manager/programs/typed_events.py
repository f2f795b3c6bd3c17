"""Events are pydantic models, in both directions."""

from typing import Annotated, Literal

from fastapi import FastAPI, WebSocket
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage


class Move(BaseModel):
    type: Literal["move"] = "move"
    piece: str
    to: tuple[int, int]


class Say(BaseModel):
    type: Literal["say"] = "say"
    text: str = Field(max_length=20)


class Problem(BaseModel):
    type: Literal["problem"] = "problem"
    fields: list[str]


Command = TypeAdapter[Move | Say](Annotated[Move | Say, Field(discriminator="type")])


class EventManager:
    def __init__(self) -> None:
        self.connections: set[WebSocket] = set()

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.connections.add(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        self.connections.discard(websocket)

    async def send(self, event: BaseModel, websocket: WebSocket) -> None:
        await websocket.send_text(event.model_dump_json())

    async def publish(self, event: BaseModel) -> None:
        text = event.model_dump_json()
        for websocket in tuple(self.connections):
            await websocket.send_text(text)


def before() -> FastAPI:
    app = FastAPI()
    manager = EventManager()

    @app.websocket("/game")
    async def game(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        try:
            async for text in websocket.iter_text():
                try:
                    await manager.publish(Command.validate_json(text))
                except ValidationError as error:
                    await manager.send(
                        Problem(fields=[".".join(map(str, e["loc"])) for e in error.errors()]), websocket
                    )
        finally:
            manager.disconnect(websocket)

    return app


def after() -> FastAPI:
    app = FastAPI()
    manager = ConnectionManager()

    @app.websocket("/game")
    async def game(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        try:
            async for text in websocket.iter_text():
                try:
                    await manager.broadcast(Command.validate_json(text))
                except ValidationError as error:
                    problem = Problem(fields=[".".join(map(str, e["loc"])) for e in error.errors()])
                    await manager.send_personal_message(problem, websocket)
        finally:
            manager.disconnect(websocket)

    return app


async def play(stage: Stage) -> list[object]:
    ann = await stage.enter("/game")
    await ann.says_json(type="say", text="first")
    heard: list[object] = [await ann.hears_json()]
    bob = await stage.enter("/game")
    await bob.says_json(type="say", text="second")
    heard += [await ann.hears_json(), await bob.hears_json()]
    await ann.says_json(type="say", text="far too long for this game")
    await ann.says_json(type="move", piece="♞", to=[3, 4])
    heard += [await ann.hears_json(2), await bob.hears_json()]
    return heard


MOVE = {"type": "move", "piece": "♞", "to": [3, 4]}
EXPECTED: list[object] = [
    [{"type": "say", "text": "first"}],
    *([{"type": "say", "text": "second"}], [{"type": "say", "text": "second"}]),
    *([{"type": "problem", "fields": ["say.text"]}, MOVE], [MOVE]),
]
