"""The usual tutorial chat, built on Hubbub's ConnectionManager.

    uvicorn examples.tutorial:app

Then open http://127.0.0.1:8000 in two windows. For many clients at a time, let the manager write to
the transports directly:

    uvicorn examples.tutorial:app --ws hubbub:WebSocketProtocol
"""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse

from hubbub import ConnectionManager

app = FastAPI(title="A chat in one file")
manager = ConnectionManager()

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A chat in one file</title>
<h1>Hello, you are client <output id="me"></output></h1>
<form id="form"><input id="text" autocomplete="off" autofocus aria-label="Message"><button>Send</button></form>
<ul id="lines"></ul>
<script>
  const me = Date.now();
  document.getElementById("me").value = me;
  const socket = new WebSocket(`ws://${location.host}/ws/${me}`);
  socket.onmessage = (event) => {
    const line = document.createElement("li");
    line.textContent = event.data;
    document.getElementById("lines").append(line);
  };
  document.getElementById("form").onsubmit = (event) => {
    event.preventDefault();
    const text = document.getElementById("text");
    socket.send(text.value);
    text.value = "";
  };
</script>
</html>
"""


@app.get("/", response_class=HTMLResponse)
async def page() -> str:
    """Return the whole client."""
    return PAGE


@app.websocket("/ws/{client_id}")
async def chat(websocket: WebSocket, client_id: int) -> None:
    """Send each message to all clients, and a confirmation to its author."""
    await manager.connect(websocket)
    await manager.broadcast(f"Client #{client_id} joined the chat.")
    try:
        while True:
            text = await websocket.receive_text()
            await manager.send_personal_message(f"You wrote: {text}", websocket)
            await manager.broadcast(f"Client #{client_id} says: {text}")
    except WebSocketDisconnect:
        manager.disconnect(websocket)
        await manager.broadcast(f"Client #{client_id} left the chat.")
