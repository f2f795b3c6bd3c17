"""Staff changes the settings of the site in the browser; other windows follow."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.keyboard import Keyboard
from tests.browser.person import Person
from tests.support.server import Account, Server


@pytest.fixture(scope="module")
def owner(server: Server) -> Account:
    return server.create_owner()


@pytest.fixture
def defaults(owner: Account) -> Iterator[None]:
    """Unset everything after the test."""
    yield
    for name in ("name", "guests", "retention_days"):
        assert owner.request("DELETE", f"/api/settings/{name}").is_success


pytestmark = pytest.mark.usefixtures("defaults")


def stored(owner: Account) -> dict[str, object]:
    return {each["setting"]: each["value"] for each in owner.get("/api/settings")["settings"]}


def is_called(person: Person, name: str) -> None:
    """Expect this name of the site in the title and in all headings, also those for screen readers."""
    expect(person.page).to_have_title(re.compile(re.escape(name)))
    expect(person.page.locator("h1").first).to_have_text(name)
    expect(person.page.locator("h1").filter(has_not_text=name)).to_have_count(0)


def open_settings(person: Person) -> Locator:
    person.page.get_by_role("button", name="Site settings").click()
    dialog = person.page.get_by_role("dialog", name="Site settings")
    expect(dialog.get_by_label("Name")).to_be_visible()
    return dialog


def test_a_new_name_shows_in_all_windows_at_once_and_on_the_log_in_page(
    server: Server, open_window: OpenWindow, owner: Account
) -> None:
    window, other = open_window().log_in(owner.name), open_window().log_in(server.sign_up("ann").name)
    is_called(other, "Hubbub")
    expect(other.page.get_by_role("button", name="Site settings")).to_have_count(0)
    dialog = open_settings(window)
    dialog.get_by_label("Name").fill("The Lounge")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("Saved.")).to_be_visible()
    for each in (window, other):
        is_called(each, "The Lounge")
    other.page.reload()
    is_called(other.is_in(), "The Lounge")
    stranger = open_window().open()
    expect(stranger.page.get_by_role("heading", name="The Lounge")).to_be_visible()
    assert stranger.page.title() == "The Lounge"

    dialog.get_by_role("button", name="Use the default").click()
    expect(dialog.get_by_label("Name")).to_have_value("Hubbub")
    expect(dialog.get_by_label("Name")).to_be_focused()
    is_called(other, "Hubbub")


def test_a_user_who_logs_out_sees_the_new_name(server: Server, open_window: OpenWindow, owner: Account) -> None:
    ann = open_window().log_in(server.sign_up("ann").name)
    owner.request("PUT", "/api/settings/name", json={"value": "The Shed"})
    is_called(ann, "The Shed")
    ann.open_account().get_by_role("button", name="Log out").click()
    expect(ann.is_out().page.get_by_role("heading", name="The Shed")).to_be_visible()


def test_a_fixed_setting_is_shown_with_what_fixes_it_and_cannot_be_changed(
    open_window: OpenWindow, owner: Account
) -> None:
    dialog = open_settings(open_window().log_in(owner.name))
    signup = dialog.get_by_role("group", name="Sign-up")
    expect(signup.get_by_role("radio", name="Open")).to_be_checked()
    expect(signup.get_by_role("radio", name="Closed")).to_be_disabled()
    expect(dialog.get_by_text("Fixed by the variable HUBBUB_SIGNUP.")).to_be_visible()
    expect(dialog.get_by_label("Name")).to_be_enabled()


def test_wrong_values_are_told_at_their_fields_and_the_others_are_saved(
    open_window: OpenWindow, owner: Account
) -> None:
    dialog = open_settings(open_window().log_in(owner.name))
    days = dialog.get_by_label("Keep events (days)")
    dialog.get_by_label("Name").fill("Turned \u202e name")  # only the server refuses it
    days.fill("0")
    dialog.get_by_role("switch", name="Guests").check()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_label("Name")).to_be_focused()
    expect(dialog.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_text("Must not contain characters that change the direction")).to_be_visible()
    expect(dialog.get_by_text("Enter a whole number from 1 to 36500.")).to_be_visible()
    expect(days).to_have_value("0")
    assert stored(owner) | {"name": "Hubbub", "guests": True, "retention_days": 30} == stored(owner)
    dialog.get_by_label("Name").fill("Turned")
    days.fill("60")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("Saved.")).to_be_visible()
    expect(dialog.locator("[aria-invalid]")).to_have_count(0)
    assert stored(owner) | {"name": "Turned", "guests": True, "retention_days": 60} == stored(owner)


def test_what_another_admin_has_changed_meanwhile_is_not_overwritten(open_window: OpenWindow, owner: Account) -> None:
    dialog = open_settings(open_window().log_in(owner.name))
    owner.request("PUT", "/api/settings/name", json={"value": "Theirs"})
    dialog.get_by_label("Keep events (days)").fill("45")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("Saved.")).to_be_visible()
    assert (stored(owner)["name"], stored(owner)["retention_days"]) == ("Theirs", 45)


def test_settings_are_changed_by_keyboard(open_window: OpenWindow, owner: Account) -> None:
    keys = Keyboard(open_window().log_in(owner.name))
    keys.use("button", "Site settings")
    expect(keys.page.get_by_label("Name")).to_be_visible()
    keys.reach("textbox", "Name")
    keys.press("Control+a")
    keys.write("By keyboard")
    keys.reach("switch", "Guests")
    keys.press("Space", "Enter")
    expect(keys.page.get_by_text("Saved.")).to_be_visible()
    assert stored(owner) | {"name": "By keyboard", "guests": True} == stored(owner)
    keys.use("button", "Use the default", key="Shift+Tab")
    expect(keys.page.get_by_text("has its default.")).to_be_visible()
    keys.somewhere("dialog")
    keys.press("Escape")
    keys.at("button", "Site settings")


def test_the_dialog_fits_a_phone_and_has_no_axe_violations(open_window: OpenWindow, owner: Account) -> None:
    window = open_window().log_in(owner.name)
    open_settings(window)
    axe.check(window.page)
    window.page.emulate_media(color_scheme="dark")
    axe.check(window.page)
    window.page.set_viewport_size({"width": 360, "height": 640})
    window.page.keyboard.press("Escape")
    window.open("/?narrow")
    open_settings(window)
    axe.check(window.page)
    sizes = window.page.evaluate(
        "[...document.querySelectorAll('dialog')].map((box) => [box.scrollWidth, box.clientWidth])"
    )
    assert all(inner <= outer for inner, outer in sizes), sizes
