"""Three servers for the whole walk: one open house, one strict house, one exactly as it comes."""

from collections.abc import Iterator

import pytest

from tests.support.server import PASSWORD, Account, Server

AS_IT_COMES = {"HUBBUB_RATE_LIMITS": "", "HUBBUB_SIGNUP": "", "HUBBUB_CONNECTIONS_PER_USER": ""}


def no_trace_of_a_crash(server: Server) -> None:
    log = server.log_text()
    assert "Traceback" not in log, log[log.index("Traceback") - 2000 :][:6000]
    assert '"level": "error"' not in log, [line for line in log.splitlines() if '"level": "error"' in line][:3]


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Sign-up open, rate limits off, guests on."""
    data = tmp_path_factory.mktemp("contract") / "house"
    with Server(data, {"HUBBUB_GUESTS": "on"}) as running:
        yield running
        no_trace_of_a_crash(running)


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Short deadlines, few connections, access tokens of three seconds, a public address, a trusted proxy."""
    settings = {
        "HUBBUB_ACCESS_TOKEN_SECONDS": "3",
        "HUBBUB_CONNECTIONS_PER_USER": "3",
        "HUBBUB_HELLO_TIMEOUT": "0.5",
        "HUBBUB_PUBLIC_URL": "https://chat.example.org",
        "HUBBUB_TRUSTED_PROXIES": "127.0.0.1",
    }
    with Server(tmp_path_factory.mktemp("contract") / "strict", settings) as running:
        yield running
        no_trace_of_a_crash(running)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Not one setting: what somebody has who only typed `hubbub serve`."""
    with Server(tmp_path_factory.mktemp("contract") / "plain", AS_IT_COMES) as running:
        yield running
        no_trace_of_a_crash(running)


@pytest.fixture(scope="session")
def owner(house: Server) -> Account:
    return house.create_owner("landlady")


@pytest.fixture(scope="session")
def alice(house: Server) -> Account:
    return house.sign_up("alice")


@pytest.fixture(scope="session")
def bob(house: Server) -> Account:
    return house.sign_up("bob")


@pytest.fixture(scope="session")
def newcomer(plain: Server) -> Account:
    """Somebody on the server as it comes; whoever uses up the log-ins of this address asks for it first."""
    plain.command_line("user", "create", "newcomer", "--password-stdin", stdin=PASSWORD + "\n")
    return plain.log_in("newcomer")
