"""What a user has chosen in one room holds in the others, and after a reload."""

from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.rooms import make
from tests.support.server import Server


def test_the_list_of_people_stays_closed_and_the_last_room_opens_again(server: Server, open_window: OpenWindow) -> None:
    first, second = server.sign_up("ann"), server.sign_up("bob")
    names = [f"{place} of {first.name}" for place in ("Attic", "Barn")]
    for name in names:
        make(first, name)
    direct = make(first, "", kind="direct", members=[second.id])
    ann = open_window().log_in(first.name).open_room(names[0])
    people = ann.page.get_by_role("complementary", name="People")
    expect(people).to_be_visible()
    ann.open(f"/#room/{direct}").is_in()
    expect(ann.page.get_by_role("button", name="People")).to_be_visible()
    expect(people).to_have_count(0)
    ann.open_room(names[0])
    expect(people).to_be_visible()
    people.get_by_role("button", name="Hide people").click()
    expect(people).to_have_count(0)
    ann.open_room(names[1])
    expect(people).to_have_count(0)
    ann.open("/").is_in()
    expect(ann.page.get_by_role("heading", level=2, name=names[1])).to_be_visible()
    expect(people).to_have_count(0)
    ann.page.get_by_role("button", name="People").click()
    expect(people).to_be_visible()
    ann.open_room(names[0])
    expect(people).to_be_visible()


def test_an_invite_link_that_i_used_up_opens_its_room_again(server: Server, open_window: OpenWindow) -> None:
    first, second = server.sign_up("ann"), server.sign_up("bob")
    name = f"Cellar of {first.name}"
    room = make(first, name, kind="private")
    made = first.request("POST", "/api/invites", json={"room": room, "max_uses": 1}).json()
    bob = open_window().log_in(second.name)
    opened = bob.page.get_by_role("heading", level=2, name=name)
    bob.open(made["link"])
    bob.page.get_by_role("button", name="Join").click()
    expect(opened).to_be_visible()
    bob.open_room("Lobby")
    expect(opened).to_have_count(0)
    bob.open("/").open(made["link"])
    expect(opened).to_be_visible()
    expect(bob.page.get_by_role("dialog")).to_have_count(0)


def test_today_becomes_yesterday_at_midnight_in_a_quiet_room(server: Server, open_window: OpenWindow) -> None:
    first = server.sign_up("ann")
    room = make(first, f"Night of {first.name}")
    ann = open_window()
    ann.page.clock.install()
    ann.log_in(first.name).open(f"/?night#room/{room}").is_in()
    day = ann.log.locator("p[role=separator]")
    expect(day).to_have_text("Today")
    ann.page.clock.fast_forward(24 * 60 * 60 * 1_000)
    expect(day).to_have_text("Yesterday")
