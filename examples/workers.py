"""The tutorial's chat in several worker processes: the manager gets one argument.

    BUS_URL=nats://127.0.0.1:4222 uvicorn examples.workers:app --workers 4

`BUS_URL` may also be the address of a PostgreSQL database, such as
`postgresql://postgres@localhost/postgres`.
"""

import os

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager

app = FastAPI(title="A chat in several processes")
manager = ConnectionManager(bus=os.environ.get("BUS_URL", "nats://127.0.0.1:4222"))


@app.websocket("/ws/{client_id}")
async def chat(websocket: WebSocket, client_id: int) -> None:
    """Send each message to all clients of all processes."""
    await manager.connect(websocket)
    await manager.send_personal_message(f"You are connected to process {os.getpid()}", websocket)
    try:
        while True:
            text = await websocket.receive_text()
            await manager.broadcast(f"Client #{client_id} says: {text}")
    except WebSocketDisconnect:
        manager.disconnect(websocket)
        await manager.broadcast(f"Client #{client_id} left the chat.")
