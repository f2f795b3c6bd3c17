"""What users may do, as a table of all combinations of the facts that the rules depend on.

Each action lists the rules its handler checks. Clients get the table as generated code
(`scripts/contract/permissions.py`), and tests compare it with the answers of a server. Facts about
other users, such as bans and limits, are left out: the table says what to offer, and the server
decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast, get_args

from hubbub.domain import rules
from hubbub.domain.errors import Conflict, Forbidden, NotFound
from hubbub.domain.model import Actor, Membership, Role, Room, RoomKind, RoomRole
from hubbub.domain.text import LOUD_MEMBERS

KINDS = cast("tuple[RoomKind, ...]", get_args(RoomKind))
ME, ANOTHER = 1, 2


@dataclass(frozen=True, slots=True)
class Situation:
    """A user and a room: the facts that permissions depend on."""

    site_role: Role
    room_role: RoomRole | None = None
    """None for a user who is not a member."""
    kind: RoomKind = "public"
    archived: bool = False
    lobby: bool = False

    @property
    def actor(self) -> Actor:
        return Actor(id=ME, name="", role=self.site_role)

    @property
    def room(self) -> Room:
        """The room as the user sees it. Raises NotFound if it is hidden from the user."""
        if self.kind != "public" and self.room_role is None:
            raise NotFound()
        return Room(
            id=1, kind=self.kind, name="", archived=self.archived, lobby=self.lobby, created_at="", member_count=1,
            joined=self.room_role is not None, role=self.room_role,
        )  # fmt: skip

    @property
    def own(self) -> Membership:
        """The user's membership. Raises NotFound if there is none."""
        if self.room_role is None:
            raise NotFound()
        return Membership(
            role=self.room_role, joined_seq=1, read_seq=0, read_n=0, kind=self.kind, history="all",
            archived=self.archived, members=1,
        )  # fmt: skip


Check = Callable[[Situation], None]
"""Raises NotFound, Forbidden or Conflict if the user may not act."""


def _write(now: Situation) -> None:
    """Members may send messages and react to them, except in archived rooms."""
    rules.may_change(now.own)


def _mention_room(now: Situation, members: int) -> None:
    _write(now)
    if not rules.may_mention_room(now.actor, now.room_role, now.kind, members):
        raise Forbidden()


def _edit(now: Situation, author: int, *, forwarded: bool) -> None:
    rules.may_change(now.own)
    rules.may_edit(now.actor, author, forwarded=forwarded)


def _pin(now: Situation) -> None:
    rules.may_change(now.own)
    rules.may_pin(now.actor, now.own)


def _update(now: Situation, *, history: bool) -> None:
    rules.may_update(now.actor, now.room, history=history)
    rules.may_change(now.room)
    if history and now.kind == "direct":
        raise Forbidden()


def _join(now: Situation) -> None:
    if now.room_role is None:
        rules.may_join(now.actor, now.room, banned=False)


def _leave(now: Situation, *, others: bool) -> None:
    rules.may_leave(now.room, heirs=others and now.own.role is RoomRole.OWNER)
    _ = now.own


def _add(now: Situation) -> None:
    rules.may_add(now.actor, now.room, Role.MEMBER, banned=False)


def _remove(user: int, theirs: RoomRole) -> Check:
    return lambda now: rules.may_remove(now.actor, now.room, user, theirs)


def _set_role(theirs: RoomRole, role: RoomRole) -> Check:
    return lambda now: rules.may_set_role(now.actor, now.room, theirs, role)


ON_SITE: Mapping[str, Check] = {
    "create room": lambda now: rules.may_create_room(now.actor),
    "find people": lambda now: rules.may_find_people(now.actor),
    "invite to site": lambda now: rules.may_invite(now.actor),
    "manage site webhooks": lambda now: rules.may_manage_site_webhooks(now.actor),
    "change settings": lambda now: rules.may_change_settings(now.actor),
}
"""Actions outside of rooms."""

IN_ROOM: Mapping[str, Check] = {
    "send": _write,
    "react": _write,
    "mention room": lambda now: _mention_room(now, LOUD_MEMBERS + 1),
    "mention small room": lambda now: _mention_room(now, LOUD_MEMBERS),
    "edit own": lambda now: _edit(now, ME, forwarded=False),
    "edit forwarded": lambda now: _edit(now, ME, forwarded=True),
    "edit other": lambda now: _edit(now, ANOTHER, forwarded=False),
    "delete own": lambda now: rules.may_delete(now.actor, now.own, ME),
    "delete other": lambda now: rules.may_delete(now.actor, now.own, ANOTHER),
    "see edits own": lambda now: rules.may_read_edits(now.actor, now.own, ME),
    "see edits other": lambda now: rules.may_read_edits(now.actor, now.own, ANOTHER),
    "pin": _pin,
    "update": lambda now: _update(now, history=False),
    "update history": lambda now: _update(now, history=True),
    "archive": lambda now: rules.may_archive(now.actor, now.room),
    "join": _join,
    "leave": lambda now: _leave(now, others=False),
    "leave others": lambda now: _leave(now, others=True),
    "moderate": lambda now: rules.may_moderate(now.actor, now.room),
    "invite": lambda now: rules.may_invite_into(now.actor, now.room),
    "manage webhooks": lambda now: rules.may_manage_webhooks(now.actor, now.room),
    "create webhook": lambda now: rules.may_manage_webhooks(now.actor, now.room, changing=True),
    "add": _add,
    "unban": lambda now: rules.may_unban(now.actor, now.room),
    "remove self": _remove(ME, RoomRole.MEMBER),
    **{f"remove {theirs}": _remove(ANOTHER, theirs) for theirs in RoomRole},
    **{f"make {theirs} {role}": _set_role(theirs, role) for theirs in RoomRole for role in RoomRole if role != theirs},
}
"""Actions in a room, on its messages and on its members.

`own`, `other` and `forwarded` (the user's own) describe the message. `remove` includes bans and is
followed by the other member's role, `make` by that member's present and new role.
"""


def may(check: Check, now: Situation) -> bool:
    try:
        check(now)
    except (Conflict, Forbidden, NotFound):
        return False
    return True
