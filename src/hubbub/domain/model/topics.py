"""The names of topics."""


def room_topic(room: int) -> str:
    return f"room:{room}"


def user_topic(user: int) -> str:
    return f"user:{user}"


SITE = "site"
SECURITY = "security"
