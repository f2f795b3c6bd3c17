"""The users and their messages."""

import re
from collections.abc import Iterable

STAFF = "boss"
"""Owner of the site."""
NAMES = (STAFF, "anna", "bert", "carl", "dora")
LOBBY = 0
EMOJI = ("👍", "❤️", "🎉")
BODIES = (
    "hello", "other words", "@anna, look", "@bert and @carl", "@room all of you", "`@anna`", "mail@anna",
    "@boss @dora @unknown", "x" * 3_000, "@room" + " y" * 1_500,
)  # fmt: skip


def mentions_in(body: str, members: Iterable[str]) -> frozenset[str]:
    """Return the members mentioned in one of `BODIES`; "room" for @room."""
    outside = re.sub(r"`[^`]*`", "", body)
    return frozenset(re.findall(r"(?<!\w)@(\w+)", outside)) & {*members, "room"}
