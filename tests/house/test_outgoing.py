"""Only `hubbub.outbound` sends HTTP requests or connects to hosts that users choose (CVE-2026-2455, Mattermost)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "src/hubbub"
SOURCES = sorted(ROOT.rglob("*.py"))
CLIENTS = (
    "aiohttp", "anyio.connect_tcp", "ftplib", "h11", "http.client", "httpcore", "httpx", "imaplib", "niquests",
    "poplib", "pycurl",
    "requests", "smtplib", "telnetlib", "tornado.httpclient", "urllib.request", "urllib3", "websocket",
    "websockets.asyncio.client", "websockets.client", "websockets.connect", "websockets.sync.client", "xmlrpc.client",
)  # fmt: skip
"""Modules and names that open connections to servers."""
CONNECTS = frozenset({
    "connect_ex", "connect_tcp", "create_connection", "create_datagram_endpoint", "getaddrinfo", "gethostbyname",
    "gethostbyname_ex", "open_connection", "sock_connect", "urlopen", "urlretrieve",
})  # fmt: skip
"""Functions and methods that resolve names or connect."""
ALLOWED = {
    ("cli/operator.py", "http.client"): "the operator's socket of this machine, a path in the data folder",
    ("client/login.py", "http.client"): "the client for programs: their own server",
    ("client/login.py", "urllib.request"): "the client for programs: their own server",
    ("client/client.py", "websockets.asyncio.client"): "the client for programs: their own server",
    ("client/link.py", "websockets.asyncio.client"): "the client for programs: their own server",
    ("gateways/native/listener.py", "getaddrinfo"): "the address to listen on",
}


def imports(tree: ast.AST) -> set[str]:
    """Return the clients of `CLIENTS` that a module imports, also as `from a import b`."""
    names: set[object] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return {client for client in CLIENTS if any(f"{name}.".startswith(f"{client}.") for name in names)}


def connects(tree: ast.AST) -> set[str]:
    """Return the names of `CONNECTS` that a module uses, called or passed on."""
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names}
    return (attributes | names | imported) & CONNECTS


def outgoing(path: Path) -> set[tuple[str, str]]:
    tree = ast.parse(path.read_text())
    return {(path.relative_to(ROOT).as_posix(), name) for name in imports(tree) | connects(tree)}


def test_only_the_outbound_client_sends_requests() -> None:
    found = set().union(*(outgoing(path) for path in SOURCES if ROOT / "outbound" not in path.parents))
    assert found - ALLOWED.keys() == set(), "use hubbub.outbound.OutboundClient: it checks the address"


def test_every_exception_from_the_rule_is_still_needed() -> None:
    assert set(ALLOWED) <= set().union(*(outgoing(path) for path in SOURCES))


def test_control_the_outbound_client_itself_is_found() -> None:
    found = {name for path in SOURCES if ROOT / "outbound" in path.parents for _, name in outgoing(path)}
    assert {"httpcore", "getaddrinfo", "connect_tcp"} <= found


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import httpx", "httpx"),
        ("import urllib.request as r", "urllib.request"),
        ("from urllib import request", "urllib.request"),
        ("from urllib.request import urlopen", "urllib.request"),
        ("def f():\n    from http import client", "http.client"),
        ("import importlib\nimportlib.import_module('requests')", "requests"),
        ("from websockets.asyncio.client import connect", "websockets.asyncio.client"),
        ("import asyncio\nasyncio.open_connection('a', 1)", "open_connection"),
        ("loop.create_connection(f, 'a', 1)", "create_connection"),
        ("from socket import create_connection", "create_connection"),
        ("call = socket.getaddrinfo", "getaddrinfo"),
    ],
)
def test_control_another_way_to_send_a_request_is_found(code: str, name: str) -> None:
    tree = ast.parse(code)
    assert name in imports(tree) | connects(tree)


def test_control_what_only_sounds_alike_is_not_found() -> None:
    tree = ast.parse(
        "import urllib.parse\nfrom starlette.requests import Request\nimport hubbub.client\nx = 'a requests b'"
    )
    assert imports(tree) | connects(tree) == set()
