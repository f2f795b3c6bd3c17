"""How large a number may be, and how many there may be of something."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import emoji

from hubbub.domain import text
from hubbub.features import invites
from hubbub.features import rooms as rooms_of
from tests.limits.register import limit
from tests.limits.town import Town


@limit("MAX_ID")
async def of_an_id(town: Town) -> None:
    for value, told in ((text.MAX_ID, "not_found"), (text.MAX_ID + 1, "bad_request"), (0, "bad_request")):
        assert await town.told("room.join", room=value) == told
        assert await town.told("message.pin", room=1, message=value) == told


@limit("MAX_PAGE")
async def of_a_page(town: Town) -> None:
    room = await town.room()
    for size, told in ((1, "ok"), (text.MAX_PAGE, "ok"), (text.MAX_PAGE + 1, "bad_request"), (0, "bad_request")):
        assert await town.told("events.since", topic=f"room:{room}", after=1, limit=size) == told


@limit("DEFAULT_PAGE")
async def of_a_page_of_no_given_size(town: Town) -> None:
    room = await town.room()
    await town.say(room, text.DEFAULT_PAGE)
    page = await town.get(f"/api/rooms/{room}/messages")
    assert (len(page["messages"]), page["more"]["before"]) == (text.DEFAULT_PAGE, False)
    await town.say(room)
    page = await town.get(f"/api/rooms/{room}/messages")
    assert (len(page["messages"]), page["more"]["before"]) == (text.DEFAULT_PAGE, True)


# --- how many ---------------------------------------------------------------------------------------------------------


@limit("MAX_DIRECT")
async def of_people_in_a_direct_room(town: Town) -> None:
    others = town.ids(text.MAX_DIRECT)
    oneself = town.people[0].id
    assert await town.told("room.create", kind="direct", members=others[:-1]) == "ok"
    assert await town.told("room.create", kind="direct", members=[oneself, *others[:-1]]) == "ok"
    assert await town.told("room.create", kind="direct", members=others) == "bad_request"


@limit("MAX_INVITED")
async def of_people_who_are_in_a_room_from_the_start(town: Town) -> None:
    others = town.ids(text.MAX_INVITED + 1)
    assert await town.told("room.create", kind="private", name="Full", members=others[:-1], key=None) == "ok"
    assert await town.told("room.create", kind="private", name="Full", members=others, key=None) == "bad_request"


@limit("MEMBERS_SHOWN")
async def of_members_with_a_room(town: Town) -> None:
    """Where there are more than are shown with it, the list of members goes on."""
    room, most = await town.room(text.MAX_INVITED), rooms_of.MEMBERS_SHOWN
    for more, shown in ((most - 1, False), (most, True)):
        for user in town.ids(more)[text.MAX_INVITED :]:
            await town.do("room.invite", room=room, user=user)
        found = await town.get(f"/api/rooms/{room}")
        assert (len(found["members"]), found["more_members"]) == (most, shown)


@limit("MAX_ROOM_INVITES")
async def of_invites_into_a_room(town: Town) -> None:
    room = await town.room()
    await invites_up_to(town, room, invites.MAX_ROOM_INVITES)


@limit("MAX_INVITES")
async def of_invites_into_the_site(town: Town) -> None:
    await invites_up_to(town, None, invites.MAX_INVITES)


async def invites_up_to(town: Town, room: int | None, most: int) -> None:
    """All but one are put into the store."""
    with closing(sqlite3.connect(town.server.database, timeout=30)) as database, database:
        rows = [(f"i{room}-{number}", f"t{room}-{number}", town.owner.id, room) for number in range(most - 1)]
        columns = "id, token_hash, uses, max_uses, created_by, created_at, room"
        database.executemany(f"INSERT INTO invites ({columns}) VALUES (?, ?, 0, 1, ?, 0, ?)", rows)
    maker = town.owner if room is None else town.people[0]
    made = [maker.request("POST", "/api/invites", json={"room": room}) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 409]
    assert maker.request("DELETE", f"/api/invites/{made[0].json()['id']}").status_code == 204
    assert maker.request("POST", "/api/invites", json={"room": room}).status_code == 201


@limit("MAX_ROOMS")
async def of_rooms_somebody_is_in(town: Town) -> None:
    """All but the last ones are put into the store. Direct rooms are not among them."""
    user, other = town.people[0].id, town.people[1]
    public = (await other_room(town, kind="public", name="A door"))["id"]
    direct = {"kind": "direct", "members": [user]}
    count = """SELECT count(*) FROM members JOIN rooms ON rooms.id = members.room
        WHERE members.user = ? AND rooms.kind <> 'direct'"""
    with closing(sqlite3.connect(town.server.database, timeout=30)) as database:
        (there,) = database.execute(count, (user,)).fetchone()
    with of_the_store(town, "private", text.MAX_ROOMS - there - 2, user) as database:
        assert await town.told("room.create", kind="private", name="One of the last two", key=None) == "ok"
        assert database.execute(count, (user,)).fetchone() == (text.MAX_ROOMS,)
        assert await town.told("room.create", kind="private", name="One too many", key=None) == "conflict"
        assert await town.told("room.join", room=public) == "conflict"
        answer = other.request("POST", f"/api/rooms/{public}/members", json={"user": user})
        assert answer.status_code == 409, answer.text
        assert str(text.MAX_ROOMS) not in answer.text.replace(",", ""), "how many they are is their own business"
        assert other.request("POST", "/api/rooms", json=direct).status_code == 201
    assert await town.told("room.join", room=public) == "ok"


@limit("MAX_DIRECT_MADE")
async def of_direct_rooms_somebody_has_made(town: Town) -> None:
    user, (one, two, three) = town.people[0].id, town.ids(3)
    with closing(sqlite3.connect(town.server.database, timeout=30)) as database:
        made = "SELECT count(*) FROM rooms WHERE kind = 'direct' AND created_by = ?"
        (there,) = database.execute(made, (user,)).fetchone()
    with of_the_store(town, "direct", text.MAX_DIRECT_MADE - there - 1, user):
        assert await town.told("room.create", kind="direct", members=[one, two]) == "ok"
        assert await town.told("room.create", kind="direct", members=[one, three]) == "conflict"
        assert await town.told("room.create", kind="direct", members=[two, one]) == "ok", "it is there"


@limit("MAX_DIRECT_WITH")
async def of_direct_rooms_with_the_same_person(town: Town) -> None:
    user, (*_, one, two, three) = town.people[0].id, town.ids(20)
    with of_the_store(town, "direct", text.MAX_DIRECT_WITH - 1, user, one):
        assert await town.told("room.create", kind="direct", members=[one, two]) == "ok"
        assert await town.told("room.create", kind="direct", members=[one, three]) == "conflict"
        assert await town.told("room.create", kind="direct", members=[two, three]) == "ok"


@contextmanager
def of_the_store(town: Town, kind: str, count: int, *people: int) -> Iterator[sqlite3.Connection]:
    """So many rooms for the time, made by the first of the people who are in them."""
    far = 10**12
    rooms = [(far + number, kind, people[0]) for number in range(count)]
    places = [(far + number, user) for number in range(count) for user in people]
    made = "INSERT INTO rooms (id, kind, name, created_by, created_at, members) VALUES (?, ?, '', ?, 0, 1)"
    with closing(sqlite3.connect(town.server.database, timeout=30)) as database:
        with database:
            database.executemany(made, rooms)
            database.executemany("INSERT INTO members VALUES (?, ?, 'member', 1, 0, 1, 0, 0, 0)", places)
        yield database
        with database:
            database.executemany("DELETE FROM members WHERE room = ?", [row[:1] for row in rooms])
            database.executemany("DELETE FROM rooms WHERE id = ?", [row[:1] for row in rooms])


async def other_room(town: Town, **fields: object) -> dict[str, int]:
    """A room of somebody else's."""
    made: dict[str, int] = town.people[1].request("POST", "/api/rooms", json=fields).json()["room"]
    return made


@limit("MAX_PINS")
async def of_pins(town: Town) -> None:
    room = await town.room()
    seqs = await town.say(room, text.MAX_PINS + 1)
    for seq in seqs[:-2]:
        await town.do("message.pin", room=room, message=seq)
    assert await town.told("message.pin", room=room, message=seqs[-2]) == "ok"
    assert await town.told("message.pin", room=room, message=seqs[-1]) == "conflict"
    await town.do("message.unpin", room=room, message=seqs[0])
    assert await town.told("message.pin", room=room, message=seqs[-1]) == "ok"


@limit("MAX_REACTIONS")
async def of_different_emoji_at_a_message(town: Town) -> None:
    room = await town.room()
    (message,) = await town.say(room)
    whole = (one for one, facts in emoji.EMOJI_DATA.items() if facts["status"] == emoji.STATUS["fully_qualified"])
    different = sorted(whole)[: text.MAX_REACTIONS + 1]
    for one in different[:-2]:
        await town.do("reaction.add", room=room, message=message, emoji=one)
    assert await town.told("reaction.add", room=room, message=message, emoji=different[-2]) == "ok"
    assert await town.told("reaction.add", room=room, message=message, emoji=different[-1]) == "conflict"
    assert await town.told("reaction.add", room=room, message=message, emoji=different[0]) == "ok"


@limit("MAX_MENTIONS")
async def of_names_that_count(town: Town) -> None:
    room = await town.room(text.MAX_INVITED)
    others = [person.name for person in town.people[1 : text.MAX_MENTIONS + 1]]
    for called, counted in ((others, len(others)), (["nobody-there", *others], len(others) - 1)):
        await town.say(room, body=" ".join(f"@{name}" for name in called))
        page = await town.get(f"/api/rooms/{room}/messages?limit=1")
        assert len(page["messages"][0]["mentions"]["users"]) == counted


@limit("MENTIONS_COUNTED")
async def of_mentions_that_are_counted(town: Town) -> None:
    room, other = await town.room(), town.people[1]
    for more, counted in ((text.MENTIONS_COUNTED - 1, -1), (1, 0), (1, 0)):
        await town.say(room, more, f"@{other.name}")
        assert other.get(f"/api/rooms/{room}")["room"]["mentions"] == text.MENTIONS_COUNTED + counted


@limit("LOUD_MEMBERS")
async def of_members_whom_anybody_calls(town: Town) -> None:
    other = town.people[1]
    room = await town.room(text.LOUD_MEMBERS - 1)
    for loud in (True, False):
        said = {"key": town.key(), "body": "@room"}
        assert other.request("POST", f"/api/rooms/{room}/messages", json=said).status_code == 201
        page = await town.get(f"/api/rooms/{room}/messages?limit=1")
        assert ("mentions" in page["messages"][0]) is loud
        await town.do("room.invite", room=room, user=town.people[40].id)


@limit("MAX_WATCHED")
async def of_people_one_looks_at(town: Town) -> None:
    many = [10**12 + number for number in range(text.MAX_WATCHED + 1)]
    assert await town.told("presence.watch", users=many[:-1]) == "ok"
    assert await town.told("presence.watch", users=many) == "bad_request"


@limit("MAX_READ_ROOMS")
async def of_rooms_that_are_read_at_once(town: Town) -> None:
    many = [{"room": 10**12 + number, "seq": 1} for number in range(text.MAX_READ_ROOMS + 1)]
    assert await town.told("rooms.read", rooms=many[:-1]) == "ok"
    assert await town.told("rooms.read", rooms=many) == "bad_request"
    assert await town.told("rooms.read", rooms=[]) == "bad_request"
