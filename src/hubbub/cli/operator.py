"""The command line's side of the operator's socket: HTTP/1.1 over a Unix socket."""

import http.client
import socket
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

from hubbub.control import DIFFERENT_VERSIONS, Answer, Request, short_path, sockets

MAX_REQUEST = 64 * 1024
TIMEOUT = 30.0
STOPPED = "The server stopped before it answered. The command may have been executed."


class RequestRefused(Exception):
    """The server reported an error; the message is the server's."""


class _Connection(http.client.HTTPConnection):
    """HTTP on the socket of a data folder."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT)
        with short_path(self._path) as path:
            self.sock.connect(path)


def ask_server(data: Path, request: Request) -> Answer | None:
    """Return the answer of a server on this data folder; None if none is running.

    Any of the processes that share the folder acts for the site. Blocks.

    Raises RequestRefused, OSError.
    """
    for path in sockets(data).values():
        with closing(_Connection(path)) as connection:
            try:
                connection.connect()
            except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
                continue
            return _ask(connection, request)
    return None


def _ask(connection: _Connection, request: Request) -> Answer:
    method, path = request.route
    content = None if method == "GET" else request.model_dump_json().encode()
    if content is None:
        path = f"{path}?{urlencode(request.model_dump(exclude_none=True))}"
    elif len(content) > MAX_REQUEST:  # the server would close the connection while it is being sent
        raise RequestRefused(f"The request is too large: at most {MAX_REQUEST} bytes.")
    try:
        connection.request(method, path, content, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer: Answer = orjson.loads(response.read())
        if response.status != 200:
            refusal: Any = answer["error"]
            raise RequestRefused(str(refusal["message"]))
    except (ConnectionError, http.client.IncompleteRead):
        raise RequestRefused(STOPPED) from None
    except (http.client.HTTPException, ValueError, LookupError, TypeError):
        raise RequestRefused(DIFFERENT_VERSIONS) from None
    return answer
