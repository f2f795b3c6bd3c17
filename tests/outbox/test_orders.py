"""`examples/orders.py` on real servers: an order and its messages exist together, whatever is killed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import NullPool, create_engine, text

from tests.outbox.killed_host import STEPS
from tests.support import depth
from tests.support.mounted import SERVERS, WORKERS, MountedServer
from tests.support.postgres import Postgres
from tests.support.server import Account
from tests.support.waiting import eventually_blocking

pytestmark = pytest.mark.faults

DEADLINE = 90.0
KINDS = pytest.mark.parametrize("kind", ["uvicorn", "gunicorn"])
"""One process with SQLite, and two workers with PostgreSQL and a bus."""
FEW = ("inserted", "committed", "stored", "deleting")
"""The steps of the short form in one process. All of them are also in `test_kill.py`."""
MakeShop = Callable[..., "Shop"]


class Shop:
    """The example on a server, with a process that kills itself when it reaches a step."""

    def __init__(self, server: MountedServer, folder: Path, host: str, chat: str) -> None:
        self.server, self._host, self._chat = server, host, chat
        self._step = folder / "step"
        server.settings["APP_STEP"] = str(self._step)
        self.customer: Account | None = None

    def start(self) -> None:
        self.server.start()
        self.customer = self.server.log_in("Ada")

    def request(self, method: str, path: str, **form: str) -> httpx.Response | None:
        """Send a request as the customer; return None if the process ends meanwhile."""
        assert self.customer is not None
        try:
            url = f"{self.server.origin}{path}"
            return httpx.request(method, url, data=form, headers=self.customer.headers, trust_env=False, timeout=30)
        except httpx.TransportError:
            return None

    def order(self, item: str) -> int | None:
        """Order; return the number, or None if the outcome is unknown."""
        answer = self.request("POST", "/orders", item=item)
        if answer is None or answer.status_code != 303:
            return None
        return int(answer.headers["location"].rpartition("/")[2])

    def killed_at(self, step: str) -> None:
        """Order and ship until a process kills itself at the step, and wait until all are there again."""
        self._step.write_text(step)

        def tried() -> bool:
            number = self.order(f"something before the kill at {step}")
            if number is not None:
                self.request("POST", f"/orders/{number}/ship")
            return not self._step.exists()

        eventually_blocking(tried, DEADLINE, f"a process was killed at {step}", every=0.1)
        process = self.server.process
        assert process is not None
        if process.poll() is None and not self._alone():
            return
        process.wait(DEADLINE)
        self.server.process = None
        self.server.start()

    def _alone(self) -> bool:
        return self._host.startswith("sqlite")

    def settled(self) -> None:
        """Wait until all posts were taken over."""

        def empty() -> bool:
            return self._rows(self._host, "SELECT count(*) FROM hubbub_outbox WHERE dead_at IS NULL") == [(0,)]

        eventually_blocking(empty, DEADLINE, "all posts are taken over", every=0.1)

    def violations(self) -> list[str]:
        """Compare each order with the messages of its room."""
        expected = {
            f"order:{number}": [f"Order {number} received: {item}"] + [f"Order {number} is on its way."] * bool(shipped)
            for number, item, shipped in self._rows(self._host, "SELECT id, item, shipped FROM orders")
        }
        query = (
            "SELECT host_rooms.key, messages.body FROM host_rooms JOIN messages ON messages.room = host_rooms.room "
            "ORDER BY host_rooms.key, messages.seq"
        )
        posted: dict[str, list[str]] = {}
        for room, body in self._rows(self._chat, query):
            posted.setdefault(room, []).append(body)
        found = [
            f"{room}: {posted.get(room)} instead of {texts}"
            for room, texts in expected.items()
            if posted.get(room) != texts
        ]
        found += [f"{room}: posted without an order" for room in posted if room not in expected]
        dead = self._rows(self._host, "SELECT room, reason FROM hubbub_outbox WHERE dead_at IS NOT NULL")
        return found + [f"{room}: given up: {reason}" for room, reason in dead]

    def orders(self) -> int:
        return len(self._rows(self._host, "SELECT id FROM orders"))

    def _rows(self, url: str, query: str) -> list[tuple[Any, ...]]:
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]


@pytest.fixture
def make_shop(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakeShop]:
    """Return `make_shop("gunicorn", broken=True)`, which is not started."""
    made: list[MountedServer] = []
    used: list[str] = []

    def make(kind: str, *, broken: bool = False) -> Shop:
        data = tmp_path / "shop"
        server = MountedServer(data, kind, "tests.outbox.orders_app:app", WORKERS if kind == "gunicorn" else SERVERS)
        made.append(server)
        if broken:
            server.settings["APP_BROKEN"] = "1"
        if kind == "uvicorn":
            return Shop(server, tmp_path, f"sqlite:///{data / 'orders.db'}", f"sqlite:///{data / 'chat' / 'hubbub.db'}")
        postgres: Postgres = request.getfixturevalue("postgres_server")
        host, chat = postgres.empty(), postgres.empty()
        used.extend((host, chat))
        server.settings |= {"APP_DATABASE_URL": host, "HUBBUB_DATABASE_URL": chat, "HUBBUB_BUS_URL": "postgresql"}
        return Shop(server, tmp_path, host, chat)

    yield make
    for server in made:
        server.kill()
    for url in used:
        request.getfixturevalue("postgres_server").drop(url)


@KINDS
def test_an_order_and_its_messages_exist_together_whichever_step_a_kill_hits(make_shop: MakeShop, kind: str) -> None:
    shop = make_shop(kind)
    shop.start()
    for step in STEPS if kind == "gunicorn" or depth.PROVING else FEW:
        shop.killed_at(step)
    number = eventually_blocking(lambda: shop.order("the last one"), DEADLINE, "the shop takes orders")
    shop.settled()
    assert shop.orders() > 3
    assert shop.violations() == []
    page = shop.request("GET", f"/orders/{number}")
    assert page is not None
    assert "/chat/#room/" in page.text
    assert "Traceback" not in shop.server.log_text()


def test_control_a_shop_that_posts_outside_of_its_transaction_posts_about_orders_that_do_not_exist(
    make_shop: MakeShop,
) -> None:
    shop = make_shop("gunicorn", broken=True)
    shop.start()
    shop.killed_at("inserted")
    shop.settled()
    assert any("posted without an order" in each for each in shop.violations()), shop.violations()
