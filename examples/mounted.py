"""Chat inside an app with its own users.

The app has a log-in with a cookie and users in SQLite. Hubbub is mounted under /chat.

    pip install python-multipart        # FastAPI needs it for this app's log-in form; Hubbub does not
    uvicorn examples.mounted:app --ws websockets-sansio --ws-max-size 65536 --ws-per-message-deflate false

The first log-in with a name creates the user. This stands for the log-in that your app already has.
Hubbub itself needs `identify`, `hubbub.lifespan`, `app.mount` and, in `log_out`, `hubbub.revoke`.
"""

import hashlib
import os
import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.requests import HTTPConnection

from hubbub import Hubbub, Identity

DATA = Path(os.environ.get("APP_DATA", "app-data"))
ORIGIN = os.environ.get("APP_ORIGIN", "http://127.0.0.1:8000")
COOKIE = "app_session"
TABLES = """
CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, password BLOB, salt BLOB);
CREATE TABLE IF NOT EXISTS logins (token TEXT PRIMARY KEY, person INTEGER NOT NULL REFERENCES people);
"""
PAGE = """<!doctype html><html lang="en"><title>An app</title><link rel="icon" href="data:,"><h1>An app</h1>
<form method="post" action="login"><label>Name <input name="name" required></label>
<label>Password <input name="password" type="password" required></label> <button>Log in</button></form>
<form method="post" action="logout"><button>Log out</button></form><p><a href="chat/">The chat</a></p>"""


def make_tables() -> None:
    DATA.mkdir(exist_ok=True)
    database().executescript(TABLES)


def database() -> sqlite3.Connection:
    return sqlite3.connect(DATA / "app.db", isolation_level=None, timeout=10)


async def identify(connection: HTTPConnection) -> Identity | None:
    """Return the user of a request.

    Browsers send the cookie, other clients the same token as bearer token.
    """
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    token = bearer if scheme.lower() == "bearer" else connection.cookies.get(COOKIE)
    query = "SELECT people.id, people.name FROM logins JOIN people ON people.id = logins.person WHERE token = ?"
    found = database().execute(query, [token]).fetchone()
    return Identity("app", str(found[0]), found[1]) if found else None


hubbub = Hubbub(authenticate=identify, origins=[ORIGIN], data=DATA / "chat", name="The app's chat")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    make_tables()
    async with hubbub.lifespan(app):
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/chat", hubbub.app)


@app.get("/")
async def home() -> HTMLResponse:
    return HTMLResponse(PAGE)


@app.post("/login")
def log_in(name: Annotated[str, Form()], password: Annotated[str, Form()]) -> Response:
    salt = secrets.token_bytes(16)
    people = database()
    people.execute("INSERT OR IGNORE INTO people (name, password, salt) VALUES (?, ?, ?)",
                   [name, hashed(password, salt), salt])  # fmt: skip
    person, stored, salt = people.execute("SELECT id, password, salt FROM people WHERE name = ?", [name]).fetchone()
    if not secrets.compare_digest(stored, hashed(password, salt)):
        raise HTTPException(403, "Incorrect name or password.")
    token = secrets.token_urlsafe(32)
    people.execute("INSERT INTO logins VALUES (?, ?)", [token, person])
    answer = RedirectResponse("chat/", 303)
    answer.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=ORIGIN.startswith("https:"))
    return answer


@app.post("/logout")
async def log_out(request: Request) -> Response:
    """Log out here first, then in the chat.

    In this order no new connection is accepted in between.
    """
    found = await identify(request)
    if found is not None:
        database().execute("DELETE FROM logins WHERE person = ?", [int(found.subject)])
        await hubbub.revoke(found.subject, issuer=found.issuer)
    answer = RedirectResponse(".", 303)
    answer.delete_cookie(COOKIE)
    return answer


def hashed(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
