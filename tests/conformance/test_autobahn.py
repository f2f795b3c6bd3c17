"""The Autobahn cases (RFC 6455) without compression, on both WebSocket stacks.

Cases 1 to 7 and 10 run against the server's normal limits, case 9 (large messages) against a server
with higher ones. A case that differs is listed here with the close code it must have. Any other
difference is a failure.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, WebSocket
from starlette.websockets import WebSocketDisconnect

from hubbub.gateways import uvicorn_protocols
from hubbub.gateways.native.listener import listening_socket
from hubbub.gateways.uvicorn_protocols import WebSocketProtocol
from tests.gateways.conftest import serving

pytest.importorskip("kosoku")

Case = dict[str, Any]
LARGE = 2**24
"""The largest message of the cases, and the highest limit there is."""
COMPRESSION = ("12.*", "13.*")
CASES = 301


def numbers(prefix: str, count: int) -> set[str]:
    return {f"{prefix}.{number}" for number in range(1, count + 1)}


TEXT_ONLY = numbers("1.2", 8) | numbers("9.2", 6) | numbers("9.4", 9) | numbers("9.6", 6) | numbers("9.8", 6)
"""Binary messages: hubbub.v1 has none."""
MORE_THAN_64_FRAGMENTS = numbers("9.3", 5)
MORE_THAN_64_BINARY_FRAGMENTS = numbers("9.4", 5)
CUT_SHORT = {"7.1.5"}
"""A Close within a fragmented message.

It is a protocol error to `websockets`, and a normal end to Autobahn.
"""

NATIVE = dict.fromkeys(CUT_SHORT, 1002) | dict.fromkeys(TEXT_ONLY, 1003) | dict.fromkeys(MORE_THAN_64_FRAGMENTS, 1009)
ASGI = dict.fromkeys(CUT_SHORT, 1002) | dict.fromkeys(MORE_THAN_64_FRAGMENTS | MORE_THAN_64_BINARY_FRAGMENTS, 1009)

FOUND_LATE = numbers("6.4", 4)
"""Text that is not UTF-8 is detected at the end of the message.

It is not detected at the first wrong fragment.
"""
UNANSWERED = {"3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"}
"""The ASGI endpoint usually gets the message before a wrong frame too late."""


async def run(port: int, folder: Path, *which: str) -> dict[str, Case]:
    """Return the results by case number.

    The runner is a process of its own because it changes Python's own modules.
    """
    kosoku = Path(sys.executable).parent / "kosoku"
    without = [word for pattern in COMPRESSION for word in ("--exclude", pattern)]
    runner = await asyncio.create_subprocess_exec(
        kosoku, f"ws://127.0.0.1:{port}/ws", *which, *without, "--outdir", folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await runner.communicate()
    report = folder / "index.json"
    assert report.exists(), said.decode()
    (results,) = json.loads(report.read_text()).values()
    return dict(results)


def judge(results: dict[str, Case], differing: dict[str, int], not_strict: set[str]) -> None:
    """Assert that every case passed, except for the listed differences.

    Cases in `not_strict` need not pass strictly.
    """
    assert len(results) == CASES
    failed = {
        number: case["remoteCloseCode"]
        for number, case in results.items()
        if case["behavior"] == "FAILED" or case["behaviorClose"] not in ("OK", "INFORMATIONAL")
    }
    assert failed == differing
    assert {number for number, case in results.items() if case["behavior"] == "NON-STRICT"} <= not_strict


async def test_the_native_gateway_passes_the_autobahn_cases(tmp_path: Path) -> None:
    async with serving(hello_timeout=3_600, rate_limits=False) as running:
        results = await run(running.port, tmp_path / "small", "--exclude", "9.*")
    async with serving(hello_timeout=3_600, rate_limits=False, frame_bytes=LARGE) as running:
        results |= await run(running.port, tmp_path / "large", "--include", "9.*")
    judge(results, NATIVE, FOUND_LATE)


app = FastAPI()


@app.websocket("/ws")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    while (event := await websocket.receive())["type"] == "websocket.receive":
        try:
            if event.get("text") is not None:
                await websocket.send_text(event["text"])
            else:
                await websocket.send_bytes(event["bytes"])
        except WebSocketDisconnect:
            return


@asynccontextmanager
async def uvicorn_serving() -> AsyncIterator[int]:
    """Serve an app on uvicorn with Hubbub's WebSocket protocol; yield the port.

    This is `uvicorn --ws hubbub:WebSocketProtocol` in this process.
    """
    listening = listening_socket("127.0.0.1", 0)
    config = uvicorn.Config(app, ws=WebSocketProtocol, ws_max_size=LARGE, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup([listening])
    try:
        yield listening.getsockname()[1]
    finally:
        await server.shutdown([listening])


async def test_uvicorn_with_hubbubs_websocket_protocol_passes_the_autobahn_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with uvicorn_serving() as port:
        results = await run(port, tmp_path / "small", "--exclude", "9.*")
    monkeypatch.setattr(uvicorn_protocols, "MAX_MESSAGE", LARGE)
    async with uvicorn_serving() as port:
        results |= await run(port, tmp_path / "large", "--include", "9.*")
    judge(results, ASGI, FOUND_LATE | UNANSWERED)
