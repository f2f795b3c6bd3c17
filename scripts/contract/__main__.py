"""Write the generated files of the contract, or print where they differ from what the code generates.

python -m scripts.contract [--check]
"""

import argparse
import asyncio
import difflib
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import structlog
from scripts.contract import asyncapi, examples, limits, permissions, reference, settings, typescript, words
from tests import fixtures

from hubbub.gateways.http.app import create_app, plain
from hubbub.gateways.http.operator import create_operator_app
from hubbub.main import running
from hubbub.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
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


def write(generated: dict[str, str]) -> None:
    for name, text in generated.items():
        path = ROOT / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def differences(generated: dict[str, str], root: Path = ROOT) -> str:
    """Return a unified diff from the files in the repository to `generated`; empty if they are the same."""
    found: list[str] = []
    for name, text in generated.items():
        path = root / name
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        found += difflib.unified_diff(
            present.splitlines(), text.splitlines(), name, f"{name} as it should be", lineterm=""
        )
    return "\n".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.contract", description="Write the generated files of the contract."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    check = parser.parse_args().check
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if not check:
        write(files())
    elif found := differences(files()):
        sys.exit(f"{found}\n\nThe generated files are out of date: run `make contract` and commit the changes.")


if __name__ == "__main__":
    main()
