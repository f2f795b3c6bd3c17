"""The permissions, as pure functions that raise if the actor may not act.

"Moderators" in these rules are the room's owner, its moderators, and the site's staff.
"""

from collections.abc import Collection

from hubbub.domain.errors import Conflict, Forbidden, NotFound
from hubbub.domain.model import Actor, Membership, Role, Room, RoomRole
from hubbub.domain.text import LOUD_MEMBERS, MAX_DIRECT_MADE, MAX_DIRECT_WITH, MAX_ROOMS

STAFF = (Role.OWNER, Role.ADMIN)
ARCHIVED = "This room is archived."
STAY = "You can't remove people from the lobby. An admin can disable the account."
STAFF_ONLY = "Only the site's owners and admins can do that."


def is_staff(actor: Actor) -> bool:
    return actor.system or actor.role in STAFF


def moderates(actor: Actor, own: Membership | Room | None) -> bool:
    """Return True for the room's owner, its moderators, and the site's staff.

    `own` is the actor's membership, or the room as the actor sees it; None if there is none.
    """
    return is_staff(actor) or (own is not None and own.role in (RoomRole.OWNER, RoomRole.MODERATOR))


def may_change(own: Membership | Room) -> None:
    """Archived rooms are read-only, except for deletions and a change of owner."""
    if own.archived:
        raise Forbidden(ARCHIVED)


def may_edit(actor: Actor, author: int, *, forwarded: bool) -> None:
    if author != actor.id:
        raise Forbidden("You can only edit your own messages.")
    if forwarded:
        raise Forbidden("Forwarded messages can't be edited.")


def controls_message(actor: Actor, own: Membership, author: int) -> bool:
    """Return True for the author and, except in direct rooms, for moderators.

    They may delete the message and see its edit history.
    """
    return author == actor.id or (own.kind != "direct" and moderates(actor, own))


def may_delete(actor: Actor, own: Membership, author: int) -> None:
    if not controls_message(actor, own, author):
        raise Forbidden("Only the author and the room's moderators can delete this message.")


def may_read_edits(actor: Actor, own: Membership, author: int) -> None:
    if not controls_message(actor, own, author):
        raise Forbidden("Only the author and the room's moderators can see this message's edit history.")


def may_pin(actor: Actor, own: Membership) -> None:
    """Moderators may pin messages; in a direct room all members may."""
    if own.kind != "direct" and not moderates(actor, own):
        raise Forbidden("Only the room's owner, moderators and admins can pin messages.")


def may_mention_room(actor: Actor, role: RoomRole | None, kind: str, members: int) -> bool:
    """Return True if `@room` and `@here` from this actor mention the members.

    Moderators may do so everywhere, other members in direct and small rooms only. `role` is the
    actor's role in the room, and `members` the number of its members.
    """
    moderator = is_staff(actor) or role in (RoomRole.OWNER, RoomRole.MODERATOR)
    return moderator or kind == "direct" or members <= LOUD_MEMBERS


def may_create_room(actor: Actor) -> None:
    if actor.role is Role.GUEST:
        raise Forbidden("Guests can't create rooms.")


def may_be_added(role: Role) -> None:
    """Guests may not be members of rooms other than the lobby.

    `role` is the new member's site role.
    """
    if role is Role.GUEST:
        raise Forbidden("Guests can only use the lobby.")


def may_join_more(actor: Actor, full: Collection[int]) -> None:
    """The number of rooms per user is limited.

    `full` are the new members who reached the limit.
    """
    if actor.id in full:
        raise Conflict(f"You are already in {MAX_ROOMS:,} rooms, which is the maximum. Leave a room first.")
    if full:
        # How many rooms other users are in is private, so the message has no number.
        raise Conflict("Some of these people can't join any more rooms.")


def may_create_direct(made: int, together: int) -> None:
    """The number of direct rooms is limited per creator.

    Users cannot leave direct rooms, so rooms created by others must not use up a user's limit.
    `made` is how many the actor has created, `together` how many of those share another member.
    """
    if made >= MAX_DIRECT_MADE:
        raise Conflict(f"You have created {MAX_DIRECT_MADE:,} direct rooms, which is the maximum.")
    if together >= MAX_DIRECT_WITH:
        raise Conflict(
            f"You have created {MAX_DIRECT_WITH:,} direct rooms with one of these people, which is the maximum."
        )


def may_update(actor: Actor, room: Room, *, history: bool) -> None:
    """Moderators may change a room; in a direct room all members may.

    Only the room's owner and the site's staff may change `history`.
    """
    if room.kind == "direct":
        return
    if not moderates(actor, room):
        raise Forbidden("Only the room's owner, moderators and admins can change this room.")
    if history and not (is_staff(actor) or room.role is RoomRole.OWNER):
        raise Forbidden("Only the room's owner and admins can change what new members may read.")


def may_archive(actor: Actor, room: Room) -> None:
    """The room's owner and the site's staff may archive and restore it."""
    if room.lobby:
        raise Forbidden("The lobby can't be archived.")
    if room.kind == "direct":
        raise Forbidden("Direct rooms can't be archived.")
    if not is_staff(actor) and room.role is not RoomRole.OWNER:
        raise Forbidden("Only the room's owner and admins can archive or restore this room.")


def may_join(actor: Actor, room: Room, *, banned: bool) -> None:
    """Every user except guests may join public rooms.

    Other rooms look as if they did not exist.
    """
    if room.kind != "public":
        raise NotFound()
    may_enter(actor, archived=room.archived, banned=banned)


def may_enter(actor: Actor, *, archived: bool, banned: bool) -> None:
    """Guests and banned users may not join, and no user may join an archived room."""
    may_be_added(actor.role)
    if banned:
        raise Forbidden("You are banned from this room.")
    if archived:
        raise Forbidden(ARCHIVED)


def may_leave(room: Room, *, heirs: bool) -> None:
    """Members may leave every room except the lobby and direct rooms.

    An owner appoints another owner first if there are `heirs`, other members who can log in.
    """
    if room.lobby:
        raise Forbidden("You can't leave the lobby.")
    if room.kind == "direct":
        raise Forbidden("You can't leave a direct room, but you can mute it.")
    if room.role is RoomRole.OWNER and heirs:
        raise Forbidden("Make another member the owner first.")


RANK = {RoomRole.MEMBER: 0, RoomRole.MODERATOR: 1, RoomRole.OWNER: 2}
STAFF_RANK = 3


def rank(actor: Actor, room: Room) -> int:
    """Return the actor's rank among the members of a room.

    Raises NotFound for non-members.
    """
    if is_staff(actor):
        return STAFF_RANK
    if room.role is None:
        raise NotFound()
    return RANK[room.role]


def may_add(actor: Actor, room: Room, role: Role, *, banned: bool) -> None:
    """Every member except guests may add users.

    `role` and `banned` describe the added user.
    """
    rank(actor, room)
    _may_change_members(room)
    if actor.role is Role.GUEST:
        raise Forbidden("Guests can't add people to rooms.")
    may_be_added(role)
    if banned:
        raise Conflict("This user is banned from the room. Lift the ban first.")


def may_remove(actor: Actor, room: Room, user: int, theirs: RoomRole | None) -> None:
    """Actors may remove and ban users of a lower rank.

    The order is staff, owner, moderator, member.
    `theirs` is the other user's role in the room, None if they are not a member.
    """
    rank(actor, room)
    if user == actor.id:
        raise Forbidden("You can't remove or ban yourself. Leave the room instead.")
    _outranks(actor, room, theirs)


def may_unban(actor: Actor, room: Room) -> None:
    """Actors who may ban a non-member may lift a ban.

    Banned staff may lift their own ban, because a ban does not take their rank away.
    """
    _outranks(actor, room, None)


def may_moderate(actor: Actor, room: Room) -> None:
    """Moderators may list bans and invites of the room, and revoke its invites."""
    if rank(actor, room) == RANK[RoomRole.MEMBER]:
        raise Forbidden("Only the room's owner, moderators and admins can do that.")
    _is_not_direct(room)


def may_change_members(room: Room, *, removing: bool) -> None:
    """The host application may change the members of a room. Every user stays in the lobby."""
    if removing and room.lobby:
        raise Forbidden(STAY)
    _may_change_members(room)


def may_set_role(actor: Actor, room: Room, theirs: RoomRole, role: RoomRole) -> None:
    """The room's owner and the site's staff may change roles.

    A room has one owner at a time. The owner of an archived room can be changed, so that the former
    owner can leave.
    """
    if rank(actor, room) < RANK[RoomRole.OWNER]:
        raise Forbidden("Only the room's owner and admins can change roles.")
    _is_not_direct(room)
    if role is not RoomRole.OWNER:
        may_change(room)
    if theirs is RoomRole.OWNER and role is not RoomRole.OWNER:
        raise Forbidden("A room needs an owner. Make another member the owner instead.")
    if room.lobby and role is RoomRole.OWNER:
        raise Forbidden("The lobby can't have an owner. The site's owner and admins manage it.")


def may_invite_into(actor: Actor, room: Room) -> None:
    """Moderators may create invites into a room."""
    may_moderate(actor, room)
    may_change(room)


def _outranks(actor: Actor, room: Room, theirs: RoomRole | None) -> None:
    own = rank(actor, room)
    if room.lobby:
        raise Forbidden(STAY)
    _may_change_members(room)
    if own <= RANK[theirs or RoomRole.MEMBER]:
        raise Forbidden("You can only remove, ban or unban people with a lower role than yours.")


def _may_change_members(room: Room) -> None:
    _is_not_direct(room)
    may_change(room)


def _is_not_direct(room: Room) -> None:
    if room.kind == "direct":
        raise Forbidden("Direct rooms have fixed members and no moderators.")


def may_invite(actor: Actor) -> None:
    if not is_staff(actor):
        raise Forbidden("Only the site's owner and admins can invite people.")


def may_disable(actor: Actor, user: int, role: Role) -> None:
    """Staff may disable other accounts; only an owner may disable staff.

    `role` is the other user's.
    """
    if not is_staff(actor):
        raise Forbidden()
    if user == actor.id:
        raise Forbidden("You can't disable your own account.")
    if role in STAFF and not actor.system and actor.role is not Role.OWNER:
        raise Forbidden("Only an owner can disable owners and admins.")


def may_manage_followers(actor: Actor) -> None:
    if not is_staff(actor):
        raise Forbidden(STAFF_ONLY)


def may_manage_site_webhooks(actor: Actor) -> None:
    """The site's staff manages the webhooks that get the events of all public rooms."""
    if not is_staff(actor):
        raise Forbidden("Only the site's owner and admins can manage webhooks of the site.")


def may_manage_webhooks(actor: Actor, room: Room, *, changing: bool = False) -> None:
    """The room's owner and the site's staff manage the webhooks of a room.

    Direct rooms have none. With `changing`, the room must not be archived.
    """
    if rank(actor, room) < RANK[RoomRole.OWNER]:
        raise Forbidden("Only the room's owner and admins can manage the webhooks of this room.")
    _is_not_direct(room)
    if changing:
        may_change(room)


def may_change_settings(actor: Actor) -> None:
    """The site's owners and admins see and change its settings."""
    if not is_staff(actor):
        raise Forbidden(STAFF_ONLY)


def may_find_people(actor: Actor) -> None:
    if actor.role is Role.GUEST:
        raise Forbidden("Guests can't search for people.")


def may_close_account(role: Role, active_owners: int, *, disabled: bool) -> None:
    """The site always keeps an active owner.

    `role` and `disabled` describe the account to close.
    """
    if role is Role.OWNER and not disabled and active_owners <= 1:
        raise Forbidden(
            "This is the last owner's account. Create another owner first: `hubbub user create NAME --role owner`."
        )
