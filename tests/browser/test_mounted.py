"""The web client under /chat in a host application with its own log-in."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.browser_storage import stored_text
from tests.browser.conftest import OpenWindow
from tests.browser.person import Person
from tests.browser.rooms import menu
from tests.support.mounted import MountedServer
from tests.support.server import PASSWORD


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MountedServer]:
    example = MountedServer(tmp_path_factory.mktemp("mounted") / "app", app="tests.support.bot_app:app")
    example.start()
    yield example
    example.kill()


def log_in(person: Person, server: MountedServer, name: str) -> Person:
    """Log in with the form on the host's own page, which leads to the chat."""
    person.open(f"{server.origin}/")
    person.name = name
    person.page.get_by_label("Name").fill(name)
    person.page.get_by_label("Password").fill(PASSWORD)
    person.page.get_by_role("button", name="Log in").click()
    person.page.wait_for_url(f"{server.url}/")
    return person.is_in()


def test_users_of_the_host_application_talk_under_its_path(server: MountedServer, open_window: OpenWindow) -> None:
    alice = log_in(open_window(), server, "Alice Ash")
    bob = log_in(open_window(), server, "Bob")
    alice.say("hello from the app")
    bob.sees("hello from the app")
    bob.say("and back")
    alice.sees("and back")
    # The host may log her out while none of our pages is open: the browser may store nothing of
    # hers.
    assert "token" not in stored_text(alice)
    assert alice.page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0
    alice.create_room("Garden")
    assert alice.page.url.startswith(f"{server.url}/#room/")
    alice.page.reload()
    alice.is_in()
    expect(alice.page.get_by_role("heading", level=2, name="Garden")).to_be_visible()


def test_an_invite_link_lets_host_users_join_a_room(server: MountedServer, open_window: OpenWindow) -> None:
    fay, stranger = log_in(open_window(), server, "Fay"), open_window()
    fay.create_room("Shed")
    menu(fay, "Invite links")
    expect(fay.page.get_by_text("logged in to the app this chat is part of")).to_be_visible()
    fay.page.get_by_role("button", name="Create and copy link").click()
    link = fay.page.get_by_label("Invite link (shown only once)").input_value()
    assert link.startswith(f"{server.url}/invite#")
    # A visitor logs in at the host first and then opens the link again.
    stranger.open(link)
    expect(stranger.page.get_by_text("Log in to the app this chat is part of")).to_be_visible()
    guest = log_in(stranger, server, "Gil").open(link)
    guest.page.get_by_role("dialog", name="Join Shed?").get_by_role("button", name="Join").click()
    expect(guest.page.get_by_role("heading", level=2, name="Shed", exact=True)).to_be_visible()
    guest.say("by the link")
    fay.page.keyboard.press("Escape")
    fay.sees("by the link")


def test_a_mounted_chat_offers_no_log_in_and_no_log_out(server: MountedServer, open_window: OpenWindow) -> None:
    stranger = open_window().open()
    expect(stranger.page.get_by_text("Log in to the app this chat is part of")).to_be_visible()
    assert stranger.page.get_by_label("Password").count() == 0
    log_in(stranger, server, "Carla")
    dialog = stranger.open_account()
    expect(dialog.get_by_text("Change your name or log out there")).to_be_visible()
    assert dialog.get_by_role("button", name="Log out").count() == 0
    assert dialog.get_by_text("password").count() == 0
    assert stranger.page.get_by_role("button", name="Invite people").count() == 0


def test_logging_out_of_the_host_application_logs_out_of_the_chat(
    server: MountedServer, open_window: OpenWindow
) -> None:
    dora = log_in(open_window(), server, "Dora")
    stays = log_in(open_window(), server, "Emil")
    dora.page.request.post(f"{server.origin}/logout", max_redirects=0)
    expect(dora.page.get_by_text("Log in to the app this chat is part of")).to_be_visible()
    expect(dora.page.get_by_text("You were logged out")).to_be_visible()
    stays.say("still here")
    stays.sees("still here")


def test_messages_of_the_bot_of_the_app_are_marked_when_they_arrive_and_after_a_reload(
    server: MountedServer, open_window: OpenWindow
) -> None:
    dora = log_in(open_window(), server, "Dora")
    dora.say("of a user")
    httpx.post(f"{server.origin}/say", params={"body": "of the bot"}, trust_env=False).raise_for_status()
    for _ in range(2):
        of_bot = dora.page.get_by_role("article").filter(has_text="of the bot")
        of_user = dora.page.get_by_role("article").filter(has_text="of a user")
        expect(of_bot.get_by_text("Bot", exact=True)).to_be_visible()
        expect(of_user).to_be_visible()
        assert of_user.get_by_text("Bot", exact=True).count() == 0
        dora.page.reload()
        dora.is_in()
