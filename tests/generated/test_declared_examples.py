"""The declared example of each request is valid: on a new room, over WebSocket and over REST."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest

from hubbub.domain.commands import PinMessage
from hubbub.domain.commands.examples import Example, Fields, Given, fill, placeholders, template
from tests.authorisation.world import create_users
from tests.generated.contract import check, closed, operations, read
from tests.support.client import Connection, RefusedError
from tests.support.examples import Cast, Step, prepare, prepare_now
from tests.support.routes import ABSENT, ASKED, FORM, ROUTES, example_of, operation_of, request_of
from tests.support.server import Account, Server

USERS = {"actor": "alice", "member": "bob"}
Accounts = dict[str, Account]
numbers = itertools.count(1)
BY_ITSELF = sorted(operations().keys() - {"log_out", *map(operation_of, ROUTES)})
"""Routes that are no command. `log_out` would end alice's session."""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    server = Server(tmp_path_factory.mktemp("examples") / "data")
    users = asyncio.run(create_users(server, ("alice", "bob", "carol")))
    with server:
        yield users


@pytest.fixture
def cast(people: Accounts) -> Cast:
    alice, bob, carol = (people[name].id for name in ("alice", "bob", "carol"))
    return Cast(alice, bob, carol, "bob", new=lambda: f"-{next(numbers)}")


def send(people: Accounts, step: Step) -> httpx.Response:
    """Send a request over REST."""
    operation = operation_of(step.request)
    assert operation is not None, f"{step.request} has no route"
    method, address, body, kind = request_of(operation, step.fields)
    account = people[USERS[step.by]]
    return account.request(method, address, **({"data" if kind == FORM else "json": body} if body is not None else {}))


def answer(people: Accounts, step: Step) -> Any:
    found = send(people, step)
    assert found.is_success, f"{step}: {found.text}"
    return found.json()


@pytest.mark.parametrize("kind", ASKED)
async def test_an_example_succeeds_over_websocket_and_a_second_time_as_declared(
    people: Accounts, cast: Cast, kind: str
) -> None:
    url = people["alice"].server.websocket_url
    async with (
        await Connection.open(url, people["alice"].token) as alice,
        await Connection.open(url, people["bob"].token) as bob,
    ):

        async def do(step: Step) -> Fields:
            return await {"actor": alice, "member": bob}[step.by].command(step.request, **step.fields)

        fields = await prepare(kind, cast, do)
        await alice.command(kind, **fields)
        code = None
        try:
            await alice.command(kind, **fields)
        except RefusedError as refused:
            code = refused.code
        assert code == example_of(kind).again


@pytest.mark.parametrize("kind", ROUTES)
def test_an_example_succeeds_over_its_rest_route_and_a_second_time_as_declared(
    people: Accounts, cast: Cast, kind: str
) -> None:
    step = Step("actor", kind, prepare_now(kind, cast, lambda step: answer(people, step)))
    answer(people, step)
    second = send(people, step)
    assert (None if second.is_success else second.json()["error"]["code"]) == example_of(kind).again


@pytest.mark.parametrize("operation", BY_ITSELF)
def test_an_example_of_a_route_that_is_no_command_succeeds_as_declared_unless_its_object_is_absent(
    people: Accounts, cast: Cast, operation: str
) -> None:
    fields = prepare_now(operation, cast, lambda step: answer(people, step))
    found = send(people, Step("actor", operation, fields))
    assert found.is_success is (operation not in ABSENT), found.text
    assert found.status_code not in (400, 500), found.text
    if found.is_success:
        second = send(people, Step("actor", operation, fields))
        assert (None if second.is_success else second.json()["error"]["code"]) == example_of(operation).again


def test_control_a_wrong_value_in_an_example_is_detected(people: Accounts, cast: Cast) -> None:
    fields = prepare_now("message.pin", cast, lambda step: answer(people, step))
    with pytest.raises(AssertionError, match="not_found"):
        answer(people, Step("actor", "message.pin", {**fields, "message": 10**6}))


def bodies() -> dict[str, dict[str, Any]]:
    """Return the documented JSON body of each command that has one, by operation."""
    found = {}
    for operation in filter(None, map(operation_of, ROUTES)):
        method, path = operations()[operation]
        body = read("openapi.json")["paths"][path][method.lower()].get("requestBody")
        if body is not None:
            found[operation] = body["content"]["application/json"]
    return found


@pytest.mark.parametrize("operation", bodies())
def test_the_documented_body_of_a_command_has_an_example_that_fits(operation: str) -> None:
    content = bodies()[operation]
    components = closed(read("openapi.json")["components"])
    body = jsonschema_rs.Draft202012Validator({"components": components, **content["schema"]})
    body.validate(content["example"])
    assert not body.is_valid({**content["example"], "unwritten": 1})


@pytest.mark.parametrize("kind", ASKED)
def test_asyncapi_has_an_example_that_fits_for_each_request(kind: str) -> None:
    (example,) = read("asyncapi.json")["components"]["messages"][ASKED[kind].__name__]["examples"]
    assert example["payload"]["type"] == kind
    check("ClientFrame", example["payload"])


def test_an_example_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValueError, match="PinMessage has no massage"):
        template(PinMessage, Example({"massage": 1}))


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        (Given.ROOM, 5), ("room:{room}", "room:5"), ("👍", "👍"), (({"room": Given.ROOM},), [{"room": 5}]),
        (True, True), (None, None),
    ],
)  # fmt: skip
def test_placeholders_are_filled_in_at_any_depth(value: object, filled: object) -> None:
    assert fill(value, {"room": 5}) == filled
    assert set(placeholders(value)) == ({"room"} if "5" in str(filled) else set())


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="message"):
        fill({"message": Given.MESSAGE}, {"room": 5})
