"""Fixtures: a server behind a proxy, in each usual configuration."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.proxy.front import Certificate, Front, Kind
from tests.proxy.visitor import Visitor
from tests.support.server import Server

# Some of these tests are about limits. The socket limit is low because each socket is a TLS
# connection.
LIMITED = {
    "HUBBUB_RATE_LIMITS": "on",
    "HUBBUB_UNAUTHENTICATED_PER_ADDRESS": "3",
    "HUBBUB_HELLO_TIMEOUT": "120",
    "HUBBUB_TRUSTED_PROXIES": "127.0.0.1",
}
PLAIN_PYTHON = ("-m", "hubbub")


@dataclass(frozen=True)
class Behind:
    front: Front
    server: Server

    def visitor(self) -> Visitor:
        return Visitor(self.front)


Put = Callable[..., Behind]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def put(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Put]:
    """Return a factory that runs a server behind a proxy.

    Its arguments are `put(kind, root_path, change=…, settings=…, launcher=…)`.
    """
    with ExitStack() as stack:

        def put_behind(
            kind: Kind,
            root_path: str = "",
            change: Callable[[Front], object] = lambda front: None,
            settings: dict[str, str] | None = None,
            launcher: tuple[str, ...] = PLAIN_PYTHON,
        ) -> Behind:
            folder = tmp_path_factory.mktemp(kind)
            front = Front(kind, root_path, certificate, folder)
            change(front)
            server = Server(
                folder / "data", {"HUBBUB_PUBLIC_URL": front.address, **LIMITED, **(settings or {})}, launcher
            )
            stack.callback(server.kill)
            stack.callback(front.stop)
            front.start(server.port)
            server.start()
            return Behind(front, server)

        yield put_behind


WAYS: dict[str, tuple[Kind, str, Callable[[Front], object]]] = {
    f"{kind} {what}": (kind, root_path, change)
    for kind in ("nginx", "caddy")
    for what, root_path, change in (
        ("at the root", "", lambda front: None),
        ("handing the path on", "/chat", lambda front: None),
        ("stripping the path", "/chat", Front.strip_root_path),
    )
}


@pytest.fixture(scope="module", params=WAYS)
def behind(request: pytest.FixtureRequest, put: Put) -> Behind:
    kind, root_path, change = WAYS[request.param]
    return put(kind, root_path, change)
