"""Links, names and passwords: how people get in and out, in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import OpenWindow
from tests.browser.line import Line
from tests.browser.person import Person
from tests.conftest import MakeServer
from tests.support.server import PASSWORD, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A place as it is after the first start: nobody owns it, and sign-up needs an invite."""
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


def test_the_owner_link_makes_the_owner_and_an_invite_link_brings_in_a_second_person(
    make_server: MakeServer, open_window: OpenWindow
) -> None:
    fresh = make_server(settings={"HUBBUB_SIGNUP": "invite"}).start()
    first = open_window(fresh).open(fresh.setup_link()).sign_up("ada", "Create owner account").is_in()
    assert re.fullmatch(r"http://[^/]+/", first.page.url), "the used link is no longer in the address"
    second = open_window(fresh).open(invite_link(first)).sign_up("ben", "Join").is_in()
    expect(second.page.get_by_role("button", name="Invite people")).to_have_count(0)
    expect(first.log.get_by_text("ben joined")).to_be_visible()


def test_an_invite_link_for_one_person_lets_in_one_person(open_window: OpenWindow, owner: str) -> None:
    link = invite_link(open_window().log_in(owner))
    open_window().open(link).sign_up("first", "Join").is_in()
    late = open_window().open(link)
    expect(late.page.get_by_role("alert")).to_contain_text("This invite was used or revoked")
    late.page.get_by_role("button", name="Log in").click()
    late.is_out()
    assert late.page.url == f"{late.address}/", "a link of no use is no longer in the address"


def test_a_lost_answer_to_signing_up_is_no_lost_account(open_window: OpenWindow, owner: str) -> None:
    late = open_window().open(invite_link(open_window().log_in(owner)))
    late.may_be_offline = True
    answers = "**/api/accounts"

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    late.page.route(answers, lose)
    late.sign_up("lost", "Join")
    expect(late.page.get_by_role("alert")).to_contain_text("Can't reach the server")
    late.page.unroute(answers)
    late.page.get_by_role("button", name="Join").click()
    late.is_in()


def test_a_window_stops_when_somebody_else_logs_in_in_the_same_browser(
    server: Server, open_window: OpenWindow, owner: str
) -> None:
    server.command_line("user", "create", "twin", "--password-stdin", stdin=f"{PASSWORD}\n")
    window = open_window().log_in(owner)
    other = Person(server, window.page.context.new_page()).log_in("twin")
    expect(window.page.get_by_text("Another account is now logged in on this browser")).to_be_visible()
    expect(window.log).to_have_count(0)
    assert not other.complaints()


def test_what_waits_is_never_sent_as_somebody_else(server: Server, open_window: OpenWindow, owner: str) -> None:
    server.command_line("user", "create", "heir", "--password-stdin", stdin=f"{PASSWORD}\n")
    window = open_window()
    window.may_be_offline = True
    with Line(server) as line:
        window.address = line.url
        window.log_in(owner)
        line.cut()
        expect(window.page.get_by_text("Reconnecting")).to_be_visible()
        window.say("in the name of the owner")
        # By another way than a window, of which this one would hear; the cookie is the host's, whatever the port.
        window.page.request.post(f"{server.url}/api/login", data={"username": "heir", "password": PASSWORD})
        line.mend()
        expect(window.page.get_by_text("Another account is now logged in on this browser")).to_be_visible()
    assert "in the name of the owner" not in open_window().log_in(owner).texts()


def test_a_wrong_password_is_answered_with_a_sentence(open_window: OpenWindow, owner: str) -> None:
    window = open_window().open()
    window.sign_in(owner, "not the password")
    expect(window.page.get_by_role("alert")).to_be_visible()
    assert "password" in (window.page.get_by_role("alert").text_content() or "").lower()
    window.sign_in(owner)
    window.is_in()


def test_a_name_that_is_taken_is_answered_with_a_sentence(open_window: OpenWindow, owner: str) -> None:
    link = invite_link(open_window().log_in(owner))
    window = open_window().open(link).sign_up(owner, "Join")
    expect(window.page.get_by_role("alert")).to_contain_text("has that name")


def test_a_session_ended_from_another_window_is_back_at_the_login(open_window: OpenWindow, owner: str) -> None:
    ended = open_window().log_in(owner)
    keeps = open_window().log_in(owner)
    dialog = keeps.open_account()
    expect(dialog.get_by_text("this session")).to_be_visible()
    while dialog.get_by_role("button", name="End session", exact=True).count():
        before = dialog.get_by_role("listitem").count()
        dialog.get_by_role("button", name="End session", exact=True).first.click()
        expect(dialog.get_by_role("listitem")).to_have_count(before - 1)
    ended.is_out()
    expect(ended.page.get_by_role("status")).to_contain_text("session")
    keeps.page.keyboard.press("Escape")
    keeps.say("still here")
    keeps.sees("still here")


def test_logging_out_ends_at_the_login_and_leaves_no_way_back(open_window: OpenWindow, owner: str) -> None:
    window = open_window().log_in(owner)
    window.open_account().get_by_role("button", name="Log out").click()
    window.is_out()
    window.open().is_out()


def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(open_window: OpenWindow, owner: str) -> None:
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


def test_a_deleted_account_is_gone(open_window: OpenWindow, owner: str) -> None:
    link = invite_link(open_window().log_in(owner))
    window = open_window().open(link).sign_up("emil", "Join").is_in()
    dialog = window.open_account()
    dialog.locator("summary", has_text="Delete account").click()
    dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    dialog.get_by_role("button", name="Delete my account permanently").click()
    window.is_out()
    window.sign_in("emil")
    expect(window.page.get_by_role("alert")).to_be_visible()


def test_the_page_forbids_everything_that_is_not_its_own(open_window: OpenWindow) -> None:
    window = open_window()
    answer = window.page.goto(window.server.url)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "require-trusted-types-for 'script'"):
        assert rule in policy
    assert "; trusted-types svelte-trusted-html " in policy
    assert "unsafe" not in policy


def test_a_breach_of_the_policy_would_fail_these_tests(open_window: OpenWindow) -> None:
    window = open_window().open()
    inline = "const style = document.createElement('style'); style.textContent = 'p {}'; document.body.append(style)"
    window.page.evaluate(f"() => {{ {inline} }}")
    with window.page.expect_console_message(lambda message: message.text == "after the breach"):
        window.page.evaluate("() => console.log('after the breach')")
    assert any("Content Security Policy" in line for line in window.complaints())
    window.forgive()
