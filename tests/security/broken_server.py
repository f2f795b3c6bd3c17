"""Run `hubbub` with bugs that a request triggers by name.

Usage: `python -m tests.security.broken_server serve …`.
"""

import os
from collections.abc import Sequence
from typing import Any

from fastapi import Request

from hubbub.cli import main
from hubbub.domain.commands import SendMessage
from hubbub.engine.passwords import Passwords
from hubbub.features import HANDLERS
from hubbub.gateways.http import strict_json

NO_DUMMY_HASH = "no-dummy-hash"
"""The value of BROKEN that makes the server refuse unknown users faster."""
RAISE, VALIDATE, REQUEST = "BUG raise", "BUG validate", "BUG request"
"""Texts that trigger bugs.

A handler quotes its input, another validates it against the wrong model, a route fails on it.
"""


_send = HANDLERS[SendMessage]


def send(works: Sequence[Any], tx: Any) -> list[Any]:
    for command, _ in works:
        if command.body.startswith(RAISE):
            raise RuntimeError(command.body)
        if command.body.startswith(VALIDATE):
            SendMessage.model_validate({"room": command.body, "key": command.body, "body": [command.body]})
    return _send(works, tx)


async def read_body(request: Request) -> bytes:
    body = await _read_body(request)
    if REQUEST.encode() in body or REQUEST.replace(" ", "+").encode() in body:
        raise RuntimeError("a bug")
    return body


_read_body = strict_json.read_body


async def verify(self: Passwords, stored: str | None, password: str, place: str = "") -> bool:
    """Skip the hashing for an unknown user."""
    return stored is not None and await _verify(self, stored, password, place)


_verify = Passwords.verify
if __name__ == "__main__":
    if os.environ.get("BROKEN") == NO_DUMMY_HASH:
        Passwords.verify = verify  # type: ignore[method-assign]
    HANDLERS[SendMessage] = send
    strict_json.read_body = read_body
    main()
