"""Typing goes to the composer, wherever a click left the focus.

Other keys keep their meaning.
"""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.messages import World, focused, go_to, menu, message
from tests.browser.person import Person
from tests.support.server import Server


@pytest.fixture
def world(server: Server) -> World:
    return World(server, server.sign_up("ann"), server.sign_up("ben"))


@pytest.fixture
def ann(world: World, open_window: OpenWindow) -> Person:
    """Ann in her room, with a message of Ben's and one of hers."""
    name = f"Den of {world.ann.name}"
    room = world.room(name)
    world.say(world.ben, room, "first of all")
    world.say(world.ann, room, "my own words")
    return open_window().log_in(world.ann.name).open_room(name)


def into_the_timeline(ann: Person) -> None:
    ann.log.click(position={"x": 300, "y": 8})


def onto_a_message(ann: Person) -> None:
    message(ann, "my own words").click()
    expect(focused(ann)).to_contain_text("my own words")


def room_menu(ann: Person) -> None:
    ann.page.get_by_role("button", name="Room menu").click()
    ann.page.get_by_role("menuitem", name="Add to favourites").click()


def room_menu_closed_by_a_click(ann: Person) -> None:
    ann.page.get_by_role("button", name="Room menu").click()
    expect(ann.page.get_by_role("menuitem", name="Mute", exact=True)).to_be_visible()
    ann.log.click(position={"x": 300, "y": 8})


def room_menu_closed_by_escape(ann: Person) -> None:
    ann.page.get_by_role("button", name="Room menu").click()
    expect(ann.page.get_by_role("menuitem", name="Mute", exact=True)).to_be_visible()
    ann.page.keyboard.press("Escape")


def message_menu(ann: Person) -> None:
    message(ann, "my own words").click(button="right")
    menu(ann).get_by_role("menuitem", name="Pin").click()


def list_of_people(ann: Person) -> None:
    ann.page.get_by_role("button", name="People, 2").click()


def same_room_again(ann: Person) -> None:
    ann.room("Den of").click()


CLICKS: dict[str, Callable[[Person], None]] = {
    click.__name__: click
    for click in (
        into_the_timeline,
        onto_a_message,
        room_menu,
        room_menu_closed_by_a_click,
        room_menu_closed_by_escape,
        message_menu,
        list_of_people,
        same_room_again,
    )
}


def test_text_typed_after_a_click_arrives_in_the_composer(ann: Person) -> None:
    for where, click in CLICKS.items():
        ann.composer.fill("")
        click(ann)
        expect(ann.page.get_by_role("menu"), where).to_have_count(0)
        ann.page.keyboard.type("really? Ja, ürgendwie ☕")
        expect(ann.composer, where).to_have_value("really? Ja, ürgendwie ☕")
        expect(ann.composer, where).to_be_focused()
        expect(ann.page.get_by_role("dialog"), where).to_have_count(0)


def test_space_typed_after_a_room_menu_was_used_by_mouse_arrives_in_the_composer(ann: Person) -> None:
    ann.composer.fill("half")
    room_menu(ann)
    ann.page.keyboard.type(" and half")
    expect(ann.composer).to_have_value("half and half")


def test_text_typed_after_a_click_goes_on_where_the_caret_was(ann: Person) -> None:
    ann.composer.fill("one three")
    for _ in range(5):
        ann.composer.press("ArrowLeft")
    into_the_timeline(ann)
    ann.page.keyboard.type("two ")
    expect(ann.composer).to_have_value("one two three")


def test_text_pasted_after_a_click_arrives_in_the_composer(ann: Person) -> None:
    ann.composer.fill("copied")
    ann.composer.press("ControlOrMeta+a")
    ann.composer.press("ControlOrMeta+x")
    into_the_timeline(ann)
    expect(ann.composer).not_to_be_focused()
    ann.page.keyboard.press("ControlOrMeta+v")
    expect(ann.composer).to_have_value("copied")
    expect(ann.composer).to_be_focused()


def test_letters_act_on_a_message_that_was_reached_by_keyboard(ann: Person) -> None:
    go_to(ann, "first of all")
    ann.page.keyboard.press("x")
    expect(focused(ann)).to_have_count(1)
    expect(ann.composer).to_have_value("")
    ann.page.keyboard.press("r")
    expect(ann.page.get_by_text("Replying to")).to_be_visible()
    expect(ann.composer).to_have_value("")


def test_letters_act_again_once_arrows_have_moved_from_a_clicked_message(ann: Person) -> None:
    onto_a_message(ann)
    ann.page.keyboard.press("ArrowUp")
    expect(focused(ann)).to_contain_text("first of all")
    ann.page.keyboard.press("r")
    expect(ann.page.get_by_text("Replying to")).to_be_visible()
    expect(ann.composer).to_have_value("")


def test_letters_in_an_open_menu_choose_its_items(ann: Person) -> None:
    ann.page.get_by_role("button", name="Room menu").click()
    ann.page.wait_for_function("() => document.activeElement.closest('[role=menu]') !== null")
    ann.page.keyboard.press("m")
    expect(ann.page.get_by_role("menuitem", name="Mute", exact=True)).to_be_focused()
    ann.page.keyboard.press("Escape")
    message(ann, "first of all").click(button="right")
    ann.page.wait_for_function("() => document.activeElement.closest('[role=menu]') !== null")
    ann.page.keyboard.press("r")
    expect(ann.page.get_by_text("Replying to")).to_be_visible()
    expect(ann.composer).to_have_value("")


def test_letters_in_another_field_and_in_a_dialog_stay_there(ann: Person) -> None:
    ann.page.get_by_role("button", name="New room").click()
    ann.page.get_by_label("Name").press_sequentially("Attic")
    expect(ann.page.get_by_label("Name")).to_have_value("Attic")
    ann.page.get_by_role("button", name="Close").focus()
    ann.page.keyboard.type("abc")
    ann.page.keyboard.press("Escape")
    expect(ann.composer).to_have_value("")


KEYS = ("ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", "Space", "Escape", "F2", "Control+b", "Alt+b")


def test_keys_that_type_nothing_leave_the_focus_where_it_is(ann: Person) -> None:
    for key in KEYS:
        ann.page.get_by_role("button", name="People, 2").focus()
        ann.page.keyboard.press(key)
        assert ann.composer.evaluate("(composer) => document.activeElement !== composer"), key
        expect(ann.composer).to_have_value("")


DISPATCH = """(init) => {
    document.body.tabIndex = -1;
    document.activeElement.blur();
    const event = new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init });
    document.body.dispatchEvent(event);
    return document.activeElement.id;
}"""


METHODS: list[tuple[dict[str, object], bool]] = [
    ({"key": "Dead"}, True),
    ({"key": "ä"}, True),
    ({"key": "@", "ctrlKey": True, "altKey": True, "modifierAltGraph": True}, True),
    ({"key": "@", "ctrlKey": True, "altKey": True}, False),
    ({"key": "か", "isComposing": True}, False),
    ({"key": "a", "keyCode": 229}, False),
    ({"key": "Shift"}, False),
    ({"key": "a", "metaKey": True}, False),
]


def test_keys_of_input_methods_keep_the_focus_and_dead_keys_move_it_first(ann: Person) -> None:
    for init, goes in METHODS:
        assert (ann.page.evaluate(DISPATCH, init) == "composer") is goes, init


def test_typing_in_an_archived_room_goes_nowhere(ann: Person, world: World) -> None:
    room = next(r["id"] for r in world.ann.get("/api/rooms", limit=100)["rooms"] if r["name"] == f"Den of {ann.name}")
    assert world.ann.request("POST", f"/api/rooms/{room}/archive").is_success
    expect(ann.page.get_by_text("This room is archived")).to_be_visible()
    into_the_timeline(ann)
    ann.page.keyboard.type("abc")
    expect(ann.composer).to_have_count(0)
