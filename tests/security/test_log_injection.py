"""An event is one line of the log, whatever names and texts clients send."""

import asyncio
import io
import json
import logging
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import structlog

from hubbub import log
from tests.gateways.raw import TEXT, Raw, frame, upgrade
from tests.security.broken_server import RAISE, REQUEST
from tests.support.server import PASSWORD, Account, Server

HOSTILE = [
    '\n{"event": "forged", "level": "error"}',
    "\r\n2026-11-22T12:00:00.000000Z [error    ] forged admin=yes",
    '", "event": "forged", "x": "',
    "\x1b[2J\x1b[1;31mforged\x07",
    "\x9b31mforged\x85forged\x0bforged\x0c",
    "\u2028forged\u2029forged",
    "\u202eforged\u2066\ufeff",
    "event=forged level=error",
    "%s %d %(event)s {0} {event!r} ${event}",
    "forged\x00forged\x08\x08\x08",
    "\ud800forged",
    "x" * 20_000,
]
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[(debug|info|warning|error|critical) *\] (?P<event>\w+)")
LAUNCHER = ("-m", "tests.security.broken_server")


def is_harmless(line: str) -> bool:
    """Return whether no character begins a line, acts on a terminal, or turns the direction of others."""
    return not any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} or each in BIDI for each in line)


def events(text: str, form: str) -> list[str]:
    """Return the events of a log.

    Fail for a line that is not an event or holds forbidden characters.
    """
    found = []
    for line in text.split("\n"):
        if not line or line.startswith(("Hubbub is at ", "Open this link once ")):
            continue
        assert is_harmless(line), repr(line)
        if form == "json":
            entry = json.loads(line)
            assert {"event", "level", "timestamp"} <= entry.keys(), line
            assert len(line) < 20_000
            found.append(entry["event"])
        elif not line.startswith("  | "):  # These lines belong to a traceback.
            match = LINE.match(line)
            assert match, line
            found.append(match["event"])
    return found


# -- the log itself


@pytest.fixture(params=["json", "text"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def out(form: str) -> Iterator[io.StringIO]:
    """Redirect the log during a test and restore the loggers after it."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    log.configure("info", "json" if form == "json" else "text", stream)
    yield stream
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_no_logged_value_adds_a_line(out: io.StringIO, form: str, said: str) -> None:
    logger = structlog.get_logger()
    logger.info("seen", path=said, inner={said: [said]}, raw=said.encode(errors="surrogatepass"))
    logging.getLogger("uvicorn.error").error("seen %s", said)
    try:
        raise RuntimeError(said)
    except RuntimeError:
        logger.exception("seen")
    assert [event.split(" ")[0] for event in events(out.getvalue(), form)] == ["seen"] * 3


def test_control_the_check_finds_a_forged_line(form: str) -> None:
    forged = '{"event": "forged", "level": "error"}' if form == "json" else "\x1b[1;31mforged"
    with pytest.raises(AssertionError):
        events(f"{forged}\n", form)


# -- through the server


@pytest.fixture(scope="module", params=["json", "text"])
def broken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("broken")
    with Server(folder / "data", {"HUBBUB_LOG_FORMAT": request.param, "HUBBUB_GUESTS": "on"}, LAUNCHER) as running:
        yield running


def over_http(server: Server, account: Account, said: str) -> None:
    """Send the text in every part of a request that takes text.

    httpx itself refuses some of them.
    """
    said = said.encode(errors="replace").decode()
    with httpx.Client(base_url=server.url, headers=account.headers) as client:
        client.post("/token", data={"username": said, "password": said})
        client.post("/token", data={"username": REQUEST, "password": said})
        client.post("/api/users", json={"username": said, "password": PASSWORD})
        client.post("/api/rooms", json={"kind": "public", "name": said})
        client.post("/api/rooms/1/messages", json={"key": "k", "body": f"{RAISE} {said}"[:4_000]})
        client.get(f"/{quote(said[:2_000])}?token={quote(said[:2_000])}")


async def over_sockets(server: Server, account: Account, said: str) -> None:
    path = quote(said[:500], errors="replace")
    for target in (f"/ws/{path}?room=1", f"/ws?{path}"):
        async with Raw(server.port) as raw:
            raw.send(upgrade(target, {"User-Agent": path, "Sec-WebSocket-Protocol": "hubbub.v1"}))
            await raw.head()
            hello = {"type": "hello", "token": account.token, "epoch": said[:200]}
            raw.send(frame(TEXT, json.dumps(hello).encode()) + frame(TEXT, said.encode(errors="replace")))
            raw.writer.write_eof()
            await raw.rest(20)
    async with Raw(server.port) as raw:  # Send raw bytes as a header's value.
        raw.send(b"GET /x" + said.encode(errors="replace")[:200] + b" HTTP/1.1\r\nHost: x\r\nX: " + b"\x1b[31m\r\n\r\n")
        raw.writer.write_eof()
        await raw.rest(20)


async def test_no_input_over_http_or_websocket_adds_lines_to_the_log(broken: Server) -> None:
    account = await asyncio.to_thread(broken.sign_up)
    for said in HOSTILE:
        await asyncio.to_thread(over_http, broken, account, said)
        await over_sockets(broken, account, said)
    seen = events(broken.log_text(), broken.settings["HUBBUB_LOG_FORMAT"])
    assert "command_failed" in seen, "the requests triggered the bugs"
    assert "request_failed" in seen
    assert "forged" not in seen
