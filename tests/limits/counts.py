"""Limits of numbers and counts."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote

import emoji
import httpx

from hubbub.domain import text
from hubbub.features import invites
from hubbub.features import rooms as rooms_of
from tests.limits.register import limit
from tests.limits.world import World
from tests.support.routes import WEBHOOK
from tests.support.server import Account


@limit("MAX_ID")
async def of_an_id(world: World) -> None:
    for value, told in ((text.MAX_ID, "not_found"), (text.MAX_ID + 1, "bad_request"), (0, "bad_request")):
        assert await world.told("room.join", room=value) == told
        assert await world.told("message.pin", room=1, message=value) == told


@limit("MAX_PAGE")
async def of_a_page(world: World) -> None:
    room = await world.room()
    for size, told in ((1, "ok"), (text.MAX_PAGE, "ok"), (text.MAX_PAGE + 1, "bad_request"), (0, "bad_request")):
        assert await world.told("events.since", topic=f"room:{room}", after=1, limit=size) == told


@limit("DEFAULT_PAGE")
async def of_the_default_page(world: World) -> None:
    room = await world.room()
    await world.say(room, text.DEFAULT_PAGE)
    page = await world.get(f"/api/rooms/{room}/messages")
    assert (len(page["messages"]), page["more"]["before"]) == (text.DEFAULT_PAGE, False)
    await world.say(room)
    page = await world.get(f"/api/rooms/{room}/messages")
    assert (len(page["messages"]), page["more"]["before"]) == (text.DEFAULT_PAGE, True)


# --- how many ---------------------------------------------------------------------------------------------------------


@limit("MAX_DIRECT")
async def of_members_of_a_direct_room(world: World) -> None:
    others = world.ids(text.MAX_DIRECT)
    myself = world.people[0].id
    assert await world.told("room.create", kind="direct", members=others[:-1]) == "ok"
    assert await world.told("room.create", kind="direct", members=[myself, *others[:-1]]) == "ok"
    assert await world.told("room.create", kind="direct", members=others) == "bad_request"


@limit("MAX_INVITED")
async def of_initial_members_of_a_room(world: World) -> None:
    others = world.ids(text.MAX_INVITED + 1)
    assert await world.told("room.create", kind="private", name="Full", members=others[:-1], key=None) == "ok"
    assert await world.told("room.create", kind="private", name="Full", members=others, key=None) == "bad_request"


@limit("MEMBERS_SHOWN")
async def of_members_with_a_room(world: World) -> None:
    """The list of members has more pages if not all are shown with the room."""
    room, most = await world.room(text.MAX_INVITED), rooms_of.MEMBERS_SHOWN
    for more, shown in ((most - 1, False), (most, True)):
        for user in world.ids(more)[text.MAX_INVITED :]:
            await world.do("member.add", room=room, user=user)
        found = await world.get(f"/api/rooms/{room}")
        assert (len(found["members"]), found["more_members"]) == (most, shown)


@limit("MAX_ROOM_INVITES")
async def of_invites_into_a_room(world: World) -> None:
    room = await world.room()
    await invites_up_to(world, room, invites.MAX_ROOM_INVITES)


@limit("MAX_INVITES")
async def of_invites_into_the_site(world: World) -> None:
    await invites_up_to(world, None, invites.MAX_INVITES)


async def invites_up_to(world: World, room: int | None, most: int) -> None:
    """Create invites up to the limit.

    All but one are inserted into the database directly.
    """
    with closing(sqlite3.connect(world.server.database, timeout=30)) as database, database:
        rows = [(f"i{room}-{number}", f"t{room}-{number}", world.owner.id, room) for number in range(most - 1)]
        columns = "id, token_hash, uses, max_uses, created_by, created_at, room"
        database.executemany(f"INSERT INTO invites ({columns}) VALUES (?, ?, 0, 1, ?, 0, ?)", rows)
    maker = world.owner if room is None else world.people[0]
    made = [maker.request("POST", "/api/invites", json={"room": room}) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 409]
    assert maker.request("DELETE", f"/api/invites/{made[0].json()['id']}").status_code == 204
    assert maker.request("POST", "/api/invites", json={"room": room}).status_code == 201


@limit("MAX_ROOMS")
async def of_rooms_a_user_is_in(world: World) -> None:
    """Create rooms up to the limit; all but the last ones are inserted directly.

    Direct rooms do not count.
    """
    user, other = world.people[0].id, world.people[1]
    public = (await other_room(world, kind="public", name="Public"))["id"]
    direct = {"kind": "direct", "members": [user]}
    count = """SELECT count(*) FROM members JOIN rooms ON rooms.id = members.room
        WHERE members.user = ? AND rooms.kind <> 'direct'"""
    with closing(sqlite3.connect(world.server.database, timeout=30)) as database:
        (there,) = database.execute(count, (user,)).fetchone()
    with rooms_inserted(world, "private", text.MAX_ROOMS - there - 2, user) as database:
        assert await world.told("room.create", kind="private", name="One of the last two", key=None) == "ok"
        assert database.execute(count, (user,)).fetchone() == (text.MAX_ROOMS,)
        assert await world.told("room.create", kind="private", name="One too many", key=None) == "conflict"
        assert await world.told("room.join", room=public) == "conflict"
        answer = other.request("PUT", f"/api/rooms/{public}/members/{user}")
        assert answer.status_code == 200, "rooms into which others put the user are counted apart"
        assert other.request("POST", "/api/rooms", json=direct).status_code == 201
    assert world.people[0].request("POST", f"/api/rooms/{public}/leave").status_code == 200
    assert await world.told("room.join", room=public) == "ok"


@limit("MAX_ADDED")
async def of_rooms_into_which_one_user_puts_another(world: World) -> None:
    """The victim can still join and create rooms, and others can still add them, up to MAX_ROOMS in all."""
    inviter, victim, another = world.people[0].id, world.people[1], world.people[2]
    rooms = [await world.room(0) for _ in range(3)]
    made = another.request("POST", "/api/rooms", json={"kind": "public", "name": "Theirs"})
    theirs = made.json()["room"]["id"]

    def put(room: int, by: Account) -> int:
        return by.request("PUT", f"/api/rooms/{room}/members/{victim.id}").status_code

    count = """SELECT count(*) FROM members JOIN rooms ON rooms.id = members.room
        WHERE members.user = ? AND members.added_by = ? AND rooms.kind <> 'direct'"""
    with closing(sqlite3.connect(world.server.database, timeout=30)) as database:
        (there,) = database.execute(count, (victim.id, inviter)).fetchone()
    with rooms_inserted(world, "private", text.MAX_ADDED - there - 3, victim.id, added_by=inviter):
        assert put(rooms[0], world.people[0]) == 200
        assert await world.told("room.create", kind="private", name="Put", members=[victim.id], key=None) == "ok"
        answer = world.people[0].request("PUT", f"/api/rooms/{rooms[1]}/members/{victim.id}")
        assert answer.status_code == 409
        assert str(text.MAX_ADDED) not in answer.text, "the error does not reveal how many rooms another user is in"
        assert (
            await world.told("room.create", kind="private", name="Too many", members=[victim.id], key=None)
            == "conflict"
        )
        assert put(theirs, another) == 200
        made = victim.request("POST", "/api/rooms", json={"kind": "private", "name": "My own"})
        assert made.status_code == 201, "the victim's own rooms are not used up"
    assert put(rooms[1], world.people[0]) == 200
    assert victim.request("POST", f"/api/rooms/{theirs}/leave").status_code == 200
    with rooms_inserted(world, "private", text.MAX_ROOMS, victim.id, added_by=10**11):
        assert put(theirs, another) == 409
        made = victim.request("POST", "/api/rooms", json={"kind": "private", "name": "Another of my own"})
        assert made.status_code == 201, "nor by many accomplices"


@limit("MAX_DIRECT_MADE")
async def of_direct_rooms_a_user_has_created(world: World) -> None:
    user, (one, two, three) = world.people[0].id, world.ids(3)
    with closing(sqlite3.connect(world.server.database, timeout=30)) as database:
        made = "SELECT count(*) FROM rooms WHERE kind = 'direct' AND created_by = ?"
        (there,) = database.execute(made, (user,)).fetchone()
    with rooms_inserted(world, "direct", text.MAX_DIRECT_MADE - there - 1, user):
        assert await world.told("room.create", kind="direct", members=[one, two]) == "ok"
        assert await world.told("room.create", kind="direct", members=[one, three]) == "conflict"
        assert await world.told("room.create", kind="direct", members=[two, one]) == "ok", (
            "the existing direct room is returned"
        )


@limit("MAX_DIRECT_WITH")
async def of_direct_rooms_with_the_same_person(world: World) -> None:
    user, (*_, one, two, three) = world.people[0].id, world.ids(20)
    with rooms_inserted(world, "direct", text.MAX_DIRECT_WITH - 1, user, one):
        assert await world.told("room.create", kind="direct", members=[one, two]) == "ok"
        assert await world.told("room.create", kind="direct", members=[one, three]) == "conflict"
        assert await world.told("room.create", kind="direct", members=[two, three]) == "ok"


@contextmanager
def rooms_inserted(
    world: World, kind: str, count: int, *people: int, added_by: int | None = None
) -> Iterator[sqlite3.Connection]:
    """Insert `count` rooms with these members until the end of the block.

    The first user is their creator. `added_by` has put the members into them.
    """
    far = 10**12
    rooms = [(far + number, kind, people[0], f"key {number}" if kind == "direct" else None) for number in range(count)]
    places = [(far + number, user, added_by) for number in range(count) for user in people]
    columns = "id, kind, name, created_by, direct_key, created_at, members"
    made = f"INSERT INTO rooms ({columns}) VALUES (?, ?, '', ?, ?, 0, 1)"
    with closing(sqlite3.connect(world.server.database, timeout=30)) as database:
        with database:
            database.executemany(made, rooms)
            database.executemany("INSERT INTO members VALUES (?, ?, 'member', 1, 0, 1, 0, 0, 0, ?)", places)
        yield database
        with database:
            database.executemany("DELETE FROM members WHERE room = ?", [row[:1] for row in rooms])
            database.executemany("DELETE FROM rooms WHERE id = ?", [row[:1] for row in rooms])


async def other_room(world: World, **fields: object) -> dict[str, int]:
    """Create a room owned by another user."""
    made: dict[str, int] = world.people[1].request("POST", "/api/rooms", json=fields).json()["room"]
    return made


@limit("MAX_PINS")
async def of_pins(world: World) -> None:
    room = await world.room()
    seqs = await world.say(room, text.MAX_PINS + 1)
    for seq in seqs[:-2]:
        await world.do("message.pin", room=room, message=seq)
    assert await world.told("message.pin", room=room, message=seqs[-2]) == "ok"
    assert await world.told("message.pin", room=room, message=seqs[-1]) == "conflict"
    await world.do("message.unpin", room=room, message=seqs[0])
    assert await world.told("message.pin", room=room, message=seqs[-1]) == "ok"


@limit("MAX_REACTIONS")
async def of_different_emoji_at_a_message(world: World) -> None:
    whole = (one for one, facts in emoji.EMOJI_DATA.items() if facts["status"] == emoji.STATUS["fully_qualified"])
    different = sorted(whole)[: text.MAX_REACTIONS + 1]
    room = (await other_room(world, kind="public", name="Many emoji"))["id"]
    message = (
        world.people[1].request("POST", f"/api/rooms/{room}/messages", json={"key": "k", "body": "x"}).json()["seq"]
    )
    for index, one in enumerate(different[:-2]):  # each user adds a part of them
        person = world.people[2 + index // text.MAX_OWN_REACTIONS]
        if index % text.MAX_OWN_REACTIONS == 0:
            person.join(room)
        path = f"/api/rooms/{room}/messages/{message}/reactions/{quote(one)}"
        assert person.request("PUT", path).status_code == 200
    await world.do("room.join", room=room)
    assert await world.told("reaction.add", room=room, message=message, emoji=different[-2]) == "ok"
    assert await world.told("reaction.add", room=room, message=message, emoji=different[-1]) == "conflict"
    assert await world.told("reaction.add", room=room, message=message, emoji=different[0]) == "ok"


@limit("MAX_OWN_REACTIONS")
async def of_different_emoji_of_one_user_at_a_message(world: World) -> None:
    room = await world.room()
    (message,) = await world.say(room)
    whole = (one for one, facts in emoji.EMOJI_DATA.items() if facts["status"] == emoji.STATUS["fully_qualified"])
    different = sorted(whole)[: text.MAX_OWN_REACTIONS + 1]
    for one in different[:-2]:
        await world.do("reaction.add", room=room, message=message, emoji=one)
    assert await world.told("reaction.add", room=room, message=message, emoji=different[-2]) == "ok"
    assert await world.told("reaction.add", room=room, message=message, emoji=different[-1]) == "conflict"
    path = f"/api/rooms/{room}/messages/{message}/reactions/{quote(different[-1])}"
    assert world.people[1].request("PUT", path).status_code == 200, "others have their own"
    assert await world.told("reaction.add", room=room, message=message, emoji=different[-1]) == "conflict", (
        "also an emoji that others have used: it adds to what one user says"
    )
    await world.do("reaction.remove", room=room, message=message, emoji=different[0])
    assert await world.told("reaction.add", room=room, message=message, emoji=different[-1]) == "ok"


@limit("MAX_MENTIONS")
async def of_mentioned_names(world: World) -> None:
    room = await world.room(text.MAX_INVITED)
    others = [person.name for person in world.people[1 : text.MAX_MENTIONS + 1]]
    for called, counted in ((others, len(others)), (["nobody-there", *others], len(others) - 1)):
        await world.say(room, body=" ".join(f"@{name}" for name in called))
        page = await world.get(f"/api/rooms/{room}/messages?limit=1")
        assert len(page["messages"][0]["mentions"]["users"]) == counted


@limit("MENTIONS_COUNTED")
async def of_counted_mentions(world: World) -> None:
    room, other = await world.room(), world.people[1]
    for more, counted in ((text.MENTIONS_COUNTED - 1, -1), (1, 0), (1, 0)):
        await world.say(room, more, f"@{other.name}")
        assert other.get(f"/api/rooms/{room}")["room"]["mention_count"] == text.MENTIONS_COUNTED + counted


@limit("LOUD_MEMBERS")
async def of_members_that_any_member_may_mention(world: World) -> None:
    other = world.people[1]
    room = await world.room(text.LOUD_MEMBERS - 1)
    for loud in (True, False):
        said = {"key": world.key(), "body": "@room"}
        assert other.request("POST", f"/api/rooms/{room}/messages", json=said).status_code == 201
        page = await world.get(f"/api/rooms/{room}/messages?limit=1")
        assert ("mentions" in page["messages"][0]) is loud
        await world.do("member.add", room=room, user=world.people[40].id)


@limit("MAX_WATCHED")
async def of_watched_users(world: World) -> None:
    many = [10**12 + number for number in range(text.MAX_WATCHED + 1)]
    assert await world.told("presence.watch", users=many[:-1]) == "ok"
    assert await world.told("presence.watch", users=many) == "bad_request"


@limit("MAX_READ_ROOMS")
async def of_rooms_that_are_read_at_once(world: World) -> None:
    many = [{"room": 10**12 + number, "seq": 1} for number in range(text.MAX_READ_ROOMS + 1)]
    assert await world.told("rooms.read", rooms=many[:-1]) == "ok"
    assert await world.told("rooms.read", rooms=many) == "bad_request"
    assert await world.told("rooms.read", rooms=[]) == "bad_request"


@limit("MAX_ROOM_WEBHOOKS")
async def of_webhooks_of_a_room(world: World) -> None:
    await webhooks_up_to(world, await world.room(), text.MAX_ROOM_WEBHOOKS)


@limit("MAX_SITE_WEBHOOKS")
async def of_webhooks_of_the_site(world: World) -> None:
    await webhooks_up_to(world, None, text.MAX_SITE_WEBHOOKS)


def webhook(world: World, room: int | None) -> httpx.Response:
    maker = world.owner if room is None else world.people[0]
    return maker.request("POST", "/api/webhooks", json={"room": room, **WEBHOOK})


async def webhooks_up_to(world: World, room: int | None, most: int) -> None:
    made = [webhook(world, room) for _ in range(most + 1)]
    assert [answer.status_code for answer in made] == [201] * most + [409]
    maker = world.owner if room is None else world.people[0]
    assert maker.request("DELETE", f"/api/webhooks/{made[0].json()['id']}").status_code == 204
    last = webhook(world, room)
    assert last.status_code == 201
    for answer in (*made[1:most], last):
        assert maker.request("DELETE", f"/api/webhooks/{answer.json()['id']}").status_code == 204


@limit("MAX_ATTEMPTS_KEPT")
async def of_attempts_that_are_listed(world: World) -> None:
    room = await world.room()
    made = webhook(world, room).json()["id"]
    for count in (1, text.MAX_ATTEMPTS_KEPT - 1, 1):
        for _ in range(count):
            assert await world.asked("POST", f"/api/webhooks/{made}/test", None) == "ok"
        listed = (await world.get(f"/api/webhooks/{made}/deliveries"))["deliveries"]
    assert len(listed) == text.MAX_ATTEMPTS_KEPT
