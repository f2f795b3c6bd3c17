"""A host application with rooms of the chat in its own page, under a strict policy.

It has a log-in with a cookie. With TOKENS in the environment, the chat knows bearer tokens alone:
its pages get them from `/api/chat-token`, or from a script of the host's page. TOKEN_SECONDS is how
long they last.
"""

import os
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.requests import HTTPConnection

from hubbub import Hubbub, Identity

DATA = Path(os.environ.get("APP_DATA", "app-data"))
ORIGIN = os.environ.get("APP_ORIGIN", "http://127.0.0.1:8000")
TOKENS = bool(os.environ.get("TOKENS"))
TOKEN_SECONDS = float(os.environ.get("TOKEN_SECONDS", "600"))
LOG_IN_PAGE = bool(os.environ.get("LOG_IN_PAGE"))
POLICY = "default-src 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
logins: set[str] = set()
tokens: dict[str, tuple[str, float]] = {}
asked: list[str] = []
"""The paths that were asked for tokens, and the log-in page, with their queries."""

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Orders</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/host.svg"><link rel="stylesheet" href="/host.css">
<script type="module" src="/chat/embed.js"></script><script type="module" src="/host.js"></script></head>
<body class="LOOK"><header><h1>Orders</h1><label>Search orders <input id="search" autofocus></label>
<output id="badge" aria-label="Unread messages">0</output></header>
<main><section aria-label="Order"><h2>Order 42</h2><p>Twelve chairs, two tables.</p></section>
<section aria-label="Chat" id="rooms">ROOMS</section></main></body></html>"""
SCRIPT = """
const badge = document.getElementById("badge");
const counts = new Map();
globalThis.states = [];
addEventListener("hubbub-unread", ({ target, detail }) => {
  counts.set(target, detail.count);
  badge.value = [...counts.values()].reduce((sum, count) => sum + count, 0);
});
addEventListener("hubbub-state", ({ target, detail }) => states.push(`${target.getAttribute("room")} ${detail.state}`));
globalThis.keys = [];
addEventListener("keydown", (event) => keys.push(event.key));
const getToken = async () => {
  const answer = await fetch("/api/own-token");
  return answer.ok ? (await answer.json()).token : null;
};
if (document.body.classList.contains("with-tokens")) {
  for (const room of document.querySelectorAll("hubbub-room")) room.token = getToken;
}
"""
STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { margin: 0; background: Canvas; color: CanvasText; }
header { display: flex; gap: 16px; align-items: center; padding: 8px 16px; border-bottom: 1px solid GrayText; }
main { display: grid; grid-template-columns: 1fr minmax(0, 420px); gap: 16px; padding: 16px; }
@media (max-width: 700px) { main { grid-template-columns: minmax(0, 1fr); } }
hubbub-room { height: 520px; border: 1px solid GrayText; border-radius: 12px; }
hubbub-room + hubbub-room { height: 300px; margin-top: 16px; }
.themed { color-scheme: light; background: #f4f1ff; }
.themed hubbub-room { --hubbub-accent: #6d28d9; --hubbub-on-accent: #fff; --hubbub-background: #faf8ff;
  --hubbub-surface: #fff; --hubbub-text: #1e1633; --hubbub-text-soft: #5f5578; --hubbub-line: #ddd6f3;
  --hubbub-font: Georgia, serif; --hubbub-font-size: 16px; }
.dark { color-scheme: dark; }
.light { color-scheme: light; }
"""


def identify(connection: HTTPConnection) -> Identity | None:
    """Return the user of a token, or of the cookie."""
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        name, ends = tokens.get(bearer, ("", 0.0))
        return Identity("orders", name, name) if ends > time.time() and name in logins else None
    name = connection.cookies.get("name", "")
    return Identity("orders", name, name) if name in logins and not TOKENS else None


given: dict[str, Any] = {"token_url": "/api/chat-token"} if TOKENS else {"origins": [ORIGIN]}
if LOG_IN_PAGE:
    given["login_url"] = "/log-in?from=chat"
hubbub = Hubbub(authenticate=identify, ambient=not TOKENS, data=DATA / "chat", name="Orders chat", **given)
app = FastAPI(lifespan=hubbub.lifespan)
app.mount("/chat", hubbub.app)


@app.get("/orders")
def orders(room: str = "1", look: str = "") -> Response:
    """The host's page with the rooms with these ids, separated by commas."""
    rooms = "".join(f'<hubbub-room room="{each}"></hubbub-room>' for each in room.split(",") if each)
    return HTMLResponse(PAGE.replace("LOOK", look).replace("ROOMS", rooms), headers={"Content-Security-Policy": POLICY})


@app.get("/elsewhere")
def elsewhere(chat: str) -> Response:
    """Return a page with a room of the chat at this address, of another origin."""
    return HTMLResponse(
        '<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" href="/host.svg">'
        "<style>hubbub-room { --hubbub-background: rgb(1, 2, 3) }</style>"
        f'<script type="module" src="{chat}/embed.js"></script><hubbub-room room="1"></hubbub-room></html>'
    )


@app.get("/host.js")
def script() -> Response:
    return Response(SCRIPT, media_type="text/javascript")


@app.get("/host.css")
def style() -> Response:
    return Response(STYLE, media_type="text/css")


@app.get("/host.svg")
def icon() -> Response:
    return Response('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>', media_type="image/svg+xml")


@app.post("/log-in")
def log_in(name: str) -> Response:
    logins.add(name)
    answer = JSONResponse({})
    answer.set_cookie("name", name, httponly=True, samesite="lax")
    return answer


@app.get("/log-in")
def log_in_page(request: Request) -> Response:
    """Log the visitor in as the cookie `wants` says, and lead back, as a log-in page would."""
    asked.append(str(request.url.query))
    name = request.cookies.get("wants")
    if not name:
        return HTMLResponse("<!doctype html><title>Log in</title><h1>Log in to Orders</h1>")
    logins.add(name)
    answer = RedirectResponse(request.query_params["next"], 303)
    answer.set_cookie("name", name, httponly=True, samesite="lax")
    return answer


@app.post("/log-out")
def log_out(request: Request) -> None:
    name = request.cookies.get("name", "")
    logins.discard(name)
    hubbub.revoke(name, issuer="orders")


@app.get("/api/chat-token")
@app.get("/api/own-token")
def chat_token(request: Request) -> Response:
    asked.append(request.url.path)
    name = request.cookies.get("name", "")
    if name not in logins:
        return Response(status_code=401)
    token = f"{name}-{len(tokens)}"
    tokens[token] = name, time.time() + TOKEN_SECONDS
    return JSONResponse({"token": token, "expires_in": TOKEN_SECONDS})


@app.get("/asked")
def what_was_asked() -> list[str]:
    return asked
