"""Windows are used again by later tests, without anything of the earlier ones."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import a_window
from tests.browser.person import Person
from tests.browser.windows import Windows
from tests.support.server import Server

LEAVE = """async () => {
    localStorage.setItem("left", "text");
    sessionStorage.setItem("left", "text");
    window.name = "left";
    document.cookie = "left=text";
    await new Promise((resolve) => (indexedDB.open("left").onsuccess = resolve));
    await caches.open("left");
    history.pushState(null, "", "/#left");
}"""
FIND = """async () => [
    localStorage.length, sessionStorage.length, window.name.length, document.cookie.length,
    (await indexedDB.databases()).filter(({ name }) => name === "left").length,
    (await caches.keys()).length, history.length - 1,
]"""
CHANGES: dict[str, Callable[[Page], object]] = {
    "clock": lambda page: page.clock.install(),
    "offline": lambda page: page.context.set_offline(False),
    "page": lambda page: page.context.new_page(),
    "permission": lambda page: page.context.grant_permissions(["clipboard-read"]),
    "route": lambda page: page.route("**/nothing", lambda route: route.abort()),
    "script": lambda page: page.add_init_script("window.left = true"),
}


@pytest.fixture
def used(browser: Browser, server: Server, windows: Windows) -> Person:
    person = a_window(browser, server)
    windows.is_new(person.page)
    return person.log_in(server.sign_up("ann").name)


def test_a_window_is_used_again_without_storage_session_and_history(used: Person, windows: Windows) -> None:
    used.page.evaluate(LEAVE)
    assert 0 not in used.page.evaluate(FIND)
    assert windows.put_back(used)
    page = windows.take(800, 600)
    assert page is used.page
    assert page.evaluate(FIND) == [0] * 7
    assert page.context.cookies() == []
    page.goto(used.server.url)
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert page.viewport_size == {"width": 800, "height": 600}
    page.context.close()


@pytest.mark.parametrize("change", CHANGES)
def test_a_window_that_a_test_changed_for_good_is_not_used_again(used: Person, windows: Windows, change: str) -> None:
    CHANGES[change](used.page)
    assert not windows.put_back(used)
    assert windows.take(800, 600) is None
    used.page.context.close()
