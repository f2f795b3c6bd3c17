"""Who may do what: pure functions of facts. Each returns nothing, or raises the refusal."""

from hubbub.domain.errors import Forbidden, NotFound
from hubbub.domain.model import LOBBY, Actor, Membership, Role, Room, RoomRole

STAFF = (Role.OWNER, Role.ADMIN)


def is_staff(actor: Actor) -> bool:
    return actor.system or actor.role in STAFF


def moderates(actor: Actor, own: Membership | Room | None) -> bool:
    """Whether the actor looks after the room: its owner, its moderators, and the site's staff where they see it."""
    return is_staff(actor) or (own is not None and own.role in (RoomRole.OWNER, RoomRole.MODERATOR))


def may_change(own: Membership | Room) -> None:
    """Nothing is said or changed in an archived room."""
    if own.archived:
        raise Forbidden("This room is archived.")


def may_create_room(actor: Actor) -> None:
    if actor.role is Role.GUEST:
        raise Forbidden("Guests cannot create rooms.")


def may_be_brought(role: Role) -> None:
    """Whether somebody may be put into a room other than the lobby. `role` is that person's."""
    if role is Role.GUEST:
        raise Forbidden("Guests stay in the lobby.")


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


def may_join(actor: Actor, room: Room) -> None:
    """Public rooms are open to everybody but guests, who stay in the lobby; others look like absent ones."""
    if room.kind != "public":
        raise NotFound()
    if actor.role is Role.GUEST:
        raise Forbidden("Guests stay in the lobby.")


def may_leave(room: int) -> None:
    if room == LOBBY:
        raise Forbidden("Everybody is in the lobby: it cannot be left.")


def may_remove(actor: Actor, own: RoomRole | None, room: int, user: int) -> None:
    """A room's owner and the site's staff remove others; `own` is the actor's role in the room."""
    if user == actor.id:
        raise Forbidden("To go yourself, leave the room.")
    if not is_staff(actor) and own is not RoomRole.OWNER:
        raise NotFound() if own is None else Forbidden("Only the room's owner and admins remove people.")
    may_leave(room)


def may_watch(actor: Actor) -> None:
    if actor.role is Role.GUEST:
        raise Forbidden("Guests do not see who is here.")


def may_invite(actor: Actor) -> None:
    if not is_staff(actor):
        raise Forbidden("Only admins and the owner invite people.")


def may_lock_out(actor: Actor, user: int, role: Role) -> None:
    """Staff locks others out, never oneself; only an owner touches staff. `role` is the other person's."""
    if not is_staff(actor):
        raise Forbidden()
    if user == actor.id:
        raise Forbidden("Nobody can lock out himself.")
    if role in STAFF and not actor.system and actor.role is not Role.OWNER:
        raise Forbidden("Only an owner locks out admins.")


def may_go(role: Role, active_owners: int, *, disabled: bool) -> None:
    """Somebody always remains who can run the place. `role` and `disabled` are those of the person who would go."""
    if role is Role.OWNER and not disabled and active_owners <= 1:
        raise Forbidden("The last owner stays: make another one first, with `hubbub user create NAME --role owner`.")
