"""Request bodies: strict JSON of at most 64 KiB, and errors for all others."""

from typing import Any

import pytest

from hubbub.domain.model import LOBBY
from hubbub.domain.text import MAX_PATH, MAX_QUERY
from tests.support.world import PASSWORD, World

JSON = {"Content-Type": "application/json"}
MAX_BODY = 64 * 1024
BROKEN = [
    b"", b"null", b"[]", b'"x"', b"{", b'{"a":1}}', b'{"key":NaN}', b'{"key":Infinity}', b'{"key":1e999}',
    b'{"key":"a","key":"b","body":"x"}', b'{"key":"\\ud800","body":"x"}', b'{"key":"a","body":"\\u0000"}',
    b'{"key":"a","body":"\xff"}', b'{"key":' + b"[" * 10_000 + b"]" * 10_000 + b"}", b'{"body":"x"}',
    b'{"key":"a"}', b'{"key":"a","body":5}', b'{"key":"a","body":""}', b'{"key":"a","body":"   "}',
    b'{"key":"","body":"x"}', b'{"key":"\\u00e9","body":"x"}', b'{"key":"' + b"k" * 65 + b'","body":"x"}',
    b'{"key":"a","body":null}', b"\xef\xbb\xbf{}",
]  # fmt: skip


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:40]))
async def test_a_malformed_body_is_refused_and_stores_nothing(world: World, body: bytes) -> None:
    alice = await world.program("alice")
    answer = await alice.post(f"/api/rooms/{LOBBY}/messages", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert (await alice.get(f"/api/rooms/{LOBBY}/messages")).json()["messages"] == []


@pytest.mark.parametrize("path", [f"/api/rooms/{LOBBY}/messages", "/api/rooms", "/api/presence?user=1"])
async def test_unknown_query_parameters_are_refused(world: World, path: str) -> None:
    """A mistyped `before` would silently return the newest page."""
    alice = await world.program("alice")
    assert (await alice.get(path)).status_code == 200
    sign = "&" if "?" in path else "?"
    for query in ("limt=3", "befor=5", "Limit=3", "LIMIT", "a%00=1", "window=1"):
        answer = await alice.get(f"{path}{sign}{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request"), query
    assert (await world.visitor().get(f"{path}{sign}limt=3")).status_code == 401


@pytest.mark.parametrize(("size", "too_long"), [(MAX_PATH, False), (MAX_PATH + 1, True)])
async def test_a_path_is_refused_for_its_length_beyond_its_limit_only(world: World, size: int, too_long: bool) -> None:
    alice = await world.program("alice")
    answer = await alice.get("/api/rooms/".ljust(size, "x"))
    assert answer.status_code == 400
    assert (f"at most {MAX_PATH} characters" in answer.json()["error"]["message"]) is too_long


@pytest.mark.parametrize(("size", "too_long"), [(MAX_QUERY, False), (MAX_QUERY + 1, True)])
async def test_a_query_is_refused_for_its_length_beyond_its_limit_only(world: World, size: int, too_long: bool) -> None:
    alice = await world.program("alice")
    answer = await alice.get(f"/api/rooms?{'a' * size}")
    assert answer.status_code == 400
    assert (f"at most {MAX_QUERY} bytes" in answer.json()["error"]["message"]) is too_long


@pytest.mark.parametrize(
    "kind",
    [
        "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx",
        "text/json", "application/json-patch+json",
    ],
)  # fmt: skip
async def test_json_routes_accept_only_json_content_types(world: World, kind: str) -> None:
    """CVE-2021-32677: JSON sent as text/plain was accepted."""
    alice = await world.program("alice")
    body = b'{"key":"a","body":"x"}'
    answer = await alice.post(f"/api/rooms/{LOBBY}/messages", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400
    for good in ("application/json", "Application/JSON; charset=utf-8"):
        answer = await alice.post(f"/api/rooms/{LOBBY}/messages", content=body, headers={"Content-Type": good})
        assert answer.status_code == 201


@pytest.mark.parametrize("declared", [True, False])
async def test_a_request_body_is_accepted_at_its_limit_and_refused_beyond(world: World, declared: bool) -> None:
    alice = await world.program("alice")

    async def send(size: int) -> int:
        body = b'{"key":"a","body":"x"' + b" " * (size - 22) + b"}"
        assert len(body) == size

        async def pieces() -> Any:
            for start in range(0, size, 8_192):
                yield body[start : start + 8_192]

        content: Any = body if declared else pieces()
        return (await alice.post(f"/api/rooms/{LOBBY}/messages", content=content, headers=JSON)).status_code

    assert await send(MAX_BODY) == 201
    assert await send(MAX_BODY + 1) == 413


async def test_a_message_is_accepted_at_its_limit_and_refused_beyond(world: World) -> None:
    alice = await world.program("alice")
    for body, status in [
        ("x" * 8_000, 201),
        ("x" * 8_001, 413),
        ("é" * 8_000, 201),
        ("€" * 5_461, 201),
        ("€" * 5_462, 413),
    ]:
        sent = await alice.post(
            f"/api/rooms/{LOBBY}/messages", json={"key": f"{len(body)}{body[0] != 'x'}", "body": body}
        )
        assert sent.status_code == status


async def test_an_error_names_the_field_and_does_not_echo_the_input(world: World) -> None:
    marker = "S3CRET-marker"
    alice = await world.program("alice")
    for method, path, body in [
        ("POST", "/api/login", {"username": 5, "password": marker}),
        ("POST", "/api/login", {"username": {"x": marker}, "password": marker}),
        ("POST", "/api/users", {"username": f"{marker} {marker}", "password": PASSWORD}),
        ("POST", "/api/rooms", {"kind": marker, "name": "x"}),
        ("POST", "/api/invites", {"max_uses": marker}),
    ]:
        answer = await alice.ask(method, path, json=body)
        assert answer.status_code == 400, answer.text
        assert marker not in answer.text
        assert answer.json()["error"]["message"].split(":")[0] in ("username", "kind", "max_uses")
    for path in (f"/api/rooms/{marker}", f"/api/rooms?limit={marker}", f"/api/topics/{marker}/events?after=0"):
        answer = await alice.get(path)
        assert answer.status_code == 400
        assert marker not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/api/rooms/0", "/api/rooms/-1", "/api/rooms/9007199254740992", "/api/rooms/1e3", "/api/rooms/" + "9" * 5_000,
        "/api/rooms?limit=0", "/api/rooms?limit=201", "/api/rooms?after=-1", "/api/rooms/1/messages?before=x",
        "/api/rooms/1/messages?before=1&after=1", "/api/topics/room:0/events?after=0",
        "/api/topics/room:1/events?after=-1",
        "/api/topics/security/events?after=0", "/api/topics/room:1/events?after=0&epoch=%00",
        "/api/topics/room:1/events?after=0&epoch=" + "x" * 257,
    ],
)  # fmt: skip
async def test_numbers_and_names_out_of_bounds_are_a_bad_request(world: World, path: str) -> None:
    alice = await world.program("alice")
    answer = await alice.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "form",
    [
        b"", b"username=alice", b"username=alice&username=bob&password=x", b"username=alice&password=%00",
        b"username=alice&password=%ff", b"username=alice&password=\xff", b"&".join([b"a=b"] * 1_000),
        b"username=alice&password=x&grant_type=client_credentials", b"=&=&=", b"username=alice&password=%ED%A0%80",
    ],
)  # fmt: skip
async def test_a_malformed_form_is_a_bad_request(world: World, form: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await world.visitor().post("/token", content=form, headers=headers)).status_code == 400
    multipart = await world.visitor().post("/token", files={"username": b"alice"})
    assert multipart.status_code == 400
