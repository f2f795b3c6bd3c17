"""What a user may see. What is hidden looks as if it did not exist."""

from sqlalchemy import Connection

from hubbub.domain.errors import NotFound
from hubbub.domain.model import Membership, Room
from hubbub.storage import accounts, members, messages, rooms
from hubbub.storage.accounts import Account
from hubbub.storage.messages import StoredMessage


def get_room(connection: Connection, user: int, room: int) -> Room:
    """Return the room as the user sees it. Raises NotFound if it does not exist or is hidden."""
    found = rooms.find_visible(connection, user, room)
    if found is None:
        raise NotFound()
    return found


def get_membership(connection: Connection, user: int, room: int) -> Membership:
    """Return the user's membership of the room. Raises NotFound."""
    found = members.find(connection, room, user)
    if found is None:
        raise NotFound()
    return found


def get_message(connection: Connection, user: int, room: int, seq: int) -> tuple[Membership, StoredMessage]:
    """Return the user's membership and a message.

    Raises NotFound if the user is not a member, or if the message does not exist or is older than
    the history that the member may read.
    """
    own = get_membership(connection, user, room)
    message = messages.find(connection, room, seq) if seq >= own.sees_from else None
    if message is None:
        raise NotFound()
    return own, message


def get_account(connection: Connection, user: int) -> Account:
    """Return an account that is not deleted; it may be disabled. Raises NotFound."""
    account = accounts.find(connection, user)
    if account is None or account.is_deleted:
        raise NotFound()
    return account
