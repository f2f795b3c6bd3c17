"""One database has one server, under any name and on both engines."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from hubbub import Hubbub
from hubbub.settings import Settings
from hubbub.storage import postgresql_lock, restore
from hubbub.storage.locks import DatabaseInUse, FolderInUse, folder_lock, sqlite_lock
from hubbub.storage.postgresql_lock import PostgresLock
from tests.conftest import MakeServer, Run
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.waiting import eventually_async, eventually_blocking

pytestmark = pytest.mark.faults


# -- SQLite in this process: each attempt has its own open file description, like a process


def by_symlink(real: Path) -> Path:
    name = real.parent.parent / "link.db"
    name.symlink_to(real)
    return name


def by_link_of_the_folder(real: Path) -> Path:
    folder = real.parent.parent / "folder"
    folder.symlink_to(real.parent)
    return folder / real.name


def by_hard_link(real: Path) -> Path:
    name = real.parent.parent / "hard.db"
    name.hardlink_to(real)
    return name


def by_dots(real: Path) -> Path:
    return real.parent / ".." / real.parent.name / "." / real.name


def by_relative_path(real: Path) -> Path:
    return Path(os.path.relpath(real))


NAMES = [by_symlink, by_link_of_the_folder, by_hard_link, by_dots, by_relative_path]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.__name__)
def test_a_sqlite_database_is_locked_under_every_name(tmp_path: Path, name: Callable[[Path], Path]) -> None:
    real = tmp_path / "data" / "hubbub.db"
    with sqlite_lock(real), closing(sqlite3.connect(real)) as connection:
        connection.execute("CREATE TABLE said (what TEXT)")
        other = name(real)
        with pytest.raises(DatabaseInUse, match="already uses the database"), sqlite_lock(other):
            pass
    with sqlite_lock(other):
        pass


def test_a_refused_lock_keeps_sqlites_own_locks(tmp_path: Path) -> None:
    """Closing a descriptor of the file would drop them.

    Another process could then write during the transaction.
    """
    real = tmp_path / "data" / "hubbub.db"
    with sqlite_lock(real), closing(sqlite3.connect(real, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE said (what TEXT)")
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseInUse), sqlite_lock(by_hard_link(real)):
            pass
        program = f"import sqlite3; sqlite3.connect({str(real)!r}, timeout=0).execute('INSERT INTO said VALUES (1)')"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert "database is locked" in done.stderr


def test_a_bind_mounted_database_is_locked_too(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: no bind mount can be made, so its lock was NOT tested")
    real, other = tmp_path / "data" / "hubbub.db", tmp_path / "mounted.db"
    other.touch()
    with sqlite_lock(real):
        subprocess.run(["mount", "--bind", str(real), str(other)], check=True)
        try:
            with pytest.raises(DatabaseInUse), sqlite_lock(other):
                pass
        finally:
            subprocess.run(["umount", str(other)], check=True)


@pytest.mark.parametrize(
    "url",
    ["sqlite:///file:/data/x.db?uri=true&nolock=1", "sqlite:////x.db?vfs=unix-none", "sqlite:///:memory:"],
)
def test_a_database_url_that_could_disable_locks_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="database_url"):
        Settings(database_url=url)


def test_a_data_folder_admits_one_process(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "data"), pytest.raises(FolderInUse), folder_lock(tmp_path / "data"):
        pass


# -- SQLite, from outside


def test_servers_restores_and_commands_cannot_use_the_database_of_a_running_server(
    server: Server, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = server.sign_up()
    file, link = tmp_path / "chat.zip", tmp_path / "hard.db"
    run("backup", file, "--data", server.data)
    link.hardlink_to(server.database)
    for name in (server.database, link):
        monkeypatch.setenv("HUBBUB_DATABASE_URL", f"sqlite:///{name}")
        for command in (("serve", "--port", "0"), ("restore", file, "--replace"), ("migrate",)):
            sentence = run(*command, "--data", tmp_path / "elsewhere", fails=True)
            assert sentence.startswith(f"Another Hubbub process already uses the database {name}."), command
    monkeypatch.setenv("HUBBUB_DATABASE_URL", f"sqlite:///{server.database}")
    sentence = run("user", "disable", account.name, "--data", tmp_path / "elsewhere", fails=True)
    assert sentence.startswith("Another Hubbub process already uses the database")
    assert account.name in run("user", "list", "--data", tmp_path / "elsewhere"), "reading is allowed"
    assert account.get("/users/me")["id"] == account.id
    assert not (tmp_path / "elsewhere" / "secret.key").exists()


def test_restore_is_refused_while_another_program_has_the_database_open(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "PATIENCE", 0.1)
    data = tmp_path / "data"
    run("migrate", "--data", data)
    run("backup", tmp_path / "chat.zip", "--data", data)
    with closing(sqlite3.connect(data / "hubbub.db")) as connection:
        connection.execute("SELECT * FROM users").fetchall()  # The query is done and the connection idle.
        sentence = run("restore", tmp_path / "chat.zip", "--replace", "--data", data, fails=True)
    assert sentence == f"Another program has the database {data / 'hubbub.db'} open. Stop it first."
    assert "Restored" in run("restore", tmp_path / "chat.zip", "--replace", "--data", data)


# -- PostgreSQL


def end_sessions(url: str, name: str) -> int:
    """Terminate the connections of that name in PostgreSQL, as a failover does.

    Return how many.
    """
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s"
        return len(connection.execute(query, [name]).fetchall())


def test_a_second_server_a_command_and_a_restore_are_refused_on_one_postgresql(
    make_server: MakeServer, postgres_server: Postgres, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.fresh()
    server = make_server({"HUBBUB_DATABASE_URL": url}).start()
    account = server.sign_up()
    file = tmp_path / "chat.zip"
    monkeypatch.setenv("HUBBUB_DATABASE_URL", url)
    monkeypatch.setattr(postgresql_lock, "SERVER_TIMEOUT", 0.5)
    monkeypatch.setattr(postgresql_lock, "COMMAND_TIMEOUT", 0.5)
    run("backup", file, "--data", server.data)
    for command in (
        ("serve", "--port", "0", "--set", "log_level=error"),
        ("user", "disable", account.name),
        ("restore", file, "--replace"),
    ):
        sentence = run(*command, "--data", tmp_path / "elsewhere", fails=True)
        assert sentence.startswith(f"Another Hubbub server (process {server.pid} on {os.uname().nodename}, since ")
        assert "Several servers need a bus" in sentence
    assert account.get("/users/me")["id"] == account.id
    server.kill()
    server.start()  # The lock of a killed server is free at once.
    assert end_sessions(url, "hubbub-serve %") == 1
    eventually_blocking(lambda: "database_lock_regained" in server.log_text(), 30, "the lock is taken again")
    assert account.server.log_in(account.name).get("/users/me")["id"] == account.id


def test_a_server_exits_when_another_took_the_database_while_its_lock_was_lost(
    postgres_server: Postgres, make_server: MakeServer
) -> None:
    url = postgres_server.fresh()
    server = make_server({"HUBBUB_DATABASE_URL": url}).start()
    usurper = PostgresLock(make_url(url), "serve")

    def took_it() -> bool:
        end_sessions(url, "hubbub-serve %" if usurper._connection is None else f"%{server.pid} %")
        return usurper._try() is None

    try:
        eventually_blocking(took_it, 30, "the other server takes the lock first")
        process, server.process = server.process, None
        assert process is not None
        assert process.wait(60) == 1
        assert f"hubbub: Another Hubbub server (process {os.getpid()} on" in server.log_text()
        assert "Traceback" not in server.log_text()
    finally:
        usurper.close()


def test_two_sites_in_schemas_of_one_database_do_not_exclude_each_other(postgres_server: Postgres) -> None:
    url = make_url(postgres_server.fresh())
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)

    def search(schema: str) -> None:
        with psycopg.connect(address, autocommit=True) as connection:
            setting = "ALTER DATABASE {} SET search_path = {}"
            connection.execute(sql.SQL(setting).format(sql.Identifier(url.database or ""), sql.Identifier(schema)))

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA other")
    first, same, other = (PostgresLock(url, "command") for _ in range(3))
    first.acquire()
    with pytest.raises(DatabaseInUse, match="command"):
        same.acquire()
    search("other")
    other.acquire()
    other.close()
    first.close()


async def test_a_mounted_hubbub_refuses_requests_when_another_server_took_the_database(
    postgres_server: Postgres, tmp_path: Path
) -> None:
    hubbub = Hubbub(Settings(data=tmp_path / "chat", database_url=postgres_server.fresh()))
    async with hubbub.lifespan():
        transport = httpx.ASGITransport(hubbub.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            assert (await client.get("/health/ready")).status_code == 200
            assert hubbub._running is not None
            hubbub._running[0].lost_database.set_result("Another Hubbub server already uses this database.")

            async def refused() -> bool:
                return "Another Hubbub server already uses" in (await client.get("/health/ready")).text

            await eventually_async(refused, 20, "requests are refused with the reason")
