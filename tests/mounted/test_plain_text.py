"""Plain text in a host application, between handshake request and answer."""

from hubbub import Identity
from tests.mounted.host_app import HostApp
from tests.support.asgi_socket import Socket

ANNA, BEA = Identity("app", "1", "Anna"), Identity("app", "2", "Bea")


def open_socket(host: HostApp, name: str, token: str) -> Socket:
    return Socket(host.hubbub.app, f"/ws/{name}", {"Authorization": f"Bearer {token}"})


async def lines_of(socket: Socket, count: int) -> list[str]:
    return [(await socket.event())["text"] for _ in range(count)]


async def say(host: HostApp, token: str, body: str) -> None:
    answer = await host.ask("POST", "/api/rooms/1/messages", token, json={"body": body, "key": body})
    assert answer.status_code == 201, answer.text


async def test_the_handshake_is_answered_after_authentication_and_subscription(host: HostApp) -> None:
    host.people = {"a": ANNA}
    host.hold()
    socket = open_socket(host, "Anna", "a")
    await host.waiting.wait()
    assert socket.has_heard_nothing
    host.gate.set()
    assert (await socket.event())["type"] == "websocket.accept"
    assert await lines_of(socket, 1) == ["Client #Anna joined the chat."]
    await socket.leave()


async def test_lines_sent_before_the_answer_follow_it_in_order(host: HostApp) -> None:
    host.people = {"a": ANNA, "b": BEA}
    bea = open_socket(host, "Bea", "b")
    assert (await bea.event())["type"] == "websocket.accept"
    assert await lines_of(bea, 1) == ["Client #Bea joined the chat."]
    anna = open_socket(host, "Anna", "a")
    anna.reading.clear()  # The answer waits in the server.
    assert await lines_of(bea, 1) == ["Client #Anna joined the chat."]
    for number in range(3):
        await say(host, "b", f"number {number}")
    said = [f"Client #Bea says: number {number}" for number in range(3)]
    assert await lines_of(bea, 3) == said
    anna.reading.set()
    assert (await anna.event())["type"] == "websocket.accept"
    assert await lines_of(anna, 4) == ["Client #Anna joined the chat.", *said]
    for socket in (anna, bea):
        await socket.leave()


async def test_a_client_that_leaves_before_the_answer_leaves_nothing_behind(host: HostApp) -> None:
    host.people = {"a": ANNA, "b": BEA}
    bea = open_socket(host, "Bea", "b")
    assert (await bea.event())["type"] == "websocket.accept"
    host.hold()
    anna = open_socket(host, "Anna", "a")
    await host.waiting.wait()
    anna.gone = True
    host.gate.set()
    await anna.leave()
    assert await lines_of(bea, 3) == [
        "Client #Bea joined the chat.",
        "Client #Anna joined the chat.",
        "Client #Anna left the chat.",
    ]
    await bea.leave()


async def test_a_session_revoked_before_the_answer_is_closed_after_it(host: HostApp) -> None:
    host.people = {"a": ANNA, "b": BEA}
    bea = open_socket(host, "Bea", "b")
    assert (await bea.event())["type"] == "websocket.accept"
    anna = open_socket(host, "Anna", "a")
    anna.reading.clear()
    assert await lines_of(bea, 2) == ["Client #Bea joined the chat.", "Client #Anna joined the chat."]
    del host.people["a"]
    await host.hubbub.revoke("1", issuer="app")
    anna.reading.set()
    assert (await anna.event())["type"] == "websocket.accept"
    closed = await anna.event()
    assert (closed["type"], closed["code"]) == ("websocket.close", 4503)
    await anna.leave()
    assert await lines_of(bea, 1) == ["Client #Anna left the chat."]
    await bea.leave()


async def test_an_error_is_a_line_and_a_close_after_the_answer(host: HostApp) -> None:
    host.people = {"a": ANNA}
    for name, token, code in (("Bea", "a", 4502), ("Anna", "invalid", 4501)):
        socket = open_socket(host, name, token)
        assert (await socket.event())["type"] == "websocket.accept"
        (line,) = await lines_of(socket, 1)
        assert line.startswith("Error: ")
        closed = await socket.event()
        assert (closed["type"], closed["code"]) == ("websocket.close", code)
        await socket.leave()
