"""An app that broadcasts COUNT messages without a pause on `COUNT SIZE`."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager

app = FastAPI()
manager = ConnectionManager()


@app.websocket("/ws/{name}")
async def chat(websocket: WebSocket, name: str) -> None:
    await manager.connect(websocket)
    await manager.broadcast(f"{name} joined")
    try:
        while True:
            count, size = map(int, (await websocket.receive_text()).split())
            for number in range(count):
                await manager.broadcast(f"{number} {'x' * size}")
    except WebSocketDisconnect:
        manager.disconnect(websocket)
        await manager.broadcast(f"{name} left")
