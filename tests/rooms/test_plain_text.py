"""Plain text in rooms of every kind; archived rooms are read-only."""

from tests.support.lines import enter, line, until
from tests.support.server import Server


async def test_members_use_plain_text_in_private_and_direct_rooms_until_they_are_archived(server: Server) -> None:
    alice, bob = server.sign_up("alice"), server.sign_up("bob")
    for made in ({"kind": "private", "name": "Secret"}, {"kind": "direct"}):
        answer = alice.request("POST", "/api/rooms", json={**made, "members": [bob.id]})
        room = answer.json()["room"]["id"]
        hers = await enter(server, alice.name, room=room, headers=alice.headers)
        assert await line(hers) == f"Client #{alice.name} joined the chat."
        his = await enter(server, bob.name, room=room, headers=bob.headers)
        await his.send("hello")
        await until(hers, f"Client #{bob.name} says: hello")
        if made["kind"] == "private":
            assert alice.request("POST", f"/api/rooms/{room}/archive").status_code == 200
            await his.send("too late")
            await until(his, "Error: This room is archived.")
            assert alice.request("POST", f"/api/rooms/{room}/restore").status_code == 200
        await his.send("still here")
        assert "too late" not in str(await until(hers, f"Client #{bob.name} says: still here"))
        await his.close()
        await hers.close()
