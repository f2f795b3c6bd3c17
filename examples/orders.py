"""A shop that posts about its orders, in the transactions that change them.

Each order has a room with its customer. An order and its first message exist together or not at all:
the page of an order shows its room, and what the shop does with the order appears there.

    pip install python-multipart        # FastAPI needs it for this app's forms; Hubbub does not
    uvicorn examples.orders:app --ws websockets-sansio --ws-max-size 65536 --ws-per-message-deflate false

`APP_DATABASE_URL` may name a PostgreSQL. With it, and with `HUBBUB_DATABASE_URL` and `HUBBUB_BUS_URL`,
several workers are one shop and one chat.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Form, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from starlette.requests import HTTPConnection

from hubbub import Hubbub, Identity
from hubbub.outbox import Outbox

DATA = Path(os.environ.get("APP_DATA", "app-data"))
DATABASE = os.environ.get("APP_DATABASE_URL", f"sqlite:///{DATA / 'orders.db'}")
ORIGIN = os.environ.get("APP_ORIGIN", "http://127.0.0.1:8000")
COOKIE = "shop_session"
SHOP = "The shop"
PAGE = '<!doctype html><html lang="en"><title>A shop</title><link rel="icon" href="data:,"><h1>A shop</h1>{}'
LOG_IN = """<form method="post" action="/login"><label>Name <input name="name" required></label>
<button>Log in</button></form>"""
NEW = """<form method="post" action="/orders"><label>Item <input name="item" required></label>
<button>Order</button></form>"""
SHIP = '<form method="post" action="/orders/{}/ship"><button>Ship it</button></form>'
ROOM = """<script type="module" src="/chat/embed.js"></script>
<hubbub-room room="{room}"><a href="/chat/#room/{room}">Talk about this order</a></hubbub-room>"""


class Base(DeclarativeBase):
    pass


class Login(Base):
    __tablename__ = "logins"
    token: Mapped[str] = mapped_column(primary_key=True)
    customer: Mapped[str]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    item: Mapped[str]
    shipped: Mapped[bool] = mapped_column(default=False)


DATA.mkdir(exist_ok=True)
engine = create_engine(DATABASE)
outbox = Outbox(DATABASE)
outbox.table(Base.metadata)  # Alembic finds it, and so does create_all


def make_tables() -> None:
    """Create the tables. An app with migrations has them there."""
    with engine.begin() as connection:
        if engine.name == "postgresql":  # several workers start at the same time
            connection.execute(text("SELECT pg_advisory_xact_lock(1)"))
        Base.metadata.create_all(connection)


def customer_of(connection: HTTPConnection) -> str | None:
    """Return the customer who is logged in. Browsers send the cookie, other clients a bearer token."""
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    token = bearer if scheme.lower() == "bearer" else connection.cookies.get(COOKIE, "")
    with Session(engine) as session:
        return session.scalar(select(Login.customer).where(Login.token == token))


def identity(customer: str) -> Identity:
    return Identity("shop", customer, customer)


async def identify(connection: HTTPConnection) -> Identity | None:
    customer = customer_of(connection)
    return identity(customer) if customer is not None else None


hubbub = Hubbub(authenticate=identify, origins=[ORIGIN], data=DATA / "chat", name="The shop's chat", outbox=outbox)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    make_tables()
    async with hubbub.lifespan(app):
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/chat", hubbub.app)


def current(connection: HTTPConnection) -> str:
    customer = customer_of(connection)
    if customer is None:
        raise HTTPException(401, "Log in first.")
    return customer


Customer = Annotated[str, Depends(current)]


@app.get("/")
def home(connection: HTTPConnection) -> HTMLResponse:
    customer = customer_of(connection)
    if customer is None:
        return HTMLResponse(PAGE.format(LOG_IN))
    with Session(engine) as session:
        orders = session.scalars(select(Order).where(Order.customer == customer).order_by(Order.id)).all()
        links = "".join(f'<li><a href="/orders/{order.id}">{escape(order.item)}</a>' for order in orders)
    return HTMLResponse(PAGE.format(f"{NEW}<ul>{links}</ul>"))


@app.post("/login")
def log_in(name: Annotated[str, Form()]) -> Response:
    """Log in without a password: it stands for the log-in that your app has."""
    token = secrets.token_urlsafe(32)
    with Session(engine) as session, session.begin():
        session.add(Login(token=token, customer=name))
    answer = RedirectResponse("/", 303)
    answer.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=ORIGIN.startswith("https:"))
    return answer


@app.post("/orders")
def order(item: Annotated[str, Form(max_length=100)], customer: Customer) -> Response:
    """Store an order, with its room and the first message there, in one transaction."""
    with Session(engine) as session, session.begin():
        new = Order(customer=customer, item=item)
        session.add(new)
        session.flush()  # gives it its id
        outbox.post(
            session,
            room=f"order:{new.id}",
            text=f"Order {new.id} received: {item}",
            as_bot=SHOP,
            room_name=f"Order {new.id}",
            members=[identity(customer)],
        )
        number = new.id
    return RedirectResponse(f"/orders/{number}", 303)


@app.post("/orders/{number}/ship")
def ship(number: int, customer: Customer) -> Response:
    """Change an order, and tell the customer if and only if it was changed."""
    with Session(engine) as session, session.begin():
        found = session.get(Order, number, with_for_update=True)
        if found is None or found.customer != customer or found.shipped:
            raise HTTPException(409, "There is nothing to ship.")
        found.shipped = True
        outbox.post(session, room=f"order:{number}", text=f"Order {number} is on its way.", as_bot=SHOP)
    return RedirectResponse(f"/orders/{number}", 303)


@app.get("/orders/{number}")
async def show(number: int, customer: Customer) -> HTMLResponse:
    with Session(engine) as session:
        found = session.get(Order, number)
        if found is None or found.customer != customer:
            raise HTTPException(404, "There is no such order.")
        what = f"<h2>{escape(found.item)}</h2>" + ("<p>Shipped.</p>" if found.shipped else SHIP.format(number))
    room = await hubbub.rooms.get(f"order:{number}")
    chat = ROOM.format(room=room.id) if room is not None else "<p>The room opens in a moment.</p>"
    return HTMLResponse(PAGE.format(what + chat))
