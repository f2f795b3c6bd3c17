"""Three servers for all tests, each behind both gateways.

One is open, one is strict, and one has the defaults.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import TypeVar

import pytest

from hubbub.cli.operator import ask_server
from hubbub.control import CreateUser
from tests.support.server import PASSWORD, Account, Server

DEFAULTS = {"HUBBUB_RATE_LIMITS": "", "HUBBUB_SIGNUP": "", "HUBBUB_CONNECTIONS_PER_USER": ""}
STRICT = {
    "HUBBUB_ACCESS_TOKEN_SECONDS": "3",
    "HUBBUB_CONNECTIONS_PER_USER": "3",
    "HUBBUB_HELLO_TIMEOUT": "0.5",
    "HUBBUB_PUBLIC_URL": "https://chat.example.org",
    "HUBBUB_TRUSTED_PROXIES": "127.0.0.1",
}
SETTINGS = {"open": {"HUBBUB_GUESTS": "on"}, "strict": STRICT, "plain": DEFAULTS}
LAUNCHERS = {"native": ("-m", "hubbub"), "asgi": ("-m", "tests.support.asgi_server")}
NATIVE_ONLY = {
    "test_64_fragments_are_read_and_65_are_too_many": "an ASGI server passes on whole messages only",
    "test_a_malformed_handshake_gets_an_error_of_the_usual_form": "ASGI servers answer malformed handshakes themselves",
}
"""What an ASGI application cannot see, each with the reason."""
UVICORN_IS_WRONG = "ASGI callable returned without completing handshake."
"""uvicorn mistakes a rejected handshake for a missing answer."""

RENEW_AFTER = 240.0
"""Seconds; an access token is valid for 600."""

T = TypeVar("T")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that uses one of the three servers behind each gateway."""
    if "gateway" in metafunc.fixturenames:
        native_only = metafunc.function.__name__ in NATIVE_ONLY
        metafunc.parametrize("gateway", ["native"] if native_only else list(LAUNCHERS))


def assert_no_crash(server: Server) -> None:
    log = "\n".join(line for line in server.log_text().splitlines() if UVICORN_IS_WRONG not in line)
    assert "Traceback" not in log, log[log.index("Traceback") - 2000 :][:6000]
    assert '"level": "error"' not in log, [line for line in log.splitlines() if '"level": "error"' in line][:3]


class Servers:
    """The requested servers and their users, each made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: dict[tuple[str, str], Server] = {}
        self._people: dict[tuple[str, Server], tuple[Account, float]] = {}

    def server(self, kind: str, gateway: str) -> Server:
        if (kind, gateway) not in self._servers:
            data = self._folder / f"{kind}-{gateway}"
            self._servers[kind, gateway] = Server(data, SETTINGS[kind], LAUNCHERS[gateway]).start()
        return self._servers[kind, gateway]

    def person(self, name: str, server: Server, make: Callable[[], Account]) -> Account:
        """Return the account of that name with a valid access token.

        A whole run takes longer than a token.
        """
        account, since = self._people.get((name, server)) or (make(), monotonic())
        if monotonic() - since > RENEW_AFTER:
            account.renew()
            since = monotonic()
        self._people[name, server] = account, since
        return account

    def close(self) -> None:
        for server in self._servers.values():
            server.kill()
        for server in self._servers.values():
            assert_no_crash(server)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    built = Servers(tmp_path_factory.mktemp("contract"))
    yield built
    built.close()


@pytest.fixture
def open_server(servers: Servers, gateway: str) -> Server:
    """A server with open sign-up, no rate limits, and guests."""
    return servers.server("open", gateway)


@pytest.fixture
def strict(servers: Servers, gateway: str) -> Server:
    """A server with short deadlines, few connections, a public address and a proxy.

    Access tokens are valid for three seconds.
    """
    return servers.server("strict", gateway)


@pytest.fixture
def plain(servers: Servers, gateway: str) -> Server:
    """A server with default settings."""
    return servers.server("plain", gateway)


@pytest.fixture
def owner(servers: Servers, open_server: Server) -> Account:
    return servers.person("site-owner", open_server, lambda: open_server.create_owner("site-owner"))


@pytest.fixture
def alice(servers: Servers, open_server: Server) -> Account:
    return servers.person("alice", open_server, lambda: open_server.sign_up("alice"))


@pytest.fixture
def bob(servers: Servers, open_server: Server) -> Account:
    return servers.person("bob", open_server, lambda: open_server.sign_up("bob"))


@pytest.fixture
def newcomer(servers: Servers, plain: Server) -> Account:
    """A user on the server with defaults.

    A test that uses up this address's log-ins requests this fixture first.
    """

    def make() -> Account:
        ask_server(plain.data, CreateUser(name="newcomer", role="member", password=PASSWORD))
        return plain.log_in("newcomer")

    return servers.person("newcomer", plain, make)
