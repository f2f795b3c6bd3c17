"""Parts that load on demand.

Without a network they show an error and can be retried.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from tests.browser import axe
from tests.browser.conftest import NO_SERVICE_WORKER, OpenWindow
from tests.browser.cuttable_proxy import CuttableProxy
from tests.browser.person import Person
from tests.support.server import Server

DIALOGS = re.compile(r"/assets/RoomDialogs-")
PRELOADED = "() => performance.getEntriesByType('resource').some(({ name }) => name.includes('/assets/ChatDialogs-'))"
"""The last part that the chat loads by itself has arrived."""


@pytest.fixture
def proxy(server: Server) -> Iterator[CuttableProxy]:
    with CuttableProxy(server) as proxy:
        yield proxy


def without_worker(person: Person, name: str) -> Person:
    """Log in a user whose browser caches nothing.

    The service worker would have all parts.
    """
    person.page.add_init_script(NO_SERVICE_WORKER)
    return person.log_in(name)


def test_a_part_that_failed_to_load_is_shown_after_a_retry(
    server: Server, open_window: OpenWindow, proxy: CuttableProxy
) -> None:
    ann = open_window(width=1000)
    ann.may_be_offline = True
    ann.address = proxy.url
    without_worker(ann, server.sign_up("ann").name)
    page, opener = ann.page, ann.page.get_by_title("About this room")
    page.wait_for_function(PRELOADED)  # a script that fails on its way is not requested again
    page.wait_for_load_state("networkidle")
    proxy.cut()
    page.get_by_role("button", name="People, ").click()
    expect(page.get_by_role("alert")).to_contain_text("Couldn't load this")
    opener.click()
    failed = page.get_by_role("dialog", name="Couldn't load this")
    expect(failed.get_by_role("alert")).to_contain_text("Check your connection")
    axe.check(page)
    failed.get_by_role("button", name="Try again").click()
    expect(failed).to_be_visible()
    page.keyboard.press("Escape")
    expect(failed).to_have_count(0)
    expect(opener).to_be_focused()

    proxy.mend()
    opener.click()
    expect(page.get_by_role("dialog", name="Lobby")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("complementary", name="People")).to_be_visible()


def test_text_typed_while_a_dialog_loads_goes_nowhere_else(server: Server, open_window: OpenWindow) -> None:
    ann = without_worker(open_window(), server.sign_up("ann").name)
    held: list[Route] = []
    ann.page.route(DIALOGS, lambda route: held.append(route))
    ann.composer.fill("half a sen")
    ann.page.get_by_title("About this room").click()
    expect(ann.page.get_by_role("dialog", name="Loading")).to_be_visible()
    ann.page.keyboard.type("tence")
    ann.page.keyboard.press("Enter")
    expect(ann.composer).to_have_value("half a sen")
    expect(ann.page.get_by_role("dialog", name="Loading")).to_be_visible()
    held[0].continue_()
    expect(ann.page.get_by_role("dialog", name="Lobby")).to_be_visible()
    expect(ann.page.get_by_role("dialog", name="Loading")).to_have_count(0)
    assert "half a sentence" not in ann.texts()
