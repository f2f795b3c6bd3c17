"""Who may do what: pure functions of facts. Each returns nothing, or raises the refusal."""

from collections.abc import Collection

from hubbub.domain.errors import Conflict, Forbidden, NotFound
from hubbub.domain.model import Actor, Membership, Role, Room, RoomRole
from hubbub.domain.text import LOUD_MEMBERS, MAX_DIRECT_MADE, MAX_DIRECT_WITH, MAX_ROOMS

STAFF = (Role.OWNER, Role.ADMIN)
ARCHIVED = "This room is archived."


def is_staff(actor: Actor) -> bool:
    return actor.system or actor.role in STAFF


def moderates(actor: Actor, own: Membership | Room | None) -> bool:
    """Whether the actor looks after the room: its owner, its moderators, and the site's staff where they see it."""
    return is_staff(actor) or (own is not None and own.role in (RoomRole.OWNER, RoomRole.MODERATOR))


def may_change(own: Membership | Room) -> None:
    """Nothing is said or changed in an archived room, but for what is taken back, and whose room it is."""
    if own.archived:
        raise Forbidden(ARCHIVED)


def may_edit(actor: Actor, author: int, *, forwarded: bool) -> None:
    if author != actor.id:
        raise Forbidden("Only the author edits a message.")
    if forwarded:
        raise Forbidden("A forwarded message stays as it was said.")


def controls_message(actor: Actor, own: Membership, author: int) -> bool:
    """Whether somebody takes a message back and sees what it said before: its author, and who looks after the room."""
    return author == actor.id or (own.kind != "direct" and moderates(actor, own))


def may_delete(actor: Actor, own: Membership, author: int) -> None:
    if not controls_message(actor, own, author):
        raise Forbidden("Only the author and those who look after the room delete a message.")


def may_read_edits(actor: Actor, own: Membership, author: int) -> None:
    if not controls_message(actor, own, author):
        raise Forbidden("Only the author and those who look after the room see what a message said before.")


def may_pin(actor: Actor, own: Membership) -> None:
    """Between few people everybody pins."""
    if own.kind != "direct" and not moderates(actor, own):
        raise Forbidden("Only those who look after the room pin messages.")


def may_mention_room(actor: Actor, role: RoomRole | None, kind: str, members: int) -> bool:
    """Whether `@room` and `@here` are more than text: from those who look after the room, and between few people.

    `role` is the actor's in the room, which has so many `members`.
    """
    looks_after = is_staff(actor) or role in (RoomRole.OWNER, RoomRole.MODERATOR)
    return looks_after or kind == "direct" or members <= LOUD_MEMBERS


def may_create_room(actor: Actor) -> None:
    if actor.role is Role.GUEST:
        raise Forbidden("Guests cannot create rooms.")


def may_be_added(role: Role) -> None:
    """Whether somebody may be put into a room other than the lobby. `role` is that person's."""
    if role is Role.GUEST:
        raise Forbidden("Guests stay in the lobby.")


def may_join_more(actor: Actor, full: Collection[int]) -> None:
    """`full` are those of the people who would come in who are in as many rooms as anybody can be."""
    if actor.id in full:
        raise Conflict(f"You are in {MAX_ROOMS:,} rooms, and nobody can be in more.")
    if full:
        raise Conflict("Not everybody of them can be in one more room.")


def may_create_direct(made: int, together: int) -> None:
    """Direct rooms are bounded by who makes them: nobody leaves one, so those of others must not be in the way.

    `made` is how many the actor has made, `together` how many of them with the same other person.
    """
    if made >= MAX_DIRECT_MADE:
        raise Conflict(f"You have made {MAX_DIRECT_MADE:,} direct rooms, and nobody makes more.")
    if together >= MAX_DIRECT_WITH:
        raise Conflict(f"You have made {MAX_DIRECT_WITH:,} direct rooms with one of them, and nobody makes more.")


def may_update(actor: Actor, room: Room, *, history: bool) -> None:
    """Those who look after a room say what it is called and about, in a direct one everybody who is in it.

    How far newcomers read back (`history`) is for its owner to say.
    """
    if room.kind == "direct":
        return
    if not moderates(actor, room):
        raise Forbidden("Only the room's owner, its moderators and admins change it.")
    if history and not (is_staff(actor) or room.role is RoomRole.OWNER):
        raise Forbidden("Only the room's owner and admins say how far newcomers read back.")


def may_archive(actor: Actor, room: Room) -> None:
    """A room's owner and the site's staff put it away and fetch it back."""
    if room.lobby:
        raise Forbidden("Everybody is in the lobby: it cannot be archived.")
    if room.kind == "direct":
        raise Forbidden("Direct rooms are not archived.")
    if not is_staff(actor) and room.role is not RoomRole.OWNER:
        raise Forbidden("Only the room's owner and admins archive it.")


def may_join(actor: Actor, room: Room, *, banned: bool) -> None:
    """Public rooms are open to everybody but guests, who stay in the lobby; others look like absent ones."""
    if room.kind != "public":
        raise NotFound()
    may_enter(actor, archived=room.archived, banned=banned)


def may_enter(actor: Actor, *, archived: bool, banned: bool) -> None:
    """What keeps somebody out of a room whose door is open to him."""
    may_be_added(actor.role)
    if banned:
        raise Forbidden("You are banned from this room.")
    if archived:
        raise Forbidden(ARCHIVED)


def may_leave(room: Room, *, heirs: bool) -> None:
    """Nobody leaves the lobby or a direct room, and no owner leaves others behind without one.

    `heirs` says whether there are others who can log in.
    """
    if room.lobby:
        raise Forbidden("Everybody is in the lobby: it cannot be left.")
    if room.kind == "direct":
        raise Forbidden("Nobody leaves a direct room. You can mute it.")
    if room.role is RoomRole.OWNER and heirs:
        raise Forbidden("Make somebody else the owner first.")


RANK = {RoomRole.MEMBER: 0, RoomRole.MODERATOR: 1, RoomRole.OWNER: 2}
STAFF_RANK = 3


def rank(actor: Actor, room: Room) -> int:
    """How much the actor has to say about the people of a room he sees. Raises NotFound for those who are not in it."""
    if is_staff(actor):
        return STAFF_RANK
    if room.role is None:
        raise NotFound()
    return RANK[room.role]


def may_add(actor: Actor, room: Room, role: Role, *, banned: bool) -> None:
    """Members bring others in, guests excepted. `role` and `banned` are the other person's."""
    rank(actor, room)
    _may_change_members(room)
    if actor.role is Role.GUEST:
        raise Forbidden("Guests invite nobody.")
    may_be_added(role)
    if banned:
        raise Conflict("That person is banned from this room. Unban first.")


def may_remove(actor: Actor, room: Room, user: int, theirs: RoomRole | None) -> None:
    """An owner removes and bans everybody else, moderators plain members, the site's staff anybody.

    `theirs` is the other person's role in the room, None for somebody who is not in it.
    """
    rank(actor, room)
    if user == actor.id:
        raise Forbidden("To go yourself, leave the room.")
    _outranks(actor, room, theirs)


def may_unban(actor: Actor, room: Room) -> None:
    """Whoever bans somebody who is not there lets him back; the site's staff, which a ban does not silence, itself."""
    _outranks(actor, room, None)


def may_moderate(actor: Actor, room: Room) -> None:
    """Those who may ban somebody see who is banned, and what links lead into the room; they take links back."""
    if rank(actor, room) == RANK[RoomRole.MEMBER]:
        raise Forbidden("Only the room's owner, its moderators and admins see that.")
    _is_not_direct(room)


def may_set_role(actor: Actor, room: Room, theirs: RoomRole, role: RoomRole) -> None:
    """A room's owner and the site's staff say who moderates, and who is the owner instead. There is one at a time.

    An archived room may be handed over, so that its owner can leave it.
    """
    if rank(actor, room) < RANK[RoomRole.OWNER]:
        raise Forbidden("Only the room's owner and admins say who is what.")
    _is_not_direct(room)
    if role is not RoomRole.OWNER:
        may_change(room)
    if theirs is RoomRole.OWNER and role is not RoomRole.OWNER:
        raise Forbidden("Make somebody else the owner instead.")
    if room.lobby and role is RoomRole.OWNER:
        raise Forbidden("The lobby has no owner but the site's.")


def may_invite_into(actor: Actor, room: Room) -> None:
    """Links into a room are made by those who look after it."""
    may_moderate(actor, room)
    may_change(room)


def _outranks(actor: Actor, room: Room, theirs: RoomRole | None) -> None:
    own = rank(actor, room)
    if room.lobby:
        raise Forbidden("Everybody is in the lobby. Whom nobody wants here is locked out by an admin.")
    _may_change_members(room)
    if own <= RANK[theirs or RoomRole.MEMBER]:
        raise Forbidden("Owners send anybody away, moderators only members.")


def _may_change_members(room: Room) -> None:
    _is_not_direct(room)
    may_change(room)


def _is_not_direct(room: Room) -> None:
    if room.kind == "direct":
        raise Forbidden("A direct room is between the same people for ever.")


def may_invite(actor: Actor) -> None:
    if not is_staff(actor):
        raise Forbidden("Only admins and the owner invite people.")


def may_disable(actor: Actor, user: int, role: Role) -> None:
    """Staff locks others out, never oneself; only an owner touches staff. `role` is the other person's."""
    if not is_staff(actor):
        raise Forbidden()
    if user == actor.id:
        raise Forbidden("Nobody can lock out himself.")
    if role in STAFF and not actor.system and actor.role is not Role.OWNER:
        raise Forbidden("Only an owner locks out admins.")


def may_find_people(actor: Actor) -> None:
    if actor.role is Role.GUEST:
        raise Forbidden("Guests do not look for people.")


def may_close_account(role: Role, active_owners: int, *, disabled: bool) -> None:
    """Somebody always remains who can run the place. `role` and `disabled` are those of the person who would go."""
    if role is Role.OWNER and not disabled and active_owners <= 1:
        raise Forbidden("The last owner stays: make another one first, with `hubbub user create NAME --role owner`.")
