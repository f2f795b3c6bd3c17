"""To users outside, private and direct rooms look like missing rooms."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from hubbub.domain.model import LOBBY
from tests.generated.contract import operations
from tests.rooms.questions import LISTS, ROOMS, Question, Subject, questions
from tests.support.client import Connection
from tests.support.lines import end, enter
from tests.support.routes import ASKED, body_of, parameters_of, template_of
from tests.support.server import Account, Server

ABSENT = 61_000_000_000_001
QUESTIONS = questions()
PASSED_OVER = {
    "rooms.read.by.rooms",
    "POST /api/reads by rooms (read_rooms)",
    "POST /api/webhooks/{webhook}/replay by room (replay_webhook)",
    "POST /api/webhooks/{webhook}/dead-letters/{room}/{seq}/retry by room (retry_webhook_dead_letter)",
    "DELETE /api/webhooks/{webhook}/dead-letters/{room}/{seq} by room (drop_webhook_dead_letter)",
}
"""Requests that answer all users alike.

Those about many rooms skip rooms that the user is not in. Those about a webhook are refused, since
the question names a webhook that does not exist: `tests/webhooks/test_rights.py` has real ones.
"""


@dataclass
class World:
    """Rooms of alice with bob in them, and users outside them for different reasons."""

    server: Server
    alice: Account
    bob: Account
    strangers: dict[str, Account]

    def create_target(self, **made: object) -> Subject:
        """Create a room with messages of alice that former members have left."""
        members = [self.bob.id]
        if made["kind"] == "private":
            members += [self.strangers["removed"].id, self.strangers["banned"].id]
        answer = self.alice.request("POST", "/api/rooms", json={**made, "members": members})
        assert answer.status_code == 201, answer.text
        room = answer.json()["room"]["id"]
        if made["kind"] == "private":
            gone = self.strangers["removed"].id
            assert self.alice.request("DELETE", f"/api/rooms/{room}/members/{gone}").status_code == 200
            banned = self.alice.request("PUT", f"/api/rooms/{room}/bans/{self.strangers['banned'].id}", json={})
            assert banned.status_code in (200, 201)
        first, *_ = [self.say(room, f"{number}") for number in range(len(QUESTIONS))]
        return Subject(room, self.bob.id, first, self.say(LOBBY, "hello"))

    def say(self, room: int, key: str) -> int:
        said = {"key": key, "body": "among us" if room != LOBBY else "hello"}
        sent: int = self.alice.request("POST", f"/api/rooms/{room}/messages", json=said).json()["seq"]
        return sent

    def undo(self, subject: Subject) -> None:
        """Undo what some of the questions do if they are allowed."""
        room, bob = subject.room, self.bob.id
        for method, path, body in (
            ("POST", "restore", None), ("DELETE", f"bans/{bob}", None), ("PUT", f"members/{bob}", None)
        ):  # fmt: skip
            answer = self.alice.request(method, f"/api/rooms/{room}/{path}", json=body)
            assert answer.is_success, answer.text


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    names = ("outsider", "removed", "banned")
    strangers = {"owner": server.create_owner("owner")} | {name: server.sign_up(name) for name in names}
    return World(server, server.sign_up("alice"), server.sign_up("bob"), strangers)


@pytest.fixture(scope="module")
def private(world: World) -> Subject:
    return world.create_target(kind="private", name="Secret")


@pytest.fixture(scope="module")
def direct(world: World) -> Subject:
    return world.create_target(kind="direct")


STRANGERS = ("outsider", "owner", "removed", "banned")


@asynccontextmanager
async def connected_as(world: World, who: str) -> AsyncIterator[tuple[Account, Connection]]:
    account = world.strangers[who]
    async with await Connection.open(world.server.websocket_url, account.token) as connection:
        yield account, connection


def absent(subject: Subject) -> Subject:
    return replace(subject, room=ABSENT)


async def differences(
    asked: list[Question], one: Subject, other: Subject, account: Account, connection: Connection
) -> dict[str, tuple[object, object]]:
    """Return both answers for each question whose answers about the two places differ."""
    found: dict[str, tuple[object, object]] = {}
    for question in asked:
        answers = [await question.ask(subject, account, connection) for subject in (one, other)]
        if answers[0] != answers[1]:
            found[question.name] = (answers[0], answers[1])
    return found


def test_there_is_a_question_for_every_command_and_route_that_names_a_room() -> None:
    names = {question.name for question in QUESTIONS}
    assert len(names) == len(QUESTIONS)
    assert {"room.update.by.room", "message.forward.by.from_room", "typing.by.room", "events.since.by.topic"} <= names
    assert sum(question.by_socket for question in QUESTIONS) >= 22
    assert sum(not question.by_socket for question in QUESTIONS) >= 30


def test_every_field_that_names_a_room_is_part_of_its_examples() -> None:
    there = {operation: parameters_of(operation) | body_of(operation) for operation in operations()}
    there |= {kind: set(model.model_fields) for kind, model in ASKED.items()}
    rooms = {*ROOMS, *LISTS}
    missing = {name: fields & rooms - template_of(name).keys() for name, fields in there.items()}
    assert {name: fields for name, fields in missing.items() if fields} == {}


@pytest.mark.parametrize("who", STRANGERS)
async def test_a_private_room_answers_like_a_missing_room(world: World, private: Subject, who: str) -> None:
    async with connected_as(world, who) as stranger:
        assert await differences(QUESTIONS, private, absent(private), *stranger) == {}


@pytest.mark.parametrize("who", STRANGERS[:2])
async def test_a_direct_room_answers_like_a_missing_room(world: World, direct: Subject, who: str) -> None:
    async with connected_as(world, who) as stranger:
        assert await differences(QUESTIONS, direct, absent(direct), *stranger) == {}


async def test_control_a_member_gets_a_different_answer_to_each_question(world: World) -> None:
    """This shows that no question is refused for its form alone."""
    subject = world.create_target(kind="private", name="Control")
    async with await Connection.open(world.server.websocket_url, world.alice.token) as connection:
        alike = []
        for question in QUESTIONS:
            world.undo(subject)
            if not await differences([question], subject, absent(subject), world.alice, connection):
                alike.append(question.name)
    assert set(alike) <= PASSED_OVER


async def test_a_position_in_hello_reveals_nothing_about_the_room(world: World, private: Subject) -> None:
    said = []
    for room in (private.room, ABSENT):
        have = {f"room:{room}": 1}
        account = world.strangers["removed"]
        async with await Connection.open(world.server.websocket_url, account.token, have=have) as connection:
            await connection.ping()
            assert f"room:{room}" not in connection.welcome["heads"]
            said.append(json.dumps(connection.frames).replace(str(room), "ROOM"))
    assert said[0] == said[1]


async def test_a_private_room_cannot_be_entered_over_plain_text_by_users_outside(
    world: World, private: Subject
) -> None:
    told = []
    for room in (private.room, ABSENT):
        account = world.strangers["outsider"]
        socket = await enter(world.server, account.name, room=room, headers=account.headers)
        told.append(await end(socket))
    assert told[0] == told[1]


async def test_private_rooms_do_not_appear_in_the_servers_log_metrics_or_site_topic(
    world: World, private: Subject, direct: Subject
) -> None:
    for word in ("Secret", str(private.room), str(direct.room), "among us"):
        assert word not in world.server.log_text()
        assert not [sample for sample in world.server.metrics() if word in sample]
    site = json.dumps(world.strangers["owner"].log("site"))
    assert "Secret" not in site
    assert str(private.room) not in site
    assert str(direct.room) not in site
