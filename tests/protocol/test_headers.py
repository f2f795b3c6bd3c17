"""What forwarding headers are worth, and who is told of them."""

from ipaddress import ip_network

import pytest

from hubbub.protocol.headers import is_unheard_proxy

FORWARDED = [(b"x-forwarded-for", b"198.51.100.1")]
TRUSTED = [ip_network("10.0.0.0/8")]


@pytest.mark.parametrize(
    ("peer", "headers", "unheard"),
    [
        ("127.0.0.1", FORWARDED, True),
        ("::1", FORWARDED, True),
        ("172.17.0.1", FORWARDED, True),
        ("10.0.0.1", FORWARDED, False),  # it is heard
        ("8.8.8.8", FORWARDED, False),  # from afar anybody may claim anything
        ("127.0.0.1", [], False),
        ("", FORWARDED, False),
    ],
)
def test_a_proxy_nearby_that_is_not_believed_is_noticed(
    peer: str, headers: list[tuple[bytes, bytes]], unheard: bool
) -> None:
    assert is_unheard_proxy(peer, headers, TRUSTED) is unheard
