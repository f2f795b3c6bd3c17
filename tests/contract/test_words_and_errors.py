"""Section 4.1, Words and Errors: ids, keys, the form of an error on every gateway."""

import json
from typing import Any

import pytest

from tests.contract.client import STATUS, expect_error, expect_error_body, fresh, greet, request, send
from tests.support.server import PASSWORD, Account, Server

LOBBY = 1
PRINTABLE = "".join(map(chr, range(32, 127)))


def numbers(value: Any) -> list[object]:
    """Return every value of an id field anywhere in a JSON value."""
    found: list[object] = []
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("id", "room", "user", "by", "seq", "n", "head", "floor", "created_by") and not isinstance(
                inner, dict
            ):
                found.append(inner)
            found += numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            found += numbers(inner)
    return found


async def test_ids_are_integers_below_2_to_the_53(open_server: Server, alice: Account) -> None:
    room = alice.request("POST", "/api/rooms", json={"kind": "public", "name": fresh("Numbers")}).json()
    path = f"/api/rooms/{room['room']['id']}"
    alice.request("POST", f"{path}/messages", json={"key": "1", "body": "hello"})
    ws, welcome = await greet(open_server, {"token": alice.token})
    answers = [room, welcome, alice.get("/users/me"), alice.get(path), alice.get(f"{path}/messages")]
    answers.append(alice.get(f"/api/topics/room:{room['room']['id']}/events", after=0))
    for answer in answers:
        for number in numbers({key: value for key, value in answer.items() if key != "sessions"}):
            assert number is None or (type(number) is int and 0 <= number < 2**53), (number, answer)
    await ws.close()


@pytest.mark.parametrize("key", ["k", " ", "'", '"\\', PRINTABLE[:64], PRINTABLE[-64:]])
async def test_a_key_is_any_1_to_64_printable_ascii_characters(open_server: Server, bob: Account, key: str) -> None:
    room = bob.create_room(fresh("Keys"))
    first = bob.request("POST", f"/api/rooms/{room}/messages", json={"key": key, "body": "x"})
    assert first.status_code == 201, first.text
    ws, _ = await greet(open_server, {"token": bob.token})
    again = await send(ws, {"id": 1, "type": "message.send", "room": room, "key": key, "body": "x"})
    assert again == {"re": 1, "ok": first.json()}
    await ws.close()
    events = bob.log(f"room:{room}")
    assert [event["key"] for event in events if event["type"] == "message.sent"] == [key]


@pytest.mark.parametrize("key", ["", "k" * 65, "é", "tab\t", "\x7f", "\n", 7, None, ["k"]])
async def test_an_invalid_key_is_refused(open_server: Server, bob: Account, key: object) -> None:
    expect_error(bob.request("POST", f"/api/rooms/{LOBBY}/messages", json={"key": key, "body": "x"}), "bad_request")
    room = {"kind": "public", "name": fresh("Nokey")}
    if key is not None:
        expect_error(bob.request("POST", "/api/rooms", json={**room, "key": key}), "bad_request")
    ws, _ = await greet(open_server, {"token": bob.token})
    answer = await send(ws, {"id": 1, "type": "message.send", "room": LOBBY, "key": key, "body": "x"})
    expect_error_body(answer, "bad_request")
    await ws.close()


async def test_each_error_code_has_its_status_and_both_gateways_agree(
    open_server: Server, alice: Account, bob: Account
) -> None:
    mine = alice.create_room(fresh("Mine"))
    message: dict[str, Any] = {"key": "same", "body": "one"}
    assert alice.request("POST", f"/api/rooms/{mine}/messages", json=message).status_code == 201
    ws, _ = await greet(open_server, {"token": alice.token})
    cases: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
        ("bad_request", "POST", f"/api/rooms/{mine}/messages", {"key": "x"},
         {"type": "message.send", "room": mine, "key": "x"}),
        ("forbidden", "POST", f"/api/rooms/{LOBBY}/leave", {}, {"type": "room.leave", "room": LOBBY}),
        ("not_found", "POST", "/api/rooms/987654321/messages", message,
         {"type": "message.send", "room": 987654321, **message}),
        ("conflict", "POST", f"/api/rooms/{mine}/messages", {"key": "same", "body": "two"},
         {"type": "message.send", "room": mine, "key": "same", "body": "two"}),
        ("not_found", "POST", "/api/rooms/987654321/join", {}, {"type": "room.join", "room": 987654321}),
        ("not_found", "DELETE", f"/api/rooms/{mine}/members/{bob.id}", {},
         {"type": "member.remove", "room": mine, "user": bob.id}),
    ]  # fmt: skip
    for number, (code, method, path, body, command) in enumerate(cases):
        over_rest = alice.request(method, path, **({"json": body} if body else {}))
        over_wire = await send(ws, {"id": number, **command})
        error = expect_error_body(over_wire, code)
        assert over_wire["re"] == number
        assert expect_error(over_rest, code) == error
    await ws.close()


@pytest.mark.parametrize(
    "path",
    ["/api/rooms/987654321", "/api/users/987654321", "/api/topics/room:987654321/events",
    "/api/rooms/987654321/messages",
     "/api/rooms/987654321/members", "/api/rooms/987654321/online-members"],
)  # fmt: skip
def test_errors_echo_no_id(alice: Account, path: str) -> None:
    answer = alice.request("GET", path, params={"after": 0} if "topics" in path else {})
    expect_error(answer, "not_found")
    assert "987654321" not in answer.text


def test_a_missing_and_a_forbidden_topic_get_the_same_answer(alice: Account, bob: Account) -> None:
    foreign = alice.request("GET", f"/api/topics/user:{bob.id}/events", params={"after": 0})
    nobody = alice.request("GET", "/api/topics/user:4444/events", params={"after": 0})
    for answer in (foreign, nobody):
        expect_error(answer, "not_found")
    assert foreign.text == nobody.text


BROKEN = [
    b"", b"{", b"null", b"[]", b'"x"', b"7", b'{"kind":"public","name":NaN}', b'{"kind":"public","name":Infinity}',
    b'{"kind":"public","name":"a","name":"b"}', b'{"kind":"public","name":"\\ud800"}',
    b'{"kind":"public","name":"a\\u0000b"}', b'{"kind":"public","name":"\xff"}',
    b'{"kind":"public","name":"a","x":"\\u0000"}',
    b'{"kind":"public","name":"a","x":' + b"[" * 40 + b"]" * 40 + b"}", b'{"kind":"public","name":"a","x":-Infinity}',
    b'{"kind":"public","name":"a","x":{"y":1,"y":2}}', b"\xef\xbb\xbf{}", b'{"kind":"cave","name":"a"}',
    b'{"kind":"public","name":["a"]}', b'{"kind":"public"}', b'{"kind":"public","name":7}',
    b'{"kind":"public","name":""}',
    b'{"kind":"public","name":"   "}',
]  # fmt: skip


@pytest.mark.parametrize("body", BROKEN)
async def test_invalid_json_is_a_bad_request_on_every_gateway(open_server: Server, alice: Account, body: bytes) -> None:
    headers = {**alice.headers, "Content-Type": "application/json"}
    expect_error(request(open_server, "POST", "/api/rooms", content=body, headers=headers), "bad_request")
    ws, _ = await greet(open_server, {"token": alice.token})
    frame = body.replace(b"{", b'{"id":5,"type":"room.create",', 1) if body.startswith(b'{"') else body
    if b"\xff" in body:  # the WebSocket layer answers that with 1007
        await ws.close()
        return
    await ws.send(frame.decode())
    answer = json.loads(await ws.recv())
    expect_error_body(answer, "bad_request")
    assert answer["re"] in (5, None)
    await ws.send('{"id":6,"type":"ping"}')  # the socket stays open
    kinds = [json.loads(await ws.recv()) for _ in range(2)]
    assert {"type": "pong"} in kinds
    assert {"re": 6, "ok": {}} in kinds
    await ws.close()


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/api/rooms?limit=0", 400), ("/api/rooms?limit=abc", 400), ("/api/rooms?limit=201", 400),
        ("/api/rooms?limit=200", 200),
        ("/api/rooms?after=-1", 400), ("/api/rooms?after=9007199254740992", 400), ("/api/rooms?after=1e3", 400),
        ("/api/rooms/1/messages?before=0", 200), ("/api/rooms/1/messages?before=1&after=1", 400),
        ("/api/rooms/1/messages?around=x", 400), ("/api/rooms/1/messages?limit=201", 400),
        ("/api/rooms/1/messages?limit=0", 400),
        ("/api/topics/room:1/events?after=", 400), ("/api/topics/room:1/events?after=-1", 400),
        ("/api/topics/room:1/events?after=0&limit=201", 400),
        ("/api/topics/room:x/events?after=0", 400), ("/api/topics/nonsense/events?after=0", 400),
        ("/api/topics/room:01/events?after=0", 400),
        ("/api/topics/security/events?after=0", 400),
    ],
)  # fmt: skip
def test_numbers_in_addresses_are_validated(alice: Account, path: str, wanted: int) -> None:
    answer = alice.request("GET", path)
    assert answer.status_code == wanted, answer.text
    if wanted != 200:
        expect_error_body(answer.json(), {400: "bad_request", 404: "not_found"}[wanted])


@pytest.mark.parametrize("room", ["abc", "0", "-1", "9007199254740992", "1.5", "１", "1%00"])
def test_an_invalid_room_id_is_refused_without_a_crash(alice: Account, room: str) -> None:
    answer = alice.request("GET", f"/api/rooms/{room}")
    assert answer.status_code in (400, 404)
    expect_error_body(answer.json(), "bad_request" if answer.status_code == 400 else "not_found")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nothing/here", 404, "not_found"), ("GET", "/api/rooms/1/", 404, "not_found"),
    ("GET", "/assets/x", 404, "not_found")],
)  # fmt: skip
def test_an_unknown_address_answers_an_error_of_the_usual_form(
    open_server: Server, method: str, path: str, status: int, code: str
) -> None:
    expect_error(request(open_server, method, path), code, status)


def test_json_routes_accept_only_json(alice: Account) -> None:
    text = json.dumps({"kind": "public", "name": fresh("Text")})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        headers = {**alice.headers, "Content-Type": kind} if kind else alice.headers
        expect_error(request(alice.server, "POST", "/api/rooms", content=text, headers=headers), "bad_request")
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        text = json.dumps({"kind": "public", "name": fresh("Json")})
        headers = {**alice.headers, "Content-Type": kind}
        assert request(alice.server, "POST", "/api/rooms", content=text, headers=headers).status_code == 201


def test_openapi_documents_only_statuses_of_known_codes(open_server: Server) -> None:
    paths = request(open_server, "GET", "/openapi.json").json()["paths"]
    known = {str(status) for status in STATUS.values()} | {"200", "201", "204", "421"}
    for path, methods in paths.items():
        for method, route in methods.items():
            said = set(route["responses"])
            assert said <= known, f"{method} {path} announces {sorted(said - known)}, which no code has"


def test_a_401_of_the_token_route_has_a_detail_and_a_challenge(open_server: Server, alice: Account) -> None:
    for form in ({"username": alice.name, "password": "wrong wrong"}, {"username": "nobody", "password": PASSWORD}):
        answer = request(open_server, "POST", "/token", data=form)
        expect_error(answer, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert isinstance(answer.json()["detail"], str)
        assert set(answer.json()) == {"error", "detail"}


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer x", "Basic YTpi", "bearer a.b.c", "Bearer " + "x" * 8000, "Bearer é"]
)
def test_a_malformed_credential_is_unauthenticated(open_server: Server, value: str) -> None:
    answer = request(open_server, "GET", "/users/me", headers={"Authorization": value.encode()})
    expect_error(answer, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_message_up_to_the_limit_is_accepted_and_a_longer_one_is_too_large(
    open_server: Server, alice: Account
) -> None:
    """The limits of a message are 16 KiB and 8,000 characters.

    The answer past them names the field.
    """
    room = alice.create_room(fresh("Sizes"))
    for body, fits in (
        ("x" * 8000, True),
        ("x" * 8001, False),
        ("é" * 8000, True),
        ("€" * 5461, True),
        ("€" * 5462, False),
    ):
        answer = alice.request("POST", f"/api/rooms/{room}/messages", json={"key": fresh("size"), "body": body})
        if fits:
            assert answer.status_code == 201, (body[0], len(body), answer.text)
        else:
            code = answer.json()["error"]["code"]
            assert code in ("too_large", "bad_request")
            assert "body" in expect_error(answer, code)["message"]  # the answer names what is too long
    huge = request(
        open_server,
        "POST",
        "/api/rooms",
        content=b"[" + b" " * 2**20,
        headers={**alice.headers, "Content-Type": "application/json"},
    )
    expect_error(huge, "too_large")
