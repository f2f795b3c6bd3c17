"""Search in the browser: messages, people and rooms, by mouse, by keyboard and on a phone."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser import axe
from tests.browser.archive import Archive
from tests.browser.conftest import OpenWindow
from tests.browser.cuttable_proxy import CuttableProxy
from tests.browser.messages import World
from tests.browser.person import Person
from tests.browser.rooms import make, menu
from tests.support.server import Account, Server
from tests.support.waiting import eventually_blocking

LONG = "\n\n".join(["Words about nothing much, to fill the page."] * 30)


@pytest.fixture(scope="module")
def archive(server: Server, browser: Browser) -> Iterator[Archive]:
    context = browser.new_context()
    yield Archive(server, server.sign_up("writer"), Person(server, context.new_page()).open())
    context.close()


@pytest.fixture
def talk(server: Server) -> World:
    return World(server, server.sign_up("anna"), server.sign_up("bert"))


def panel(person: Person) -> Locator:
    return person.page.get_by_role("complementary", name="Search")


def box(person: Person) -> Locator:
    return person.page.get_by_role("combobox", name="Search messages")


def found(person: Person) -> Locator:
    return panel(person).locator("li a")


def marked(person: Person) -> list[str]:
    return panel(person).locator("mark").all_text_contents()


def wait_for_index(account: Account, query: str, count: int) -> None:
    def is_found() -> bool:
        answer = account.request("GET", "/api/search", params={"q": query})
        return answer.status_code == 200 and len(answer.json()["results"]) == count

    eventually_blocking(is_found, within=30, what=f"{count} messages for {query}", every=0.5)


def indexed(talk: World, query: str, count: int) -> None:
    """Wait until the index has the messages."""
    wait_for_index(talk.ann, query, count)


def search(person: Person, query: str) -> Locator:
    """Open the search, type, and return the results."""
    person.page.keyboard.press("Control+Shift+F")
    expect(box(person)).to_be_focused()
    box(person).press_sequentially(query)
    return found(person)


def test_two_users_find_what_they_may_read_with_the_words_marked(talk: World, open_window: OpenWindow) -> None:
    room, secret = talk.room("search"), make(talk.ann, "secret", kind="private")
    talk.say(talk.ann, room, f"{LONG}\n\nThe **Zebra** crossing is `zebra.sh`, no zebras here\n\n{LONG}")
    talk.say(talk.ann, secret, "a zebra nobody knows")
    talk.say(talk.ben, room, "<b>zebra</b> <script>alert(1)</script> ||hidden zebra||")
    indexed(talk, "zebra", 3)
    anna, bert = open_window().log_in(talk.ann.name), open_window().log_in(talk.ben.name)
    expect(search(anna, "zébra")).to_have_count(3)
    expect(search(bert, "zebra")).to_have_count(2)
    assert marked(bert) == ["zebra", "Zebra", "zebra", "zebras"]
    expect(panel(bert)).to_contain_text("<b>zebra</b> <script>alert(1)</script>")
    expect(panel(bert)).not_to_contain_text("hidden")
    expect(found(bert).last.locator("mark").first).to_be_in_viewport()
    expect(panel(anna).get_by_role("status").first).to_have_text("3 messages")


def test_a_result_far_back_is_opened_in_its_room_and_the_panel_stays_for_the_next(
    archive: Archive, open_window: OpenWindow
) -> None:
    reader = open_window(width=1280).log_in(archive.writer.name).is_in()
    wait_for_index(archive.writer, '"line 40"', 1)
    expect(search(reader, '"line 40"')).to_have_count(1)
    found(reader).click()
    target = reader.log.locator("article", has=reader.page.get_by_text("line 40", exact=True))
    expect(target).to_be_in_viewport()
    expect(target).to_be_focused()
    expect(found(reader)).to_have_attribute("aria-current", "true")
    reader.page.keyboard.press("Control+Shift+F")
    box(reader).fill('"line 350"')
    expect(found(reader)).to_contain_text("line 350")
    found(reader).click()
    expect(reader.log.locator("article", has=reader.page.get_by_text("line 350", exact=True))).to_be_in_viewport()
    expect(panel(reader)).to_be_visible()


def test_a_jump_that_takes_long_leaves_the_focus_in_the_field_where_the_user_types(
    archive: Archive, open_window: OpenWindow
) -> None:
    reader = open_window(width=1280).log_in(archive.writer.name).is_in()
    wait_for_index(archive.writer, '"line 40"', 1)
    expect(search(reader, '"line 40"')).to_have_count(1)
    held: list[Route] = []
    history = re.compile(r"/messages\?.*around")
    reader.page.route(history, lambda route: held.append(route))
    with reader.page.expect_request(history):
        found(reader).click()
    box(reader).click()
    held.pop().continue_()
    expect(reader.log.locator("article", has=reader.page.get_by_text("line 40", exact=True))).to_be_in_viewport()
    expect(box(reader)).to_be_focused()


def test_more_results_follow_on_request(archive: Archive, open_window: OpenWindow) -> None:
    reader = open_window().log_in(archive.writer.name).is_in()
    expect(search(reader, "line")).to_have_count(20)
    panel(reader).get_by_role("button", name="More results").click()
    expect(found(reader)).to_have_count(40)
    assert len(set(found(reader).evaluate_all("(all) => all.map(({ href }) => href)"))) == 40


def test_results_follow_deletions_edits_and_the_loss_of_a_room(talk: World, open_window: OpenWindow) -> None:
    room, other = talk.room("changes"), talk.room("other")
    gone = talk.say(talk.ann, room, "walrus one")
    changed = talk.say(talk.ann, room, "walrus two")
    unlike = talk.say(talk.ann, room, "walrus three")
    talk.say(talk.ann, other, "walrus elsewhere")
    indexed(talk, "walrus", 4)
    bert = open_window().log_in(talk.ben.name)
    expect(search(bert, "walrus")).to_have_count(4)
    talk.delete(talk.ann, room, gone)
    expect(found(bert)).to_have_count(3)
    expect(panel(bert)).not_to_contain_text("walrus one")
    for seq, body in ((changed, "a walrus, once more"), (unlike, "a seal")):
        answer = talk.ann.request("PATCH", f"/api/rooms/{room}/messages/{seq}", json={"body": body})
        assert answer.is_success, answer.text
    expect(found(bert)).to_have_count(2)
    expect(panel(bert)).to_contain_text("a walrus, once more")
    assert talk.ann.request("DELETE", f"/api/rooms/{other}/members/{talk.ben.id}").is_success
    expect(found(bert)).to_have_count(1)
    expect(panel(bert)).not_to_contain_text("walrus elsewhere")


def test_filters_become_chips_by_typing_choosing_and_pressing_and_go_one_by_one(
    talk: World, open_window: OpenWindow
) -> None:
    room = talk.room("chips and fish")
    talk.say(talk.ann, room, "a heron by anna")
    linked = talk.say(talk.ben, room, "a heron at https://example.com/heron")
    indexed(talk, "heron", 2)
    anna = open_window(width=1280).log_in(talk.ann.name)
    page, chips = anna.page, panel(anna).get_by_role("list", name="Filters").get_by_role("listitem")
    expect(search(anna, "heron from:")).to_have_count(2)
    page.keyboard.type(talk.ben.name[1:])  # any part of the name
    page.get_by_role("option", name=talk.ben.name).click()
    expect(chips).to_have_text([f"from:{talk.ben.name}"])
    expect(box(anna)).to_have_value("heron ")
    expect(found(anna)).to_have_count(1)
    page.get_by_role("button", name="Has a link").click()
    expect(chips).to_have_count(2)
    expect(found(anna)).to_have_count(1)
    box(anna).press("Home")
    box(anna).press("Backspace")
    box(anna).press("Backspace")
    expect(chips).to_have_count(0)
    expect(found(anna)).to_have_count(2)
    box(anna).press("End")
    box(anna).press_sequentially("in:fish")
    page.keyboard.press("Enter")
    expect(chips).to_have_text(["in:chips and fish"])
    box(anna).press_sequentially("from:no-such-user ")
    expect(panel(anna)).to_contain_text("There is no one called “no-such-user”")
    page.get_by_role("button", name="Remove filter from no-such-user").click()
    expect(found(anna)).to_have_count(2)
    found(anna).first.click()
    expect(page).to_have_url(re.compile(f"#room/{room}/{linked}$"))


def test_the_room_menu_searches_in_its_room(talk: World, open_window: OpenWindow) -> None:
    talk.room("two words")
    anna = open_window().log_in(talk.ann.name).open_room("two words")
    menu(anna, "Search in this room")
    expect(panel(anna).get_by_role("list", name="Filters")).to_have_text("in:two words")
    expect(box(anna)).to_be_focused()


def test_people_and_rooms_are_in_the_same_results_by_any_part_of_their_names(
    talk: World, open_window: OpenWindow
) -> None:
    make(talk.ann, "Überraschung", kind="public")
    bert = open_window(width=1280).log_in(talk.ben.name)
    search(bert, "RASCH")
    hits = panel(bert).get_by_role("region", name="People and rooms")
    expect(hits.get_by_role("button", name="Überraschung")).to_contain_text("Not joined")
    box(bert).fill(talk.ann.name[2:])
    hits.get_by_role("button", name=talk.ann.name).click()
    expect(bert.page.get_by_role("heading", level=2, name=talk.ann.name)).to_be_visible()
    expect(panel(bert)).to_be_visible()


def test_the_switcher_finds_any_part_of_a_name_and_ends_with_the_search_for_messages(
    talk: World, open_window: OpenWindow
) -> None:
    make(talk.ann, "Kaffeeküche", kind="public")
    talk.say(talk.ann, talk.room("sweets"), "kuche or cake")
    indexed(talk, "kuche", 1)
    bert = open_window().log_in(talk.ben.name)
    page = bert.page
    page.keyboard.press("Control+K")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").press_sequentially("kuche")
    options = dialog.get_by_role("option")
    expect(options).to_have_text([re.compile("Kaffeeküche.*Not joined"), re.compile("Search messages for “kuche”")])
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(box(bert)).to_have_value("kuche")
    expect(box(bert)).to_be_focused()
    expect(found(bert)).to_have_count(1)


def test_no_match_says_so_and_a_failed_search_is_repeated_after_reconnecting(
    talk: World, open_window: OpenWindow
) -> None:
    talk.say(talk.ann, talk.room("tunnel"), "an otter")
    indexed(talk, "otter", 1)
    anna = open_window()
    anna.may_be_offline = True
    with CuttableProxy(talk.server) as proxy:
        anna.address = proxy.url
        anna.log_in(talk.ann.name)
        search(anna, "qwertz")
        expect(panel(anna)).to_contain_text("No messages match “qwertz”")
        proxy.cut()
        expect(anna.page.get_by_text("Reconnecting")).to_be_visible()
        box(anna).fill("otter")
        expect(panel(anna).get_by_role("alert")).to_contain_text("when you're connected again")
        proxy.mend()
        expect(found(anna)).to_have_count(1)
        expect(panel(anna).get_by_role("alert")).to_have_count(0)


def test_the_search_works_by_keyboard_alone_and_returns_the_focus(talk: World, open_window: OpenWindow) -> None:
    room = talk.room("keys")
    first, second = (talk.say(talk.ann, room, f"badger {word}") for word in ("one", "two"))
    indexed(talk, "badger", 2)
    anna = open_window(width=1280).log_in(talk.ann.name).open_room("keys")
    page = anna.page
    anna.composer.focus()
    search(anna, "badger")
    expect(found(anna)).to_have_count(2)
    page.keyboard.press("ArrowDown")
    expect(found(anna).first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"#room/{room}/{first}$"))
    expect(anna.log.locator("article").filter(has_text="badger one")).to_be_focused()
    page.keyboard.press("Control+Shift+F")
    page.keyboard.press("ArrowDown")
    expect(found(anna).last).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"#room/{room}/{second}$"))
    expect(anna.log.locator("article").filter(has_text="badger two")).to_be_focused()
    page.keyboard.press("Control+Shift+F")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("s")
    expect(box(anna)).to_be_focused()
    expect(box(anna)).to_have_value("badgers")
    page.keyboard.press("Escape")
    expect(panel(anna)).to_have_count(0)
    expect(page.locator("body")).not_to_be_focused()
    page.keyboard.press("Control+/")
    expect(page.get_by_role("dialog")).to_contain_text("Search messages, or return to the results")


def test_keys_of_an_input_method_stay_with_it(talk: World, open_window: OpenWindow) -> None:
    anna = open_window().log_in(talk.ann.name)
    search(anna, "from:")
    expect(panel(anna).get_by_role("option").first).to_be_visible()
    press = "(field, key) => field.dispatchEvent(new KeyboardEvent('keydown', { key, keyCode: 229, bubbles: true }))"
    for key in ("Enter", "Escape"):
        box(anna).evaluate(press, key)
    expect(box(anna)).to_have_value("from:")
    expect(panel(anna)).to_be_visible()


def test_on_a_phone_the_search_covers_the_room_and_steps_aside_for_a_result(
    talk: World, open_window: OpenWindow
) -> None:
    room = talk.room("phone")
    for word in ("one", "two"):
        talk.say(talk.ann, room, f"lynx {word}")
    indexed(talk, "lynx", 2)
    anna = open_window().log_in(talk.ann.name).open_room("phone")
    page = anna.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Search messages").last.click()
    assert panel(anna).bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
    box(anna).press_sequentially("lynx")
    expect(found(anna)).to_have_count(2)
    axe.check(page)
    found(anna).last.click()
    expect(panel(anna)).to_be_hidden()
    expect(anna.log.locator("article").filter(has_text="lynx one")).to_be_in_viewport()
    page.get_by_role("button", name="Search results").click()
    expect(found(anna)).to_have_count(2)
    page.get_by_role("button", name="Back", exact=True).click()
    expect(panel(anna)).to_have_count(0)
    expect(anna.composer).to_be_visible()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_search_has_no_axe_violations(talk: World, open_window: OpenWindow, colours: str) -> None:
    body = "a `wombat` at https://example.com/wombat\n\n> a **wombat**\n\n- wombat"
    talk.say(talk.ann, talk.room(f"axe {colours}"), body)
    indexed(talk, "wombat", 1)
    anna = open_window(width=1280).log_in(talk.ann.name)
    page: Page = anna.page
    page.emulate_media(reduced_motion="reduce", color_scheme="dark" if colours == "dark" else "light")
    page.keyboard.press("Control+Shift+F")
    expect(box(anna)).to_be_focused()
    axe.check(page)
    box(anna).press_sequentially("wombat")
    expect(found(anna)).to_have_count(1)
    found(anna).focus()
    axe.check(page)
    box(anna).fill("wombat from:")
    expect(panel(anna).get_by_role("option").first).to_be_visible()
    axe.check(page)
    box(anna).press_sequentially("no-such-user in:nowhere mentions:me ")
    expect(panel(anna)).to_contain_text("You're not in a room called “nowhere”")
    axe.check(page)
    box(anna).fill("")
    page.get_by_role("button", name="Clear search").click()
    page.set_viewport_size({"width": 320, "height": 640})
    box(anna).fill("wom from:x")
    axe.check(page)
    wide = page.evaluate("document.scrollingElement.scrollWidth")
    assert wide <= 320, f"{wide} px wide"
