"""The token is in the query; a user who logs out is closed with 4401."""

from typing import Annotated

from fastapi import Depends, FastAPI, Query, WebSocket, WebSocketDisconnect, WebSocketException, status

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage

LOGGED_OUT = 4401


class TokenManager:
    def __init__(self) -> None:
        self.users: dict[WebSocket, str] = {}

    async def connect(self, websocket: WebSocket, user: str) -> None:
        await websocket.accept()
        self.users[websocket] = user

    def disconnect(self, websocket: WebSocket) -> None:
        self.users.pop(websocket, None)

    async def broadcast(self, message: str, sender: WebSocket) -> None:
        for websocket in list(self.users):
            await websocket.send_text(f"{self.users[sender]}: {message}")

    async def close_user(self, user: str) -> None:
        for websocket in [websocket for websocket, name in self.users.items() if name == user]:
            self.disconnect(websocket)
            await websocket.close(LOGGED_OUT, "logged out")


def tokens() -> dict[str, str]:
    return {"t-ann": "ann", "t-bob": "bob"}


def before() -> FastAPI:
    app = FastAPI()
    manager = TokenManager()
    valid = tokens()

    def user_of(token: Annotated[str | None, Query()] = None) -> str:
        if token not in valid:
            raise WebSocketException(status.WS_1008_POLICY_VIOLATION)
        return valid[token]

    @app.websocket("/ws")
    async def chat(websocket: WebSocket, user: Annotated[str, Depends(user_of)]) -> None:
        await manager.connect(websocket, user)
        try:
            while True:
                await manager.broadcast(await websocket.receive_text(), websocket)
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    @app.post("/logout")
    async def log_out(token: str) -> None:
        await manager.close_user(valid.pop(token))

    return app


def after() -> FastAPI:
    app = FastAPI()
    manager = ConnectionManager()
    valid = tokens()

    def user_of(token: Annotated[str | None, Query()] = None) -> str:
        if token not in valid:
            raise WebSocketException(status.WS_1008_POLICY_VIOLATION)
        return valid[token]

    @app.websocket("/ws")
    async def chat(websocket: WebSocket, user: Annotated[str, Depends(user_of)]) -> None:
        await manager.connect(websocket, user=user)
        try:
            while True:
                await manager.broadcast(f"{user}: {await websocket.receive_text()}")
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    @app.post("/logout")
    async def log_out(token: str) -> None:
        await manager.close_user(valid.pop(token), LOGGED_OUT, "logged out")

    return app


async def play(stage: Stage) -> list[object]:
    heard: list[object] = [await stage.refused("/ws"), await stage.refused("/ws?token=guess")]
    ann, phone, bob = [await stage.enter(f"/ws?token=t-{name}") for name in ("ann", "ann", "bob")]
    await ann.says("hello")
    heard += [await actor.hears() for actor in (ann, phone, bob)]
    await stage.post("/logout?token=t-ann")
    heard += [await ann.end(), await phone.end(), await stage.refused("/ws?token=t-ann")]
    await bob.says("alone now")
    heard.append(await bob.hears())
    return heard


EXPECTED: list[object] = [
    *(403, 403),
    *(["ann: hello"], ["ann: hello"], ["ann: hello"]),
    *(([], LOGGED_OUT), ([], LOGGED_OUT), 403),
    ["bob: alone now"],
]
