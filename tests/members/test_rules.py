"""The complete table of the rules for membership, cell by cell."""

import re
from collections.abc import Callable

import pytest

from hubbub.domain import rules
from hubbub.domain.errors import Conflict, Forbidden, NotFound
from hubbub.domain.model import Actor, Role, Room, RoomRole

ACTORS = {
    "guest": (Role.GUEST, None),
    "stranger": (Role.MEMBER, None),
    "member": (Role.MEMBER, RoomRole.MEMBER),
    "moderator": (Role.MEMBER, RoomRole.MODERATOR),
    "owner": (Role.MEMBER, RoomRole.OWNER),
    "admin": (Role.ADMIN, None),
    "admin-in-it": (Role.ADMIN, RoomRole.MEMBER),
    "guest-in-it": (Role.GUEST, RoomRole.MEMBER),
}
"""Each actor's role on the site and in the room."""
THEIRS = {"outsider": None, "member": RoomRole.MEMBER, "moderator": RoomRole.MODERATOR, "owner": RoomRole.OWNER}
ROOMS: dict[str, dict[str, object]] = {
    "public": {"kind": "public"},
    "private": {"kind": "private"},
    "direct": {"kind": "direct", "name": ""},
    "lobby": {"kind": "public", "lobby": True},
    "archived": {"kind": "public", "archived": True},
}
ANSWERS = {None: "ok", Forbidden: "403", NotFound: "404", Conflict: "409"}

TABLE = """
action              room      guest  stranger  member  moderator  owner  admin  admin-in-it  guest-in-it

join                public    403    ok        ok      ok         ok     ok     ok         403
join                private   404    404       404     404        404    404    404        404
join                direct    404    404       404     404        404    404    404        404
join                archived  403    403       403     403        403    403    403        403
join, banned        public    403    403       403     403        403    403    403        403

leave               public    ok     ok        ok      ok         403    ok     ok         ok
leave               private   ok     ok        ok      ok         403    ok     ok         ok
leave               direct    403    403       403     403        403    403    403        403
leave               lobby     403    403       403     403        403    403    403        403
leave               archived  ok     ok        ok      ok         403    ok     ok         ok
leave, alone        public    ok     ok        ok      ok         ok     ok     ok         ok

invite              public    404    404       ok      ok         ok     ok     ok         403
invite              private   404    404       ok      ok         ok     ok     ok         403
invite              direct    404    404       403     403        403    403    403        403
invite              archived  404    404       403     403        403    403    403        403
invite a guest      public    404    404       403     403        403    403    403        403
invite the banned   public    404    404       409     409        409    409    409        403

remove outsider     public    404    404       403     ok         ok     ok     ok         403
remove member       public    404    404       403     ok         ok     ok     ok         403
remove moderator    public    404    404       403     403        ok     ok     ok         403
remove owner        public    404    404       403     403        403    ok     ok         403
remove member       private   404    404       403     ok         ok     ok     ok         403
remove moderator    private   404    404       403     403        ok     ok     ok         403
remove owner        private   404    404       403     403        403    ok     ok         403
remove member       direct    404    404       403     403        403    403    403        403
remove member       lobby     404    404       403     403        403    403    403        403
remove member       archived  404    404       403     403        403    403    403        403
remove themselves   public    404    404       403     403        403    403    403        403

unban               public    404    404       403     ok         ok     ok     ok         403
unban               private   404    404       403     ok         ok     ok     ok         403
unban               direct    404    404       403     403        403    403    403        403
unban               lobby     404    404       403     403        403    403    403        403
unban               archived  404    404       403     403        403    403    403        403

make moderator      public    404    404       403     403        ok     ok     ok         403
make moderator      private   404    404       403     403        ok     ok     ok         403
make moderator      direct    404    404       403     403        403    403    403        403
make moderator      lobby     404    404       403     403        ok     ok     ok         403
make moderator      archived  404    404       403     403        403    403    403        403
make owner          public    404    404       403     403        ok     ok     ok         403
make owner          archived  404    404       403     403        ok     ok     ok         403
make owner          lobby     404    404       403     403        403    403    403        403
demote moderator    public    404    404       403     403        ok     ok     ok         403
demote owner        public    404    404       403     403        403    403    403        403

moderate            public    404    404       403     ok         ok     ok     ok         403
moderate            direct    404    404       403     403        403    403    403        403
moderate            archived  404    404       403     ok         ok     ok     ok         403
create a link       public    404    404       403     ok         ok     ok     ok         403
create a link       private   404    404       403     ok         ok     ok     ok         403
create a link       direct    404    404       403     403        403    403    403        403
create a link       archived  404    404       403     403        403    403    403        403
"""
"""Each action in each kind of room, for every actor who may see that room."""
OTHER = 2


def actions() -> dict[str, Callable[[Actor, Room], None]]:
    found: dict[str, Callable[[Actor, Room], None]] = {
        "join": lambda actor, room: rules.may_join(actor, room, banned=False),
        "join, banned": lambda actor, room: rules.may_join(actor, room, banned=True),
        "leave": lambda actor, room: rules.may_leave(room, heirs=True),
        "leave, alone": lambda actor, room: rules.may_leave(room, heirs=False),
        "invite": lambda actor, room: rules.may_add(actor, room, Role.MEMBER, banned=False),
        "invite a guest": lambda actor, room: rules.may_add(actor, room, Role.GUEST, banned=False),
        "invite the banned": lambda actor, room: rules.may_add(actor, room, Role.MEMBER, banned=True),
        "remove themselves": lambda actor, room: rules.may_remove(actor, room, actor.id, room.role),
        "unban": rules.may_unban,
        "make moderator": lambda actor, room: rules.may_set_role(actor, room, RoomRole.MEMBER, RoomRole.MODERATOR),
        "make owner": lambda actor, room: rules.may_set_role(actor, room, RoomRole.MODERATOR, RoomRole.OWNER),
        "demote moderator": lambda actor, room: rules.may_set_role(actor, room, RoomRole.MODERATOR, RoomRole.MEMBER),
        "demote owner": lambda actor, room: rules.may_set_role(actor, room, RoomRole.OWNER, RoomRole.MODERATOR),
        "moderate": rules.may_moderate,
        "create a link": rules.may_invite_into,
    }
    for word, theirs in THEIRS.items():
        found[f"remove {word}"] = lambda actor, room, theirs=theirs: rules.may_remove(actor, room, OTHER, theirs)  # type: ignore[misc]
    return found


def cells() -> list[tuple[str, str, str, str]]:
    """Return (action, room, actor, expected answer)."""
    header, *rows = (re.split(r"\s{2,}", line) for line in TABLE.splitlines() if line.strip())
    return [(row[0], row[1], actor, cell) for row in rows for actor, cell in zip(header[2:], row[2:], strict=True)]


def answer(action: str, room: str, actor: str) -> str:
    site, own = ACTORS[actor]
    seen = Room.model_validate(
        {
            "id": 9, "name": "A room", "lobby": False, "created_at": "", "member_count": 3, "joined": own is not None,
            "role": own, **ROOMS[room],
        }
    )  # fmt: skip
    try:
        actions()[action](Actor(1, "actor", site), seen)
    except (Forbidden, NotFound, Conflict) as refusal:
        return ANSWERS[type(refusal)]
    return "ok"


@pytest.mark.parametrize("actor", ACTORS)
def test_the_rules_match_the_table(actor: str) -> None:
    wrong = [
        f"{action} ({room}): {right} is right, {answer(action, room, actor)} was the answer"
        for action, room, who, right in cells()
        if who == actor and answer(action, room, actor) != right
    ]
    assert wrong == []


def test_every_action_is_in_the_table() -> None:
    assert {action for action, *_ in cells()} == set(actions())
