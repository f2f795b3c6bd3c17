"""A private room, and a direct one, are to strangers as if there were none: on every route and with every command."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from hubbub.domain.model import LOBBY
from tests.rooms.questions import Place, Question, questions
from tests.support.client import Connection
from tests.support.lines import end, enter
from tests.support.server import Account, Server

ABSENT = 61_000_000_000_001
QUESTIONS = questions()
PASSED_OVER = {"rooms.read.by.rooms", "POST /api/reads by rooms (read_rooms)"}
"""Many rooms at once: one that somebody is not in is passed over, so these answer alike for everybody."""


@dataclass
class House:
    """Rooms of alice's, with bob in them; and those who are not in them, each for a reason of his own."""

    server: Server
    alice: Account
    bob: Account
    strangers: dict[str, Account]

    def furnish(self, **made: object) -> Place:
        """A room in which alice has said much, and which the strangers who were in it are in no more."""
        members = [self.bob.id]
        if made["kind"] == "private":
            members += [self.strangers["removed"].id, self.strangers["banned"].id]
        answer = self.alice.request("POST", "/api/rooms", json={**made, "members": members})
        assert answer.status_code == 201, answer.text
        room = answer.json()["room"]["id"]
        if made["kind"] == "private":
            gone = self.strangers["removed"].id
            assert self.alice.request("DELETE", f"/api/rooms/{room}/members/{gone}").status_code == 200
            banned = self.alice.request("POST", f"/api/rooms/{room}/bans", json={"user": self.strangers["banned"].id})
            assert banned.status_code in (200, 201)
        first, *_ = [self.say(room, f"{number}") for number in range(len(QUESTIONS))]
        return Place(room, self.bob.id, first, self.say(LOBBY, "hello"))

    def say(self, room: int, key: str) -> int:
        said = {"key": key, "body": "among us" if room != LOBBY else "hello"}
        sent: int = self.alice.request("POST", f"/api/rooms/{room}/messages", json=said).json()["seq"]
        return sent

    def mend(self, place: Place) -> None:
        """What some of the questions do when they may."""
        room, bob = place.room, self.bob.id
        for method, path, body in (
            ("POST", "restore", None), ("DELETE", f"bans/{bob}", None), ("POST", "members", {"user": bob})
        ):  # fmt: skip
            answer = self.alice.request(method, f"/api/rooms/{room}/{path}", json=body)
            assert answer.is_success, answer.text


@pytest.fixture(scope="module")
def house(server: Server) -> House:
    names = ("outsider", "removed", "banned")
    strangers = {"owner": server.create_owner("owner")} | {name: server.sign_up(name) for name in names}
    return House(server, server.sign_up("alice"), server.sign_up("bob"), strangers)


@pytest.fixture(scope="module")
def private(house: House) -> Place:
    return house.furnish(kind="private", name="Secret")


@pytest.fixture(scope="module")
def direct(house: House) -> Place:
    return house.furnish(kind="direct")


STRANGERS = ("outsider", "owner", "removed", "banned")


@asynccontextmanager
async def at_the_door(house: House, who: str) -> AsyncIterator[tuple[Account, Connection]]:
    account = house.strangers[who]
    async with await Connection.open(house.server.websocket_url, account.token) as connection:
        yield account, connection


def absent(place: Place) -> Place:
    return replace(place, room=ABSENT)


async def differences(
    asked: list[Question], one: Place, other: Place, account: Account, connection: Connection
) -> dict[str, tuple[object, object]]:
    """By question, what is answered about the one place and about the other, where that is not the same."""
    found: dict[str, tuple[object, object]] = {}
    for question in asked:
        answers = [await question.ask(place, account, connection) for place in (one, other)]
        if answers[0] != answers[1]:
            found[question.name] = (answers[0], answers[1])
    return found


def test_there_is_a_question_for_every_command_and_route_that_names_a_room() -> None:
    names = {question.name for question in QUESTIONS}
    assert len(names) == len(QUESTIONS)
    assert {"room.update.by.room", "message.forward.by.from_room", "typing.by.room", "events.since.by.topic"} <= names
    assert sum(question.by_socket for question in QUESTIONS) >= 22
    assert sum(not question.by_socket for question in QUESTIONS) >= 30


@pytest.mark.parametrize("who", STRANGERS)
async def test_a_private_room_answers_as_one_that_is_not_there(house: House, private: Place, who: str) -> None:
    async with at_the_door(house, who) as stranger:
        assert await differences(QUESTIONS, private, absent(private), *stranger) == {}


@pytest.mark.parametrize("who", STRANGERS[:2])
async def test_a_direct_room_answers_as_one_that_is_not_there(house: House, direct: Place, who: str) -> None:
    async with at_the_door(house, who) as stranger:
        assert await differences(QUESTIONS, direct, absent(direct), *stranger) == {}


async def test_whoever_is_in_the_room_is_answered_otherwise_by_each_question(house: House) -> None:
    """The control: none of the questions is refused for its form alone."""
    place = house.furnish(kind="private", name="Control")
    async with await Connection.open(house.server.websocket_url, house.alice.token) as connection:
        alike = []
        for question in QUESTIONS:
            house.mend(place)
            if not await differences([question], place, absent(place), house.alice, connection):
                alike.append(question.name)
    assert set(alike) <= PASSED_OVER


async def test_a_position_in_the_first_words_tells_nothing_of_the_room(house: House, private: Place) -> None:
    said = []
    for room in (private.room, ABSENT):
        have = {f"room:{room}": 1}
        account = house.strangers["removed"]
        async with await Connection.open(house.server.websocket_url, account.token, have=have) as connection:
            await connection.ping()
            assert f"room:{room}" not in connection.welcome["heads"]
            said.append(json.dumps(connection.frames).replace(str(room), "ROOM"))
    assert said[0] == said[1]


async def test_plain_text_does_not_enter_a_private_room(house: House, private: Place) -> None:
    told = []
    for room in (private.room, ABSENT):
        account = house.strangers["outsider"]
        socket = await enter(house.server, account.name, room=room, headers=account.headers)
        told.append(await end(socket))
    assert told[0] == told[1]


async def test_nothing_is_said_of_private_rooms_in_the_log_of_the_server_and_in_its_figures(
    house: House, private: Place, direct: Place
) -> None:
    for word in ("Secret", str(private.room), str(direct.room), "among us"):
        assert word not in house.server.log_text()
        assert not [sample for sample in house.server.metrics() if word in sample]
    site = json.dumps(house.strangers["owner"].log("site"))
    assert "Secret" not in site
    assert str(private.room) not in site
    assert str(direct.room) not in site
