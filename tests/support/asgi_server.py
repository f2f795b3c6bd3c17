"""`Hubbub().app` on plain uvicorn, with the arguments of `hubbub serve`.

A server for tests of the ASGI gateway. It uses uvicorn's own WebSocket protocol and none of
Hubbub's. Run as `python -m tests.support.asgi_server serve --host …`.
"""

import argparse
from pathlib import Path

import uvicorn

from hubbub import Hubbub, log
from hubbub.settings import load


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--http", default="auto", help="what `uvicorn --http` takes")
    asked = parser.parse_args()
    settings, _ = load({"host": asked.host, "port": asked.port, "data": asked.data})
    log.configure(settings.log_level, settings.log_format)
    uvicorn.run(
        Hubbub(settings).app,
        host=settings.host,
        port=settings.port,
        http=asked.http,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        proxy_headers=False,
        server_header=False,
        log_config=None,
        access_log=False,
    )


if __name__ == "__main__":
    main()
