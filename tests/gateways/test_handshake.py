"""Which requests may open a WebSocket, by credentials, origin and address."""

from ipaddress import ip_network

import pytest

from hubbub.gateways.websocket.handshake import Admitted, admit, client_address, offered
from hubbub.gateways.websocket.rejection import Rejection
from hubbub.protocol.headers import network
from hubbub.protocol.tokens import Credential
from hubbub.settings import Settings

OWN = "https://chat.example.org"
COOKIE = {"cookie": "a=b; hubbub_session=secret; c=d"}
HOST_COOKIE = {"cookie": "__Host-hubbub_session=secret"}


def ask(headers: dict[str, str], *, secure: bool = False, **settings: object) -> Admitted | Rejection:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return admit(raw, Settings(**settings), secure=secure)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ({}, None),
        ({"origin": "https://anywhere.example"}, None),
        ({"authorization": "Bearer t"}, Credential("bearer", "t")),
        ({"authorization": "bearer t", "origin": "https://anywhere.example"}, Credential("bearer", "t")),
        ({**COOKIE, "host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}, Credential("cookie", "secret")),
        ({**COOKIE, "host": "localhost:8000", "origin": "http://localhost:8000"}, Credential("cookie", "secret")),
        ({**COOKIE, "host": "[::1]:8000", "origin": "http://[::1]:8000"}, Credential("cookie", "secret")),
        ({**COOKIE, "host": "192.168.0.7", "origin": "https://192.168.0.7"}, Credential("cookie", "secret")),
        ({"cookie": "other=1; hubbub_session_x=2", "origin": "https://anywhere.example"}, None),
        ({**HOST_COOKIE, "origin": "https://anywhere.example"}, None),  # Over plain HTTP this cookie is not the site's.
    ],
)
def test_handshakes_are_admitted_without_a_public_url(headers: dict[str, str], credential: Credential | None) -> None:
    assert ask(headers) == Admitted((credential,) if credential is not None else (), None)


@pytest.mark.parametrize("origin", [OWN, "https://app.example.org"])
def test_a_cookie_is_accepted_from_a_listed_origin(origin: str) -> None:
    answer = ask({**HOST_COOKIE, "origin": origin}, public_url=OWN, origins="https://app.example.org")
    assert answer == Admitted((Credential("cookie", "secret"),), None)


@pytest.mark.parametrize(
    "origin",
    [
        "null", "https://evil.example", "https://chat.example.org.evil.example", "https://evilchat.example.org",
        "http://chat.example.org", "https://chat.example.org:8443", "https://CHAT.example.org",
        "https://user@chat.example.org", "https://chat.example.org/", "", "wss://chat.example.org",
    ],
)  # fmt: skip
def test_a_cookie_from_another_origin_is_forbidden(origin: str) -> None:
    answer = ask({**HOST_COOKIE, "origin": origin, "host": "chat.example.org"}, public_url=OWN)
    assert isinstance(answer, Rejection)
    assert answer.status == 403


def test_a_cookie_without_an_origin_is_forbidden() -> None:
    answer = ask({**COOKIE, "host": "127.0.0.1:8000"})
    assert isinstance(answer, Rejection)
    assert answer.status == 403


@pytest.mark.parametrize("name", ["chat.lan:8000", "localhost.evil.example", "127.0.0.1.evil.example"])
def test_a_cookie_on_a_rebindable_host_name_is_refused_with_the_setting_to_change(name: str) -> None:
    answer = ask({**COOKIE, "host": name, "origin": f"http://{name}"})
    assert isinstance(answer, Rejection)
    assert answer.status == 403
    assert "HUBBUB_PUBLIC_URL" in answer.sentence


@pytest.mark.parametrize("value", ["Basic dTpw", "Bearer", "Bearer ", "token", "Bearer " + "x" * 5_000])
def test_an_authorization_header_without_a_bearer_token_is_refused(value: str) -> None:
    answer = ask({"authorization": value})
    assert isinstance(answer, Rejection)
    assert answer.status == 401


def test_two_credentials_are_both_kept_for_the_handler_to_compare() -> None:
    answer = ask({**COOKIE, "host": "localhost", "origin": "http://localhost", "authorization": "Bearer t"})
    assert answer == Admitted((Credential("bearer", "t"), Credential("cookie", "secret")), None)


@pytest.mark.parametrize("name", ["origin", "host", "authorization"])
def test_a_duplicate_header_is_refused(name: str) -> None:
    twice = [(name.encode(), b"Bearer x")] * 2
    answer = admit(twice, Settings(), secure=False)
    assert isinstance(answer, Rejection)
    assert answer.status == 400


def test_the_subprotocol_is_chosen_if_the_client_offers_it() -> None:
    assert admit([], Settings(), secure=False, subprotocols=["chat", "hubbub.v1"]) == Admitted((), "hubbub.v1")
    assert admit([], Settings(), secure=False, subprotocols=["chat"]) == Admitted((), None)


def test_offered_subprotocols_are_read_from_one_header_or_several() -> None:
    assert offered([(b"sec-websocket-protocol", b"chat, hubbub.v1")]) == ["chat", "hubbub.v1"]
    assert offered([(b"sec-websocket-protocol", b"chat"), (b"sec-websocket-protocol", b"hubbub.v1")]) == [
        "chat",
        "hubbub.v1",
    ]
    assert offered([(b"origin", b"hubbub.v1")]) == []


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # The peer is not a trusted proxy.
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),  # Any client can write what is left of it.
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_the_client_address_is_the_nearest_untrusted_hop(peer: str, forwarded: str | None, address: str) -> None:
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    assert client_address(peer, headers, [ip_network("10.0.0.0/8")]) == address


def test_forwarded_headers_are_ignored_without_trusted_proxies() -> None:
    assert client_address("127.0.0.1", [(b"x-forwarded-for", b"198.51.100.1")], []) == "127.0.0.1"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_addresses_of_one_customer_share_a_network(one: str, other: str, same: bool) -> None:
    assert (network(one) == network(other)) is same
