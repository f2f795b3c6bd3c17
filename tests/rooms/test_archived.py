"""An archived room is read-only, except for deletions and ownership."""

from dataclasses import dataclass

import pytest

from hubbub.domain.model import LOBBY
from tests.rooms.questions import Question, Subject, questions
from tests.support.client import Connection
from tests.support.server import Account, Server

ARCHIVED = "This room is archived."
REFUSED = (1, 403)
"""The status of a refusal over WebSocket and over REST."""
ALLOWED = {
    "room.archive": "idempotent",
    "room.restore": "the way back",
    "room.set_preferences": "belong to the user",
    "room.read": "reading is allowed",
    "room.unread": "reading is allowed",
    "rooms.read": "reading is allowed",
    "room.join": "idempotent for members; refused for other users",
    "room.leave": "members may leave; the owner only as the last member",
    "message.delete": "deletions stay possible",
    "message.forward.by.from_room": "reading is allowed: the copy is in another room",
    "events.since": "reading is allowed",
    "replay_webhook": "a webhook does not change its room",
    "retry_webhook_dead_letter": "a webhook does not change its room",
    "drop_webhook_dead_letter": "a webhook does not change its room",
    "archive_room": "as over WebSocket",
    "restore_room": "as over WebSocket",
    "set_room_preferences": "as over WebSocket",
    "read_room": "as over WebSocket",
    "unread_room": "as over WebSocket",
    "read_rooms": "as over WebSocket",
    "join_room": "as over WebSocket",
    "delete_message": "as over WebSocket",
    "leave_room": "as over WebSocket",
    "POST /api/rooms/{room}/forwards by from_room": "as over WebSocket",
}
QUESTIONS = questions()


def is_allowed(question: Question) -> bool:
    name = question.name
    whole = any(name.startswith(f"{each}.by.") or name.endswith(f"({each})") for each in ALLOWED)
    return whole or name.startswith(("GET ", *(each for each in ALLOWED if " by " in each or ".by." in each)))


@dataclass
class Archive:
    """A room of alice, and the site's owner, who is not a member."""

    alice: Account
    owner: Account
    subject: Subject

    def put_away(self) -> None:
        assert self.alice.request("POST", f"/api/rooms/{self.subject.room}/archive").status_code == 200

    async def asked(self, who: Account) -> dict[Question, tuple[int, str]]:
        """Return the answers to all questions while the room is archived."""
        answers = {}
        async with await Connection.open(who.server.websocket_url, who.token) as connection:
            for question in QUESTIONS:
                self.put_away()
                answers[question] = await question.ask(self.subject, who, connection)
        return answers


@pytest.fixture(scope="module")
def owner(server: Server) -> Account:
    return server.create_owner("owner")


@pytest.fixture
def archive(server: Server, owner: Account) -> Archive:
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    room = alice.create_room(alice.name)
    bob.join(room)
    seqs = []
    for where, count in ((room, len(QUESTIONS)), (LOBBY, 1)):
        for number in range(count):
            said = {"key": str(number), "body": "hello"}
            seqs.append(alice.request("POST", f"/api/rooms/{where}/messages", json=said).json()["seq"])
    return Archive(alice, owner, Subject(room, bob.id, seqs[0], seqs[-1]))


async def test_the_rooms_owner_cannot_change_an_archived_room(archive: Archive) -> None:
    head = archive.alice.get(f"/api/rooms/{archive.subject.room}")["room"]["head"]
    answers = await archive.asked(archive.alice)
    refused = {question for question, (status, said) in answers.items() if status in REFUSED and ARCHIVED in said}
    assert {question.name for question in set(QUESTIONS) - refused if not is_allowed(question)} == set()
    assert {question.name for question in refused if is_allowed(question)} == set(), (
        "entries of ALLOWED that are refused"
    )
    kinds = {event["type"] for event in archive.alice.log(f"room:{archive.subject.room}", after=head)}
    assert kinds == {"room.archived", "room.restored", "message.deleted"}


async def test_the_sites_owner_cannot_change_an_archived_room(archive: Archive) -> None:
    answers = await archive.asked(archive.owner)
    refusals = {1, 403, 404}
    changed = {question.name for question, (status, _) in answers.items() if status not in refusals}
    assert {question.name for question in QUESTIONS if question.name in changed and not is_allowed(question)} == set()
    update = next(answers[question] for question in QUESTIONS if question.name == "room.update.by.room")
    assert ARCHIVED in update[1]


async def test_control_in_an_open_room_nothing_is_refused_as_archived(archive: Archive) -> None:
    async with await Connection.open(archive.alice.server.websocket_url, archive.alice.token) as connection:
        for question in QUESTIONS:
            if "archive" not in question.name and "leave" not in question.name:
                _, said = await question.ask(archive.subject, archive.alice, connection)
                assert ARCHIVED not in said, question.name
