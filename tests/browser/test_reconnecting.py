"""The server is killed or the network fails.

Windows reconnect, and no message is lost or doubled.
"""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.cuttable_proxy import CuttableProxy
from tests.conftest import MakeServer
from tests.support.server import Server


@pytest.fixture
def own_server(make_server: MakeServer) -> Server:
    return make_server().start()


def test_after_a_kill_both_windows_reconnect_with_the_full_history(own_server: Server, open_window: OpenWindow) -> None:
    names = [own_server.sign_up("ann").name, own_server.sign_up("bob").name]
    ann, bob = [open_window(own_server).log_in(name) for name in names]
    for person in (ann, bob):
        person.may_be_offline = True
    ann.say("before the fall")
    bob.sees("before the fall")

    own_server.kill()
    for person in (ann, bob):
        expect(person.page.get_by_role("status").filter(has_text="Reconnecting")).to_be_visible()
    bob.say("written in the dark")
    expect(bob.pending()).to_contain_text("Waiting for a connection")
    bob.say("and one more")

    own_server.start()
    for person in (ann, bob):
        person.sees("written in the dark")
        person.sees("and one more")
        person.sees("before the fall")
        assert person.texts()[-3:] == ["before the fall", "written in the dark", "and one more"]
        expect(person.pending()).to_have_count(0)
        expect(person.page.get_by_text("Reconnecting")).to_have_count(0)
    late = open_window(own_server).log_in(names[0])
    late.sees("before the fall")
    late.sees("written in the dark")


def test_a_disconnected_window_catches_up_and_sends_its_message_once(server: Server, open_window: OpenWindow) -> None:
    ann = open_window().log_in(server.sign_up("ann").name)
    bob = open_window()
    bob.may_be_offline = True
    with CuttableProxy(server) as proxy:
        bob.address = proxy.url
        bob.log_in(server.sign_up("bob").name)
        proxy.cut()
        expect(bob.page.get_by_text("Reconnecting")).to_be_visible()
        for number in range(3):
            ann.say(f"missed {number} by {bob.name}")
            ann.sees(f"missed {number} by {bob.name}")
        bob.say(f"{bob.name} from the tunnel")
        expect(bob.pending()).to_have_count(1)
        proxy.mend()
        for person in (ann, bob):
            person.sees(f"{bob.name} from the tunnel")
            for number in range(3):
                person.sees(f"missed {number} by {bob.name}")
        assert ann.texts()[-4:] == bob.texts()[-4:]


def test_a_line_that_does_not_answer_is_being_checked_until_it_answers_or_is_given_up(
    server: Server, open_window: OpenWindow
) -> None:
    window = open_window()
    window.may_be_offline = True
    with CuttableProxy(server) as proxy:
        window.address = proxy.url
        window.log_in(server.sign_up("ann").name).say("before")
        window.sees("before")
        checking = window.page.get_by_role("status").filter(has_text="Checking the connection")
        wakes = "dispatchEvent(new Event('online'))"
        window.page.evaluate(wakes)
        proxy.freeze()
        window.page.evaluate(wakes)
        expect(checking).to_be_visible()
        proxy.mend()
        expect(checking).to_have_count(0)
        window.say("after")
        window.sees("after")
        proxy.freeze()
        window.page.evaluate(wakes)
        expect(checking).to_be_visible()
        expect(window.page.get_by_role("status").filter(has_text="Last updated")).to_be_visible(timeout=30_000)
        expect(checking).to_have_count(0)


def test_the_now_button_reconnects_immediately(server: Server, open_window: OpenWindow) -> None:
    window = open_window()
    window.may_be_offline = True
    with CuttableProxy(server) as proxy:
        window.address = proxy.url
        window.page.clock.install()
        window.log_in(server.sign_up("ann").name)
        # The clock stands still: by itself the window would wait for ever.
        window.page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=5))
        proxy.cut()
        now = window.page.get_by_role("button", name="Reconnect now")
        expect(now).to_be_visible()
        proxy.mend()
        now.click()
        expect(now).to_have_count(0)
        window.page.clock.resume()
        window.say("back at once")
        window.sees("back at once")


def test_an_unsent_message_survives_a_reload(own_server: Server, open_window: OpenWindow) -> None:
    window = open_window(own_server).log_in(own_server.sign_up("ann").name)
    window.may_be_offline = True
    own_server.kill()
    expect(window.page.get_by_text("Reconnecting")).to_be_visible()
    window.say("hold on to this")
    expect(window.pending()).to_have_count(1)
    own_server.start()
    window.page.reload()
    window.is_in().sees("hold on to this")


def test_an_unsent_message_can_be_discarded(own_server: Server, open_window: OpenWindow) -> None:
    window = open_window(own_server).log_in(own_server.sign_up("ann").name)
    window.may_be_offline = True
    own_server.kill()
    expect(window.page.get_by_text("Reconnecting")).to_be_visible()
    window.say("on second thought")
    window.pending().get_by_role("button", name="Discard").click()
    expect(window.pending()).to_have_count(0)
    own_server.start()
    expect(window.page.get_by_text("Reconnecting")).to_have_count(0, timeout=30_000)
    window.say("something better")
    window.sees("something better")
    assert "on second thought" not in window.texts()
