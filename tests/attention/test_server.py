"""Reactions, `@here` and read positions over REST and WebSocket."""

from typing import Any
from urllib.parse import quote

from tests.support.client import Connection
from tests.support.server import Account, Server

HEART = "❤️"


def waiting(who: Account, room: int) -> tuple[int, int]:
    """Return (unread, mentions) from the room directory."""
    found = next(one for one in who.get("/api/rooms")["rooms"] if one["id"] == room)
    return found["unread_count"], found["mention_count"]


async def test_reactions_mentions_and_reads_agree_over_rest_and_websocket(server: Server) -> None:
    anna, ben, carla, dora = [server.sign_up(name) for name in ("anna", "ben", "carla", "dora")]
    room = anna.create_room("The Table")
    for who in (ben, carla, dora):
        who.join(room)
    hers, his, carlas = [await Connection.open(server.websocket_url, who.token) for who in (anna, ben, carla)]
    await carlas.command("status.set", status="invisible")
    sent: Any = await hers.command("message.send", room=room, key="k", body="@here", here=[dora.id])
    message = sent["seq"]
    place = f"/api/rooms/{room}/messages/{message}"
    found = anna.get(place)["message"]
    assert found["mentions"] == {"users": [ben.id], "room": False, "here": True}
    assert [waiting(who, room) for who in (ben, carla, dora)] == [(1, 1), (1, 0), (1, 0)]
    added = ben.request("PUT", f"{place}/reactions/{quote(HEART.removesuffix(chr(0xFE0F)))}")
    assert (added.status_code, added.json()["seq"]) == (200, message + 1)
    assert await hers.command("reaction.add", room=room, message=message, emoji=HEART)
    assert anna.get(place)["message"]["reactions"] == [
        {"emoji": HEART, "count": 2, "mine": True, "users": [ben.id, anna.id]}
    ]
    assert [one["name"] for one in dora.get(f"{place}/reactions")["reactions"]] == [ben.name, anna.name]
    assert ben.request("DELETE", f"{place}/reactions/{quote(HEART)}").status_code == 200
    assert ben.request("PUT", f"{place}/reactions/x").status_code == 400
    assert anna.get(place)["message"]["reactions"][0]["users"] == [anna.id]
    assert ben.request("POST", "/api/reads", json={"rooms": [{"room": room, "seq": message}]}).status_code == 200
    assert waiting(ben, room) == (0, 0)
    await his.command("room.unread", room=room, message=message)
    assert waiting(ben, room) == (1, 1)
    for one in (hers, his, carlas):
        await one.close()
