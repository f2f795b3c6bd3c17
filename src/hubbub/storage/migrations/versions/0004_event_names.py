"""Event names: stored entries get the types and field names that the protocol's rules ask for.

The schema stays. `seq`, `at` and all values stay, so that every client can go on from its position.
"""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

PAGE = 1_000
"""Rows in memory at a time, each of at most 64 KiB."""
TYPES = {
    "member.role": "member.role_changed",
    "read.moved": "room.read_moved",
    "room.gone": "room.removed",
    "settings.changed": "room.preferences_changed",
}
MEMBER = {"name": "user_name"}
FIELDS: dict[str, Mapping[str, str]] = {
    "member.joined": MEMBER,
    "member.left": MEMBER,
    "member.removed": MEMBER,
    "member.banned": MEMBER,
    "member.unbanned": MEMBER,
    "member.role": MEMBER,
    "read.moved": {"read": "read_seq", "unread": "unread_count", "mentions": "mention_count"},
    "status.changed": {"chosen": "status"},
}
OBJECTS = {"room.created": "room", "room.added": "room", "session.opened": "session"}
"""The field with an object, which becomes the object's id; the object moves to `details`."""
ROOM = {
    "people": "members",
    "members": "member_count",
    "read": "read_seq",
    "unread": "unread_count",
    "mentions": "mention_count",
}

log = sa.table("log", sa.column("id", sa.BigInteger), sa.column("type", sa.Text), sa.column("text", sa.Text))
answers = sa.table("answers", *(sa.column(name) for name in ("author", "kind", "key", "answer")))
CHANGED = sorted({*TYPES, *FIELDS, *OBJECTS})


def upgrade() -> None:
    _rename_in_log(op.get_bind())
    _rename_in_answers(op.get_bind())


def _rename_in_log(connection: sa.Connection) -> None:
    present: dict[str, Any] = {"type": sa.bindparam("new_type"), "text": sa.bindparam("new_text")}
    change = sa.update(log).where(log.c.id == sa.bindparam("row")).values(present)
    after = 0
    while True:
        page = sa.select(log).where(log.c.type.in_(CHANGED), log.c.id > after).order_by(log.c.id).limit(PAGE)
        rows = connection.execute(page).all()
        if not rows:
            return
        connection.execute(
            change,
            [
                {"row": id_, "new_type": TYPES.get(type_, type_), "new_text": renamed(type_, text)}
                for id_, type_, text in rows
            ],
        )
        after = rows[-1].id


def _rename_in_answers(connection: sa.Connection) -> None:
    """Rename in the stored answers to `room.create`, which a retry gets again."""
    own = (answers.c.author == sa.bindparam("whose"), answers.c.kind == "room.create")
    change = sa.update(answers).where(*own, answers.c.key == sa.bindparam("which"))
    change = change.values({"answer": sa.bindparam("new")})
    author, key = 0, ""
    while True:
        later = sa.or_(answers.c.author > author, sa.and_(answers.c.author == author, answers.c.key > key))
        page = sa.select(answers).where(answers.c.kind == "room.create", later)
        rows = connection.execute(page.order_by(answers.c.author, answers.c.key).limit(PAGE)).all()
        if not rows:
            return
        connection.execute(
            change, [{"whose": row.author, "which": row.key, "new": _renamed_answer(row.answer)} for row in rows]
        )
        author, key = rows[-1].author, rows[-1].key


def renamed(type_: str, text: str) -> str:
    """Return the wire object of an event with its present names."""
    event: dict[str, Any] = {**_with(FIELDS.get(type_, {}), json.loads(text)), "type": TYPES.get(type_, type_)}
    if field := OBJECTS.get(type_):
        details = event[field]
        event |= {field: details["id"], "details": _with(ROOM, details) if field == "room" else details}
    return _encoded(event)


def _renamed_answer(text: str) -> str:
    answer = json.loads(text)
    return _encoded(answer | {"room": _with(ROOM, answer["room"])} if "room" in answer else answer)


def _with(names: Mapping[str, str], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in fields.items()}


def _encoded(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
