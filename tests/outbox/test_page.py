"""The programs in docs/outbox.md run as the page says."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
from sqlalchemy import NullPool, create_engine, text

from tests.support import documents
from tests.support.mounted import MountedServer
from tests.support.waiting import eventually_blocking

DEADLINE = 60.0


def test_the_shop_of_the_page_posts_and_its_dead_posts_are_listed_and_retried(tmp_path: Path) -> None:
    server = MountedServer(tmp_path, app="shop:app")
    server.where += ["--app-dir", str(tmp_path)]
    documents.write("outbox.md", tmp_path)
    shop, database = tmp_path / "shop.py", f"sqlite:///{tmp_path / 'shop.db'}"
    source = shop.read_text().replace("sqlite:///shop.db", database).replace('"chat-data"', repr(str(server.data)))
    shop.write_text(source.replace("http://127.0.0.1:8000", server.origin))
    engine = create_engine(database, poolclass=NullPool)

    def count(where: str) -> int:
        with engine.connect() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM hubbub_outbox WHERE {where}")).scalar() or 0)

    server.start()
    try:
        with httpx.Client(trust_env=False, timeout=30, base_url=server.origin) as customer:
            assert customer.post("/orders", params={"item": "a book"}).json() == 1
            eventually_blocking(lambda: count("true") == 0, DEADLINE, "the post is taken over")
            rooms = customer.get("/chat/api/rooms").json()["rooms"]
            (room,) = [each for each in rooms if each["name"] == "Order 1"]
            (message,) = customer.get(f"/chat/api/rooms/{room['id']}/messages").json()["messages"]
            assert message["body"] == "Order 1 received: a book"
        program = "from shop import engine, outbox\nwith engine.begin() as c: outbox.post(c, room='x', text='y')"
        python(tmp_path, "-c", program)
        eventually_blocking(lambda: count("dead_at IS NOT NULL") == 1, DEADLINE, "the post is given up")
        assert " x " in python(tmp_path, "dead.py")
    finally:
        server.stop()


def python(folder: Path, *arguments: str) -> str:
    command = [sys.executable, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
