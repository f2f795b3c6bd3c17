"""Planted secrets stay out of logs, errors, metrics and the process list."""

import asyncio
import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import structlog

from hubbub import log
from tests.gateways.raw import TEXT, Raw, frame, upgrade
from tests.security.broken_server import RAISE, REQUEST, VALIDATE
from tests.support import forked
from tests.support.server import PASSWORD, Account, Server

METRICS_TOKEN = "planted-metrics-token"
DATABASE_PASSWORD = "planted-database-password"
WORDS = {
    "password": "planted-password-of-hers",
    "wrong password": "planted-password-that-is-wrong",
    "message": "planted-words-of-a-message",
    "wrong token": "planted.token.that-is-none",
    "invite": "planted-invite-that-is-none",
    "reset link": "planted-reset-link-that-is-none",
    "cookie": "planted-cookie-that-is-none",
}
LAUNCHER = ("-m", "tests.security.broken_server")


def leaks(text: str, secrets: dict[str, str]) -> list[str]:
    """Return which secrets, or halves of tokens, are in a text that others can read."""
    return [name for name, secret in secrets.items() if secret in text or secret[-24:] in text]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"HUBBUB_METRICS_TOKEN": METRICS_TOKEN, "HUBBUB_LOG_LEVEL": "debug"}
    running = Server(tmp_path_factory.mktemp("secrets") / "data", settings, LAUNCHER)
    running.by_fork = False  # The process list must look as it does for a server that is started by hand.
    with running:
        yield running


class Eve:
    """A client whose requests fail, and that keeps every error answer."""

    def __init__(self, server: Server) -> None:
        self.http = httpx.Client(base_url=server.url)
        self.refusals: list[str] = []

    def ask(self, method: str, path: str, **arguments: object) -> httpx.Response:
        self.http.cookies.clear()
        answer = self.http.request(method, path, **arguments)  # type: ignore[arg-type]
        if answer.is_error:
            self.refusals.append(f"{answer.headers} {answer.text}")
        return answer


def real_secrets(server: Server, eve: Eve, owner: Account) -> dict[str, str]:
    """Return secrets that the server itself has issued."""
    invite = owner.request("POST", "/api/invites", json={}).json()["token"]
    (reset,) = re.findall(r"#([\w-]+)", server.reset_link(owner.name))
    body = {"username": owner.name, "password": PASSWORD}
    cookie = eve.ask("POST", "/api/login", json=body, headers={"Origin": server.url}).cookies["hubbub_session"]
    found = {"access token": owner.token, "refresh token": owner.refresh, "invite": invite, "reset": reset}
    assert all(found.values())
    key = (server.data / "secret.key").read_bytes().hex()
    return {**{f"real {name}": secret for name, secret in found.items()}, "real cookie": cookie, "key": key}


def fail_over_http(eve: Eve, account: Account, secrets: dict[str, str]) -> None:
    """Call every route with valid secrets in wrong fields, and vice versa."""
    headers, every = account.headers, list(secrets.values())
    eve.ask("POST", "/api/users", json={"username": "hers", "password": WORDS["password"]})
    for secret in every:
        eve.ask("POST", "/token", data={"username": "hers", "password": secret})
        eve.ask("POST", "/token", data={"username": secret[:200], "password": REQUEST + secret})
        eve.ask("POST", "/api/login", json={"username": "hers", "password": secret, "x": REQUEST})
        eve.ask("POST", "/token/refresh", json={"refresh_token": f"{secret}x"})
        eve.ask("POST", "/token/refresh", json={"refresh_token": secret, "x": REQUEST})
        eve.ask("POST", "/api/reset", json={"token": f"{secret}x", "password": WORDS["password"]})
        eve.ask("POST", "/api/invites/check", json={"token": f"{secret}x"})
        eve.ask("POST", "/api/users", json={"username": "x", "password": "short", "invite": secret, "setup": secret})
        eve.ask("GET", "/users/me", headers={"Authorization": f"Bearer {secret}x"})
        eve.ask("GET", "/users/me", headers={"Cookie": f"hubbub_session={secret}x"})
        eve.ask("GET", "/metrics", headers={"Authorization": f"Bearer {secret}x", "X-Forwarded-For": "192.0.2.1"})
        eve.ask("GET", "/nowhere", params={"token": secret, "password": secret})
        body = {"current": secret, "password": "short"}
        eve.ask("PUT", "/api/users/me/password", json=body, headers=headers)
        for bug in (VALIDATE, REQUEST):
            eve.ask("POST", "/api/rooms/1/messages", json={"key": "k", "body": f"{bug} {secret}"}, headers=headers)
        eve.ask("POST", "/api/rooms/1/messages", json={"key": secret, "body": [secret]}, headers=headers)


async def fail_over_sockets(server: Server, account: Account, secrets: dict[str, str]) -> str:
    said = b""
    for secret in secrets.values():
        for hello in ({"token": f"{secret}x"}, {"token": [secret]}, {"token": account.token, "epoch": secret[:200]}):
            async with Raw(server.port) as raw:
                protocols = {"Sec-WebSocket-Protocol": f"hubbub.v1, {secret}", "Cookie": f"other={secret}"}
                raw.send(upgrade(f"/ws?token={quote(secret)}", protocols))
                await raw.head()
                raw.send(frame(TEXT, json.dumps({"type": "hello", **hello}).encode()))
                command = {"id": 1, "type": "message.send", "room": 1, "key": "s", "body": f"{VALIDATE} {secret}"}
                raw.send(frame(TEXT, json.dumps(command).encode()) + frame(TEXT, f"{{{secret}".encode()))
                heard, last = b"", b'"re":1,' if "epoch" in hello else b'"re":null'
                while last not in heard and (part := await asyncio.wait_for(raw.reader.read(65_536), 20)):
                    heard += part
                said += heard
    return said.replace(account.token.encode(), b"").decode(errors="replace")


def command_line(server: Server) -> str:
    """Return what every user of the machine may read about the process."""
    return Path(f"/proc/{server.pid}/cmdline").read_text()


async def test_no_secret_is_in_logs_errors_metrics_or_the_process_list(server: Server) -> None:
    eve = Eve(server)
    owner = await asyncio.to_thread(server.create_owner)
    real = await asyncio.to_thread(real_secrets, server, eve, owner)
    secrets = {**WORDS, **real, "metrics token": METRICS_TOKEN, "known password": PASSWORD}
    await asyncio.to_thread(fail_over_http, eve, owner, secrets)
    said = await fail_over_sockets(server, owner, secrets)
    kept = "\n".join(line for line in server.log_text().splitlines() if not line.startswith("Open this link once "))
    metrics = await asyncio.to_thread(eve.ask, "GET", "/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    assert metrics.status_code == 200
    eve.http.close()
    assert "request_failed" in kept
    assert "command_failed" in kept
    assert len(eve.refusals) > 10 * len(secrets)
    assert '"internal"' in said
    assert leaks(kept, secrets) == []
    assert leaks("\n".join(eve.refusals), secrets) == []
    assert leaks(said, secrets) == []
    assert leaks(metrics.text, secrets) == []
    assert leaks(command_line(server), secrets) == []


@pytest.mark.parametrize(
    "environment",
    [
        {"HUBBUB_DATABASE_URL": f"mysql://user:{DATABASE_PASSWORD}@127.0.0.1/db"},
        {"HUBBUB_DATABASE_URL": f"postgresql+psycopg://user:{DATABASE_PASSWORD}@127.0.0.1:1/db"},
        {"HUBBUB_DATABASE_URL": f"postgresql+psycopg://user:{DATABASE_PASSWORD}@no.such.host.invalid/db"},
        {"HUBBUB_DATABASE_URL": f"postgresql+psycopg://user:{DATABASE_PASSWORD}@127.0.0.1:port/db"},
        {"HUBBUB_DATABASE_URL": f"postgresql+psycopg://user:{DATABASE_PASSWORD}/x@127.0.0.1/db"},
        {"HUBBUB_METRICS_TOKEN": DATABASE_PASSWORD[-15:]},
        {"HUBBUB_BUS_URL": f"nats://user:{DATABASE_PASSWORD}@127.0.0.1"},
    ],
    ids=["no engine", "no listener", "no such host", "no port", "a slash", "short token", "no bus"],
)
def test_a_server_that_cannot_start_does_not_print_its_secrets(environment: dict[str, str], tmp_path: Path) -> None:
    words = [sys.executable, "-m", "hubbub", "serve", "--port", "0", "--data", str(tmp_path / "data")]
    done = forked.run(words, env={**os.environ, "HUBBUB_DATABASE_WAIT_SECONDS": "0.5", **environment})
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith("hubbub: "), done.stderr
    assert "Traceback" not in done.stderr
    assert leaks(done.stdout + done.stderr, {"password": DATABASE_PASSWORD, "its end": DATABASE_PASSWORD[-15:]}) == []


def test_control_the_search_finds_a_secret_that_is_logged() -> None:
    """This stands for any message that quotes its input."""
    stream = io.StringIO()
    handlers, level = logging.getLogger().handlers, logging.getLogger().level
    log.configure("info", "json", stream)
    try:
        structlog.get_logger().info("seen", note=WORDS["message"])
    finally:
        logging.getLogger().handlers, logging.getLogger().level = handlers, level
        logging.captureWarnings(False)
        structlog.reset_defaults()
    assert leaks(stream.getvalue(), WORDS) == ["message"]


async def test_control_the_search_finds_a_secret_that_a_bug_quotes(server: Server) -> None:
    account = await asyncio.to_thread(server.sign_up)
    words = "planted-words-of-a-handler"
    body = {"key": "quoted", "body": f"{RAISE} {words}"}
    answer = await asyncio.to_thread(account.request, "POST", "/api/rooms/1/messages", json=body)
    assert answer.status_code == 500
    assert leaks(answer.text, {"words": words}) == []
    assert leaks(server.log_text(), {"words": words}) == ["words"]
