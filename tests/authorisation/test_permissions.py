"""The table of permissions says what the server does, as `matrix.txt` records it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from hubbub.domain import permissions, rules
from hubbub.domain.errors import Forbidden
from hubbub.domain.model import Role, RoomRole
from hubbub.domain.permissions import IN_ROOM, ON_SITE, Check, Situation
from tests.authorisation import table

ROOT = Path(__file__).resolve().parents[2]
PLACES = {
    "public": Situation(Role.MEMBER),
    "private": Situation(Role.MEMBER, kind="private"),
    "archived": Situation(Role.MEMBER, archived=True),
    "direct": Situation(Role.MEMBER, kind="direct"),
}
PEOPLE: Mapping[str, tuple[Role, RoomRole | None]] = {
    "outsider": (Role.MEMBER, None),
    "ex-member": (Role.MEMBER, None),
    "guest": (Role.GUEST, None),
    "member": (Role.MEMBER, RoomRole.MEMBER),
    "author": (Role.MEMBER, RoomRole.MEMBER),
    "moderator": (Role.MEMBER, RoomRole.MODERATOR),
    "room-owner": (Role.MEMBER, RoomRole.OWNER),
    "admin": (Role.ADMIN, None),
    "owner": (Role.OWNER, None),
}
"""The site role and the room role of each column. Those who are banned are left out, as in the table."""
ROWS = {
    "message.send": "send",
    "message.forward": "send",
    "reaction.add": "react",
    "reaction.remove": "react",
    "message.edit": "edit",
    "message.delete": "delete",
    "list_edits": "see edits",
    "message.pin": "pin",
    "message.unpin": "pin",
    "room.update": "update",
    "room.update (history)": "update history",
    "room.archive": "archive",
    "room.restore": "archive",
    "room.join": "join",
    "room.leave": "leave others",
    "list_bans": "moderate",
    "list_invites": "moderate",
    "revoke_invite": "moderate",
    "create_invite": "invite",
    "list_webhooks": "manage webhooks",
    "create_webhook": "create webhook",
    "member.add": "add",
    "member.unban": "unban",
    "member.remove": "remove member",
    "member.remove (a moderator)": "remove moderator",
    "member.remove (its owner)": "remove owner",
    "member.ban": "remove member",
    "member.ban (a moderator)": "remove moderator",
    "member.set_role": "make member moderator",
    "member.set_role (hand over)": "make member owner",
}
SITE_ROWS = {
    "room.create": "create room",
    "list_users": "find people",
    "create_invite": "invite to site",
    "list_webhooks": "manage site webhooks",
    "set_setting": "change settings",
}
OWN = {"edit", "delete", "see edits"}
"""Actions on the message of the author; the action of all others ends in `other`."""
RULES = "tests/members/test_rules.py::test_the_rules_match_the_table"
MENTIONS = "tests/attention/test_mentions.py::test_in_a_large_room_only_moderators_may_mention_everyone"
ELSEWHERE = {
    "mention room": MENTIONS,
    "mention small room": MENTIONS,
    "edit forwarded": "tests/messages/test_edits.py::test_only_the_author_can_edit_an_existing_message",
    "leave": RULES,
    "remove self": RULES,
    "make owner moderator": RULES,
    "make owner member": RULES,
    "make moderator owner": RULES,
    "make moderator member": RULES,
}
"""Tests of actions without a row in the matrix."""


def situation(section: str, column: str) -> Situation:
    site_role, room_role = PEOPLE[column]
    # All members of a direct room are plain members.
    if section == "direct" and room_role is not None:
        room_role = RoomRole.MEMBER
    return replace(PLACES[section], site_role=site_role, room_role=room_role)


def action(row: str, column: str) -> str:
    name = ROWS[row]
    return f"{name} {'own' if column == 'author' else 'other'}" if name in OWN else name


def differences(checks: Mapping[str, Check] = IN_ROOM) -> Iterator[str]:
    matrix = table.read(table.FILE.read_text())
    for section in PLACES:
        for row, cells in matrix[section].items():
            for column in PEOPLE.keys() & cells.keys() if row in ROWS else ():
                if permissions.may(checks[action(row, column)], situation(section, column)) != (cells[column] == "ok"):
                    yield f"{section}: {row} as {column} is {cells[column]}"


def test_the_table_of_permissions_is_what_the_server_answers_in_rooms() -> None:
    assert list(differences()) == []


def test_the_table_of_permissions_is_what_the_server_answers_on_the_site() -> None:
    site = table.read(table.FILE.read_text())["site"]
    for row, name in SITE_ROWS.items():
        for role in ("guest", "member", "admin", "owner"):
            may = permissions.may(ON_SITE[name], Situation(Role(role)))
            assert may == (site[row][role] == "ok"), (row, role)


def test_every_action_of_the_table_has_a_row_in_the_matrix_or_a_test_elsewhere() -> None:
    with_a_row = {action(row, column) for row in ROWS for column in PEOPLE}
    assert with_a_row | ELSEWHERE.keys() == IN_ROOM.keys()
    assert set(SITE_ROWS.values()) == ON_SITE.keys()
    matrix = table.read(table.FILE.read_text())
    assert ROWS.keys() <= {row for section in PLACES for row in matrix[section]}
    for place in ELSEWHERE.values():
        file, _, test = place.partition("::")
        assert f"def {test}(" in (ROOT / file).read_text(), place


@pytest.mark.parametrize("name", sorted(IN_ROOM.keys() - ELSEWHERE.keys()))
def test_control_an_action_with_other_rules_is_detected(name: str) -> None:
    def everyone(now: Situation) -> None: ...

    def members(now: Situation) -> None:
        _ = now.own

    def no_one(now: Situation) -> None:
        raise Forbidden

    assert any(any(differences({**IN_ROOM, name: check})) for check in (everyone, members, no_one))


def test_control_a_rule_that_changes_changes_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "may_pin", lambda actor, own: None)
    assert "public: message.pin as member is 403" in list(differences())
