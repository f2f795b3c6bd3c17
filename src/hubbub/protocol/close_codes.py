"""WebSocket close codes (RFC 6455, section 7.4.2, private range): 40xx come back and resume, 45xx stay away."""

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

MEANING = {
    NORMAL: "the client's own close, answered",
    UNSUPPORTED: "a binary message: frames are text",
    POLICY: "too many pings, or frames that were refused: more than 10 a second in the long run and 100 at once",
    TOO_BIG: "a message of more bytes than `limits.frame`",
    INTERNAL: "a bug on our side, logged",
    GOING_AWAY: 'the server goes away, or cannot greet now; the reason holds `{"retry_after":2.3}`',
    SLOW: "too slow: more waited than an outbox holds",
    TOO_MANY: "too many connections of this person",
    NOT_AUTHENTICATED: "not authenticated, or no hello in time",
    NAME_TAKEN: "plain text: the name cannot be had",
    SESSION_ENDED: "the session has ended",
    BANNED: "the account is locked",
}


def come_back(seconds: float) -> str:
    """The reason of a 4000: after how many seconds to try again."""
    return f'{{"retry_after":{seconds:.1f}}}'
