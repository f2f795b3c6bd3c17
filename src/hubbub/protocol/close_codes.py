"""WebSocket close codes in the private range (RFC 6455, section 7.4.2).

After 40xx the client reconnects and resumes; after 45xx it does not reconnect.
"""

from collections.abc import Mapping

from hubbub.domain.disconnects import Disconnect

GOING_AWAY = 4000
SLOW = 4008
TOO_MANY = 4009
NOT_AUTHENTICATED = 4501
NAME_TAKEN = 4502
SESSION_ENDED = 4503
BANNED = 4510

NORMAL = 1000
UNSUPPORTED = 1003
POLICY = 1008
TOO_BIG = 1009
INTERNAL = 1011

OF: Mapping[Disconnect, tuple[int, str]] = {
    Disconnect.SESSION_ENDED: (SESSION_ENDED, "This session has ended. Log in again."),
    Disconnect.LOGGED_OUT: (SESSION_ENDED, "You have logged out. Log in again."),
    Disconnect.ACCOUNT_CLOSED: (SESSION_ENDED, "This account is closed."),
    Disconnect.BANNED: (BANNED, "This account is closed."),
    Disconnect.REMOVED: (SESSION_ENDED, "You are no longer in this room."),
    Disconnect.NEW_EPOCH: (GOING_AWAY, ""),
    Disconnect.SLOW: (SLOW, "too slow"),
    Disconnect.INTERNAL: (INTERNAL, ""),
}
"""The code and the reason of each disconnect."""

MEANING = {
    NORMAL: "answers the client's own close",
    UNSUPPORTED: "the client sent a binary message; frames are text",
    POLICY: "the client sent too many pings or rejected frames: more than 10 per second on average, or 100 at once",
    TOO_BIG: "the client sent a message larger than `limits.frame`",
    INTERNAL: "an error on the server, which is logged",
    GOING_AWAY: 'the server is stopping or cannot log in clients now; the reason is `{"retry_after":2.3}`, in seconds',
    SLOW: "the client is too slow: its outbox is full",
    TOO_MANY: "the user has too many connections",
    NOT_AUTHENTICATED: "the client is not logged in, or sent no `hello` in time",
    NAME_TAKEN: "plain text: the name is not available",
    SESSION_ENDED: "the session has ended",
    BANNED: "the account is disabled",
}


def come_back(seconds: float) -> str:
    """Return the reason of a close with 4000: when to reconnect, in seconds."""
    return f'{{"retry_after":{seconds:.1f}}}'
