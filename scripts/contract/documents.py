"""All generated files that describe the code: contract, TypeScript, documentation and fixtures."""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.contract import asyncapi, examples, limits, permissions, reference, settings, typescript, words
from tests import fixtures

from hubbub.gateways.http.app import create_app, plain
from hubbub.gateways.http.operator import create_operator_app
from hubbub.main import running
from hubbub.settings import PREFIX, Settings

VERSION = "1"
"""The version of the contract. It is independent of the program's version."""


def files() -> dict[str, str]:
    """Return the text of every generated file by its path in the repository."""
    vocabulary = words.document()
    recorded = fixtures.files()
    rest, operator = asyncio.run(openapi())
    return {
        "contract/schema.json": _json(vocabulary),
        "contract/openapi.json": _json(rest),
        "contract/operator.json": _json(operator),
        "contract/asyncapi.json": _json(asyncapi.document(vocabulary)),
        "web/src/contract.ts": typescript.module(_joined(vocabulary["$defs"], _local(rest["components"]["schemas"]))),
        "web/src/limits.ts": limits.module(),
        "web/src/permissions.ts": permissions.module(),
        "docs/protocol.md": reference.page(vocabulary, examples.collect(recorded)),
        "docs/settings.md": settings.page(),
        **recorded,
    }


async def openapi() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the OpenAPI documents of a server with default settings: REST, and the operator's."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        async with running(Settings(data=Path(folder))) as services:
            rest, operator = (create(services).openapi() for create in (create_app, create_operator_app))
    return _versioned(rest), _versioned(operator)


def _versioned(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "info": {**document["info"], "version": VERSION}}


def _joined(socket: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """Return the definitions of WebSocket and REST. Exits if a name has two definitions."""
    same = plain(socket)
    if two := [name for name in socket.keys() & rest.keys() if rest[name] != same[name]]:
        sys.exit(f"These models differ between REST and WebSocket. Give them two names: {', '.join(sorted(two))}")
    return {**rest, **socket}


def _local(value: Any) -> Any:
    value = words.without_discriminators(value)
    return json.loads(json.dumps(value).replace('"#/components/schemas/', '"#/$defs/'))


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
