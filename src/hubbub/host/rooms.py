"""Rooms of the host application's objects, and the members of rooms."""

from collections.abc import Iterable, Sequence
from typing import Literal

from hubbub.domain.commands import ArchiveRoom, ChangeMembers, OpenHostRoom, RestoreRoom, UpdateRoom
from hubbub.domain.errors import NotFound
from hubbub.domain.host_rooms import check_host_key
from hubbub.domain.model import History
from hubbub.domain.text import MAX_INVITED
from hubbub.features import host
from hubbub.features.host import NO_ROOM, FoundRoom
from hubbub.host.model import Room, RoomRef, UserRef
from hubbub.host.running import Host, build, room_key

PAGE = 1_000
"""Members that one query returns."""


class Rooms:
    """`hubbub.rooms`: rooms of the host application's objects, and the members of any room.

    The host may change every room but direct ones. Its bot is shown as the user who did so. All
    methods but `get` raise NotFound for an unknown room or user; all raise Forbidden (the room is
    archived or direct), Busy and Unavailable (try again), ValueError (a malformed key), and
    RuntimeError while the server does not run.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    async def room_for(
        self,
        key: str,
        *,
        name: str,
        members: Iterable[UserRef] = (),
        kind: Literal["public", "private"] = "private",
        topic: str = "",
        description: str = "",
        history: History = "all",
        by: UserRef | None = None,
    ) -> Room:
        """Return the room of an object of the host application; create it if there is none.

        `key` has 1 to 255 characters, such as "order:42", and belongs to one room for ever, on all
        nodes. Everything else counts only if the room is new: `by`, or else the host's bot, becomes
        its owner. An archived room is returned as it is.

        Raises BadRequest for a name that is not allowed, Conflict if there is a public room of that
        name, or if a member is in too many rooms.
        """
        found = await self._host.read(host.room, check_host_key(key))
        if found is not None:
            return _room(found)
        wanted = await self._host.ids(members)
        command = build(
            OpenHostRoom,
            host_key=key,
            kind_of_room=kind,
            name=name,
            topic=topic,
            description=description,
            history=history,
            members=tuple(wanted[:MAX_INVITED]),
        )
        answer = await self._host.submit(command, await self._host.as_system(by))
        if answer["created"]:
            await self._change(answer["room"], add=wanted[MAX_INVITED:])
        return await self._load(answer["room"])

    async def get(self, room: RoomRef) -> Room | None:
        """Return a room, None if there is none."""
        found = await self._host.read(host.room, room_key(room))
        return None if found is None else _room(found)

    async def rename(self, room: RoomRef, name: str) -> Room:
        """Change a room's name. Raises BadRequest, Conflict as `room_for` does."""
        number = await self._host.room_id(room)
        await self._host.submit(build(UpdateRoom, room=number, name=name), await self._host.as_system())
        return await self._load(number)

    async def archive(self, room: RoomRef) -> None:
        """Make a room read-only. It stays the room of its key. Idempotent."""
        number = await self._host.room_id(room)
        await self._host.submit(build(ArchiveRoom, room=number), await self._host.as_system())

    async def restore(self, room: RoomRef) -> None:
        """Let users write in an archived room again. Idempotent."""
        number = await self._host.room_id(room)
        await self._host.submit(build(RestoreRoom, room=number), await self._host.as_system())

    async def members(self, room: RoomRef) -> frozenset[int]:
        """Return the ids of a room's members without bots."""
        found = await self._load(room)
        return frozenset(user for user, bot in (await self._members(found.id)).items() if not bot)

    async def set_members(self, room: RoomRef, members: Iterable[UserRef]) -> None:
        """Make exactly these users members of a room. Bots stay members. Idempotent.

        Users who are removed stop receiving at once. More than 50 changes are made in steps, each of
        which is one transaction; a call that was interrupted is repeated.
        """
        wanted = await self._host.ids(members)
        found = await self._load(room)
        present = await self._members(found.id)
        kept = {user for user, bot in present.items() if bot}.union(wanted)
        await self._change(
            found.id,
            add=[user for user in wanted if user not in present],
            remove=[user for user in present if user not in kept],
        )

    async def add_members(self, room: RoomRef, members: Iterable[UserRef]) -> None:
        """Add users, or bots, to a room. Idempotent. 50 at a time, as in `set_members`.

        Raises Conflict for banned users, and for those who are in too many rooms.
        """
        wanted = await self._host.ids(members)
        await self._change(await self._host.room_id(room), add=wanted)

    async def remove_members(self, room: RoomRef, members: Iterable[UserRef]) -> None:
        """Remove users, or bots, from a room. They stop receiving at once. Idempotent."""
        wanted = await self._host.ids(members)
        await self._change(await self._host.room_id(room), remove=wanted)

    async def _change(self, room: int, *, add: Sequence[int] = (), remove: Sequence[int] = ()) -> None:
        """Change members in steps. Removals come first."""
        steps = [{"remove": tuple(part)} for part in _parts(remove)] + [{"add": tuple(part)} for part in _parts(add)]
        if len(add) <= MAX_INVITED >= len(remove):
            steps = [{"add": tuple(add), "remove": tuple(remove)}] if add or remove else []
        if not steps:
            return
        actor = await self._host.as_system()
        for step in steps:
            await self._host.submit(build(ChangeMembers, room=room, **step), actor)

    async def _members(self, room: int) -> dict[int, bool]:
        """Return a room's members: by id, whether they are bots."""
        found: dict[int, bool] = {}
        after = 0
        while page := await self._host.read(host.members_of, room, after, PAGE):
            found.update(page)
            after = page[-1][0]
        return found

    async def _load(self, ref: RoomRef) -> Room:
        found = await self.get(ref)
        if found is None:
            raise NotFound(NO_ROOM)
        return found


def _parts(users: Sequence[int]) -> list[Sequence[int]]:
    return [users[start : start + MAX_INVITED] for start in range(0, len(users), MAX_INVITED)]


def _room(found: FoundRoom) -> Room:
    room = found.room
    return Room(
        id=room.id,
        key=found.key,
        kind=room.kind,
        name=room.name,
        topic=room.topic or "",
        description=room.description or "",
        history=room.history,
        archived=room.archived,
        member_count=room.member_count,
    )
