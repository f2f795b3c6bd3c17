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
TOO_BIG = 1009
INTERNAL = 1011


def come_back(seconds: float) -> str:
    """The reason of a 4000: after how many seconds to try again."""
    return f'{{"retry_after":{seconds:.1f}}}'
