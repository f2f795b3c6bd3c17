"""A real Chromium window over https, through a proxy, under a sub-path."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import FLAGS, NAMES
from tests.browser.person import Person
from tests.proxy.conftest import Behind, Put
from tests.proxy.front import Front

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        pytest.skip("no Chromium on the PATH: install one to run the browser tests")
    with sync_playwright() as playwright:
        known = ["--host-resolver-rules=MAP example.org 127.0.0.1"]
        launched = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *known])
        yield launched
        launched.close()


@pytest.fixture
def behind(put: Put) -> Behind:
    """A server behind the proxy that speaks HTTP/2 to browsers and strips the path."""
    return put("caddy", "/chat", Front.strip_root_path)


def test_an_owner_signs_up_by_the_link_sends_and_reloads_behind_a_proxy(behind: Behind, browser: Browser) -> None:
    context = browser.new_context(ignore_https_errors=True, locale="en-GB")
    try:
        owner = Person(behind.server, context.new_page())
        owner.address = behind.front.address
        owner.open(behind.server.setup_link()).sign_up("owner", "Create owner account").is_in()
        assert owner.page.url == f"{behind.front.address}/"
        owner.say("hello from below")
        owner.sees("hello from below")
        behind.visitor().sign_up().send("hello from outside")
        owner.sees("hello from outside")
        cookies = {each["name"]: (each["secure"], each["httpOnly"]) for each in context.cookies(behind.front.address)}
        assert cookies == {"__Host-hubbub_session": (True, True), "__Host-hubbub_device": (True, True)}
        owner.open("").is_in().sees("hello from below")
        assert owner.page.url.partition("#")[0] == f"{behind.front.address}/"
        owner.page.get_by_role("button", name="Invite people").click()
        owner.page.get_by_role("button", name="Create and copy link").click()
        link = owner.page.get_by_label("Invite link (shown only once)").input_value()
        assert link.startswith(f"{behind.front.address}/invite#")
        owner.open("/docs")
        expect(owner.page.get_by_role("heading", level=1)).to_contain_text("API")
        # The certificate is self-signed, and browsers make no exception for the script of a service
        # worker.
        assert [line for line in owner.complaints() if "when fetching the script" not in line] == []
    finally:
        context.close()
