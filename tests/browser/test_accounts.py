"""Setup links, invites, sign-up, passwords, log-in and log-out in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import OpenWindow
from tests.browser.cuttable_proxy import CuttableProxy
from tests.browser.person import Person
from tests.conftest import MakeServer
from tests.support.server import PASSWORD, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as after its first start: it has no owner, and sign-up needs an invite."""
    with Server(tmp_path_factory.mktemp("arriving") / "data", {"HUBBUB_SIGNUP": "invite"}) as running:
        yield running


@pytest.fixture(scope="module")
def owner(server: Server) -> str:
    return server.create_owner("olga").name


def invite_link(window: Person) -> str:
    window.page.get_by_role("button", name="Invite people").click()
    window.page.get_by_role("button", name="Create and copy link").click()
    link = window.page.get_by_label("Invite link (shown only once)").input_value()
    expect(window.page.get_by_text("Works for one person, until")).to_be_visible()
    window.page.keyboard.press("Escape")
    return link


def test_the_setup_link_creates_the_owner_and_an_invite_lets_a_second_user_sign_up(
    make_server: MakeServer, open_window: OpenWindow
) -> None:
    fresh = make_server(settings={"HUBBUB_SIGNUP": "invite"}).start()
    first = open_window(fresh).open(fresh.setup_link()).sign_up("ada", "Create owner account").is_in()
    assert re.fullmatch(r"http://[^/]+/", first.page.url), "the used link is no longer in the address"
    second = open_window(fresh).open(invite_link(first)).sign_up("ben", "Join").is_in()
    expect(second.page.get_by_role("button", name="Invite people")).to_have_count(0)
    expect(first.log.get_by_text("ben joined")).to_be_visible()


def test_an_invite_for_one_person_works_once(open_window: OpenWindow, owner: str) -> None:
    link = invite_link(open_window().log_in(owner))
    open_window().open(link).sign_up("first", "Join").is_in()
    late = open_window().open(link)
    expect(late.page.get_by_role("alert")).to_contain_text("This invite was used or revoked")
    late.page.get_by_role("button", name="Log in").click()
    late.is_out()
    assert late.page.url == f"{late.address}/", "an invalid link is removed from the address"


def test_sign_up_can_be_retried_when_its_answer_was_lost(open_window: OpenWindow, owner: str) -> None:
    late = open_window().open(invite_link(open_window().log_in(owner)))
    late.may_be_offline = True
    answers = "**/api/users"

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    late.page.route(answers, lose)
    late.sign_up("lost", "Join")
    expect(late.page.get_by_role("alert")).to_contain_text("Can't reach the server")
    late.page.unroute(answers)
    late.page.get_by_role("button", name="Join").click()
    late.is_in()


def test_a_window_stops_when_another_user_logs_in_in_the_same_browser(
    server: Server, open_window: OpenWindow, owner: str
) -> None:
    server.command_line("user", "create", "twin", "--password-stdin", stdin=f"{PASSWORD}\n")
    window = open_window().log_in(owner)
    other = Person(server, window.page.context.new_page()).log_in("twin")
    expect(window.page.get_by_text("Another account is now logged in on this browser")).to_be_visible()
    expect(window.log).to_have_count(0)
    # The page may give up a WebSocket that it had begun to open; Chromium logs that.
    assert not [text for text in other.complaints() if "WebSocket" not in text]


def test_unsent_messages_are_never_sent_as_another_user(server: Server, open_window: OpenWindow, owner: str) -> None:
    server.command_line("user", "create", "heir", "--password-stdin", stdin=f"{PASSWORD}\n")
    window = open_window()
    window.may_be_offline = True
    with CuttableProxy(server) as proxy:
        window.address = proxy.url
        window.log_in(owner)
        proxy.cut()
        expect(window.page.get_by_text("Reconnecting")).to_be_visible()
        window.say("in the name of the owner")
        # Not by another window, which this one would notice. The cookie belongs to the host,
        # whatever the port.
        answer = window.page.request.post(f"{server.url}/api/login", data={"username": "heir", "password": PASSWORD})
        assert answer.ok, answer.text()
        proxy.mend()
        told = window.page.get_by_text("Another account is now logged in on this browser")
        # A file of the page may have been asked for while it was offline: then the page offers to load again.
        reload = window.page.get_by_role("button", name="Reload page")
        expect(told.or_(reload).first).to_be_visible()
        if reload.is_visible():
            reload.click()
            expect(window.composer.or_(window.page.get_by_role("button", name="Log in")).first).to_be_visible()
    assert "in the name of the owner" not in open_window().log_in(owner).texts()


def test_a_wrong_password_shows_an_error(open_window: OpenWindow, owner: str) -> None:
    window = open_window().open()
    window.sign_in(owner, "not the password")
    expect(window.page.get_by_role("alert")).to_be_visible()
    assert "password" in (window.page.get_by_role("alert").text_content() or "").lower()
    window.sign_in(owner)
    window.is_in()


def test_a_taken_name_shows_an_error(open_window: OpenWindow, owner: str) -> None:
    link = invite_link(open_window().log_in(owner))
    window = open_window().open(link).sign_up(owner, "Join")
    expect(window.page.get_by_role("alert")).to_contain_text("already taken")


def test_a_session_ended_from_another_window_returns_to_the_log_in(open_window: OpenWindow, owner: str) -> None:
    ended = open_window().log_in(owner)
    keeps = open_window().log_in(owner)
    dialog = keeps.open_account()
    expect(dialog.get_by_text("this session")).to_be_visible()
    while dialog.get_by_role("button", name="End session", exact=True).count():
        before = dialog.get_by_role("listitem").count()
        dialog.get_by_role("button", name="End session", exact=True).first.click()
        expect(dialog.get_by_role("listitem")).to_have_count(before - 1)
    ended.is_out()
    expect(ended.page.get_by_role("status")).to_contain_text("You were logged out")
    keeps.page.keyboard.press("Escape")
    keeps.say("still here")
    keeps.sees("still here")


def test_after_logging_out_reopening_the_page_shows_the_log_in(open_window: OpenWindow, owner: str) -> None:
    window = open_window().log_in(owner)
    window.open_account().get_by_role("button", name="Log out").click()
    window.is_out()
    window.open().is_out()


def test_changing_the_password_ends_other_sessions_and_keeps_this_one(open_window: OpenWindow, owner: str) -> None:
    link = invite_link(open_window().log_in(owner))
    here = open_window().open(link).sign_up("carla", "Join").is_in()
    there = open_window().log_in("carla")
    dialog = here.open_account()
    dialog.locator("summary", has_text="Change password").click()
    dialog.get_by_label("Current password").fill(PASSWORD)
    dialog.get_by_label("New password").fill(PASSWORD + " 2")
    dialog.get_by_role("button", name="Change password").click()
    expect(dialog.get_by_text("You were logged out everywhere else")).to_be_visible()
    there.is_out()
    here.page.keyboard.press("Escape")
    here.say("same person, new password")
    here.sees("same person, new password")
    there.sign_in("carla", PASSWORD + " 2")
    there.is_in()


def test_a_reset_link_sets_a_new_password(open_window: OpenWindow, owner: str) -> None:
    link = invite_link(open_window().log_in(owner))
    open_window().open(link).sign_up("dora", "Join").is_in()
    printed = server_link(open_window().server, "user", "reset-link", "dora")
    window = open_window().open(printed)
    window.page.get_by_label("New password").fill("a new password for dora")
    window.page.get_by_role("button", name="Set password").click()
    window.page.get_by_role("button", name="Log in").click()
    window.sign_in("dora", "a new password for dora")
    window.is_in()


def server_link(server: Server, *command: str) -> str:
    found = re.search(r"http://\S+#\S+", server.command_line(*command))
    assert found
    return found.group()


def test_a_deleted_account_cannot_log_in(open_window: OpenWindow, owner: str) -> None:
    link = invite_link(open_window().log_in(owner))
    window = open_window().open(link).sign_up("emil", "Join").is_in()
    dialog = window.open_account()
    dialog.locator("summary", has_text="Delete account").click()
    dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    dialog.get_by_role("button", name="Delete my account permanently").click()
    window.is_out()
    window.sign_in("emil")
    expect(window.page.get_by_role("alert")).to_be_visible()


def test_the_content_security_policy_allows_only_the_pages_own_resources(open_window: OpenWindow) -> None:
    window = open_window()
    answer = window.page.goto(window.server.url)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "require-trusted-types-for 'script'"):
        assert rule in policy
    assert "; trusted-types svelte-trusted-html " in policy
    assert "unsafe" not in policy


def test_control_a_policy_violation_fails_the_test(open_window: OpenWindow) -> None:
    window = open_window().open()
    inline = "const style = document.createElement('style'); style.textContent = 'p {}'; document.body.append(style)"
    window.page.evaluate(f"() => {{ {inline} }}")
    with window.page.expect_console_message(lambda message: message.text == "after the breach"):
        window.page.evaluate("() => console.log('after the breach')")
    assert any("Content Security Policy" in line for line in window.complaints())
    window.forgive()
