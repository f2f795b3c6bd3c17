"""Touch screens: no key for a new line beside Enter, no hover, and iPhones that zoom into small fields."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import NO_SERVICE_WORKER, assert_quiet
from tests.browser.messages import message
from tests.browser.person import Person
from tests.support.server import Server


@pytest.fixture
def phone(browser: Browser, server: Server) -> Iterator[Person]:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, locale="en-GB"
    )
    context.add_init_script(NO_SERVICE_WORKER)
    person = Person(server, context.new_page())
    yield person
    context.close()
    assert_quiet([person])


def test_enter_begins_a_line_fields_are_large_and_touched_messages_are_not_highlighted(
    phone: Person, server: Server
) -> None:
    ann = server.sign_up("ann")
    room = ann.create_room(f"Pocket of {ann.name}")
    phone.open(f"/#room/{room}").sign_in(ann.name)
    phone.is_in()
    assert phone.page.evaluate("matchMedia('(pointer: coarse)').matches")  # Otherwise this shows nothing.
    phone.composer.tap()
    phone.page.keyboard.type("one")
    phone.page.keyboard.press("Enter")
    phone.page.keyboard.type("two")
    expect(phone.composer).to_have_value("one\ntwo")
    expect(phone.composer).to_have_attribute("enterkeyhint", "enter")
    assert phone.composer.evaluate("field => parseFloat(getComputedStyle(field).fontSize)") >= 16
    phone.page.get_by_role("button", name="Send").tap()
    phone.sees("one two")
    expect(phone.composer).to_have_value("")
    line = message(phone, "one two")
    before = line.evaluate("element => getComputedStyle(element).backgroundColor")
    line.tap()
    assert line.evaluate("element => element.matches(':hover')")
    assert line.evaluate("element => getComputedStyle(element).backgroundColor") == before


def test_a_pasted_picture_gets_a_sentence_until_the_user_types(phone: Person, server: Server) -> None:
    ann = server.sign_up("ann")
    room = ann.create_room(f"Gallery of {ann.name}")
    phone.open(f"/#room/{room}").sign_in(ann.name)
    phone.is_in()
    phone.composer.evaluate(
        """field => {
            const data = new DataTransfer();
            data.items.add(new File(["x"], "cat.png", { type: "image/png" }));
            field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }"""
    )
    sentence = phone.page.get_by_text("Messages can't have files or pictures.")
    expect(sentence).to_be_visible()
    phone.composer.tap()
    phone.page.keyboard.type("a")
    expect(sentence).to_have_count(0)
