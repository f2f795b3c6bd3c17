"""Limits of texts in characters, and for messages in bytes as well."""

from datetime import UTC, datetime, timedelta

import emoji
import pytest

from hubbub.domain import emojis, identities, names, text
from hubbub.features import presence
from tests.limits.register import WIDE, limit
from tests.limits.world import World
from tests.support.routes import WEBHOOK


@limit("MAX_BODY_CHARACTERS")
async def of_a_body(world: World) -> None:
    room = await world.room()
    (message,) = await world.say(room)
    for kind, more in (("message.send", {"key": None}), ("message.edit", {"message": message})):
        assert await world.told(kind, room=room, body="é" * text.MAX_BODY_CHARACTERS, **more) == "ok"
        assert await world.told(kind, room=room, body="e" * (text.MAX_BODY_CHARACTERS + 1), **more) == "too_large"


@limit("MAX_BODY_BYTES")
async def of_a_bodys_bytes(world: World) -> None:
    room = await world.room()
    (message,) = await world.say(room)
    most = WIDE * (text.MAX_BODY_BYTES // 4)
    for kind, more in (("message.send", {"key": None}), ("message.edit", {"message": message})):
        assert await world.told(kind, room=room, body=most, **more) == "ok"
        assert await world.told(kind, room=room, body=most + "a", **more) == "too_large"


@limit("MAX_KEY")
async def of_a_key(world: World) -> None:
    room = await world.room()
    for length, told in ((1, "ok"), (text.MAX_KEY, "ok"), (text.MAX_KEY + 1, "bad_request"), (0, "bad_request")):
        assert await world.told("message.send", room=room, key="k" * length, body="hello") == told
        assert await world.told("room.create", kind="private", name="Keyed", key="k" * length) == told
        told_of_links = await world.asked("POST", "/api/invites", {"room": room, "key": "k" * length})
        assert told_of_links == told


@limit("MAX_TOPIC")
async def of_a_topic(world: World) -> None:
    room = await world.room()
    for more, told in ((0, "ok"), (1, "bad_request")):
        words = WIDE * (text.MAX_TOPIC + more)
        assert await world.told("room.update", room=room, topic=words) == told
        assert await world.told("room.create", kind="private", name="T", topic=words, key=None) == told


@limit("MAX_DESCRIPTION")
async def of_a_description(world: World) -> None:
    room = await world.room()
    for more, told in ((0, "ok"), (1, "bad_request")):
        words = WIDE * (text.MAX_DESCRIPTION + more)
        assert await world.told("room.update", room=room, description=words) == told
        assert await world.told("room.create", kind="private", name="D", description=words, key=None) == told
    for words, told in (("two\nlines", "ok"), ("turned \u202e", "bad_request"), ("a bell \a", "bad_request")):
        assert await world.told("room.update", room=room, description=words) == told
        assert await world.told("room.create", kind="private", name="D", description=words, key=None) == told


@limit("MAX_ROOM_NAME")
async def of_a_rooms_name(world: World) -> None:
    room = await world.room()
    for length, told in ((1, "ok"), (names.MAX_ROOM_NAME, "ok"), (names.MAX_ROOM_NAME + 1, "bad_request"),
                         (0, "bad_request")):  # fmt: skip
        assert await world.told("room.update", room=room, name=WIDE * length) == told
        assert await world.told("room.create", kind="private", name=WIDE * length, key=None) == told


@limit("MAX_REASON")
async def of_a_reason(world: World) -> None:
    room = await world.room()
    (banned,) = world.ids(1)
    assert await world.told("member.ban", room=room, user=banned, reason=WIDE * (text.MAX_REASON + 1)) == "bad_request"
    assert await world.told("member.ban", room=room, user=banned, reason=WIDE * text.MAX_REASON) == "ok"


@limit("MAX_SETTING")
async def of_a_setting(world: World) -> None:
    """Its length comes before all else, so it is refused to members with another error than a shorter one."""
    for more, told in ((0, "forbidden"), (1, "bad_request")):
        words = {"value": WIDE * (text.MAX_SETTING + more)}
        assert await world.asked("PUT", "/api/settings/name", words) == told


@limit("MAX_STATUS")
async def of_a_status(world: World) -> None:
    assert await world.told("status.set", text=WIDE * text.MAX_STATUS) == "ok"
    assert await world.told("status.set", text=WIDE * (text.MAX_STATUS + 1)) == "bad_request"


@limit("LONGEST")
async def of_how_long_a_status_holds(world: World) -> None:
    now = datetime.now(UTC)
    longest = timedelta(milliseconds=presence.LONGEST)
    for until, told in ((longest - timedelta(minutes=5), "ok"), (longest + timedelta(minutes=5), "bad_request")):
        assert await world.told("status.set", until=(now + until).isoformat()) == told


@limit("MAX_PART")
async def of_parts_of_an_identity(world: World) -> None:
    """The host application sets this; no client can."""
    longest = "i" * identities.MAX_PART
    assert identities.Identity(issuer=longest, subject=longest, name="alice").subject == longest
    for wrong in ({"issuer": longest + "i", "subject": "s"}, {"issuer": "i", "subject": longest + "i"}):
        with pytest.raises(ValueError, match="1 to 255 characters"):
            identities.Identity(**wrong, name="alice")  # type: ignore[arg-type]


@limit("MAX_EMOJI")
async def of_an_emoji(world: World) -> None:
    room = await world.room()
    (message,) = await world.say(room)
    longest = max(emoji.EMOJI_DATA, key=len)
    for what, told in ((longest, "ok"), ("👍👍", "bad_request"), ("👍" * emojis.MAX_EMOJI, "bad_request"),
                       ("👍" * (emojis.MAX_EMOJI + 1), "bad_request"), ("x", "bad_request")):  # fmt: skip
        assert await world.told("reaction.add", room=room, message=message, emoji=what) == told


@limit("MAX_WEBHOOK_NAME")
async def of_a_webhooks_name(world: World) -> None:
    room = await world.room()
    for length, told in ((1, "ok"), (text.MAX_WEBHOOK_NAME, "ok"), (text.MAX_WEBHOOK_NAME + 1, "bad_request"),
                         (0, "bad_request")):  # fmt: skip
        fields = {**WEBHOOK, "room": room, "name": WIDE * length}
        assert await world.asked("POST", "/api/webhooks", fields) == told


@limit("MAX_WEBHOOK_URL")
async def of_a_webhooks_url(world: World) -> None:
    room = await world.room()
    begin = "https://receiver.example/"
    for more, told in ((0, "ok"), (1, "bad_request")):
        fields = {**WEBHOOK, "room": room, "url": begin + "x" * (text.MAX_WEBHOOK_URL - len(begin) + more)}
        assert await world.asked("POST", "/api/webhooks", fields) == told
