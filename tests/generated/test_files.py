"""Generated files match the code, are reproducible, and valid by their standards."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from scripts.contract import reference, typescript
from scripts.contract.output import differences

from hubbub.domain import text
from hubbub.domain.errors import ERRORS
from hubbub.protocol import close_codes
from tests.generated.contract import ROOT, read

OFFICIAL = ROOT / "web/node_modules/@asyncapi/specs/schemas/3.0.0.json"
FILES = (
    "contract/schema.json",
    "contract/openapi.json",
    "contract/asyncapi.json",
    "web/src/contract.ts",
    "web/src/limits.ts",
    "web/src/permissions.ts",
    "docs/protocol.md",
)
PLAIN = {
    "at", "body", "code", "created_at", "created_by", "epoch", "error", "events", "id", "joined_at", "kind",
    "last_seen_at", "limits", "members", "name", "ok", "reset", "role", "room", "session", "topic", "type", "user",
}  # fmt: skip
"""Fields whose name is description enough."""


def test_the_contract_matches_the_code_in_any_environment() -> None:
    check = [sys.executable, "-m", "scripts.contract", "--check"]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "HUBBUB_NAME": "Another name"}
    done = subprocess.run(check, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4_000:]


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_differs_is_named_with_the_difference(name: str) -> None:
    there = (ROOT / name).read_text(encoding="utf-8")
    assert differences({name: there}) == ""
    assert f"+++ {name} as it should be" in differences({name: there.replace("e", "E", 1)})
    assert "+one line more" in differences({name: f"{there}one line more\n"})


def test_the_vocabulary_is_valid_json_schema() -> None:
    jsonschema_rs.meta.validate(read("schema.json"))
    wrong = copy.deepcopy(read("schema.json"))
    wrong["$defs"]["Room"]["properties"]["id"]["type"] = "whole"
    assert not jsonschema_rs.meta.is_valid(wrong)


def test_asyncapi_is_valid_by_its_own_schema() -> None:
    official = jsonschema_rs.Draft7Validator(json.loads(OFFICIAL.read_text(encoding="utf-8")))
    document = read("asyncapi.json")
    official.validate(document)
    assert not official.is_valid({**document, "channels": [document["channels"]]})
    assert not official.is_valid({**document, "operations": {"hello": {"action": "shout"}}})


@pytest.mark.parametrize("name", ["schema.json", "openapi.json", "asyncapi.json"])
def test_every_reference_resolves(name: str) -> None:
    document = read(name)
    found = set(references(document))
    assert found
    for each in found:
        assert resolve(document, each) is not None, each
    assert resolve(document, "#/nowhere") is None


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolve(document: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        document = document.get(part) if isinstance(document, dict) else None
    return document


def test_every_field_without_an_obvious_meaning_has_a_description() -> None:
    silent = {
        f"{name}.{field}"
        for name, schema in read("schema.json")["$defs"].items()
        for field, inner in schema.get("properties", {}).items()
        if field not in PLAIN and "description" not in inner and "$ref" not in inner and name != "Answers"
    }
    assert silent == set()


def test_every_error_code_is_in_the_contract() -> None:
    codes = read("schema.json")["$defs"]["Refusal"]["properties"]["code"]["enum"]
    assert sorted(codes) == sorted(error.code for error in ERRORS)


def test_every_close_code_has_a_meaning() -> None:
    codes = {value for name, value in vars(close_codes).items() if name.isupper() and isinstance(value, int)}
    assert close_codes.MEANING.keys() == codes


def test_typescript_generation_rejects_unknown_schemas() -> None:
    assert "export type Odd" in typescript.module({"Odd": {"enum": ["a", "b"]}})
    with pytest.raises(typescript.Unknown):
        typescript.module({"Odd": {"not": {"type": "string"}}})


def test_a_limit_that_the_page_does_not_describe_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reference._limits() in (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    monkeypatch.setattr(text, "MAX_FORGOTTEN", 7, raising=False)
    with pytest.raises(KeyError, match="Describe MAX_FORGOTTEN"):
        reference._limits()
