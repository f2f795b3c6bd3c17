"""Why the server ends a connection. Each gateway has a table from these reasons to its own codes."""

from enum import Enum, auto


class Disconnect(Enum):
    """A reason to end a connection at once."""

    SESSION_ENDED = auto()
    """The session was revoked, or it expired."""
    LOGGED_OUT = auto()
    """The user logged out of the host application."""
    ACCOUNT_CLOSED = auto()
    """The account was closed by its user, or disabled."""
    BANNED = auto()
    """An admin banned the account from the site."""
    REMOVED = auto()
    """The user is no longer a member of the only room that the connection follows."""
    NEW_EPOCH = auto()
    """The history that the connection follows has ended: the client reconnects, and starts again."""
    SLOW = auto()
    """The client reads too slowly: its outbox is full."""
    INTERNAL = auto()
    """An error of the server, which is logged."""
