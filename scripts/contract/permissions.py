"""The table of permissions in TypeScript."""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from hubbub.domain import permissions
from hubbub.domain.model import Role, RoomRole
from hubbub.domain.permissions import Check, Situation

ROOM_ROLES = (*RoomRole, None)
PLACES: list[dict[str, Any]] = [
    {"kind": kind, "archived": archived} for archived, kind in product((False, True), permissions.KINDS)
]
LOBBY: dict[str, Any] = {"kind": "public", "lobby": True}
TEXT = """\
/** What users may do. Written by `make contract` from `hubbub.domain.permissions`. Do not edit. */

/** The order of the digits in a group. */
export const SITE_ROLES = [{site_roles}] as const;
/** The order of the bits in a digit, the highest first. The last one is for users who are not members. */
export const ROOM_ROLES = [{room_roles}] as const;
/** The order of the groups: these, then the same for archived rooms, then the lobby. */
export const KINDS = [{kinds}] as const;

/** One group: the same everywhere. */
export const ON_SITE = {{
{on_site}}} as const;

export const IN_ROOM = {{
{in_room}}} as const;
"""


def module() -> str:
    return TEXT.format(
        site_roles=_names(Role),
        room_roles=_names(RoomRole),
        kinds=_names(permissions.KINDS),
        on_site="".join(f'  "{name}": "{_site_group(check)}",\n' for name, check in permissions.ON_SITE.items()),
        in_room="".join(f'  "{name}": "{_groups(check)}",\n' for name, check in permissions.IN_ROOM.items()),
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _site_group(check: Check) -> str:
    return "".join("f" if permissions.may(check, Situation(role)) else "0" for role in Role)


def _groups(check: Check) -> str:
    return " ".join("".join(_digit(check, role, place) for role in Role) for place in (*PLACES, LOBBY))


def _digit(check: Check, role: Role, place: Mapping[str, Any]) -> str:
    """Return the room roles that may act, as a hexadecimal digit."""
    bits = [permissions.may(check, Situation(role, own, **place)) for own in ROOM_ROLES]
    return f"{int(''.join(str(int(bit)) for bit in bits), 2):x}"
