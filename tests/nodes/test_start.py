"""Which servers start beside each other, and what they share."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy.engine import make_url

from hubbub import main
from hubbub.settings import WrongSetting, load
from hubbub.storage import postgresql_lock
from hubbub.storage.locks import DatabaseInUse
from hubbub.storage.postgresql_lock import PostgresLock
from tests.conftest import MakeServer, Run
from tests.nodes.conftest import MakeSite
from tests.support.postgres import Postgres
from tests.support.server import PASSWORD, Server
from tests.support.waiting import eventually_blocking


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_lock, "SERVER_TIMEOUT", 0.3)
    monkeypatch.setattr(postgresql_lock, "COMMAND_TIMEOUT", 0.3)


@pytest.mark.faults
def test_nodes_share_the_signing_key_and_the_first_of_them_migrates(make_site: MakeSite) -> None:
    site = make_site(3)
    keys = {(node.data / "secret.key").read_bytes() for node in site.nodes}
    assert len(keys) == 1
    assert sum(bool(node.log_lines("migrated")) for node in site.nodes) == 1
    account = site.nodes[0].sign_up()
    for number in range(3):
        assert site.there(account, number).get("/users/me")["id"] == account.id


@pytest.mark.faults
def test_nodes_that_start_together_print_one_link_that_works_once_on_any_of_them(make_site: MakeSite) -> None:
    site = make_site(3)
    tokens = {node.setup_link().partition("#")[2] for node in site.nodes}
    assert len(tokens) == 1
    (token,) = tokens
    again = site.nodes[2]
    assert token in greeting(again), "a node that starts later prints it, too"
    new = {"password": PASSWORD, "setup": token}
    made = httpx.post(f"{site.nodes[1].url}/api/users", json={"username": "owner", **new}, trust_env=False)
    assert made.status_code == 201, made.text
    assert site.there(site.nodes[0].log_in("owner"), 2).get("/users/me")["role"] == "owner"
    for node in site.nodes:
        answer = httpx.post(f"{node.url}/api/users", json={"username": "second", **new}, trust_env=False)
        assert answer.status_code == 403
    assert "/setup#" not in greeting(again)


def greeting(node: Server) -> str:
    """Start a node again and return what it has printed and logged then."""
    node.stop()
    before = len(node.log_text())
    node.start()
    eventually_blocking(lambda: " is at http" in node.log_text()[before:], 20.0, "the operator is greeted")
    return node.log_text()[before:]


@pytest.mark.faults
def test_a_site_without_the_key_in_the_database_needs_a_copied_file(
    make_server: MakeServer, postgres_server: Postgres, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"HUBBUB_DATABASE_URL": postgres_server.fresh(), "HUBBUB_BUS_URL": "postgresql",
                "HUBBUB_KEY_IN_DATABASE": "off"}  # fmt: skip
    first = make_server(settings).start()
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    sentence = run("serve", "--port", "0", "--data", tmp_path / "second", "--set", "log_level=error", fails=True)
    assert sentence.startswith("This node has no signing key")
    (tmp_path / "second" / "secret.key").write_bytes((first.data / "secret.key").read_bytes())
    second = make_server(settings, data=tmp_path / "second").start()
    account = first.sign_up()
    assert second.log_in(account.name).id == account.id


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("holder", "asker", "sentence"),
    [
        (None, None, "Several servers need a bus: set HUBBUB_BUS_URL"),
        ("nats", None, "with a bus. Set HUBBUB_BUS_URL to the same bus"),
        (None, "nats", "without a bus. Stop it, or set its HUBBUB_BUS_URL"),
        ("nats", "postgresql", "with another kind of bus"),
        ("nats", "nats", ""),
    ],
)
def test_servers_with_and_without_a_bus_exclude_each_other(
    postgres_server: Postgres, holder: str | None, asker: str | None, sentence: str
) -> None:
    url = make_url(postgres_server.empty())
    first, second = (PostgresLock(url, "serve", bus=bus) for bus in (holder, asker))
    first.acquire()
    try:
        if sentence:
            with pytest.raises(DatabaseInUse, match=sentence):
                second.acquire()
        else:
            second.acquire()
    finally:
        second.close()
        first.close()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("running", "starting", "together"),
    [
        (("0011", "0011"), ("0011", "0011"), True),
        (("0011", "0011"), ("0012", "0012"), False),
        (("0011", "0011"), ("0012", "0011"), True),
        (("0011", "0011"), ("0013", "0010"), True),
        (("0011", "0011"), ("0013", "0012"), False),
        (("0012", "0011"), ("0011", "0011"), True),
        (("0012", "0012"), ("0011", "0011"), False),
        (("0012", "0012"), ("0011", "0010"), False),
    ],
)
def test_nodes_with_other_tables_run_together_if_what_the_newer_one_added_allows_it(
    postgres_server: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    running: tuple[str, str],
    starting: tuple[str, str],
    together: bool,
) -> None:
    """Each node has its own revision, and the oldest one that goes with it."""
    url, made = make_url(postgres_server.empty()), []
    for newest, oldest in (running, starting):
        monkeypatch.setattr(postgresql_lock, "HEAD", newest)
        monkeypatch.setattr(postgresql_lock, "OLDEST", oldest)
        made.append(PostgresLock(url, "serve", bus="nats"))
        try:
            if together or len(made) == 1:
                made[-1].acquire()
            else:
                with pytest.raises(DatabaseInUse, match="another version of its tables"):
                    made[-1].acquire()
        except BaseException:
            for each in made:
                each.close()
            raise
    # Of its own tables, a node that lost its lock takes it again beside the other one.
    monkeypatch.setattr(postgresql_lock, "HEAD", running[0])
    monkeypatch.setattr(postgresql_lock, "OLDEST", running[1])
    if together:
        with closing(psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                          [made[0]._name])  # fmt: skip
        assert not made[0]._is_held()
        assert made[0]._try() is None
    for each in made:
        each.close()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("purpose", ["command", "restore"])
def test_a_command_beside_nodes_is_refused(postgres_server: Postgres, purpose: postgresql_lock.Purpose) -> None:
    url = make_url(postgres_server.empty())
    node, command = PostgresLock(url, "serve", bus="nats"), PostgresLock(url, purpose)
    node.acquire()
    try:
        with pytest.raises(DatabaseInUse, match="name the data folder of a running server"):
            command.acquire()
    finally:
        command.close()
        node.close()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"bus_url": "postgresql"}, "HUBBUB_BUS_URL needs a PostgreSQL database: set HUBBUB_DATABASE_URL."),
        ({"bus_ca": "/ca.pem"}, "HUBBUB_BUS_CA needs a HUBBUB_BUS_URL with a NATS server."),
        ({"bus_url": "postgresql", "bus_credentials": "/me.creds"}, "HUBBUB_BUS_CREDENTIALS needs a HUBBUB_BUS_URL"),
        ({"bus_url": "tls://a", "bus_key": "/key.pem"}, "HUBBUB_BUS_KEY needs HUBBUB_BUS_CERTIFICATE."),
    ],
)
async def test_a_bus_that_cannot_work_is_refused_with_a_sentence(
    tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    chosen, _ = load({**settings, "data": tmp_path / "data"})
    with pytest.raises(WrongSetting, match=sentence):
        async with main.running(chosen):
            pass
    assert not (tmp_path / "data").exists()


def test_a_server_without_a_bus_imports_no_client_of_one() -> None:
    code = "import sys, hubbub.main; print([n for n in ('nats', 'nkeys', 'psycopg') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
