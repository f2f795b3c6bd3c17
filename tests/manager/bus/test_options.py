"""What a manager with a bus accepts, refuses and imports."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hubbub import BusOptions, ConnectionManager
from hubbub.gateways.manager.bus import text_bus

IMPORTED = """
import asyncio, sys
from hubbub import ConnectionManager
async def main(**options):
    await ConnectionManager(**options).broadcast("x")
asyncio.run(main(BUS))
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"nats", "psycopg"}),
      *(["bus"] if "hubbub.bus.remote" in sys.modules else []))
"""
"""Prints what a program with a manager has imported."""


@pytest.mark.parametrize(
    "address",
    [
        "nats://127.0.0.1", "nats://user:p%40ss@nats.example.org:4222", "tls://a:4222,tls://b:4222", "nats://[::1]:4222",
        "postgresql://localhost/chat", "postgres://user:secret@localhost:5432/chat?sslmode=require",
        "postgresql+psycopg://localhost/chat", "postgresql+asyncpg://localhost/chat", "postgresql:///chat?host=/run/pg",
    ],
)  # fmt: skip
def test_addresses_that_are_accepted(address: str) -> None:
    ConnectionManager(bus=address)
    assert text_bus(BusOptions(address)).kind == ("postgresql" if address.startswith("postgres") else "nats")


@pytest.mark.parametrize(
    "address",
    [
        "", "nats", "localhost:4222", "redis://localhost", "http://localhost:4222", "nats://", "nats://:4222",
        "nats://localhost:99999", "nats://localhost:port", "nats://localhost:0", "nats://localhost/path",
        "nats://localhost?x=1", "nats://a,tls://b", "nats://a,", "nats://a\n", " nats://a", "postgresql",
        "postgresql://localhost/chat?no_such_option=1", "postgresql://localhost:port/chat?sslmode", "sqlite:///chat.db",
        "mysql://localhost/chat",
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused_when_the_manager_is_created(address: str) -> None:
    with pytest.raises(ValueError, match=r"A bus is nats://HOST:PORT, tls://HOST:PORT .* or postgresql://"):
        ConnectionManager(bus=address)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"name": ""}, "The name of a bus has 1 to 40"),
        ({"name": "x" * 41}, "The name of a bus has 1 to 40"),
        ({"name": "a.b"}, "The name of a bus has 1 to 40"),
        ({"name": "Größe"}, "The name of a bus has 1 to 40"),
        ({"name": "a\n"}, "The name of a bus has 1 to 40"),
        ({"secret": ""}, "The secret of a bus needs at least 16 bytes"),
        ({"secret": b"x" * 15}, "The secret of a bus needs at least 16 bytes"),
        ({"key": __file__}, "The key of a bus needs its certificate"),
        ({"ca": "/no/such.pem"}, "The ca of the bus is not a file: /no/such.pem"),
        ({"credentials": Path("/no/such.creds")}, "The credentials of the bus is not a file"),
    ],
)
def test_wrong_options_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        BusOptions("nats://localhost", **given)


def test_files_are_refused_for_postgresql() -> None:
    with pytest.raises(ValueError, match="ca is for NATS"):
        BusOptions("postgresql://localhost/chat", ca=__file__)


def test_options_at_their_limits_are_accepted() -> None:
    BusOptions("nats://localhost", name="x" * 40, secret="x" * 16)
    BusOptions("nats://localhost", name="a", secret=b"x" * 10_000)


def test_options_show_no_password_and_no_secret() -> None:
    options = BusOptions("nats://anna:password@localhost", secret="a secret of sixteen")
    assert "password" not in repr(options)
    assert "secret" not in repr(options)
    assert "password" not in text_bus(options)._address()
    database = BusOptions("postgresql://anna:password@localhost/chat?password=another")
    assert "passw" not in text_bus(database)._address()
    assert "another" not in text_bus(database)._address()


def test_a_missing_client_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nats", "nats.aio.client"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"Install hubbub\[nats\]\."):
        ConnectionManager(bus="nats://localhost")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ImportError, match=r"Install hubbub\[postgresql\]\."):
        ConnectionManager(bus="postgresql://localhost/chat")


@pytest.mark.parametrize(
    ("bus", "imported"),
    [
        ("", ""),
        ('bus="nats://127.0.0.1:1"', "nats bus"),
        ('bus="postgresql://127.0.0.1:1/chat"', "psycopg bus"),
    ],
    ids=["none", "nats", "postgresql"],
)
def test_a_manager_imports_no_bus_but_its_own(bus: str, imported: str) -> None:
    program = IMPORTED.replace("main(BUS)", f"main({bus})").replace(
        '.broadcast("x")', '.broadcast("x")\n    await asyncio.sleep(0.1)'
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == imported
