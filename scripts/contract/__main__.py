"""Writes the contract, or says where what is there differs from what the code says.

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
from scripts.contract import asyncapi, reference, settings, typescript, words
from tests import fixtures

from hubbub.gateways.http.app import create_app, plain
from hubbub.main import running
from hubbub.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
VERSION = "1"
"""Of the contract, not of the program: a release alone changes nothing here."""


def files() -> dict[str, str]:
    """Every generated file by its path in the repository."""
    vocabulary = words.document()
    rest = asyncio.run(openapi())
    return {
        "contract/schema.json": _json(vocabulary),
        "contract/openapi.json": _json(rest),
        "contract/asyncapi.json": _json(asyncapi.document(vocabulary)),
        "web/src/contract.ts": typescript.module(_joined(vocabulary["$defs"], _local(rest["components"]["schemas"]))),
        "docs/protocol.md": reference.page(vocabulary),
        "docs/settings.md": settings.page(),
        **fixtures.files(),
    }


async def openapi() -> dict[str, Any]:
    """The document a server gives out that runs with no setting at all."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        async with running(Settings(data=Path(folder))) as services:
            document = create_app(services).openapi()
    return {**document, "info": {**document["info"], "version": VERSION}}


def _joined(socket: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """The words of both doors. Exits where one name would mean two things."""
    same = plain(socket)
    if two := [name for name in socket.keys() & rest.keys() if rest[name] != same[name]]:
        sys.exit(
            f"Over REST and over the socket these are not the same, so they need two names: {', '.join(sorted(two))}"
        )
    return {**rest, **socket}


def _local(value: Any) -> Any:
    value = words.without_discriminators(value)
    return json.loads(json.dumps(value).replace('"#/components/schemas/', '"#/$defs/'))


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write(made: dict[str, str]) -> None:
    for name, text in made.items():
        path = ROOT / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def differences(made: dict[str, str], root: Path = ROOT) -> str:
    """What is in the repository against what was made just now, as a unified diff; empty if they are the same."""
    found: list[str] = []
    for name, text in made.items():
        path = root / name
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        found += difflib.unified_diff(
            there.splitlines(), text.splitlines(), name, f"{name} as it should be", lineterm=""
        )
    return "\n".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.contract", description="Writes the contract for others.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something would change")
    check = parser.parse_args().check
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if not check:
        write(files())
    elif found := differences(files()):
        sys.exit(f"{found}\n\nThe contract is not what the code says: run `make contract` and commit what it changes.")


if __name__ == "__main__":
    main()
