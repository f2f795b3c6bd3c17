"""What goes wrong without the settings for proxies.

These are the controls of test_through.py.
"""

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.proxy.conftest import Behind, Put
from tests.proxy.visitor import Visitor

TRIES = 60


class Unaware:
    """A server without settings for its proxy, and a visitor logged in early."""

    def __init__(self, behind: Behind) -> None:
        self.behind = behind
        self.visitor = behind.visitor()
        self.visitor.name = behind.server.sign_up("early").name  # the proxy's name is no host of the server
        self.login: httpx.Response = self.visitor.log_in()


@pytest.fixture(scope="module")
def unaware(put: Put) -> Unaware:
    return Unaware(put("nginx", settings={"HUBBUB_PUBLIC_URL": "", "HUBBUB_TRUSTED_PROXIES": ""}))


async def test_without_a_public_url_the_error_names_the_missing_setting(unaware: Unaware) -> None:
    visitor = unaware.visitor
    assert visitor.cookie.startswith("hubbub_session="), "the server does not know that the request was https"
    assert "secure" not in unaware.login.headers["set-cookie"].lower()
    assert "strict-transport-security" not in unaware.login.headers
    refused = visitor.ask("POST", "/api/rooms/1/messages", visitor.page, json={"key": "k", "body": "hello"})
    assert refused.status_code == 403
    assert "HUBBUB_PUBLIC_URL" in refused.json()["error"]["message"]
    with pytest.raises(InvalidStatus) as caught:
        await visitor.open_socket(visitor.page)
    assert caught.value.response.status_code == 403
    assert b"HUBBUB_PUBLIC_URL" in (caught.value.response.body or b"")


def test_without_a_trusted_proxy_all_visitors_share_limits_and_the_log_says_why(unaware: Unaware) -> None:
    eager, other = unaware.behind.visitor(), unaware.behind.visitor()
    assert any(check(eager) == 429 for _ in range(TRIES))
    assert any(check(other) == 429 for _ in range(10))
    lines = unaware.behind.server.log_lines("proxy_not_trusted")
    assert [(line["peer"], "HUBBUB_TRUSTED_PROXIES" in line["advice"]) for line in lines] == [("127.0.0.1", True)]


def check(visitor: Visitor) -> int:
    return visitor.ask("POST", "/api/invites/check", json={"token": "x"}).status_code
