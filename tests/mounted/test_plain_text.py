"""Plain text in an app: what happens between a request to open a WebSocket and the answer to it."""

from hubbub import Identity
from tests.mounted.around import AppAround
from tests.support.asgi_socket import Socket

ANNA, BEA = Identity("app", "1", "Anna"), Identity("app", "2", "Bea")


def knock(around: AppAround, name: str, token: str) -> Socket:
    return Socket(around.hubbub.app, f"/ws/{name}", {"Authorization": f"Bearer {token}"})


async def lines_of(socket: Socket, count: int) -> list[str]:
    return [(await socket.event())["text"] for _ in range(count)]


async def say(around: AppAround, token: str, body: str) -> None:
    answer = await around.ask("POST", "/api/rooms/1/messages", token, json={"body": body, "key": body})
    assert answer.status_code == 201, answer.text


async def test_the_handshake_is_answered_when_the_client_is_known_and_subscribed(around: AppAround) -> None:
    around.people = {"a": ANNA}
    around.hold()
    socket = knock(around, "Anna", "a")
    await around.waiting.wait()
    assert socket.has_heard_nothing
    around.gate.set()
    assert (await socket.event())["type"] == "websocket.accept"
    assert await lines_of(socket, 1) == ["Client #Anna joined the chat."]
    await socket.leave()


async def test_lines_that_come_before_the_answer_follow_it_in_order(around: AppAround) -> None:
    around.people = {"a": ANNA, "b": BEA}
    bea = knock(around, "Bea", "b")
    assert (await bea.event())["type"] == "websocket.accept"
    assert await lines_of(bea, 1) == ["Client #Bea joined the chat."]
    anna = knock(around, "Anna", "a")
    anna.reading.clear()  # the answer waits in the server
    assert await lines_of(bea, 1) == ["Client #Anna joined the chat."]
    for number in range(3):
        await say(around, "b", f"number {number}")
    said = [f"Client #Bea says: number {number}" for number in range(3)]
    assert await lines_of(bea, 3) == said
    anna.reading.set()
    assert (await anna.event())["type"] == "websocket.accept"
    assert await lines_of(anna, 4) == ["Client #Anna joined the chat.", *said]
    for socket in (anna, bea):
        await socket.leave()


async def test_a_client_that_goes_before_the_answer_leaves_nothing_behind(around: AppAround) -> None:
    around.people = {"a": ANNA, "b": BEA}
    bea = knock(around, "Bea", "b")
    assert (await bea.event())["type"] == "websocket.accept"
    around.hold()
    anna = knock(around, "Anna", "a")
    await around.waiting.wait()
    anna.gone = True
    around.gate.set()
    await anna.leave()
    assert await lines_of(bea, 3) == [
        "Client #Bea joined the chat.",
        "Client #Anna joined the chat.",
        "Client #Anna left the chat.",
    ]
    await bea.leave()


async def test_a_session_that_ends_before_the_answer_is_told_so_after_it(around: AppAround) -> None:
    around.people = {"a": ANNA, "b": BEA}
    bea = knock(around, "Bea", "b")
    assert (await bea.event())["type"] == "websocket.accept"
    anna = knock(around, "Anna", "a")
    anna.reading.clear()
    assert await lines_of(bea, 2) == ["Client #Bea joined the chat.", "Client #Anna joined the chat."]
    del around.people["a"]
    await around.hubbub.revoke("1", issuer="app")
    anna.reading.set()
    assert (await anna.event())["type"] == "websocket.accept"
    closed = await anna.event()
    assert (closed["type"], closed["code"]) == ("websocket.close", 4503)
    await anna.leave()
    assert await lines_of(bea, 1) == ["Client #Anna left the chat."]
    await bea.leave()


async def test_a_refusal_is_a_line_and_a_close_after_the_answer(around: AppAround) -> None:
    around.people = {"a": ANNA}
    for name, token, code in (("Bea", "a", 4502), ("Anna", "nobody", 4501)):
        socket = knock(around, name, token)
        assert (await socket.event())["type"] == "websocket.accept"
        (line,) = await lines_of(socket, 1)
        assert line.startswith("Error: ")
        closed = await socket.event()
        assert (closed["type"], closed["code"]) == ("websocket.close", code)
        await socket.leave()
