"""Stored entries of revision 0003 have the present names of events and fields after the upgrade."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hubbub.domain.events import BY_TYPE
from hubbub.storage import log, migrate
from hubbub.storage.database import Database
from tests.support.postgres import Postgres

NOW = 1_790_000_000_000
AT = "2026-09-21T14:13:20.000Z"
TOPICS = {"room:3000": 1_200, "site": 2, "user:7": 8}
"""The topics of the database, and how many entries each has."""
OWN: dict[str, Any] = {
    "id": 3000, "kind": "direct", "name": "", "history": "all", "archived": False,
    "people": [{"id": 7, "name": "Zoë"}], "lobby": False, "created_by": 7, "created_at": AT, "members": 1,
    "joined": True, "head": 1, "floor": 1, "read": 1, "unread": 0, "mentions": 0, "role": "member", "favourite": False,
    "muted": False,
}  # fmt: skip
FOR_OTHERS = {name: value for name, value in OWN.items() if name in list(OWN)[:11]} | {"joined": False}
SESSION = {
    "id": "s1", "kind": "token", "client": "", "created_at": AT, "last_seen_at": AT, "expires_at": AT, "current": False,
}  # fmt: skip
ABOUT_MEMBER = {"room": 3000, "user": 7, "name": "Zoë", "by": 8}
SENT = {
    "room": 3000,
    "by": 7,
    "name": "Zoë",
    "n": 1,
    "key": "k",
    "body": "read, unread, mentions",
    "mentions": {"users": [8], "room": False, "here": False},
}
EARLIER: list[tuple[str, str, dict[str, Any]]] = [
    ("room:3000", "room.created", {"room": FOR_OTHERS, "by": 7, "name": "Zoë"}),
    ("room:3000", "member.joined", ABOUT_MEMBER),
    ("room:3000", "message.sent", SENT),
    ("room:3000", "member.role", {**ABOUT_MEMBER, "role": "moderator"}),
    ("room:3000", "member.left", ABOUT_MEMBER),
    ("room:3000", "member.removed", ABOUT_MEMBER),
    ("room:3000", "member.banned", {**ABOUT_MEMBER, "was_member": True}),
    ("room:3000", "member.unbanned", ABOUT_MEMBER),
    ("site", "room.created", {"room": FOR_OTHERS, "by": 7, "name": "Zoë"}),
    ("site", "room.archived", {"room": 3000, "by": 7, "name": "Zoë"}),
    ("user:7", "room.added", {"room": OWN}),
    ("user:7", "read.moved", {"room": 3000, "read": 4, "unread": 2, "mentions": 1}),
    ("user:7", "settings.changed", {"room": 3000, "favourite": True, "muted": False}),
    ("user:7", "status.changed", {"chosen": {"status": "dnd", "text": "Busy"}}),
    ("user:7", "session.opened", {"session": SESSION}),
    ("user:7", "session.closed", {"session": "s1"}),
    ("user:7", "room.gone", {"room": 3000, "why": "left"}),
    ("user:7", "room.gone", {"room": 3000}),
]
MESSAGE = (
    "INSERT INTO messages (id, room, seq, n, at, author, key, hash, body, mentions)"
    " VALUES (1, 3000, 3, 1, :at, 7, 'k', 'h', :body, :mentions)"
)
ROOM_NOW = {
    **{name: OWN[name] for name in ("id", "kind", "name", "history", "archived", "lobby", "created_by", "created_at")},
    "members": OWN["people"], "member_count": 1, "joined": True, "head": 1, "floor": 1, "read_seq": 1,
    "unread_count": 0, "mention_count": 0, "role": "member", "favourite": False, "muted": False,
}  # fmt: skip


def frame(topic: str, seq: int, type_: str, fields: dict[str, Any]) -> str:
    """Return an entry's text, encoded as the server encodes it."""
    event = {"topic": topic, "seq": seq, "type": type_, "at": AT, **fields}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def earlier_rows() -> Iterator[dict[str, Any]]:
    """Return the rows of the log: those of `EARLIER`, then joins up to the heads of `TOPICS`."""
    entries = [*EARLIER, *[("room:3000", "member.joined", ABOUT_MEMBER)] * TOPICS["room:3000"]]
    seqs = dict.fromkeys(TOPICS, 0)
    for number, (topic, type_, fields) in enumerate(entries, 1):
        seqs[topic] += 1
        if seqs[topic] <= TOPICS[topic]:
            encoded = frame(topic, seqs[topic], type_, fields)
            yield {"id": 2**60 + number, "topic": topic, "seq": seqs[topic], "at": NOW, "type": type_, "text": encoded}


@pytest.fixture(params=["sqlite", "postgresql"])
def upgraded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of revision 0003 with entries, upgraded to the present revision."""
    address = f"sqlite:///{tmp_path / 'hubbub.db'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres_server")
        address = server.empty()
    insert = "INSERT INTO log (id, topic, seq, at, type, text) VALUES (:id, :topic, :seq, :at, :type, :text)"
    answer = {"room": OWN, "topic": "room:3000", "seq": 1}
    with closing(Database(address)) as database:
        with database.migrating() as connection:
            migrate.run_steps(connection, "0003")
            connection.execute(text("INSERT INTO meta VALUES ('epoch', 'long ago')"))
            for topic, head in TOPICS.items():
                connection.execute(
                    text("INSERT INTO topics (topic, head, floor, n) VALUES (:topic, :head, 0, 0)"),
                    {"topic": topic, "head": head},
                )
            connection.execute(text(insert), list(earlier_rows()))
            connection.execute(text("INSERT INTO users VALUES (7, 'Zoë', 'zoe', 'member', '-', FALSE, 1)"))
            connection.execute(
                text(MESSAGE), {"at": NOW, "body": SENT["body"], "mentions": json.dumps(SENT["mentions"])}
            )
            connection.execute(
                text("INSERT INTO answers (author, kind, key, hash, answer) VALUES (7, :kind, 'k', 'h', :answer)"),
                [{"kind": "room.create", "answer": json.dumps(answer)}, {"kind": "CreateInvite", "answer": "{}"}],
            )
            connection.commit()
        migrate.upgrade(database, epoch="another", now=NOW)
        yield database


def texts(database: Database, topic: str) -> list[str]:
    return [entry.text.decode() for entry in database.read(log.entries, topic, 0, 10)]


def test_every_earlier_entry_replays_as_an_event_of_the_present_version(upgraded: Database) -> None:
    for topic, head in TOPICS.items():
        entries = upgraded.read(log.entries, topic, 0, 10_000)
        assert [entry.seq for entry in entries] == list(range(1, head + 1))
        for entry in entries:
            stored = json.loads(entry.text)
            assert stored["type"] == entry.event.type
            own = {name: value for name, value in stored.items() if name not in ("topic", "seq", "type", "at")}
            assert entry.event.model_dump(mode="json", exclude_none=True) == own, "no field is lost or unknown"


def test_control_earlier_entries_do_not_fit_the_present_events() -> None:
    unknown = {type_ for _, type_, _ in EARLIER if type_ not in BY_TYPE}
    assert unknown == {"member.role", "room.gone", "read.moved", "settings.changed"}
    for topic, type_, fields in EARLIER:
        if type_ in ("member.joined", "room.created", "room.added", "status.changed", "session.opened"):
            with pytest.raises(ValueError, match="validation error"):
                BY_TYPE[type_].model_validate({"person": 7, "in_site": topic == "site", **fields})


def test_fields_have_their_present_names_and_old_values(upgraded: Database) -> None:
    own = [json.loads(found) for found in texts(upgraded, "user:7")]
    assert own[0] == {
        "topic": "user:7", "seq": 1, "type": "room.added", "at": AT, "room": 3000, "details": ROOM_NOW
    }  # fmt: skip
    assert own[1] == {
        "topic": "user:7", "seq": 2, "type": "room.read_moved", "at": AT, "room": 3000,
        "read_seq": 4, "unread_count": 2, "mention_count": 1,
    }  # fmt: skip
    assert (own[4]["session"], own[4]["details"]) == ("s1", SESSION)
    in_room = [json.loads(found) for found in texts(upgraded, "room:3000")]
    assert (in_room[1]["user_name"], in_room[1]["user"], in_room[1]["by"]) == ("Zoë", 7, 8)


def test_messages_stay_the_same(upgraded: Database) -> None:
    assert json.loads(texts(upgraded, "room:3000")[2]) == json.loads(frame("room:3000", 3, "message.sent", SENT))


def test_a_stored_answer_to_creating_a_room_has_the_present_names(upgraded: Database) -> None:
    with upgraded.reader.connect() as connection:
        query = text("SELECT answer FROM answers WHERE kind = :kind")
        created = json.loads(connection.scalar(query, {"kind": "room.create"}) or "")
        assert created == {"room": ROOM_NOW, "topic": "room:3000", "seq": 1}
        assert connection.scalar(query, {"kind": "CreateInvite"}) == "{}"
